"""Revocations in PostgreSQL: what one machine was told, all others hear of with their next look."""

from __future__ import annotations

from collections.abc import Callable

from narrows.stores.postgres_server import Connection, PostgresServer, Schema
from narrows.stores.revoked import CAPACITY, Revocation, RevocationSeals, everything

SCHEMA = Schema(
    "revocations",
    1,
    """
CREATE TABLE narrows_revoked (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, until double precision NOT NULL, sealed bytea NOT NULL
);
CREATE INDEX narrows_revoked_until ON narrows_revoked (until);
""",
)

_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('narrows_revoked', 0))"


class PostgresRevoked:
    """Keeps revocations where several processes share them; each is on the disk when `add` returns.

    Who was revoked is sealed with `key` (32 bytes); `now` gives seconds of the wall clock. Its methods raise
    `Unavailable`.
    """

    def __init__(
        self, server: PostgresServer, now: Callable[[], float], key: bytes, *, capacity: int = CAPACITY
    ) -> None:
        self._server = server
        self._now = now
        self._capacity = capacity
        self._seals = RevocationSeals(key)
        server.expect(SCHEMA)

    async def add(self, revocation: Revocation) -> int:
        """Keep one durably, and answer its number. If the answer is lost it may be kept; a second time does no harm."""
        now = self._now()
        async with self._server.transaction("revocations") as connection:
            # One at a time: whoever has read a number must not find a lower one later.
            await connection.execute(_LOCK)
            await connection.execute("DELETE FROM narrows_revoked WHERE until <= %s", (now,))
            asked = await connection.execute("SELECT count(*) FROM narrows_revoked")
            if (await asked.fetchall())[0][0] >= self._capacity:
                await connection.execute("DELETE FROM narrows_revoked")
                await self._put(connection, everything(now, revocation))
            return await self._put(connection, revocation)

    async def since(self, number: int) -> list[tuple[int, Revocation]]:
        """Those with a higher number."""
        async with self._server.transaction("revocations") as connection:
            asked = await connection.execute(
                "SELECT number, sealed FROM narrows_revoked WHERE number > %s ORDER BY number", (number,)
            )
            return self._seals.opened(await asked.fetchall())

    async def close(self) -> None:
        """Nothing is held: the server belongs to all stores."""

    async def _put(self, connection: Connection, one: Revocation) -> int:
        asked = await connection.execute(
            "INSERT INTO narrows_revoked (until, sealed) VALUES (%s, %s) RETURNING number",
            (one.until, self._seals.seal(one)),
        )
        return int((await asked.fetchall())[0][0])
