"""The promises of a limiter in memory, and in bounded memory; no clock and no burst refills it."""

import asyncio
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from limits.aio.storage import MemoryStorage

from narrows.declare.rate import Rate
from narrows.stores.limits import AllOrNothing, SteadyClock
from narrows.stores.limits_memory import MemoryLimiter
from tests.unit.stores.promises.limiter import *
from tests.unit.stores.promises.limiter import THREE, TWO_AT_ONCE


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


KEYS = st.sampled_from(["ann", "bob", "eve"])
RATES = st.builds(Rate, st.integers(1, 4), st.sampled_from([1, 60]))
WANTED = st.lists(st.tuples(KEYS, RATES), max_size=4)
STEPS = st.lists(st.tuples(st.sampled_from(["ask", "take", "give_back"]), st.integers(-5, 70), WANTED), max_size=40)


class Model:
    """The limiter in its simplest form: every window as a start and a count, searched as a whole each time."""

    def __init__(self):
        self.time = 0
        self.windows = {}

    def used(self, one):
        return self.windows.get(one, (0, 0))[1]

    def do(self, what, step, wanted):
        self.time += max(0, step)
        counts = Counter(wanted)
        for one, (start, _) in list(self.windows.items()):
            if start + one[1].seconds <= self.time:
                del self.windows[one]
        if what == "give_back":
            for one in counts.keys() & self.windows.keys():
                start, count = self.windows[one]
                self.windows[one] = (start, max(0, count - counts[one]))
            return None
        allowed = all(self.used(one) + times <= one[1].amount for one, times in counts.items())
        if allowed and what == "take":
            for one, times in counts.items():
                self.windows[one] = (self.windows.get(one, (self.time, 0))[0], self.used(one) + times)
        return allowed


@settings(max_examples=300, deadline=None)
@given(STEPS)
def test_the_limiter_does_what_the_model_does(steps):
    """Over any sequence of asks, takes, give-backs and moves of the clock, the same ones pass as in the model."""
    clock, model = Clock(), Model()
    limiter = MemoryLimiter(clock)

    async def run():
        for what, step, wanted in steps:
            clock.time += step
            answer = await getattr(limiter, what)(wanted)
            assert (answer and answer.allowed) == model.do(what, step, wanted)

    asyncio.run(run())
