"""One body of promises for every engine of budgets, and a machine that tries to overspend."""

import asyncio
from datetime import UTC, datetime

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from narrows.declare.budget import end_of, start_of
from narrows.stores.budgets import GRACE_S, Account, Charge
from narrows.testing import Clock

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC).timestamp()
DAY_S = 86_400
BIG = 2**53 - 1


def at_noon():
    """A clock that stands at noon of a Wednesday."""
    clock = Clock()
    clock.move(NOON - clock())
    return clock


def account(name, limit, period="day", soft=None):
    """An account whose soft threshold nobody reaches unless it says so."""
    return Account(name, limit, period, BIG if soft is None else soft)


async def used(store, *accounts):
    """What is used of accounts."""
    return [one.used for one in await store.standing(accounts)]


class Promises:
    """What every engine promises. A subclass has the fixtures `clock` and `opened`, which opens one store once more."""

    @pytest.fixture
    def clock(self):
        """It stands at noon of a Wednesday."""
        return at_noon()

    async def test_all_is_reserved_or_nothing(self, opened):
        """What one account refuses is taken from no other, and both are told of."""
        store, wide, tight = opened(), account("wide", 100), account("tight", 10)
        assert (await store.reserve("r1", [Charge(wide, 10), Charge(tight, 10)], NOON + 15)).granted
        refused = await store.reserve("r2", [Charge(wide, 1), Charge(tight, 1)], NOON + 15)
        assert (refused.granted, [one.fits for one in refused.each]) == (False, [True, False])
        assert await used(store, wide, tight) == [10, 10]
        assert refused.each[1].renews == NOON + DAY_S / 2

    async def test_what_was_not_spent_comes_back_once(self, opened):
        """A second settling, and one of what nobody reserved, change nothing."""
        store, one = opened(), account("one", 100)
        charges = [Charge(one, 60)]
        await store.reserve("r1", charges, NOON + 15)
        assert (await store.settle("r1", charges, 20)).each[0].used == 20
        await store.settle("r1", charges, 0)
        await store.settle("r2", charges, 0)
        assert await used(store, one) == [20]

    async def test_a_reservation_is_taken_once(self, opened):
        """Whoever did not hear the answer may ask again."""
        store, one = opened(), account("one", 100)
        for _ in range(2):
            assert (await store.reserve("r1", [Charge(one, 60)], NOON + 15)).granted
        assert await used(store, one) == [60]

    async def test_what_nobody_settles_counts_as_spent(self, opened, clock):
        """The process that reserved it may have sent it before it died; settling it much later gives nothing back."""
        store, one = opened(), account("one", 100)
        await store.reserve("r1", [Charge(one, 60)], NOON + 15)
        clock.move(15 + GRACE_S + 1)
        await opened().settle("r1", [Charge(one, 60)], 0)
        assert await used(store, one) == [60]
        # And the next question sweeps what has expired.
        await store.reserve("r2", [Charge(one, 1)], clock() + 15)
        await store.settle("r1", [Charge(one, 60)], 0)
        assert await used(store, one) == [61]

    async def test_a_reservation_that_a_clock_ahead_has_ended_gives_back_all_or_nothing(self, opened, clock):
        """Whether or not somebody swept it while the clock was ahead, the accounts of one call agree."""
        store, wide, tight = opened(), account("wide", 100), account("tight", 60)
        charges = [Charge(wide, 60), Charge(tight, 60)]
        await store.reserve("r1", charges, NOON + 15)
        clock.move(3600)
        await store.reserve("r2", [Charge(wide, 0)], clock() + 15)
        clock.move(-3600)
        await store.settle("r1", charges, 5)
        assert await used(store, wide, tight) in ([60, 60], [5, 5])

    async def test_another_process_sees_the_same(self, opened):
        """What one reserves the other settles."""
        one, other, what = opened(), opened(), account("shared", 100)
        await one.reserve("r1", [Charge(what, 60)], NOON + 15)
        assert await used(other, what) == [60]
        await other.settle("r1", [Charge(what, 60)], 5)
        assert await used(one, what) == [5]

    async def test_the_last_cent_is_spent_once(self, opened):
        """Of many that come at once exactly as many pass as are affordable."""
        stores, cents = [opened(), opened()], account("cents", 7 * 50_000)

        async def spend(number):
            charges = [Charge(cents, 50_000)]
            verdict = await stores[number % 2].reserve(f"r{number}", charges, NOON + 15)
            if verdict.granted:
                await asyncio.sleep(0)
                await stores[number % 2].settle(f"r{number}", charges, 50_000)
            return verdict.granted

        assert sum(await asyncio.gather(*(spend(number) for number in range(40)))) == 7
        assert await used(stores[0], cents) == [7 * 50_000]

    @pytest.mark.parametrize(("period", "days"), [("day", 1), ("week", 5), ("month", 6)])
    async def test_a_period_renews_at_its_end_in_utc(self, opened, clock, period, days):
        """At midnight, on Monday, on the first of the month, and not a second before."""
        store, one = opened(), account(f"by-{period}", 10, period)
        await store.count([Charge(one, 10)])
        (standing,) = await store.standing([one])
        assert standing.renews == NOON - DAY_S / 2 + days * DAY_S
        clock.move(standing.renews - NOON - 1)
        assert not (await store.count([Charge(one, 1)])).granted
        clock.move(1)
        assert (await store.count([Charge(one, 1)])).granted
        assert await used(store, one) == [1]

    async def test_what_was_reserved_before_midnight_is_of_that_day(self, opened, clock):
        """It is not given back to the next one, and not taken from it."""
        store, one = opened(), account("night", 10)
        clock.move(DAY_S / 2 - 1)
        await store.reserve("r1", [Charge(one, 10)], clock() + 15)
        clock.move(2)
        await store.count([Charge(one, 3)])
        await store.settle("r1", [Charge(one, 10)], 0)
        assert await used(store, one) == [3]

    async def test_a_clock_that_jumps_refills_one_period_and_no_more(self, opened, clock):
        """Set forward and back, again and again, it gives what one new period gives, and none twice."""
        store, one = opened(), account("jumping", 10)
        await store.count([Charge(one, 10)])
        granted = 0
        for _ in range(3):
            clock.move(DAY_S)
            granted += (await store.count([Charge(one, 10)])).granted
            clock.move(-DAY_S)
            granted += (await store.count([Charge(one, 10)])).granted
            clock.move(-400 * DAY_S)
            granted += (await store.count([Charge(one, 10)])).granted
            clock.move(400 * DAY_S)
        assert granted == 1

    async def test_a_clock_that_comes_back_finds_what_was_used(self, opened, clock):
        """Others who come while it is ahead, again and again, sweep nothing that still counts."""
        store, one, other = opened(), account("left", 10), account("beside", 10)
        await store.count([Charge(one, 10)])
        for _ in range(2):
            clock.move(9 * DAY_S)
            await store.count([Charge(other, 0)])
            clock.move(-9 * DAY_S)
            assert not (await store.count([Charge(one, 1)])).granted

    async def test_the_operators_are_told_once_in_a_period(self, opened, clock):
        """Of the soft threshold when it is settled, of the limit when something is refused."""
        store, one = opened(), account("told", 10, soft=8)
        told = []

        async def spend(name, amount):
            charges = [Charge(one, amount)]
            verdict = await store.reserve(name, charges, clock() + 15)
            told.append(verdict.each[0].told)
            if verdict.granted:
                told.append((await store.settle(name, charges, amount)).each[0].told)

        for number, amount in enumerate((7, 1, 1, 2, 2, 1)):
            await spend(f"a{number}", amount)
        assert told == [None, None, None, "soft", None, None, "hard", None, None, None]
        told.clear()
        clock.move(DAY_S)
        await spend("b", 9)
        assert told == [None, "soft"]

    async def test_what_is_counted_for_good_is_told_at_once(self, opened):
        """It has no settling; and what is forced is counted past the limit."""
        store, one = opened(), account("volume", 10, soft=8)
        assert [(await store.count([Charge(one, 4)])).each[0].told for _ in range(2)] == [None, "soft"]
        refused = await store.count([Charge(one, 4)])
        assert (refused.granted, refused.each[0].told) == (False, "hard")
        forced = await store.count([Charge(one, 4)], forced=True)
        assert (forced.granted, forced.each[0].used, forced.each[0].fits) == (True, 12, False)

    async def test_what_is_asked_is_not_taken(self, opened):
        """`asked` says whether it would fit too, and `least` what must be left."""
        store, one = opened(), account("asked", 10)
        first = await store.reserve("r1", [Charge(one, 3, asked=7)], NOON + 15)
        assert (first.granted, first.each[0].suffices, first.each[0].used) == (True, True, 3)
        second = await store.reserve("r2", [Charge(one, 3, asked=7)], NOON + 15)
        assert (second.granted, second.each[0].suffices) == (True, False)
        await store.count([Charge(one, 4)])
        assert (await store.count([Charge(one, 0)])).granted
        assert not (await store.count([Charge(one, 0, least=1)])).granted

    async def test_large_amounts_are_exact(self, opened):
        """Up to the largest that a budget may have, to the last unit."""
        store, one = opened(), account("large", BIG)
        charges = [Charge(one, BIG - 1)]
        await store.reserve("r1", charges, NOON + 15)
        await store.settle("r1", charges, BIG - 2)
        assert await used(store, one) == [BIG - 2]
        assert not (await store.count([Charge(one, 3)])).granted
        assert (await store.count([Charge(one, 2)])).granted
        assert await used(store, one) == [BIG]


LIMITS = {"day": ("day", 100), "other": ("day", 60), "month": ("month", 250)}


class Spending(RuleBasedStateMachine):
    """Reserves, settles, refunds, dies and turns the clock on a store that `opened(clock, fresh=…)` opens.

    It keeps books of its own: each amount under the account and the period in which it was taken.
    """

    opened = None
    restarts = True
    reservations = Bundle("reservations")

    def __init__(self):
        super().__init__()
        self.clock = at_noon()
        self.runner = asyncio.Runner()
        self.serial = 0
        self.newest = {}
        self.books = {}
        self.done = set()
        self.latest = {}
        self.store = None

    @initialize()
    def begin(self):
        self.store = self.run(type(self).opened(self.clock, fresh=True))

    def run(self, work):
        return self.runner.run(work)

    def period(self, name):
        start = start_of(LIMITS[name][0], self.clock())
        return name, max(start, self.newest.get(name, start))

    def charges(self, names, amount):
        return [Charge(account(name, LIMITS[name][1], LIMITS[name][0]), amount) for name in sorted(names)]

    def expected(self, names, amount):
        fits = {name: self.books.get(self.period(name), 0) + amount <= LIMITS[name][1] for name in names}
        granted = all(fits.values())
        # What is refused is told of, what would have fitted beside it stays as it was.
        self.newest.update(self.period(name) for name in names if granted or not fits[name])
        return granted

    def book(self, names, amount):
        for name in names:
            self.books[self.period(name)] = self.books.get(self.period(name), 0) + amount

    @rule(
        target=reservations,
        names=st.sets(st.sampled_from(sorted(LIMITS)), min_size=1),
        amount=st.integers(0, 70),
    )
    def reserve(self, names, amount):
        self.serial += 1
        name, until = f"r{self.serial}", self.clock() + 15
        granted = self.run(self.store.reserve(name, self.charges(names, amount), until)).granted
        assert granted == self.expected(names, amount)
        if granted:
            self.book(names, amount)
            self.latest[name] = self.clock()
        return name, names, amount, {one: self.period(one) for one in names}, until, granted

    @rule(made=reservations, part=st.integers(0, 100))
    def settle(self, made, part):
        """Sometimes a second time, sometimes too late, sometimes what was never granted."""
        name, names, amount, periods, until, granted = made
        spent = amount * part // 100
        self.run(self.store.settle(name, self.charges(names, amount), spent))
        if granted and name not in self.done and self.clock() <= until + GRACE_S:
            same = [period for one, period in periods.items() if self.period(one) == period]
            if not self.swept(name, until, same, amount - spent):
                for period in same:
                    self.books[period] -= amount - spent
        self.done.add(name)

    def swept(self, name, until, periods, back):
        """Whether nothing of a reservation came back that was too late by a clock that has been set back since.

        It depends on who asked in between. What the first account tells of it holds for all of them.
        """
        if not periods or self.latest.get(name, until) <= until + GRACE_S:
            return False
        first = periods[0][0]
        (standing,) = self.run(self.store.standing([self.charges([first], 0)[0].account]))
        return back > 0 and standing.used == self.books[periods[0]]

    @rule(made=consumes(reservations))
    def die(self, made):
        """The process that reserved is gone, and nobody settles."""

    @rule(amount=st.integers(0, 40), names=st.sets(st.sampled_from(sorted(LIMITS)), min_size=1))
    def count(self, names, amount):
        granted = self.run(self.store.count(self.charges(names, amount))).granted
        assert granted == self.expected(names, amount)
        if granted:
            self.book(names, amount)

    @rule(hours=st.sampled_from([0.001, 1, 13, 24, 24 * 8, 24 * 40]))
    def later(self, hours):
        self.clock.move(hours * 3600)
        self.latest = {name: max(at, self.clock()) for name, at in self.latest.items()}

    @rule(hours=st.sampled_from([1, 13, 30]))
    def set_back(self, hours):
        self.clock.move(-hours * 3600)

    @rule()
    def restart(self):
        if self.restarts:
            self.run(self.store.close())
            self.store = self.run(type(self).opened(self.clock, fresh=False))

    @invariant()
    def nothing_is_overspent(self):
        for (name, _), amount in self.books.items():
            assert 0 <= amount <= LIMITS[name][1]

    @invariant()
    def the_store_says_what_the_books_say(self):
        if self.store is None:
            return
        names = sorted(LIMITS)
        accounts = [charge.account for charge in self.charges(names, 0)]
        for name, standing in zip(names, self.run(self.store.standing(accounts)), strict=True):
            key = self.period(name)
            assert standing.used == self.books.get(key, 0)
            assert standing.renews == end_of(LIMITS[name][0], key[1])

    def teardown(self):
        if self.store is not None:
            self.run(self.store.close())
        self.runner.close()
