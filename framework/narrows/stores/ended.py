"""Ids that hold no more, until they would have expired anyway: sessions that were signed out of, answers used already.

Both engines are bounded. When one is full, everything that began before counts as ended: more than was asked for, and
never less.
"""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from narrows.stores.sqlite_file import SqliteFile

CAPACITY = 10_000

_SCHEMA = """
CREATE TABLE IF NOT EXISTS ended (name TEXT PRIMARY KEY, until REAL NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS ended_until ON ended (until);
CREATE TABLE IF NOT EXISTS ended_before (one INTEGER PRIMARY KEY CHECK (one = 1), mark REAL NOT NULL);
"""


class Ended(Protocol):
    """Keeps ids that hold no more. Times are seconds since the epoch. Its methods raise `Unavailable`."""

    async def add(self, name: str, until: float) -> bool:
        """Let one id hold no more; False when it was ended before."""
        ...

    async def holds(self, name: str, since: float) -> bool:
        """Tell whether an id that began at `since` is ended."""
        ...

    async def close(self) -> None:
        """Release what is held."""
        ...


class MemoryEnded:
    """Keeps them in this process; another process does not know them."""

    def __init__(self, now: Callable[[], float], *, capacity: int = CAPACITY) -> None:
        self._now = now
        self._capacity = capacity
        self._until: OrderedDict[str, float] = OrderedDict()
        self._mark = float("-inf")

    async def add(self, name: str, until: float) -> bool:
        """Let one id hold no more; False when it was ended before."""
        now = self._now()
        while self._until and next(iter(self._until.values())) <= now:
            self._until.popitem(last=False)
        if name in self._until:
            return False
        if len(self._until) >= self._capacity:
            self._until.clear()
            self._mark = now
        self._until[name] = until
        return True

    async def holds(self, name: str, since: float) -> bool:
        """Tell whether an id that began at `since` is ended."""
        return name in self._until or since <= self._mark

    async def close(self) -> None:
        """Forget everything."""
        self._until.clear()


class SqliteEnded:
    """Keeps them in a file that several processes share. Raises OSError or sqlite3.Error when it cannot be opened."""

    def __init__(self, path: str | Path, now: Callable[[], float], *, capacity: int = CAPACITY) -> None:
        self._now = now
        self._capacity = capacity
        self._file = SqliteFile(path, _SCHEMA, "sessions")

    async def add(self, name: str, until: float) -> bool:
        """Let one id hold no more; False when it was ended before."""
        return await self._file.run(self._add, name, until)

    async def holds(self, name: str, since: float) -> bool:
        """Tell whether an id that began at `since` is ended."""
        return await self._file.run(self._holds, name, since)

    async def close(self) -> None:
        """Close the file once what was begun has ended; a second time does nothing."""
        await self._file.close()

    def _add(self, connection: sqlite3.Connection, name: str, until: float) -> bool:
        now = self._now()
        with connection:
            connection.execute("DELETE FROM ended WHERE until <= ?", (now,))
            (count,) = connection.execute("SELECT count(*) FROM ended").fetchone()
            if count >= self._capacity and not self._listed(connection, name):
                connection.execute("DELETE FROM ended")
                connection.execute(
                    "INSERT INTO ended_before VALUES (1, ?) ON CONFLICT (one) DO UPDATE SET mark = excluded.mark",
                    (now,),
                )
            return connection.execute("INSERT OR IGNORE INTO ended VALUES (?, ?)", (name, until)).rowcount == 1

    def _holds(self, connection: sqlite3.Connection, name: str, since: float) -> bool:
        marked = connection.execute("SELECT 1 FROM ended_before WHERE mark >= ?", (since,)).fetchone()
        return marked is not None or self._listed(connection, name)

    def _listed(self, connection: sqlite3.Connection, name: str) -> bool:
        return connection.execute("SELECT 1 FROM ended WHERE name = ?", (name,)).fetchone() is not None
