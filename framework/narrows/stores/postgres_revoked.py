"""Revocations in PostgreSQL, for processes on many machines."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from narrows.stores.revoked import CAPACITY, Revocation, RevocationSeals, everything

if TYPE_CHECKING:
    from narrows.stores.postgres_server import Connection, PostgresServer

_CALLED = "revocations"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS narrows_revoked (
  number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, until double precision NOT NULL, sealed bytea NOT NULL
);
CREATE INDEX IF NOT EXISTS narrows_revoked_until ON narrows_revoked (until);
"""


class PostgresRevoked:
    """Keeps them for all processes; each is durable when `add` returns. Who was revoked is sealed with `key`."""

    def __init__(
        self, server: PostgresServer, now: Callable[[], float], key: bytes, *, capacity: int = CAPACITY
    ) -> None:
        self._server = server
        self._now = now
        self._capacity = capacity
        self._seals = RevocationSeals(key)

    async def add(self, revocation: Revocation) -> int:
        """Keep one durably, and answer its number. Raises `Unavailable`."""
        now = self._now()
        async with self._server.transaction(_CALLED, _SCHEMA) as connection:
            # One writer at a time, and none reads meanwhile what a slower one would still put before it.
            await connection.execute("LOCK TABLE narrows_revoked IN EXCLUSIVE MODE")
            await connection.execute("DELETE FROM narrows_revoked WHERE until <= %s", (now,))
            row = await (await connection.execute("SELECT count(*) FROM narrows_revoked")).fetchone()
            if (row or (0,))[0] >= self._capacity:
                await connection.execute("DELETE FROM narrows_revoked")
                await self._put(connection, everything(now, revocation))
            return await self._put(connection, revocation)

    async def since(self, number: int) -> list[tuple[int, Revocation]]:
        """Those with a higher number. Raises `Unavailable`."""
        sql = "SELECT number, sealed FROM narrows_revoked WHERE number > %s ORDER BY number"
        async with self._server.transaction(_CALLED, _SCHEMA) as connection:
            return self._seals.opened(await (await connection.execute(sql, (number,))).fetchall())

    async def close(self) -> None:
        """The connections belong to the server."""

    async def _put(self, connection: Connection, one: Revocation) -> int:
        sql = "INSERT INTO narrows_revoked (until, sealed) VALUES (%s, %s) RETURNING number"
        row = await (await connection.execute(sql, (one.until, self._seals.seal(one)))).fetchone()
        return int((row or (0,))[0])
