"""The embedded store that outlives the process: one SQLite file, sealed documents, nobody's name in it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

from narrows.stores import Owner
from narrows.stores.rehearsals import Bounds, Envelope, Room, used_already
from narrows.stores.sqlite_file import SqliteFile

_SCHEMA = """
CREATE TABLE IF NOT EXISTS rehearsals (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    owner TEXT NOT NULL,
    expires REAL NOT NULL,
    bytes INTEGER NOT NULL,
    sealed BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS rehearsals_owner ON rehearsals (owner, seq);
CREATE INDEX IF NOT EXISTS rehearsals_expires ON rehearsals (expires, bytes);
"""


class SqliteRehearsals:
    """Keeps rehearsals for `lifetime_s` seconds in a file that several processes of one machine may share.

    The file belongs to its user alone (mode 0600); documents are sealed with `key` (32 bytes), owners are keyed
    digests. `now` gives seconds of the wall clock. Raises OSError or sqlite3.Error when the file cannot be opened; its
    methods raise `Unavailable`.
    """

    def __init__(
        self,
        path: str | Path,
        now: Callable[[], float],
        lifetime_s: float,
        key: bytes,
        *,
        bounds: Bounds | None = None,
    ) -> None:
        self._now = now
        self._lifetime_s = lifetime_s
        self._bounds = bounds or Bounds()
        self._envelope = Envelope(key, self._bounds)
        self._file = SqliteFile(path, _SCHEMA, "rehearsals")

    async def put(self, rehearsal_id: str, owner: Owner, document: bytes) -> None:
        """Keep a document under a new id. Raises `StoreRefused` for a used id or a document that is too large."""
        await self._file.run(self._put, rehearsal_id, owner, document)

    async def get(self, rehearsal_id: str, owner: Owner) -> bytes | None:
        """The document, or None: absent, expired and another's look alike."""
        return await self._file.run(self._get, rehearsal_id, owner)

    async def find(self, rehearsal_id: str, owners: Sequence[Owner]) -> tuple[Owner, bytes] | None:
        """The one of these owners that a document belongs to, with it; None as for `get`."""
        return await self._file.run(self._find, rehearsal_id, owners)

    async def newest(self, owner: Owner, count: int) -> list[bytes]:
        """The owner's newest documents, newest first."""
        return await self._file.run(self._newest, owner, max(count, 0))

    async def close(self) -> None:
        """Close the file once what was begun has ended; a second time does nothing."""
        await self._file.close()

    def _put(self, connection: sqlite3.Connection, rehearsal_id: str, owner: Owner, document: bytes) -> None:
        now, whose = self._now(), self._envelope.owner(owner)
        expires = now + self._lifetime_s
        sealed = self._envelope.seal(rehearsal_id, whose, expires, document)
        with connection:
            connection.execute("DELETE FROM rehearsals WHERE expires <= ?", (now,))
            try:
                connection.execute(
                    "INSERT INTO rehearsals (id, owner, expires, bytes, sealed) VALUES (?, ?, ?, ?, ?)",
                    (rehearsal_id, whose, expires, len(sealed), sealed),
                )
            except sqlite3.IntegrityError:
                raise used_already(rehearsal_id) from None
            self._keep_bounds(connection, whose)

    def _keep_bounds(self, connection: sqlite3.Connection, owner: str) -> None:
        own = connection.execute("SELECT seq, bytes FROM rehearsals WHERE owner = ? ORDER BY seq", (owner,)).fetchall()
        totals = connection.execute("SELECT count(*), coalesce(sum(bytes), 0) FROM rehearsals").fetchone()
        room = Room(self._bounds, *totals)
        _drop(connection, room.own_excess(own))
        _drop(connection, room.excess(connection.execute("SELECT seq, bytes FROM rehearsals ORDER BY seq")))

    def _get(self, connection: sqlite3.Connection, rehearsal_id: str, owner: Owner) -> bytes | None:
        whose = self._envelope.owner(owner)
        row = connection.execute(
            "SELECT expires, sealed FROM rehearsals WHERE id = ? AND owner = ? AND expires > ?",
            (rehearsal_id, whose, self._now()),
        ).fetchone()
        return self._envelope.open(rehearsal_id, whose, *row) if row else None

    def _find(
        self, connection: sqlite3.Connection, rehearsal_id: str, owners: Sequence[Owner]
    ) -> tuple[Owner, bytes] | None:
        """One look-up whatever the number of owners: which of them it is, their digests tell."""
        row = connection.execute(
            "SELECT owner, expires, sealed FROM rehearsals WHERE id = ? AND expires > ?", (rehearsal_id, self._now())
        ).fetchone()
        whose = {self._envelope.owner(owner): owner for owner in owners} if row else {}
        document = self._envelope.open(rehearsal_id, *row) if row and row[0] in whose else None
        return None if document is None else (whose[row[0]], document)

    def _newest(self, connection: sqlite3.Connection, owner: Owner, count: int) -> list[bytes]:
        whose = self._envelope.owner(owner)
        rows = connection.execute(
            "SELECT id, expires, sealed FROM rehearsals WHERE owner = ? AND expires > ? ORDER BY seq DESC LIMIT ?",
            (whose, self._now(), count),
        ).fetchall()
        opened = [self._envelope.open(rehearsal_id, whose, expires, sealed) for rehearsal_id, expires, sealed in rows]
        return [document for document in opened if document is not None]


def _drop(connection: sqlite3.Connection, numbers: Sequence[int]) -> None:
    connection.executemany("DELETE FROM rehearsals WHERE seq = ?", ((number,) for number in numbers))
