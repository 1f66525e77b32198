"""One connection pool to PostgreSQL: what the shared stores of a process stand on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from narrows.errors import Unavailable
from narrows.settings import Secret

Connection = psycopg.AsyncConnection[tuple[Any, ...]]

_log = logging.getLogger("narrows.stores")

_LOCK = 0x6E617272  # one process at a time makes tables


class PostgresServer:
    """A PostgreSQL server by its URL or connection string; it is reached with the first question.

    At most `size` connections; `wait_s` bounds the wait for one, and each statement, in seconds.
    """

    def __init__(self, conninfo: Secret, *, size: int = 8, wait_s: float = 2.0) -> None:
        self._conninfo = conninfo
        self._size = size
        self._wait_s = wait_s
        self._pool: AsyncConnectionPool[Connection] | None = None
        self._opening = asyncio.Lock()
        self._made: set[str] = set()

    @asynccontextmanager
    async def transaction(self, called: str, schema: str = "") -> AsyncIterator[Connection]:
        """A connection within one transaction, committed at the end and rolled back by whatever is raised.

        `schema` is run once before. Raises `Unavailable` when the server is away; `called` names the store in it.
        A commit whose answer is lost may have happened.
        """
        try:
            pool = await self._open()
            async with pool.connection() as connection:
                if schema and schema not in self._made:
                    await self._make(connection, schema)
                yield connection
        except (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout) as error:
            _log.warning("the store of %s is away: %s", called, type(error).__name__)
            raise Unavailable(f"The store of {called} is away.", headers={"Retry-After": "5"}) from None

    async def close(self) -> None:
        """Close the connections."""
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.close()

    async def _open(self) -> AsyncConnectionPool[Connection]:
        async with self._opening:
            if self._pool is None:
                self._pool = AsyncConnectionPool(
                    self._conninfo.reveal(),
                    kwargs={
                        "connect_timeout": max(1, round(self._wait_s)),
                        "options": f"-c statement_timeout={round(self._wait_s * 1000)}",
                    },
                    min_size=0,
                    max_size=self._size,
                    timeout=self._wait_s,
                    # A connection that broke while it lay idle is found before it is used.
                    check=AsyncConnectionPool.check_connection,
                    open=False,
                )
                await self._pool.open()
            return self._pool

    async def _make(self, connection: Connection, schema: str) -> None:
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            await connection.execute(schema.encode())
        self._made.add(schema)
