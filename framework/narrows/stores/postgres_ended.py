"""Ids that hold no more, in PostgreSQL: what one machine has ended, no other takes."""

from __future__ import annotations

from collections.abc import Callable

from narrows.stores.ended import CAPACITY
from narrows.stores.postgres_server import PostgresServer, Schema

SCHEMA = Schema(
    "sessions",
    1,
    """
CREATE TABLE narrows_ended (name text PRIMARY KEY, until double precision NOT NULL);
CREATE INDEX narrows_ended_until ON narrows_ended (until);
CREATE TABLE narrows_ended_before (one integer PRIMARY KEY CHECK (one = 1), mark double precision NOT NULL);
""",
)

_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('narrows_ended', 0))"


class PostgresEnded:
    """Keeps them where several processes share them. `now` gives seconds of the wall clock."""

    def __init__(self, server: PostgresServer, now: Callable[[], float], *, capacity: int = CAPACITY) -> None:
        self._server = server
        self._now = now
        self._capacity = capacity
        server.expect(SCHEMA)

    async def add(self, name: str, until: float) -> bool:
        """Let one id hold no more; False when it was ended before.

        If the answer is lost, the id may be ended: whoever asks again is told that it was, and is not let in twice.
        """
        now = self._now()
        async with self._server.transaction("sessions") as connection:
            # One at a time, so that the bound is exact; sign-ins and sign-outs are rare.
            await connection.execute(_LOCK)
            await connection.execute("DELETE FROM narrows_ended WHERE until <= %s", (now,))
            asked = await connection.execute(
                "SELECT count(*), coalesce(bool_or(name = %s), false) FROM narrows_ended", (name,)
            )
            count, listed = (await asked.fetchall())[0]
            if count >= self._capacity and not listed:
                await connection.execute("DELETE FROM narrows_ended")
                await connection.execute(
                    "INSERT INTO narrows_ended_before VALUES (1, %s)"
                    " ON CONFLICT (one) DO UPDATE SET mark = excluded.mark",
                    (now,),
                )
            added = await connection.execute(
                "INSERT INTO narrows_ended VALUES (%s, %s) ON CONFLICT (name) DO NOTHING", (name, until)
            )
            return added.rowcount == 1

    async def holds(self, name: str, since: float) -> bool:
        """Tell whether an id that began at `since` is ended."""
        async with self._server.transaction("sessions") as connection:
            asked = await connection.execute(
                "SELECT 1 FROM narrows_ended WHERE name = %s"
                " UNION ALL SELECT 1 FROM narrows_ended_before WHERE mark >= %s",
                (name, since),
            )
            return await asked.fetchone() is not None

    async def close(self) -> None:
        """Nothing is held: the server belongs to all stores."""
