"""Rates counted in Redis or Valkey: one script judges all rates of a call, for all processes, in one round trip."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast

from limits.aio.storage import RedisStorage
from limits.aio.storage.redis.redispy import RedispyBridge
from redis.asyncio import Redis
from redis.commands.core import AsyncScript
from redis.exceptions import NoScriptError

from narrows.errors import Unavailable
from narrows.stores import Allowed, Left, Wanted
from narrows.stores.limits import AllOrNothing, SteadyClock, WindowsTogether
from narrows.stores.limits_memory import BUSY_S
from narrows.stores.redis_server import RedisServer

_CALLED = "rates"
# What a busy process sends together; more would keep other processes waiting while the server works on it.
_BATCH = 64
_SCRIPT = """
local used, ends, clock = KEYS[1], KEYS[2], KEYS[3]
local verb, lease, claim, cap = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local lease_ms, busy_ms = tonumber(ARGV[5]), tonumber(ARGV[6])

-- What time it is: a client that was here before knows how long ago that was, whatever the clock of this machine does.
local told = redis.call('TIME')
local wall = told[1] * 1000 + math.floor(told[2] / 1000)
local kept = redis.call('HMGET', clock, 'steady', 'wall')
local now = tonumber(kept[1] or 0)
if claim >= 0 then
  now = math.max(now, claim)
elseif kept[2] then
  now = now + math.max(0, wall - tonumber(kept[2]))
end
redis.call('HSET', clock, 'steady', now, 'wall', wall)

local function forget(member)
  redis.call('ZREM', ends, member)
  redis.call('HDEL', used, member)
  if string.sub(member, 1, 1) == 'l' then redis.call('DEL', used .. ':' .. member) end
end

-- Forget what is over: always more than one call can add.
for _, member in ipairs(redis.call('ZRANGEBYSCORE', ends, '-inf', now, 'LIMIT', 0, #ARGV)) do forget(member) end

-- A lease that holds several places is there several times; the first of them has its own name.
local function place(i)
  return i == 1 and lease or lease .. '#' .. i
end

local function leases(member)
  local held = used .. ':' .. member
  redis.call('ZREMRANGEBYSCORE', held, '-inf', now)
  return held
end

local wanted = {}
for i = 7, #ARGV, 4 do
  -- Many end together, and what is asked for may be behind all of them.
  local over = redis.call('ZSCORE', ends, ARGV[i])
  if over and tonumber(over) <= now then forget(ARGV[i]) end
  wanted[#wanted + 1] =
    { member = ARGV[i], amount = tonumber(ARGV[i + 1]), ms = tonumber(ARGV[i + 2]), times = tonumber(ARGV[i + 3]) }
end

if verb == 'back' or verb == 'go' then
  for _, one in ipairs(wanted) do
    if verb == 'go' then
      local held, places = leases(one.member), 0
      while redis.call('ZREM', held, place(places + 1)) == 1 do places = places + 1 end
      if places > 0 and redis.call('ZCARD', held) == 0 then redis.call('ZREM', ends, one.member) end
    elseif redis.call('HEXISTS', used, one.member) == 1 then
      if redis.call('HINCRBY', used, one.member, -one.times) < 0 then redis.call('HSET', used, one.member, 0) end
    end
  end
  return { now }
end

local wait, new, answer = 0, 0, { now, 1, 0 }
for _, one in ipairs(wanted) do
  local spare, resets, enough
  if one.ms == 0 then
    local held = leases(one.member)
    one.fresh = not redis.call('ZSCORE', held, lease)
    spare, resets = one.amount - redis.call('ZCARD', held), 0
    enough = spare >= one.times or not one.fresh
    one.times = one.fresh and one.times or 0
    if not redis.call('ZSCORE', ends, one.member) then new = new + 1 end
  else
    local over = redis.call('ZSCORE', ends, one.member)
    one.fresh = not over
    if one.fresh then new = new + 1 end
    spare = one.amount - tonumber(redis.call('HGET', used, one.member) or 0)
    resets = over and tonumber(over) - now or one.ms
    enough = spare >= one.times
  end
  if not enough then wait = math.max(wait, one.ms == 0 and busy_ms or resets) end
  answer[#answer + 1] = enough and spare - one.times or spare
  answer[#answer + 1] = resets
  answer[#answer + 1] = enough and 1 or 0
end
if redis.call('ZCARD', ends) + new > cap then
  local soon = redis.call('ZRANGE', ends, 0, 0, 'WITHSCORES')
  wait = math.max(wait, soon[2] and tonumber(soon[2]) - now or 1000)
end
if wait > 0 then
  answer[2], answer[3] = 0, wait
  return answer
end
for _, one in ipairs(verb == 'take' and wanted or {}) do
  if one.ms == 0 then
    for i = 1, one.times do redis.call('ZADD', used .. ':' .. one.member, now + lease_ms, place(i)) end
    redis.call('ZADD', ends, now + lease_ms, one.member)
  else
    if one.fresh then redis.call('ZADD', ends, now + one.ms, one.member) end
    redis.call('HINCRBY', used, one.member, one.times)
  end
end
return answer
"""


class _Question(NamedTuple):
    """What the script is asked, and where its answer goes: None when the server is away."""

    verb: str
    wanted: Sequence[Wanted]
    lease: str
    answer: asyncio.Future[list[int] | None]


class RedisWindows(RedisStorage, WindowsTogether):
    """A storage of `limits` in Redis, on the connections of a `RedisServer`; see `RedisLimiter`."""

    def __init__(self, server: RedisServer, now: Callable[[], float], *, name: str, cap: int, lease_s: float) -> None:
        pool = cast("Any", server.pool)  # the library takes it, and its types do not know
        super().__init__("redis://", implementation="redispy", key_prefix=name, connection_pool=pool)
        self._server = server
        self._clock = SteadyClock(now)
        self._bounds = (str(cap), str(int(lease_s * 1000)), str(int(BUSY_S * 1000)))
        client = cast("RedispyBridge", self.bridge).get_connection()
        self._script = cast("AsyncScript", client.register_script(_SCRIPT.encode()))
        # One slot of a cluster for all of them, else they could not be judged together.
        self._keys = [f"{{{name}}}:{part}" for part in ("used", "ends", "clock")]
        self._ahead_ms: float | None = None
        self._waiting: deque[_Question] = deque()
        self._sending: asyncio.Task[None] | None = None

    async def judge(self, wanted: Sequence[Wanted], *, take: bool, lease: str = "") -> Allowed:
        """Say whether all rates allow one more, and take it of each if they do and `take` says so."""
        _, allowed, wait_ms, *each = await self._run("take" if take else "ask", wanted, lease)
        lefts = zip(each[0::3], each[1::3], each[2::3], strict=True)
        return Allowed(
            bool(allowed), wait_ms / 1000, tuple(Left(spare, resets / 1000, bool(ok)) for spare, resets, ok in lefts)
        )

    async def put_back(self, wanted: Sequence[Wanted]) -> None:
        """Undo one take of windows that still run; a window never goes below 0."""
        await self._run("back", [one for one in wanted if not one[1].is_concurrent])

    async def let_go(self, wanted: Sequence[Wanted], lease: str) -> None:
        """End a lease."""
        await self._run("go", [one for one in wanted if one[1].is_concurrent], lease)

    async def _run(self, verb: str, wanted: Sequence[Wanted], lease: str = "") -> list[int]:
        """Ask the script. Raises `Unavailable` when the server is away."""
        question = _Question(verb, wanted, lease, asyncio.get_running_loop().create_future())
        self._waiting.append(question)
        if self._sending is None:
            self._sending = asyncio.create_task(self._send())
        answer = await question.answer
        if answer is None:
            raise Unavailable(f"The store of {_CALLED} is away.", headers={"Retry-After": "5"})
        return answer

    async def _send(self) -> None:
        """Send what waits, together: while one batch is on its way the next gathers, and needs no more connections."""
        batch: list[_Question] = []
        try:
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), _BATCH))]
                for question, answer in zip(batch, await self._answers(batch), strict=True):
                    if not question.answer.done():  # a client that went away does not wait any more
                        question.answer.set_result(answer)
        finally:
            # Whatever ends this early, nobody waits for an answer that does not come.
            for question in batch:
                question.answer.cancel()
            self._sending = None

    async def _answers(self, batch: Sequence[_Question]) -> Sequence[list[int] | None]:
        """The answers to a batch, each None when the server is away; and learn how far ahead its time is at least."""
        claim = self._claim()
        try:
            answers = await self._server.ask(_CALLED, lambda redis: self._batch(redis, claim, batch))
        except Unavailable:
            return [None] * len(batch)
        ahead = answers[-1][0] - self._clock() * 1000
        self._ahead_ms = ahead if self._ahead_ms is None else max(ahead, self._ahead_ms)
        return answers

    async def _batch(self, redis: Redis, claim: int, batch: Sequence[_Question]) -> list[list[int]]:
        """Run the script for each question, in one round trip; a server that does not know it yet did nothing."""
        pipe = redis.pipeline(transaction=False)
        for question in batch:
            pipe.evalsha(self._script.sha, len(self._keys), *self._keys, *self._arguments(question, claim))
        answers = await pipe.execute(raise_on_error=False)
        if isinstance(answers[0], NoScriptError):
            await redis.script_load(_SCRIPT)
            return await self._batch(redis, claim, batch)
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        return answers

    def _arguments(self, question: _Question, claim: int) -> list[str | int]:
        cap, *waits = self._bounds
        arguments: list[str | int] = [question.verb, question.lease, claim, cap, *waits]
        for (key, rate), times in Counter(question.wanted).items():
            kind = "l" if rate.is_concurrent else "w"
            member = f"{kind}{key}/{rate.amount}/{rate.seconds}/{rate.per}"
            arguments += (member, rate.amount, rate.seconds * 1000, times)
        return arguments

    def _claim(self) -> int:
        """What time it is at least in the store, in milliseconds; -1 from whoever was not there yet."""
        # What floating point loses must not cost a millisecond.
        return -1 if self._ahead_ms is None else int(self._clock() * 1000 + self._ahead_ms + 0.001)


class RedisLimiter(AllOrNothing):
    """Counts in Redis, for all processes that use the same `name`; of a burst exactly `amount` pass over all of them.

    `now` gives seconds of a steady clock. The store's time goes on as the steady clocks of its clients do, so that
    setting the clock of its machine refills nothing; only a client that has just come goes by that clock. At most `cap`
    windows are kept (each about 300 bytes); when that many run, keys without one are refused until one ends. A lease
    ends by itself after `lease_s` seconds. Raises `Unavailable` while the server is away.
    """

    def __init__(
        self,
        server: RedisServer,
        now: Callable[[], float],
        *,
        name: str,
        cap: int = 1_000_000,
        lease_s: float = 15.0,
    ) -> None:
        super().__init__(RedisWindows(server, now, name=name, cap=cap, lease_s=lease_s))
