"""What rates cost a call: little in memory, for several rates too, and however many callers there are."""

import asyncio
import time

from narrows import NumberId
from narrows.declare.rate import Rate
from narrows.pipeline import rate
from narrows.stores.limits_memory import MemoryLimiter
from tests.unit.pipeline import calls

TIMES, ROUNDS = 1000, 7
BOUND_US = 300.0


async def team(team_id: NumberId) -> calls.Team:
    """Handle one call."""


def microseconds(do) -> float:
    """The best of some rounds: what it takes when nobody else has the processor."""

    async def rounds() -> float:
        best = float("inf")
        for _ in range(ROUNDS):
            begin = time.perf_counter()
            for _ in range(TIMES):
                await do()
            best = min(best, time.perf_counter() - begin)
        return best / TIMES * 1e6

    return asyncio.run(rounds())


def test_the_step_takes_a_small_part_of_a_call():
    """Three rates with names, take and headers stay far below a millisecond."""
    endpoint = calls.declared(team, rate=["1000000/minute", "900000000/day per tenant", "100000 concurrent"])
    step = calls.made(rate, endpoint)

    async def one() -> None:
        call = calls.call(endpoint)
        await step(call)
        await call.ending[0]()

    async def nothing() -> None:
        calls.call(endpoint)

    cost = microseconds(one) - microseconds(nothing)
    print(f"\nthe step with three rates: {cost:.1f} µs")
    assert cost < BOUND_US


def test_a_take_stays_as_cheap_with_many_windows():
    """With ten thousand windows open it takes as long as with ten."""
    limiters = []
    for count in (10, 10_000):
        limiter = MemoryLimiter(time.monotonic)
        asyncio.run(_fill(limiter, count))
        limiters.append(limiter)
    few, many = (microseconds(lambda one=one: one.take([("5", Rate(10**8, 3600))])) for one in limiters)
    print(f"\nfew {few:.2f} µs, many {many:.2f} µs")
    assert many < few * 3


async def _fill(limiter, count) -> None:
    for number in range(count):
        await limiter.take([(str(number), Rate(10**8, 3600))])
