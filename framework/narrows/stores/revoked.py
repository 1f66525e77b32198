"""What was revoked: persons and single tokens, until no token that it touches can be alive, in one place for all.

It lies where the registry of connectors lies: both say who may still call, and every call asks for both.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, Protocol

import msgspec

from narrows.errors import Unavailable
from narrows.stores.sealing import Sealer, frame
from narrows.stores.sqlite_file import SqliteFile

CAPACITY = 100_000

_SCHEMA = """
CREATE TABLE IF NOT EXISTS revoked (
  number INTEGER PRIMARY KEY AUTOINCREMENT, until REAL NOT NULL, sealed BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS revoked_until ON revoked (until);
"""


class Revocation(msgspec.Struct, frozen=True):
    """One thing that holds no more. Times are seconds since the epoch.

    `subject`: what was issued to `name` at or before `at`; `token`: the token of that name (its `jti`); `all`: whatever
    was issued at or before `at`, by any issuer. `issuer` is a name of the settings. It may be forgotten after `until`.
    """

    kind: Literal["subject", "token", "all"]
    issuer: str
    name: str
    at: float
    until: float


class Revoked(Protocol):
    """Keeps revocations, bounded: when it is full, all give way to one that covers everything issued up to now.

    Its methods raise `Unavailable` when it is away; then nobody may be let in on what was known before.
    """

    async def add(self, revocation: Revocation) -> int:
        """Keep one durably, and answer its number, which is higher than all before it."""
        ...

    async def since(self, number: int) -> list[tuple[int, Revocation]]:
        """Those with a higher number, in their order."""
        ...

    async def close(self) -> None:
        """Release what is held."""
        ...


class MemoryRevoked:
    """Keeps them in this process; another process does not know them, and a restart forgets them."""

    def __init__(self, now: Callable[[], float], *, capacity: int = CAPACITY) -> None:
        self._now = now
        self._capacity = capacity
        self._last = 0
        self._kept: dict[int, Revocation] = {}

    async def add(self, revocation: Revocation) -> int:
        """Keep one, and answer its number."""
        now = self._now()
        self._kept = {number: one for number, one in self._kept.items() if one.until > now}
        if len(self._kept) >= self._capacity:
            self._kept.clear()
            self._put(everything(now, revocation))
        return self._put(revocation)

    async def since(self, number: int) -> list[tuple[int, Revocation]]:
        """Those with a higher number."""
        if number >= self._last:
            return []
        return [(one, revocation) for one, revocation in self._kept.items() if one > number]

    async def close(self) -> None:
        """Forget everything."""
        self._kept.clear()

    def _put(self, revocation: Revocation) -> int:
        self._last += 1
        self._kept[self._last] = revocation
        return self._last


class SqliteRevoked:
    """Keeps them in a file that several processes of one machine share; each is on the disk when `add` returns.

    Who was revoked is sealed with `key` (32 bytes). Raises OSError or sqlite3.Error when the file cannot be opened.
    """

    def __init__(self, path: str | Path, now: Callable[[], float], key: bytes, *, capacity: int = CAPACITY) -> None:
        self._now = now
        self._capacity = capacity
        self._seals = RevocationSeals(key)
        self._file = SqliteFile(path, _SCHEMA, "revocations", durable=True)

    async def add(self, revocation: Revocation) -> int:
        """Keep one durably, and answer its number."""
        return await self._file.run(self._add, revocation)

    async def since(self, number: int) -> list[tuple[int, Revocation]]:
        """Those with a higher number."""
        return self._seals.opened(await self._file.run(_rows, number))

    async def close(self) -> None:
        """Close the file; a second time does nothing."""
        await self._file.close()

    def _add(self, connection: sqlite3.Connection, revocation: Revocation) -> int:
        now = self._now()
        with connection:
            connection.execute("DELETE FROM revoked WHERE until <= ?", (now,))
            (count,) = connection.execute("SELECT count(*) FROM revoked").fetchone()
            if count >= self._capacity:
                connection.execute("DELETE FROM revoked")
                self._put(connection, everything(now, revocation))
            return self._put(connection, revocation)

    def _put(self, connection: sqlite3.Connection, one: Revocation) -> int:
        sql = "INSERT INTO revoked (until, sealed) VALUES (?, ?) RETURNING number"
        number: int = connection.execute(sql, (one.until, self._seals.seal(one))).fetchone()[0]
        return number


class RevocationSeals:
    """Seals revocations, so that a copy of the store does not say who was revoked."""

    def __init__(self, key: bytes) -> None:
        self._sealer = Sealer(key, purpose="revoked")

    def seal(self, revocation: Revocation) -> bytes:
        """One row."""
        return self._sealer.seal(msgspec.json.encode(revocation), frame("revoked"))

    def opened(self, rows: Sequence[tuple[int, bytes]]) -> list[tuple[int, Revocation]]:
        """Rows of number and seal. Raises `Unavailable`: nothing is guessed of a row that another key sealed."""
        plain = [(number, self._sealer.open(sealed, frame("revoked"))) for number, sealed in rows]
        if any(one is None for _, one in plain):
            raise Unavailable("The store of revocations cannot be read.", headers={"Retry-After": "5"})
        return [(number, msgspec.json.decode(one or b"", type=Revocation)) for number, one in plain]


def everything(now: float, last: Revocation) -> Revocation:
    """What stands for all that gives way to `last`: more is refused than was asked for, and never less."""
    return Revocation("all", "", "", now, max(last.until, now + (last.until - last.at)))


def _rows(connection: sqlite3.Connection, number: int) -> list[tuple[int, bytes]]:
    sql = "SELECT number, sealed FROM revoked WHERE number > ? ORDER BY number"
    return connection.execute(sql, (number,)).fetchall()
