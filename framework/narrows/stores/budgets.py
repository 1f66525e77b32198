"""What is used of budgets: reserved before it is spent, settled with what really happened, never more than the limit.

The protocol, what the engines in Python share, and the one in memory. An account that a process reserved and did not
settle stays as it is, so that what nobody knows the end of counts as spent. Of an account only its newest period is
kept: a clock that is set back goes on in the period that has begun, and one that is set forward reaches a new period
once, whatever it does afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, Protocol

import msgspec

from narrows.declare.budget import Period, end_of, start_of
from narrows.errors import Unavailable

SOFT, HARD = 1, 2
"""What was told of an account in its period, as bits."""

GRACE_S = 60.0
"""How long after its call has surely ended a reservation can still be settled."""

KEEP_S = 400 * 86_400
"""How long after its period an account is kept: a clock may have been set forward, and comes back."""

Told = Literal["soft", "hard"]


class Account(msgspec.Struct, frozen=True):
    """What is counted under one name: at most `limit` in each period, and from `soft` on the operators are told."""

    name: str
    limit: int
    period: Period
    soft: int


class Charge(msgspec.Struct, frozen=True):
    """What is taken from an account: `amount`, if that fits, and at least `least` is left before it.

    `asked` is not taken: whether it would fit too is told.
    """

    account: Account
    amount: int
    least: int = 0
    asked: int = 0


class Standing(msgspec.Struct, frozen=True):
    """How an account stands after a question: what is `used`, and when its period ends (seconds since 1970).

    `fits` says whether what was wanted fits, `suffices` whether what was asked would too. `told` is what the operators
    have to be told now, once in a period.
    """

    used: int
    renews: int
    fits: bool = True
    suffices: bool = True
    told: Told | None = None


class Verdict(msgspec.Struct, frozen=True):
    """Whether all charges were taken, or none, and how each account stands after it, in their order."""

    granted: bool
    each: tuple[Standing, ...]


class Budgets(Protocol):
    """Keeps accounts. Every method raises `Unavailable` when the store is away or full: then nothing may be spent.

    The names of the accounts of one question all differ. `forgets` says that a restart empties it.
    """

    @property
    def forgets(self) -> bool:
        """Whether what is used is lost with the process."""
        ...

    async def reserve(self, reservation: str, charges: Sequence[Charge], until: float) -> Verdict:
        """Take all charges or none, until `settle`; `until` is when its call has surely ended, in seconds since 1970.

        The same reservation twice takes once.
        """
        ...

    async def settle(self, reservation: str, charges: Sequence[Charge], spent: int) -> Verdict:
        """Give back of each charge what was not spent. A second time, or too late, it changes nothing."""
        ...

    async def count(self, charges: Sequence[Charge], *, forced: bool = False) -> Verdict:
        """Take all charges or none, for good; what is `forced` is taken even where it does not fit."""
        ...

    async def standing(self, accounts: Sequence[Account]) -> tuple[Standing, ...]:
        """How accounts stand."""
        ...

    async def close(self) -> None:
        """Release what is held."""
        ...


class Row(msgspec.Struct, frozen=True):
    """An account as it is kept: the first second of its period, what is used of it, and what was told."""

    start: int
    used: int = 0
    told: int = 0


Rows = Mapping[str, Row]
Change = tuple[Verdict, dict[str, Row]]


def current(row: Row | None, account: Account, now: float) -> Row:
    """The row of the period that counts now: a newer one than the clock's goes on."""
    start = start_of(account.period, now)
    return row if row is not None and row.start >= start else Row(start)


def taken(charges: Sequence[Charge], rows: Rows, now: float, *, settles: bool, forced: bool = False) -> Change:
    """What taking comes to: the verdict, and the rows that are another by it. What `settles` is told of later."""
    held = [current(rows.get(charge.account.name), charge.account, now) for charge in charges]
    fit = [
        row.used + max(charge.amount, charge.least) <= charge.account.limit
        for charge, row in zip(charges, held, strict=True)
    ]
    granted = forced or all(fit)
    each, changed = [], {}
    for charge, row, fits in zip(charges, held, fit, strict=True):
        account, used, told = charge.account, row.used + charge.amount * granted, row.told
        if granted and not settles and used >= account.soft:
            told |= SOFT
        if not granted and not fits:
            told |= HARD
        after = Row(row.start, used, told)
        each.append(_standing(charge, after, row.told, fits=fits))
        # What is asked or refused again and again changes nothing, and must not wait for the disk.
        if (granted or told != row.told) and after != rows.get(account.name):
            changed[account.name] = after
    return Verdict(granted, tuple(each)), changed


def settled(charges: Sequence[Charge], starts: Mapping[str, int], rows: Rows, spent: int, now: float) -> Change:
    """What settling comes to; what was reserved in a period that has ended is not given to the next."""
    each, changed = [], {}
    for charge in charges:
        account = charge.account
        row = current(rows.get(account.name), account, now)
        told = row.told
        if starts.get(account.name) == row.start:
            used = row.used - charge.amount + spent
            told |= SOFT * (used >= account.soft)
            changed[account.name] = row = msgspec.structs.replace(row, used=used)
        each.append(_standing(charge, msgspec.structs.replace(row, told=told), row.told))
        if told != row.told:
            changed[account.name] = msgspec.structs.replace(row, told=told)
    return Verdict(True, tuple(each)), changed


def _standing(charge: Charge, row: Row, told: int, *, fits: bool = True) -> Standing:
    new = row.told & ~told
    return Standing(
        used=row.used,
        renews=end_of(charge.account.period, row.start),
        fits=fits,
        suffices=row.used + charge.asked <= charge.account.limit,
        told="hard" if new & HARD else "soft" if new & SOFT else None,
    )


def standings(accounts: Sequence[Account], rows: Rows, now: float) -> tuple[Standing, ...]:
    """How accounts stand that nothing is taken from."""
    held = [(account, current(rows.get(account.name), account, now)) for account in accounts]
    return tuple(Standing(row.used, end_of(account.period, row.start)) for account, row in held)


def keep_until(account: Account, row: Row) -> int:
    """When a row may be forgotten: so long after its period that no clock goes back into it, which would refill it."""
    return end_of(account.period, row.start) + KEEP_S


def full() -> Unavailable:
    """The problem of a store that has no room for another account."""
    return Unavailable("The store of budgets has no room.", headers={"Retry-After": "60"})


class MemoryBudgets:
    """Keeps them in this process; another does not know them, and a restart empties them.

    At most `cap` accounts (each about 300 bytes) and as many reservations: a store full of running periods refuses.
    `now` gives seconds of the wall clock.
    """

    forgets = True

    def __init__(self, now: Callable[[], float], *, cap: int = 100_000) -> None:
        self._now = now
        self._cap = cap
        self._rows: dict[str, Row] = {}
        self._until: dict[str, int] = {}
        self._open: dict[str, tuple[float, dict[str, int]]] = {}

    async def reserve(self, reservation: str, charges: Sequence[Charge], until: float) -> Verdict:
        """Take all charges or none, until `settle`. Raises `Unavailable` when the store is full."""
        now = self._now()
        if reservation in self._open:
            return Verdict(True, standings([charge.account for charge in charges], self._rows, now))
        self._make_room(charges, now)
        verdict = self._put(charges, *taken(charges, self._rows, now, settles=True))
        if verdict.granted:
            starts = {charge.account.name: self._rows[charge.account.name].start for charge in charges}
            self._open[reservation] = until, starts
        return verdict

    async def settle(self, reservation: str, charges: Sequence[Charge], spent: int) -> Verdict:
        """Give back of each charge what was not spent."""
        now = self._now()
        until, starts = self._open.pop(reservation, (0.0, {}))
        if until + GRACE_S < now:
            starts = {}
        return self._put(charges, *settled(charges, starts, self._rows, spent, now))

    async def count(self, charges: Sequence[Charge], *, forced: bool = False) -> Verdict:
        """Take all charges or none, for good. Raises `Unavailable` when the store is full."""
        now = self._now()
        self._make_room(charges, now)
        return self._put(charges, *taken(charges, self._rows, now, settles=False, forced=forced))

    async def standing(self, accounts: Sequence[Account]) -> tuple[Standing, ...]:
        """How accounts stand."""
        return standings(accounts, self._rows, self._now())

    async def close(self) -> None:
        """Forget everything."""
        self._rows.clear()
        self._open.clear()

    def _put(self, charges: Sequence[Charge], verdict: Verdict, changed: Mapping[str, Row]) -> Verdict:
        for charge in charges:
            name = charge.account.name
            if name in changed:
                self._rows[name] = changed[name]
                self._until[name] = keep_until(charge.account, changed[name])
        return verdict

    def _make_room(self, charges: Sequence[Charge], now: float) -> None:
        """See that all accounts and one more reservation fit. Raises `Unavailable`."""
        new = sum(charge.account.name not in self._rows for charge in charges)
        if len(self._rows) + new > self._cap:
            for name in [name for name, until in self._until.items() if until <= now]:
                del self._rows[name], self._until[name]
        if len(self._open) >= self._cap:
            for name in [name for name, (until, _) in self._open.items() if until + GRACE_S < now]:
                del self._open[name]
        if len(self._rows) + new > self._cap or len(self._open) >= self._cap:
            raise full()
