"""Budgets in Redis or Valkey: every process that shares the server shares them; each question is one round trip."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, cast

from narrows.declare.budget import end_of, start_of
from narrows.errors import Unavailable
from narrows.stores.budgets import GRACE_S, Account, Charge, Row, Standing, Told, Verdict, keep_until, standings

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from narrows.stores.redis_server import RedisServer

_log = logging.getLogger("narrows.stores")

# Accounts are hashes: s is the first second of the period, u what is used, t what was told (1 soft, 2 hard). A number
# is written with %.0f, because Lua would write a large one with an exponent. KEYS: the reservation, then the accounts.
_ACCOUNT = """
local function read(key, start)
  local kept = redis.call('HMGET', key, 's', 'u', 't')
  local s, u, t = tonumber(kept[1]), tonumber(kept[2]), tonumber(kept[3])
  if not s or s < start then return start, 0, 0 end
  return s, u, t
end
local function put(key, s, u, t, ttl)
  redis.call('HSET', key, 's', string.format('%.0f', s), 'u', string.format('%.0f', u), 't', t)
  redis.call('PEXPIRE', key, ttl)
end
local function number(it) return string.format('%.0f', it) end
"""

_TAKE = (
    _ACCOUNT
    + """
local settles, lasts, forced, ends = ARGV[1] == '1', ARGV[2], ARGV[3] == '1', ARGV[4]
local again = settles and redis.call('EXISTS', KEYS[1]) == 1
local rows, granted = {}, true
for i = 2, #KEYS do
  local at = 4 + (i - 2) * 6
  local start, amount, least = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
  local s, u, t = read(KEYS[i], start)
  local fits = u + math.max(amount, least) <= tonumber(ARGV[at + 4])
  if not fits then granted = false end
  rows[i] = {s, u, t, fits, amount, tonumber(ARGV[at + 5]), ARGV[at + 6]}
end
granted = granted or forced or again
local told = {granted and 1 or 0}
for i = 2, #KEYS do
  local s, u, t, fits, amount, soft, ttl = unpack(rows[i])
  local new = 0
  if not again then
    if granted then u = u + amount end
    if granted and not settles and u >= soft and t % 2 == 0 then t, new = t + 1, 1 end
    if not granted and not fits and t < 2 then t, new = t + 2, 2 end
    if granted or new > 0 then put(KEYS[i], s, u, t, ttl) end
    if granted and settles then redis.call('HSET', KEYS[1], KEYS[i], number(s)) end
  end
  told[#told + 1] = {number(s), number(u), fits and 1 or 0, new}
end
if settles and granted and not again then
  redis.call('HSET', KEYS[1], 'ends', ends)
  redis.call('PEXPIRE', KEYS[1], lasts)
end
return told
"""
)

_SETTLE = (
    _ACCOUNT
    + """
local told, spent = {1}, tonumber(ARGV[1])
local in_time = tonumber(redis.call('HGET', KEYS[1], 'ends') or -1) >= tonumber(ARGV[2])
for i = 2, #KEYS do
  local at = 2 + (i - 2) * 4
  local start, amount, soft, ttl = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3]), ARGV[at + 4]
  local s, u, t = read(KEYS[i], start)
  local new = 0
  if in_time and tonumber(redis.call('HGET', KEYS[1], KEYS[i])) == s then
    u = u - amount + spent
    if u >= soft and t % 2 == 0 then t, new = t + 1, 1 end
    put(KEYS[i], s, u, t, ttl)
  end
  told[#told + 1] = {number(s), number(u), 1, new}
end
redis.call('DEL', KEYS[1])
return told
"""
)
_TOLD: dict[int, Told | None] = {0: None, 1: "soft", 2: "hard"}


class RedisBudgets:
    """Keeps them under keys that begin with `prefix`, all in one slot of a cluster. `now` gives wall-clock seconds.

    A server that keeps nothing over its restart (`appendonly no`), or evicts what lies there when its memory is full,
    is refused as if it were away, because either would refill budgets.
    """

    forgets = False

    def __init__(self, server: RedisServer, now: Callable[[], float], *, prefix: str = "narrows") -> None:
        self._server = server
        self._now = now
        self._prefix = f"{{{prefix}:budgets}}:"
        self._keeps = False

    async def reserve(self, reservation: str, charges: Sequence[Charge], until: float) -> Verdict:
        """Take all charges or none, until `settle`. Raises `Unavailable` when the server is away."""
        return await self._take(reservation, charges, until=until)

    async def settle(self, reservation: str, charges: Sequence[Charge], spent: int) -> Verdict:
        """Give back of each charge what was not spent. Raises `Unavailable`."""
        now = self._now()
        arguments: list[str | int] = [spent, _milliseconds(now)]
        for charge in charges:
            account, start = charge.account, start_of(charge.account.period, now)
            arguments += [start, charge.amount, account.soft, _ttl(account, start, now)]
        return await self._run(_SETTLE, reservation, charges, arguments)

    async def count(self, charges: Sequence[Charge], *, forced: bool = False) -> Verdict:
        """Take all charges or none, for good. Raises `Unavailable`."""
        return await self._take("", charges, forced=forced)

    async def standing(self, accounts: Sequence[Account]) -> tuple[Standing, ...]:
        """How accounts stand. Raises `Unavailable`."""
        names = [self._prefix + account.name for account in accounts]

        async def read(redis: Redis) -> list[list[bytes | None]]:
            async with redis.pipeline(transaction=False) as pipe:
                for name in names:
                    pipe.hmget(name, ["s", "u", "t"])
                return await pipe.execute()

        found = await self._server.ask("budgets", read)
        rows = {
            account.name: Row(*(int(value or 0) for value in kept))
            for account, kept in zip(accounts, found, strict=True)
        }
        return standings(accounts, rows, self._now())

    async def close(self) -> None:
        """Nothing is held: the server is closed by whoever opened it."""

    async def _take(
        self, reservation: str, charges: Sequence[Charge], *, until: float = 0.0, forced: bool = False
    ) -> Verdict:
        now = self._now()
        ends = _milliseconds(until + GRACE_S)
        arguments: list[str | int] = [int(bool(reservation)), max(1, ends - _milliseconds(now)), int(forced), ends]
        for charge in charges:
            account, start = charge.account, start_of(charge.account.period, now)
            arguments += [start, charge.amount, charge.least, account.limit, account.soft, _ttl(account, start, now)]
        return await self._run(_TAKE, reservation, charges, arguments)

    async def _run(
        self, script: str, reservation: str, charges: Sequence[Charge], arguments: Sequence[str | int]
    ) -> Verdict:
        names = [f"reserved:{reservation}", *(charge.account.name for charge in charges)]
        await self._check_keeps()

        async def work(redis: Redis) -> list[Any]:
            made = redis.register_script(script)
            answer = made(keys=[self._prefix + name for name in names], args=list(arguments))
            return cast("list[Any]", await answer)

        granted, *each = await self._server.ask("budgets", work)
        told = [_standing(charge, *map(int, one)) for charge, one in zip(charges, each, strict=True)]
        return Verdict(bool(granted), tuple(told))

    async def _check_keeps(self) -> None:
        """See once that the server keeps what it is told. Raises `Unavailable`."""
        if self._keeps:
            return

        async def read(redis: Redis) -> dict[str, Any]:
            return {**await redis.info("persistence"), **await redis.info("memory")}

        info = await self._server.ask("budgets", read)
        if not info.get("aof_enabled"):
            _refuse("forgets them with its restart: set `appendonly yes` there")
        # What has an end, as accounts do, is the first that it gives up.
        if info.get("maxmemory") != 0 and info.get("maxmemory_policy") != "noeviction":
            _refuse("evicts them when its memory is full: set `maxmemory-policy noeviction` there")
        self._keeps = True


def _refuse(why: str) -> NoReturn:
    """Tell the operators why this server does not do. Raises `Unavailable`."""
    _log.error("budgets lie on a Redis that %s", why)
    raise Unavailable("The store of budgets is away.", headers={"Retry-After": "60"})


def _ttl(account: Account, start: int, now: float) -> int:
    """For how many milliseconds an account is kept after its last change."""
    return max(1, _milliseconds(keep_until(account, Row(start)) - now))


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def _standing(charge: Charge, start: int, used: int, fits: int, new: int) -> Standing:
    account = charge.account
    return Standing(
        used, end_of(account.period, start), bool(fits), used + charge.asked <= account.limit, told=_TOLD[new]
    )
