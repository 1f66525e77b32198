"""What every limiter promises; `limiter` counts by `clock`, which a test sets and which a store only hears of.

Its leases end by themselves after 15 seconds. Keys are of the test alone: `key` makes them.
"""

import asyncio

import pytest
from limits import RateLimitItemPerMinute

from narrows.declare.rate import Rate

THREE = Rate(3, 60)
TEN = Rate(10, 3600)
TWO_AT_ONCE = Rate(2, 0, "connector")


@pytest.mark.parametrize("limit", [1, 7, 50])
async def test_of_many_at_once_exactly_the_limit_pass(limiter, clock, key, limit):
    """However many takes run side by side, exactly the rate's amount pass, also when a minute turns between them."""
    clock.time = 59.999
    answers = await asyncio.gather(*(limiter.take([(key("ann"), Rate(limit, 60))]) for _ in range(200)))
    assert sum(answer.allowed for answer in answers) == limit


async def test_of_many_at_once_over_two_rates_exactly_the_smaller_pass(limiter, key):
    """What the second rate refuses is not missing at the first: it is free for who comes later."""
    wanted = [(key("ann"), Rate(20, 60)), (key("team"), Rate(7, 60))]
    answers = await asyncio.gather(*(limiter.take(wanted) for _ in range(100)))
    assert sum(answer.allowed for answer in answers) == 7
    assert (await limiter.ask([wanted[0]])).remaining == 12


async def test_a_take_says_what_remains_and_a_refusal_when_to_come_again(limiter, clock, key):
    """`remaining` counts down to 0, and then `retry_after_s` is the rest of the window."""
    assert [(await limiter.take([(key("ann"), THREE)])).remaining for _ in range(3)] == [2, 1, 0]
    clock.time += 20.5
    refused = await limiter.take([(key("ann"), THREE)])
    assert (refused.allowed, refused.remaining, refused.retry_after_s) == (False, 0, 39.5)


async def test_each_rate_says_what_it_leaves_and_until_when(limiter, clock, key):
    """In the order in which they were wanted; of a refusal, which of them had enough."""
    wanted = [(key("ann"), THREE), (key("team"), TEN), (key("app"), TWO_AT_ONCE)]
    await limiter.take([wanted[0]])
    clock.time += 10
    taken = await limiter.take(wanted, "call-1")
    assert [(left.remaining, left.resets_s) for left in taken.each] == [(1, 50), (9, 3600), (1, 0)]
    await limiter.take([wanted[0]])
    refused = await limiter.take(wanted, "call-2")
    assert [(left.remaining, left.enough) for left in refused.each] == [(0, False), (8, True), (0, True)]


async def test_the_window_ends_on_the_second(limiter, clock, key):
    """A key may go on when its window is over and not a moment earlier."""
    begin = clock.time
    for _ in range(3):
        await limiter.take([(key("ann"), THREE)])
    clock.time = begin + 59.999
    assert not (await limiter.take([(key("ann"), THREE)])).allowed
    clock.time = begin + 60.0
    assert (await limiter.take([(key("ann"), THREE)])).remaining == 2


async def test_the_window_starts_with_the_first_take(limiter, clock, key):
    """Windows are not cut by the clock's minutes: a burst over the turn of a minute gets one amount, not two."""
    allowed = 0
    for clock.time in (119.0, 119.9, 120.0, 120.1, 121.0):
        allowed += (await limiter.take([(key("ann"), THREE)])).allowed
    assert allowed == 3


async def test_asking_takes_nothing(limiter, key):
    """`ask` says what `take` would say, however often it is asked."""
    asked = [await limiter.ask([(key("ann"), THREE), (key("app"), TWO_AT_ONCE)], "call") for _ in range(10)]
    assert {answer.remaining for answer in asked} == {1}
    assert (await limiter.take([(key("ann"), THREE), (key("app"), TWO_AT_ONCE)], "call")) == asked[0]


async def test_all_rates_or_none(limiter, clock, key):
    """When one rate is used up, the others lose nothing; the longest wait of those that refuse is told."""
    for _ in range(3):
        await limiter.take([(key("ann"), THREE), (key("team"), TEN)])
    clock.time += 10
    refused = await limiter.take([(key("ann"), THREE), (key("team"), TEN)])
    assert (refused.allowed, refused.retry_after_s) == (False, 50.0)
    assert (await limiter.ask([(key("team"), TEN)])).remaining == 6


async def test_the_longest_wait_counts(limiter, key):
    """Of two rates that refuse, the client waits for the later one."""
    one, other = (key("ann"), Rate(1, 60)), (key("ann"), Rate(1, 3600))
    await limiter.take([one, other])
    assert (await limiter.take([one, other])).retry_after_s == 3600


async def test_one_rate_twice_is_taken_twice(limiter, key):
    """The same key and rate named twice in one take cost two."""
    ann = key("ann")
    assert (await limiter.take([(ann, THREE), (ann, THREE)])).remaining == 1
    assert not (await limiter.take([(ann, THREE), (ann, THREE)])).allowed
    assert (await limiter.take([(ann, THREE)])).allowed


async def test_what_is_wanted_several_times_is_taken_with_the_others_or_not_at_all(limiter, key):
    """Of many documents at once that ask for five of one rate beside one of another, exactly those pass that fit."""
    wanted = [(key("ann"), TEN), *[(key("dish"), Rate(17, 60))] * 5]
    answers = await asyncio.gather(*(limiter.take(wanted) for _ in range(20)))
    assert sum(answer.allowed for answer in answers) == 3
    assert {len(answer.each) for answer in answers} == {2}
    for _ in range(2):  # what was refused took nothing
        refused = await limiter.take(wanted)
        assert [(left.remaining, left.enough) for left in refused.each] == [(6, True), (2, False)]


async def test_more_at_once_than_the_amount_never_passes(limiter, key):
    """What no window could hold is refused without starting one."""
    refused = await limiter.take([(key("ann"), THREE)] * 4)
    assert (refused.allowed, refused.retry_after_s) == (False, 60.0)
    assert (await limiter.ask([(key("ann"), THREE)])).remaining == 2


async def test_without_a_rate_nothing_is_limited(limiter):
    """An empty list of rates is allowed."""
    answer = await limiter.take([])
    assert answer.allowed
    assert answer.remaining > 2**31


async def test_keys_and_rates_count_apart(limiter, key):
    """Another key, or another rate of the same key, has a window of its own."""
    await limiter.take([(key("ann"), THREE)])
    assert (await limiter.ask([(key("bob"), THREE)])).remaining == 2
    assert (await limiter.ask([(key("ann"), Rate(3, 60, "tenant"))])).remaining == 2


async def test_giving_back_undoes_one_take(limiter, key):
    """After a give-back one more passes, and no more than the amount."""
    for _ in range(3):
        await limiter.take([(key("ann"), THREE)])
    await limiter.give_back([(key("ann"), THREE)])
    assert [(await limiter.take([(key("ann"), THREE)])).allowed for _ in range(2)] == [True, False]


async def test_giving_back_never_makes_more_than_the_amount(limiter, key):
    """Giving back what was never taken, or more often than taken, gives nothing."""
    ann = key("ann")
    await limiter.give_back([(ann, THREE)])
    await limiter.take([(ann, THREE)])
    await limiter.give_back([(ann, THREE)] * 5)
    assert [(await limiter.take([(ann, THREE)])).allowed for _ in range(4)] == [True, True, True, False]


async def test_giving_back_after_the_window_gives_nothing(limiter, clock, key):
    """A take of a window that has ended cannot come back as room in the next."""
    await limiter.take([(key("ann"), THREE)])
    clock.time += 60
    await limiter.give_back([(key("ann"), THREE)])
    assert (await limiter.take([(key("ann"), THREE)])).remaining == 2


async def test_a_clock_set_back_refills_nothing_and_locks_nobody_out(limiter, clock, key):
    """While the clock goes back the window goes on from where it stood, and ends after its own seconds."""
    for _ in range(3):
        await limiter.take([(key("ann"), THREE)])
    clock.time = 10.0
    assert (await limiter.take([(key("ann"), THREE)])).retry_after_s == 60.0
    clock.time = 69.0
    assert (await limiter.take([(key("ann"), THREE)])).retry_after_s == 1.0
    clock.time = 70.0
    assert (await limiter.take([(key("ann"), THREE)])).allowed


async def test_so_many_run_at_once_and_the_next_when_one_has_ended(limiter, clock, key):
    """A call that is over makes room for exactly one, and a second release of it for none."""
    app = [(key("app"), TWO_AT_ONCE)]
    answers = await asyncio.gather(*(limiter.take(app, f"call-{number}") for number in range(50)))
    passed = [number for number, answer in enumerate(answers) if answer.allowed]
    assert len(passed) == 2
    clock.time += 5
    refused = await limiter.take(app, "next")
    assert (refused.allowed, refused.retry_after_s, refused.each[0].enough) == (False, 1.0, False)
    await limiter.release(app, f"call-{passed[0]}")
    await limiter.release(app, f"call-{passed[0]}")
    assert [(await limiter.take(app, name)).allowed for name in ("next", "last")] == [True, False]


async def test_a_lease_is_taken_once_however_often_it_is_asked_for(limiter, key):
    """The same call does not count twice: what its first take asked for is what it holds."""
    app = (key("app"), TWO_AT_ONCE)
    assert (await limiter.take([app], "call")).remaining == 1
    assert (await limiter.take([app], "call")).remaining == 1
    assert (await limiter.take([app, app, app], "call")).remaining == 1
    assert (await limiter.take([app], "other")).remaining == 0
    assert (await limiter.take([app], "other")).allowed


async def test_a_call_that_runs_several_at_once_takes_as_many_places(limiter, clock, key):
    """All of them or none, and one release frees them all; so does the end of the lease."""
    app = (key("app"), Rate(5, 0, "connector"))
    answers = await asyncio.gather(*(limiter.take([app] * 2, f"call-{number}") for number in range(20)))
    passed = [number for number, answer in enumerate(answers) if answer.allowed]
    assert (len(passed), (await limiter.ask([app], "other")).remaining) == (2, 0)
    refused = await limiter.take([app] * 2, "next")
    assert (refused.retry_after_s, refused.each[0].remaining, refused.each[0].enough) == (1.0, 1, False)
    await limiter.release([app], f"call-{passed[0]}")
    await limiter.release([app], f"call-{passed[0]}")
    assert [(await limiter.take([app] * 3, name)).allowed for name in ("next", "last")] == [True, False]
    clock.time += 15
    assert [(await limiter.take([app] * 5, name)).allowed for name in ("all", "last")] == [True, False]


async def test_more_places_than_there_are_never_pass(limiter, key):
    """What could never run at once is refused when nothing runs, beside a window that then loses nothing."""
    app, ann = (key("app"), TWO_AT_ONCE), (key("ann"), THREE)
    assert not (await limiter.take([app, app, app, ann], "call")).allowed
    assert [left.remaining for left in (await limiter.ask([app, ann], "other")).each] == [1, 2]


async def test_a_lease_of_a_call_that_never_ends_ends_by_itself(limiter, clock, key):
    """A process that was killed holds nothing for longer than a call may last."""
    app = [(key("app"), TWO_AT_ONCE)]
    await limiter.take(app, "killed-1")
    clock.time += 10
    await limiter.take(app, "killed-2")
    clock.time += 4.999
    assert not (await limiter.take(app, "next")).allowed
    clock.time += 0.001
    assert (await limiter.take(app, "next")).allowed
    assert not (await limiter.take(app, "last")).allowed
    clock.time += 60
    assert [(await limiter.take(app, name)).allowed for name in "abc"] == [True, True, False]


async def test_what_a_window_refuses_holds_no_lease(limiter, key):
    """Rates in a time and rates at once are taken together or not at all."""
    app, ann = (key("app"), TWO_AT_ONCE), (key("ann"), Rate(1, 60))
    assert (await limiter.take([app, ann], "one")).allowed
    assert not (await limiter.take([app, ann], "two")).allowed
    assert (await limiter.take([app], "three")).allowed
    assert not (await limiter.take([app, (key("bob"), THREE)], "four")).allowed
    assert (await limiter.ask([(key("bob"), THREE)])).remaining == 2


async def test_giving_back_and_releasing_are_two_things(limiter, key):
    """What counts in a time is not given back with the lease, nor a lease with a take."""
    wanted = [(key("app"), TWO_AT_ONCE), (key("ann"), THREE)]
    await limiter.take(wanted, "one")
    await limiter.release(wanted, "one")
    assert [left.remaining for left in (await limiter.ask(wanted, "two")).each] == [1, 1]
    await limiter.take(wanted, "two")
    await limiter.give_back(wanted)
    assert [left.remaining for left in (await limiter.ask(wanted, "three")).each] == [0, 1]


async def test_it_is_a_strategy_of_the_library(limiter, clock, key):
    """What `limits` expects of a strategy holds: hit, test with a cost, and what is left until when."""
    item, who = RateLimitItemPerMinute(3), key("ann")
    assert await limiter.hit(item, who)
    assert await limiter.test(item, who, cost=2)
    assert not await limiter.test(item, who, cost=3)
    assert not await limiter.hit(item, who, cost=3)
    clock.time += 20
    assert tuple(await limiter.get_window_stats(item, who)) == (40.0, 2)
    assert await limiter.hit(item, who, cost=2)
    assert not await limiter.hit(item, who)
    assert tuple(await limiter.get_window_stats(item, who)) == (40.0, 0)


async def test_the_store_is_bounded_and_closed_for_new_keys_when_full(small, clock, key):
    """Over the cap (two) new keys are refused until a window ends, known keys go on, and nothing is refilled."""
    await small.take([(key("ann"), THREE)])
    clock.time += 10
    await small.take([(key("bob"), THREE)])
    refused = await small.take([(key("eve"), THREE)])
    assert (refused.allowed, refused.retry_after_s, refused.each[0].enough) == (False, 50.0, True)
    assert (await small.ask([(key("eve"), THREE)])) == refused
    assert not (await small.take([(key("app"), TWO_AT_ONCE)], "call")).allowed
    assert (await small.take([(key("ann"), THREE)])).remaining == 1
    clock.time += 50
    assert (await small.take([(key("eve"), THREE)])).allowed
    assert not (await small.take([(key("ann"), THREE)])).allowed


async def test_more_rates_at_once_than_the_cap_are_refused(small, key):
    """A cap that holds not even one call's rates refuses, with a wait that is not zero."""
    refused = await small.take([(key(name), THREE) for name in ("ann", "bob", "eve")])
    assert (refused.allowed, refused.retry_after_s) == (False, 1.0)
