"""The registry of connectors, embedded: in memory, or in one SQLite file, sealed."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import msgspec

from narrows.stores.registry import Change, Registered, changed_meanwhile
from narrows.stores.registry_sealing import RegistryEnvelope
from narrows.stores.sqlite_file import SqliteFile

_SCHEMA = """
CREATE TABLE IF NOT EXISTS connectors (name TEXT PRIMARY KEY, generation INTEGER NOT NULL, sealed BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS changes (seq INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, sealed BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS changes_name ON changes (name, seq);
CREATE TABLE IF NOT EXISTS registry (one INTEGER PRIMARY KEY CHECK (one = 1), generation INTEGER NOT NULL);
INSERT OR IGNORE INTO registry VALUES (1, 0);
CREATE TRIGGER IF NOT EXISTS changes_kept BEFORE DELETE ON changes BEGIN SELECT RAISE(ABORT, 'append only'); END;
CREATE TRIGGER IF NOT EXISTS changes_fixed BEFORE UPDATE ON changes BEGIN SELECT RAISE(ABORT, 'append only'); END;
"""


class MemoryConnectors:
    """A registry that ends with the process: for tests and for development."""

    def __init__(self) -> None:
        self._generation = 0
        self._entries: dict[str, Registered] = {}
        self._changes: list[Change] = []

    async def generation(self) -> int:
        """A number that grows with every change."""
        return self._generation

    async def all(self) -> tuple[int, list[Registered]]:
        """The generation, and every connector as it was then, sorted by id."""
        return self._generation, [self._entries[name] for name in sorted(self._entries)]

    async def get(self, connector_id: str) -> Registered | None:
        """One connector."""
        return self._entries.get(connector_id)

    async def put(self, entry: Registered, change: Change, was: int) -> Registered:
        """Keep a connector and the change that led to it. Raises `ConnectorError` when it was changed meanwhile."""
        kept = self._entries.get(entry.id)
        if was != (kept.generation if kept else 0):
            raise changed_meanwhile(entry.id)
        self._generation += 1
        self._changes.append(change)
        self._entries[entry.id] = made = msgspec.structs.replace(entry, generation=self._generation)
        return made

    async def note(self, change: Change) -> None:
        """Add to the history what changed nothing."""
        self._changes.append(change)

    async def history(self, connector_id: str | None = None) -> list[Change]:
        """The changes of one connector or of all, oldest first."""
        return [one for one in self._changes if connector_id in (None, one.connector)]

    async def close(self) -> None:
        """Nothing is held."""


class SqliteConnectors:
    """A registry in a file (mode 0600) that several processes of one machine share; every change reaches the disk.

    Records and changes are sealed with `key` (32 bytes), and names are keyed digests; a sealed row that is moved or put
    back to an older generation does not open. Raises OSError or sqlite3.Error when the file cannot be opened; its
    methods raise `Unavailable`.
    """

    def __init__(self, path: str | Path, key: bytes) -> None:
        self._envelope = RegistryEnvelope(key)
        self._file = SqliteFile(path, _SCHEMA, "connectors", durable=True)

    async def generation(self) -> int:
        """A number that grows with every change; one read of one row."""
        return await self._file.run(_generation)

    async def all(self) -> tuple[int, list[Registered]]:
        """The generation, and every connector as it was then, sorted by id."""
        return await self._file.run(self._all)

    async def get(self, connector_id: str) -> Registered | None:
        """One connector."""
        return await self._file.run(self._get, connector_id)

    async def put(self, entry: Registered, change: Change, was: int) -> Registered:
        """Keep a connector and the change that led to it. Raises `ConnectorError` when it was changed meanwhile."""
        return await self._file.run(self._put, entry, change, was)

    async def note(self, change: Change) -> None:
        """Add to the history what changed nothing."""
        await self._file.run(self._note, change)

    async def history(self, connector_id: str | None = None) -> list[Change]:
        """The changes of one connector or of all, oldest first."""
        return await self._file.run(self._history, connector_id)

    async def close(self) -> None:
        """Close the file; a second time does nothing."""
        await self._file.close()

    def _all(self, connection: sqlite3.Connection) -> tuple[int, list[Registered]]:
        with connection:
            # One transaction, so that the generation is that of the rows.
            connection.execute("BEGIN")
            generation = _generation(connection)
            rows = connection.execute("SELECT name, generation, sealed FROM connectors").fetchall()
        return generation, sorted((self._envelope.open(*row) for row in rows), key=lambda entry: entry.id)

    def _get(self, connection: sqlite3.Connection, connector_id: str) -> Registered | None:
        row = connection.execute(
            "SELECT name, generation, sealed FROM connectors WHERE name = ?", (self._envelope.name(connector_id),)
        ).fetchone()
        return self._envelope.open(*row) if row else None

    def _put(self, connection: sqlite3.Connection, entry: Registered, change: Change, was: int) -> Registered:
        name = self._envelope.name(entry.id)
        with connection:
            connection.execute("UPDATE registry SET generation = generation + 1")
            row = connection.execute("SELECT generation FROM connectors WHERE name = ?", (name,)).fetchone()
            if was != (row[0] if row else 0):
                raise changed_meanwhile(entry.id)
            made = msgspec.structs.replace(entry, generation=_generation(connection))
            connection.execute(
                "INSERT OR REPLACE INTO connectors VALUES (?, ?, ?)",
                (name, made.generation, self._envelope.seal(made)),
            )
            self._add(connection, change)
        return made

    def _note(self, connection: sqlite3.Connection, change: Change) -> None:
        with connection:
            self._add(connection, change)

    def _add(self, connection: sqlite3.Connection, change: Change) -> None:
        row = (self._envelope.name(change.connector), self._envelope.seal_change(change))
        connection.execute("INSERT INTO changes (name, sealed) VALUES (?, ?)", row)

    def _history(self, connection: sqlite3.Connection, connector_id: str | None) -> list[Change]:
        wanted = ("", ()) if connector_id is None else ("WHERE name = ?", (self._envelope.name(connector_id),))
        rows = connection.execute(f"SELECT name, sealed FROM changes {wanted[0]} ORDER BY seq", wanted[1]).fetchall()  # noqa: S608 # both texts stand above
        return [self._envelope.open_change(name, sealed) for name, sealed in rows]


def _generation(connection: sqlite3.Connection) -> int:
    generation: int = connection.execute("SELECT generation FROM registry").fetchone()[0]
    return generation
