"""The audit log in one SQLite file, which several processes of one machine may share."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from narrows.errors import Unavailable
from narrows.stores.audit import HASH_BYTES, Head, Kept, Node, Person
from narrows.stores.sqlite_file import SqliteFile

_SCHEMA = """
CREATE TABLE IF NOT EXISTS head (one INTEGER PRIMARY KEY CHECK (one = 1), size INTEGER NOT NULL, peaks BLOB NOT NULL);
INSERT OR IGNORE INTO head VALUES (1, 0, x'');
CREATE TABLE IF NOT EXISTS leaves (place INTEGER PRIMARY KEY, leaf BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS nodes (
    level INTEGER NOT NULL, place INTEGER NOT NULL, digest BLOB NOT NULL, PRIMARY KEY (level, place)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS kept (name TEXT PRIMARY KEY, version INTEGER NOT NULL, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS persons (lookup BLOB PRIMARY KEY, hash TEXT NOT NULL UNIQUE, sealed BLOB NOT NULL);
"""


class SqliteAuditStore:
    """Keeps an audit log in a file; each `append` is one transaction, on the disk when it returns.

    Raises OSError or sqlite3.Error when the file cannot be opened; its methods raise `Unavailable`.
    """

    def __init__(self, path: str | Path) -> None:
        self._file = SqliteFile(path, _SCHEMA, "audit", durable=True)

    async def head(self) -> Head:
        """How far the log goes."""
        return await self._file.run(_head)

    async def append(self, was: Head, head: Head, leaves: Sequence[bytes], nodes: Sequence[Node]) -> bool:
        """Add leaves durably, all or none; False when the head is not `was` any more."""
        return await self._file.run(_append, was, head, leaves, nodes)

    async def leaves(self, start: int, count: int) -> list[bytes]:
        """The leaves from an index on, in order; fewer at the end."""
        return await self._file.run(_leaves, start, count)

    async def nodes(self, wanted: Sequence[tuple[int, int]]) -> list[bytes]:
        """The digests of complete subtrees. Raises `KeyError` for one that is none."""
        return await self._file.run(_nodes, wanted)

    async def kept(self, name: str) -> Kept | None:
        """A small value that goes with the log."""
        return await self._file.run(_kept, name)

    async def keep(self, name: str, was: int, value: bytes) -> bool:
        """Put a small value if its version is still `was`."""
        return await self._file.run(_keep, name, was, value)

    async def person(self, lookup: bytes) -> Person | None:
        """Who was put under a lookup."""
        return await self._file.run(_person, "lookup", lookup)

    async def put_person(self, lookup: bytes, person: Person) -> Person:
        """Put somebody unless somebody else did it first; answers what is kept then."""
        return await self._file.run(_put_person, lookup, person)

    async def find_person(self, hash: str) -> Person | None:  # noqa: A002 # the protocol's name
        """Who a hash of the log leads to."""
        return await self._file.run(_person, "hash", hash)

    async def forget_person(self, lookup: bytes) -> bool:
        """Destroy what leads to somebody, in the file and in its log of changes; whether there was anything.

        Raises `Unavailable` while another process still reads what was: then it must be done again.
        """
        return await self._file.run(_forget_person, lookup)

    async def close(self) -> None:
        """Close the file once what was begun has ended; a second time does nothing."""
        await self._file.close()


def _head(connection: sqlite3.Connection) -> Head:
    size, peaks = connection.execute("SELECT size, peaks FROM head").fetchone()
    return Head(size, tuple(peaks[at : at + HASH_BYTES] for at in range(0, len(peaks), HASH_BYTES)))


def _append(
    connection: sqlite3.Connection, was: Head, head: Head, leaves: Sequence[bytes], nodes: Sequence[Node]
) -> bool:
    with connection:
        set_ = connection.execute(
            "UPDATE head SET size = ?, peaks = ? WHERE size = ? AND peaks = ?",
            (head.size, b"".join(head.peaks), was.size, b"".join(was.peaks)),
        )
        if set_.rowcount == 0:
            return False
        connection.executemany("INSERT INTO leaves VALUES (?, ?)", enumerate(leaves, was.size))
        connection.executemany("INSERT INTO nodes VALUES (?, ?, ?)", nodes)
    return True


def _leaves(connection: sqlite3.Connection, start: int, count: int) -> list[bytes]:
    rows = connection.execute(
        "SELECT leaf FROM leaves WHERE place >= ? ORDER BY place LIMIT ?", (start, max(count, 0))
    ).fetchall()
    return [leaf for (leaf,) in rows]


def _nodes(connection: sqlite3.Connection, wanted: Sequence[tuple[int, int]]) -> list[bytes]:
    found = []
    for place in wanted:
        row = connection.execute("SELECT digest FROM nodes WHERE level = ? AND place = ?", place).fetchone()
        if row is None:
            raise KeyError(place)
        found.append(row[0])
    return found


def _kept(connection: sqlite3.Connection, name: str) -> Kept | None:
    row = connection.execute("SELECT version, value FROM kept WHERE name = ?", (name,)).fetchone()
    return Kept(*row) if row else None


def _keep(connection: sqlite3.Connection, name: str, was: int, value: bytes) -> bool:
    with connection:
        if was == 0:
            put = connection.execute("INSERT OR IGNORE INTO kept VALUES (?, 1, ?)", (name, value))
        else:
            put = connection.execute(
                "UPDATE kept SET version = ?, value = ? WHERE name = ? AND version = ?", (was + 1, value, name, was)
            )
    return put.rowcount == 1


def _person(connection: sqlite3.Connection, column: str, value: bytes | str) -> Person | None:
    by = {
        "lookup": "SELECT hash, sealed FROM persons WHERE lookup = ?",
        "hash": "SELECT hash, sealed FROM persons WHERE hash = ?",
    }
    row = connection.execute(by[column], (value,)).fetchone()
    return Person(*row) if row else None


def _put_person(connection: sqlite3.Connection, lookup: bytes, person: Person) -> Person:
    with connection:
        connection.execute("INSERT INTO persons VALUES (?, ?, ?) ON CONFLICT (lookup) DO NOTHING", (lookup, *person))
        row = connection.execute("SELECT hash, sealed FROM persons WHERE lookup = ?", (lookup,)).fetchone()
    return Person(*row)


def _forget_person(connection: sqlite3.Connection, lookup: bytes) -> bool:
    with connection:
        gone = connection.execute("DELETE FROM persons WHERE lookup = ?", (lookup,)).rowcount == 1
    # Deleted content is overwritten (secure_delete), but the pages as they were still lie in the write-ahead log.
    busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise Unavailable("The store of audit is being read, and what was forgotten may still be on the disk.")
    return gone
