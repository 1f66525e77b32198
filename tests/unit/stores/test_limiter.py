"""The promises of a limiter in memory, and in bounded memory; no clock and no burst refills it."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from limits.aio.storage import MemoryStorage

from narrows.declare.rate import Rate
from narrows.stores.limits import AllOrNothing, SteadyClock
from narrows.stores.limits_memory import MemoryLimiter
from tests.unit.stores.promises.limiter import *
from tests.unit.stores.promises.limiter import THREE, TWO_AT_ONCE
from tests.unit.stores.promises.limiter_model import STEPS, compare


class Clock:
    """A clock that a test sets."""

    def __init__(self, time=1000.0):
        self.time = time

    def __call__(self):
        return self.time


@pytest.fixture
def clock():
    """The clock of a test."""
    return Clock()


@pytest.fixture
def key():
    """The store is the test's own, and so are its keys."""
    return str


@pytest.fixture
def limiter(clock):
    """A limiter with room enough."""
    return MemoryLimiter(clock)


@pytest.fixture
def small(clock):
    """A limiter with room for two."""
    return MemoryLimiter(clock, cap=2)


@given(st.lists(st.integers(-1000, 1000), max_size=30))
def test_the_steady_clock_never_goes_back(steps):
    """Whatever the clock behind it does, time stands or goes on, and goes on as fast as the clock does."""
    clock = Clock(0)
    steady = SteadyClock(clock)
    for step in steps:
        before = steady()
        clock.time += step
        assert steady() - before == max(0, step)


async def test_windows_that_ended_are_forgotten():
    """Memory holds the running windows only, however many keys came."""
    clock = Clock()
    limiter = MemoryLimiter(clock)
    for number in range(1000):
        clock.time += 1
        await limiter.take([(str(number), THREE), (str(number), Rate(1, 1))])
    held = sum(len(windows) for windows in limiter.storage._windows.values())
    assert (held, limiter.storage._count) == (61, 61)


async def test_leases_that_ended_are_forgotten():
    """Released or not, no lease is kept for longer than it lasts."""
    clock = Clock()
    limiter = MemoryLimiter(clock)
    for number in range(100):
        clock.time += 1
        await limiter.take([(str(number), TWO_AT_ONCE)], "call")
        if number % 2:
            await limiter.release([(str(number), TWO_AT_ONCE)], "call")
    storage = limiter.storage
    assert (len(storage._leases), len(storage._under_way), storage._count) == (7, 7, 7)


def test_a_storage_that_judges_one_rate_at_a_time_is_refused():
    """Those of the library would leave a call refused and half counted."""
    with pytest.raises(NotImplementedError, match="MemoryStorage does not judge several rates together"):
        AllOrNothing(MemoryStorage())


@settings(max_examples=300, deadline=None)
@given(STEPS)
def test_the_limiter_does_what_the_model_does(steps):
    """Over any sequence of asks, takes, give-backs, releases and moves of the clock, as many pass as in the model."""
    clock = Clock()
    asyncio.run(compare(MemoryLimiter(clock), clock, steps))
