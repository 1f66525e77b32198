"""One connection pool to Redis or Valkey: what the shared stores of a process stand on."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from narrows.errors import Unavailable
from narrows.settings import Secret
from narrows.stores.redis_url import checked

T = TypeVar("T")

# More would only wait in the server, which does one thing after the other; calls beyond them wait here.
_CONNECTIONS = 32

_log = logging.getLogger("narrows.stores")


class RedisServer:
    """A Redis or Valkey server by its URL (`redis://…`, with TLS `rediss://…`); it is reached with the first question.

    `wait_s` bounds each connection and each answer, in seconds, and the wait for one of the connections that are shared
    by all. A command is never repeated: whether a first one arrived cannot be known, and what counts twice is wrong.
    `away` hears of each question without an answer, by the name of its store. `pool` is for a library that brings a
    client of its own. Raises `SettingsError` for a URL without TLS off loopback.
    """

    def __init__(self, url: Secret, *, wait_s: float = 1.0, away: Callable[[str], object] = lambda _: None) -> None:
        self._count = away
        self.pool = BlockingConnectionPool.from_url(
            checked(url),
            max_connections=_CONNECTIONS,
            timeout=wait_s,
            socket_timeout=wait_s,
            socket_connect_timeout=wait_s,
            retry=Retry(NoBackoff(), 0),
            health_check_interval=30,
        )
        self._client = Redis.from_pool(self.pool)
        self._away: set[str] = set()

    async def ask(self, called: str, work: Callable[[Redis], Awaitable[T]]) -> T:
        """Do something with the client; `called` names the store.

        Raises `Unavailable` when the server is away, which is told once until it is there again.
        """
        try:
            answer = await work(self._client)
        except (RedisError, OSError, TimeoutError) as error:
            self._count(called)
            if called not in self._away:
                self._away.add(called)
                _log.warning("the store of %s is away: %s", called, type(error).__name__)
            raise Unavailable(f"The store of {called} is away.", headers={"Retry-After": "5"}) from None
        if called in self._away:
            self._away.remove(called)
            _log.info("the store of %s is there again", called)
        return answer

    async def prepare(self) -> None:
        """Tell at the start of a server that does not answer; it can be done without for a while."""
        try:
            await self._client.ping()
        except (RedisError, OSError, TimeoutError) as error:
            _log.warning(
                "stores.redis: it does not answer (%s). Remedy: see whether it runs, and whether the URL is right",
                type(error).__name__,
            )

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()
