"""The shelf of tokens on Redis or Valkey."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from narrows.stores.tokens import Mark

if TYPE_CHECKING:
    from narrows.stores.redis_server import RedisServer

_CALLED = "tokens"
_PREFIX = b"narrows:token:"
_EPOCH = b"narrows:epoch:"
_EPOCH_MS = 3 * 24 * 3600 * 1000
"""How long an epoch is remembered after its last use: longer than any token of before it lives."""

# Each mark is a key with the highest epoch that was heard of; what is made under an older one is void.
_CHECK = """
for i = 2, #KEYS do
  local known = tonumber(redis.call('GET', KEYS[i]) or '0')
  local mine = tonumber(ARGV[i - 1])
  if mine < known then return false end
  if mine > known then redis.call('SET', KEYS[i], ARGV[i - 1], 'PX', ARGV[#KEYS]) end
end
"""
_GET = _CHECK + "return redis.call('GET', KEYS[1])"
_PUT = _CHECK + "redis.call('SET', KEYS[1], ARGV[#KEYS + 1], 'PX', ARGV[#KEYS + 2]) return 1"


class RedisShelf:
    """Keeps sealed tokens for all processes; Redis forgets each at its end. Its methods raise `Unavailable`."""

    def __init__(self, server: RedisServer) -> None:
        self._server = server

    async def get(self, key: bytes, marks: Sequence[Mark]) -> bytes | None:
        """What lies under a key, unless a mark is older than is known here."""
        found: bytes | None = await self._run(_GET, key, marks)
        return found

    async def put(self, key: bytes, marks: Sequence[Mark], sealed: bytes, life_s: float) -> bool:
        """Keep it, unless a mark is older than is known here; Redis runs the script as one step."""
        return await self._run(_PUT, key, marks, sealed, max(1, math.floor(life_s * 1000))) is not None

    async def drop(self, key: bytes) -> None:
        """Forget what lies under a key."""
        await self._server.ask(_CALLED, lambda redis: redis.delete(_PREFIX + key.hex().encode()))

    async def _run(self, script: str, key: bytes, marks: Sequence[Mark], *more: bytes | int) -> Any:
        keys = [_PREFIX + key.hex().encode(), *(_EPOCH + mark.name.hex().encode() for mark in marks)]
        values = [*(mark.epoch for mark in marks), _EPOCH_MS, *more]
        return await self._server.ask(_CALLED, lambda redis: redis.eval(script, len(keys), *keys, *values))
