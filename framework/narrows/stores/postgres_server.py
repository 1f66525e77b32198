"""One connection pool to PostgreSQL: what the shared stores of a process stand on."""

from __future__ import annotations

import asyncio
import logging
import os
import select
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from typing import Any, NamedTuple

import psycopg
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from narrows.errors import SettingsError, Unavailable
from narrows.settings import Secret
from narrows.stores.postgres_url import parameters, refused

Connection = psycopg.AsyncConnection[tuple[Any, ...]]

_log = logging.getLogger("narrows.stores")

_LOCK = 0x6E617272  # one process at a time makes tables
_PAUSE_S = 0.5  # for so long after a server was away nobody waits for it
_SCHEMAS = "CREATE TABLE narrows_schemas (name text PRIMARY KEY, version integer NOT NULL)"

# What a server says of a connection that it does not take. Its own words may name what stands in the URL.
_REASONS = {
    "password authentication failed": "it does not take the password",
    "no password supplied": "it asks for a password",
    "pg_hba.conf": "its pg_hba.conf does not let this role in from here",
    "does not exist": "the role or the database is not there",
    "certificate": "its certificate is not accepted",
    "SSL": "it does not speak TLS as the URL asks",
    "invalid": "nobody can read its URL",
    "too many": "it has no connection left",
}


class Schema(NamedTuple):
    """The tables of one store. `script` makes them; whoever changes it raises `version`."""

    name: str
    version: int
    script: str


class PostgresServer:
    """A PostgreSQL server by its URL; it is reached with the first question.

    At most `size` connections; `wait_s` bounds the wait for one, and each statement, in seconds; a transaction whose
    server says nothing for twice as long loses its connection. Raises `SettingsError` for a URL without TLS off this
    machine.
    """

    def __init__(
        self, conninfo: Secret, *, size: int = 8, wait_s: float = 2.0, away: Callable[[str], object] = lambda _: None
    ) -> None:
        self._count = away
        self._given = parameters(conninfo)
        self._size = size
        self._wait_s = wait_s
        self._pool: AsyncConnectionPool[Connection] | None = None
        self._opening = asyncio.Lock()
        self._expected: dict[str, Schema] = {}
        self._made: set[Schema] = set()
        self._failures = 0
        self._away_until = 0.0

    def expect(self, schema: Schema) -> None:
        """Have the tables of a store made, or their version looked at, before the first transaction."""
        self._expected[schema.name] = schema

    async def prepare(self) -> None:
        """Make or check the tables that are expected: at start, where somebody reads what is wrong.

        Raises `SettingsError` with the reason and the remedy.
        """
        if not self._missing():
            return
        try:
            async with await psycopg.AsyncConnection.connect(**self._parameters()) as connection:
                for schema in self._missing():
                    await self._make(connection, schema)
        except psycopg.OperationalError as error:
            raise refused(_reason(error), "see whether it runs, and whether the URL is right") from None
        except psycopg.Error as error:
            raise refused(
                f"it does not let this role make or read the tables ({type(error).__name__})",
                "let the owner of the database make them once, and grant as docs/guide/postgresql.md says",
            ) from None

    @asynccontextmanager
    async def transaction(
        self, called: str, *, relaxed: bool = False, piped: bool = False
    ) -> AsyncIterator[Connection]:
        """A connection within one transaction, committed at the end and rolled back by whatever is raised.

        `relaxed` does not wait for the disk: a crash of the server may lose the last of it, and never anything that was
        committed after it. `piped` waits for an answer only where it is fetched, so that what is sent before goes along
        (`rowcount` tells nothing then). Raises `Unavailable` when the server is away or refuses; `called` names the
        store in it. A commit whose answer is lost may have happened.
        """
        with self._telling(called):
            pool = await self._open()
            async with pool.connection() as connection, self._watched(connection):
                for schema in self._missing():
                    await self._make(connection, schema)
                async with connection.pipeline() if piped else nullcontext():
                    if relaxed:
                        await connection.execute("SET LOCAL synchronous_commit TO off")
                    yield connection

    async def close(self) -> None:
        """Close the connections."""
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.close()

    @contextmanager
    def _telling(self, called: str) -> Iterator[None]:
        """Make one problem of all that a server may fail with; the operators read what it was."""
        away = Unavailable(f"The store of {called} is away.", headers={"Retry-After": "5"})
        if time.monotonic() < self._away_until:
            self._count(called)
            raise away
        try:
            yield
        except psycopg.Error as error:
            self._count(called)
            self._note(error)
            _log.warning("the store of %s is away: %s", called, type(error).__name__)
            raise away from None
        except SettingsError as error:
            _log.error("the store of %s cannot be used: %s", called, error)
            raise away from None

    def _note(self, error: psycopg.Error) -> None:
        """Let nobody wait for a while when a connection was not to be had because the server is away."""
        if isinstance(error, PoolTimeout) and self._pool is not None:
            failures = self._pool.get_stats().get("connections_errors", 0)
            if failures != self._failures:
                self._failures, self._away_until = failures, time.monotonic() + _PAUSE_S

    async def _open(self) -> AsyncConnectionPool[Connection]:
        async with self._opening:
            if self._pool is None:
                self._pool = AsyncConnectionPool(
                    kwargs=self._parameters(),
                    min_size=0,
                    max_size=self._size,
                    timeout=self._wait_s,
                    # Its own tries grow rarer and rarer; here each question that comes later tries anew.
                    reconnect_timeout=_PAUSE_S,
                    check=_check,
                    open=False,
                )
                await self._pool.open()
            return self._pool

    def _parameters(self) -> dict[str, Any]:
        """How to connect: what the URL says, and bounds for all that may last."""
        given = dict(self._given)
        options = f"{given.pop('options', '')} -c statement_timeout={round(self._wait_s * 1000)}"
        bounds = {
            "connect_timeout": max(1, round(self._wait_s)),
            "application_name": "narrows",
            "keepalives_idle": 10,
            "tcp_user_timeout": round(self._wait_s * 2000),
        }
        return {**bounds, **given, "options": options.strip()}

    @asynccontextmanager
    async def _watched(self, connection: Connection) -> AsyncIterator[None]:
        """Cut a connection whose server says nothing any more, so that nobody waits for it for ever."""
        cutting = asyncio.get_running_loop().call_later(self._wait_s * 2, _cut, connection)
        try:
            yield
        finally:
            cutting.cancel()

    def _missing(self) -> list[Schema]:
        """The tables that were neither made nor looked at by this process."""
        return [schema for schema in self._expected.values() if schema not in self._made]

    async def _make(self, connection: Connection, schema: Schema) -> None:
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            await _make_once(connection, schema)
        self._made.add(schema)


async def _make_once(connection: Connection, schema: Schema) -> None:
    """Make the tables of a store if nobody has; those of another version are not touched."""
    found = await (await connection.execute("SELECT to_regclass('narrows_schemas')::text")).fetchone()
    if found == (None,):
        await connection.execute(_SCHEMAS)
    asked = await connection.execute("SELECT version FROM narrows_schemas WHERE name = %s", (schema.name,))
    version = await asked.fetchone()
    if version is None:
        await connection.execute(schema.script.encode())
        await connection.execute("INSERT INTO narrows_schemas VALUES (%s, %s)", (schema.name, schema.version))
    elif version[0] != schema.version:
        older = "an older" if version[0] < schema.version else "a newer"
        raise refused(
            f"its tables of {schema.name} were made by {older} Narrows (version {version[0]}, this one has "
            f"{schema.version})",
            "run the Narrows that made them, or move them as the changelog of this one says",
        )


async def _check(connection: Connection) -> None:
    """See that nobody closed a connection while it lay idle: one that is whole has nothing to read.

    To ask the server instead takes as long as a statement, each time.
    """
    idle = select.poll()
    idle.register(connection.fileno(), select.POLLIN)
    if idle.poll(0):
        await AsyncConnectionPool.check_connection(connection)


def _cut(connection: Connection) -> None:
    """End a connection under whoever waits for it."""
    with socket.socket(fileno=os.dup(connection.fileno())) as line:
        line.shutdown(socket.SHUT_RDWR)


def _reason(error: psycopg.OperationalError) -> str:
    return next((told for said, told in _REASONS.items() if said in str(error)), "it does not answer")
