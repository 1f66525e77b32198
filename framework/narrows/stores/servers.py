"""The servers that the stores of a process share: one pool of connections each, made when it is first asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from narrows.errors import SettingsError
from narrows.settings import Secret, StoreSettings

if TYPE_CHECKING:
    from narrows.stores.postgres_server import PostgresServer
    from narrows.stores.redis_server import RedisServer

SERVERS = ("redis", "postgres")
"""The kinds of store that lie on a server, each with a key of `[stores]` of that name."""


class Servers:
    """The servers that `[stores]` names. A client that is not installed is told by `SettingsError` with the extra.

    `away` hears of each question that a server did not answer, by the name of its store.
    """

    def __init__(self, stores: StoreSettings, away: Callable[[str], object] = lambda _: None) -> None:
        self._stores = stores
        self._away = away
        self._redis: RedisServer | None = None
        self._postgres: PostgresServer | None = None

    @property
    def redis(self) -> RedisServer:
        """The server of `stores.redis`. Raises `SettingsError` without one."""
        if self._redis is None:
            try:
                from narrows.stores.redis_server import RedisServer  # an extra
            except ImportError:
                raise _not_installed("redis") from None
            self._redis = RedisServer(_url(self._stores.redis, "redis"), away=self._away)
        return self._redis

    @property
    def postgres(self) -> PostgresServer:
        """The server of `stores.postgres`. Raises `SettingsError` without one."""
        if self._postgres is None:
            try:
                from narrows.stores.postgres_server import PostgresServer  # an extra
            except ImportError:
                raise _not_installed("postgres") from None
            self._postgres = PostgresServer(_url(self._stores.postgres, "postgres"), away=self._away)
        return self._postgres

    async def prepare(self) -> None:
        """Make or check the tables of the stores that were opened. Raises `SettingsError` with what is wrong.

        A Redis that does not answer is told in the log: what lies there can be done without for a while.
        """
        if self._redis is not None:
            await self._redis.prepare()
        if self._postgres is not None:
            await self._postgres.prepare()

    async def close(self) -> None:
        """Close the connections; the stores that use them are closed before."""
        if self._redis is not None:
            await self._redis.close()
        if self._postgres is not None:
            await self._postgres.close()


def _url(named: Secret | None, field: str) -> Secret:
    if named is None:
        raise no_server(field)
    return named


def no_server(kind: str) -> SettingsError:
    """The refusal of a store whose server is not named."""
    return SettingsError(
        f"stores.{kind}: a store lies on this server, and nothing says where it is. "
        f'Remedy: set `stores.{kind} = {{ env = "…" }}` with its URL.'
    )


def _not_installed(extra: str) -> SettingsError:
    return SettingsError(f"stores.{extra}: its client is not installed. Remedy: pip install 'narrows[{extra}]'.")
