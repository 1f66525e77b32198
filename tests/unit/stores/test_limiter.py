"""Rates are counted exactly, all or nothing, in bounded memory; no clock and no burst refills them."""

import asyncio
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from narrows.declare.rate import Rate
from narrows.stores.memory import MemoryLimiter, SteadyClock

THREE = Rate(3, 60)
TEN = Rate(10, 3600)


class Clock:
    """A clock that a test sets."""

    def __init__(self, time=1000.0):
        self.time = time

    def __call__(self):
        return self.time


@pytest.mark.parametrize("limit", [1, 7, 50])
async def test_of_many_at_once_exactly_the_limit_pass(limit):
    """However many takes run side by side, exactly the rate's amount pass, also when a minute turns between them."""
    limiter = MemoryLimiter(Clock(59.999))
    answers = await asyncio.gather(*(limiter.take([("ann", Rate(limit, 60))]) for _ in range(200)))
    assert sum(answer.allowed for answer in answers) == limit


async def test_a_take_says_what_remains_and_a_refusal_when_to_come_again():
    """`remaining` counts down to 0, and then `retry_after_s` is the rest of the window."""
    clock = Clock()
    limiter = MemoryLimiter(clock)
    assert [(await limiter.take([("ann", THREE)])).remaining for _ in range(3)] == [2, 1, 0]
    clock.time += 20.5
    refused = await limiter.take([("ann", THREE)])
    assert (refused.allowed, refused.remaining, refused.retry_after_s) == (False, 0, 39.5)


async def test_the_window_ends_on_the_second():
    """A key may go on when its window is over and not a moment earlier."""
    clock = Clock()
    limiter = MemoryLimiter(clock)
    for _ in range(3):
        await limiter.take([("ann", THREE)])
    clock.time = 1059.999
    assert not (await limiter.take([("ann", THREE)])).allowed
    clock.time = 1060.0
    assert (await limiter.take([("ann", THREE)])).remaining == 2


async def test_the_window_starts_with_the_first_take():
    """Windows are not cut by the clock's minutes: a burst over the turn of a minute gets one amount, not two."""
    clock = Clock(119.0)
    limiter = MemoryLimiter(clock)
    allowed = 0
    for clock.time in (119.0, 119.9, 120.0, 120.1, 121.0):
        allowed += (await limiter.take([("ann", THREE)])).allowed
    assert allowed == 3


async def test_asking_takes_nothing():
    """`ask` says what `take` would say, however often it is asked."""
    limiter = MemoryLimiter(Clock())
    asked = [await limiter.ask([("ann", THREE)]) for _ in range(10)]
    assert {answer.remaining for answer in asked} == {2}
    assert (await limiter.take([("ann", THREE)])) == asked[0]


async def test_all_rates_or_none():
    """When one rate is used up, the others lose nothing; the longest wait of those that refuse is told."""
    clock = Clock()
    limiter = MemoryLimiter(clock)
    for _ in range(3):
        await limiter.take([("ann", THREE), ("team", TEN)])
    clock.time += 10
    refused = await limiter.take([("ann", THREE), ("team", TEN)])
    assert (refused.allowed, refused.retry_after_s) == (False, 50.0)
    assert (await limiter.ask([("team", TEN)])).remaining == 6


async def test_the_longest_wait_counts():
    """Of two rates that refuse, the client waits for the later one."""
    limiter = MemoryLimiter(Clock())
    one, other = ("ann", Rate(1, 60)), ("ann", Rate(1, 3600))
    await limiter.take([one, other])
    assert (await limiter.take([one, other])).retry_after_s == 3600


async def test_one_rate_twice_is_taken_twice():
    """The same key and rate named twice in one take cost two."""
    limiter = MemoryLimiter(Clock())
    assert (await limiter.take([("ann", THREE), ("ann", THREE)])).remaining == 1
    assert not (await limiter.take([("ann", THREE), ("ann", THREE)])).allowed
    assert (await limiter.take([("ann", THREE)])).allowed


async def test_more_at_once_than_the_amount_never_passes():
    """What no window could hold is refused without starting one."""
    limiter = MemoryLimiter(Clock())
    refused = await limiter.take([("ann", THREE)] * 4)
    assert (refused.allowed, refused.retry_after_s) == (False, 60.0)
    assert (await limiter.ask([("ann", THREE)])).remaining == 2


async def test_without_a_rate_nothing_is_limited():
    """An empty list of rates is allowed."""
    assert (await MemoryLimiter(Clock()).take([])).allowed


async def test_keys_and_rates_count_apart():
    """Another key, or another rate of the same key, has a window of its own."""
    limiter = MemoryLimiter(Clock())
    await limiter.take([("ann", THREE)])
    assert (await limiter.ask([("bob", THREE)])).remaining == 2
    assert (await limiter.ask([("ann", Rate(3, 60, "tenant"))])).remaining == 2


async def test_giving_back_undoes_one_take():
    """After a give-back one more passes, and no more than the amount."""
    limiter = MemoryLimiter(Clock())
    for _ in range(3):
        await limiter.take([("ann", THREE)])
    await limiter.give_back([("ann", THREE)])
    assert [(await limiter.take([("ann", THREE)])).allowed for _ in range(2)] == [True, False]


async def test_giving_back_never_makes_more_than_the_amount():
    """Giving back what was never taken, or more often than taken, gives nothing."""
    limiter = MemoryLimiter(Clock())
    await limiter.give_back([("ann", THREE)])
    await limiter.take([("ann", THREE)])
    await limiter.give_back([("ann", THREE)] * 5)
    assert [(await limiter.take([("ann", THREE)])).allowed for _ in range(4)] == [True, True, True, False]


async def test_giving_back_after_the_window_gives_nothing():
    """A take of a window that has ended cannot come back as room in the next."""
    clock = Clock()
    limiter = MemoryLimiter(clock)
    await limiter.take([("ann", THREE)])
    clock.time += 60
    await limiter.give_back([("ann", THREE)])
    assert (await limiter.take([("ann", THREE)])).remaining == 2


async def test_a_clock_set_back_refills_nothing_and_locks_nobody_out():
    """While the clock goes back the window goes on from where it stood, and ends after its own seconds."""
    clock = Clock(1000.0)
    limiter = MemoryLimiter(clock)
    for _ in range(3):
        await limiter.take([("ann", THREE)])
    clock.time = 10.0
    assert (await limiter.take([("ann", THREE)])).retry_after_s == 60.0
    clock.time = 69.0
    assert (await limiter.take([("ann", THREE)])).retry_after_s == 1.0
    clock.time = 70.0
    assert (await limiter.take([("ann", THREE)])).allowed


@given(st.lists(st.integers(-1000, 1000), max_size=30))
def test_the_steady_clock_never_goes_back(steps):
    """Whatever the clock behind it does, time stands or goes on, and goes on as fast as the clock does."""
    clock = Clock(0)
    steady = SteadyClock(clock)
    for step in steps:
        before = steady()
        clock.time += step
        assert steady() - before == max(0, step)


async def test_the_store_is_bounded_and_closed_for_new_keys_when_full():
    """Over the cap new keys are refused until a window ends, known keys go on, and nothing is refilled."""
    clock = Clock()
    limiter = MemoryLimiter(clock, cap=2)
    await limiter.take([("ann", THREE)])
    clock.time += 10
    await limiter.take([("bob", THREE)])
    refused = await limiter.take([("eve", THREE)])
    assert (refused.allowed, refused.retry_after_s) == (False, 50.0)
    assert (await limiter.ask([("eve", THREE)])) == refused
    assert (await limiter.take([("ann", THREE)])).remaining == 1
    clock.time += 50
    assert (await limiter.take([("eve", THREE)])).allowed
    assert not (await limiter.take([("ann", THREE)])).allowed


async def test_more_rates_at_once_than_the_cap_are_refused():
    """A cap that holds not even one call's rates refuses, with a wait that is not zero."""
    refused = await MemoryLimiter(Clock(), cap=1).take([("ann", THREE), ("bob", THREE)])
    assert (refused.allowed, refused.retry_after_s) == (False, 1.0)


async def test_windows_that_ended_are_forgotten():
    """Memory holds the running windows only, however many keys came."""
    clock = Clock()
    limiter = MemoryLimiter(clock)
    for number in range(1000):
        clock.time += 1
        await limiter.take([(str(number), THREE), (str(number), Rate(1, 1))])
    held = sum(len(windows) for windows in limiter._windows.values())
    assert (held, limiter._count) == (61, 61)


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
