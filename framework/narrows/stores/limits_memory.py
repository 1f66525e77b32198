"""Rates counted in the memory of one process, bounded."""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec
from limits.aio.storage import MemoryStorage

from narrows.stores import Allowed, Left, Wanted
from narrows.stores.limits import AllOrNothing, SteadyClock, WindowsTogether

BUSY_S = 1.0
"""How long to wait for a place among what runs at once: nobody knows when a call ends."""


class _Window(msgspec.Struct):
    """How much of a rate is used until the window ends."""

    ends: float
    used: int = 0


class _Lease(NamedTuple):
    """When it is over, and how many places it holds."""

    ends: float
    places: int


class MemoryWindows(MemoryStorage, WindowsTogether):
    """A storage of `limits` in memory, by a clock that the wall's does not move.

    `now` gives seconds; a clock set forward must be kept away by whoever passes it, one set back refills nothing. At
    most `cap` windows and leases are kept (each about 350 bytes): when that many are running, keys without a window are
    refused until one ends, because forgetting a window would refill it. A lease ends by itself after `lease_s` seconds.
    For one event loop; processes that share limits need a shared store.
    """

    def __init__(self, now: Callable[[], float], *, cap: int, lease_s: float) -> None:
        super().__init__()
        self._clock = SteadyClock(now)
        self._cap = cap
        self._lease_s = lease_s
        self._count = 0
        # Windows of one length end in the order in which they started, so only the first of each can be over.
        self._windows: defaultdict[int, OrderedDict[Wanted, _Window]] = defaultdict(OrderedDict)
        self._leases: OrderedDict[tuple[Wanted, str], _Lease] = OrderedDict()
        self._under_way: Counter[Wanted] = Counter()

    async def judge(self, wanted: Sequence[Wanted], *, take: bool, lease: str = "") -> Allowed:
        """Say whether all rates allow one more, and take it of each if they do and `take` says so."""
        counted, time = Counter(wanted), self._sweep()
        each, wait, new = [], 0.0, 0
        for one, times in counted.items():
            left, is_new = self._left(one, times, lease, time)
            each.append(left)
            new += is_new
            if not left.enough:
                wait = max(wait, left.resets_s or BUSY_S)
        if self._count + new > self._cap:
            wait = max(wait, self._first_end(time) - time)
        if wait:
            return Allowed(False, wait, tuple(each))
        for one, times in counted.items() if take else ():
            self._take(one, times, lease, time)
        return Allowed(True, 0.0, tuple(each))

    async def put_back(self, wanted: Sequence[Wanted]) -> None:
        """Undo one take of windows that still run; a window never goes below 0."""
        self._sweep()
        for one, times in Counter(wanted).items():
            window = self._windows[one[1].seconds].get(one)
            if window is not None:
                window.used = max(0, window.used - times)

    async def let_go(self, wanted: Sequence[Wanted], lease: str) -> None:
        """End a lease."""
        for one in wanted:
            ended = self._leases.pop((one, lease), None)
            if ended is not None:
                self._end_lease(one, ended)

    def _left(self, one: Wanted, times: int, lease: str, time: float) -> tuple[Left, bool]:
        """What one rate leaves, after this take if there is enough; and whether it needs a new window or lease."""
        _, rate = one
        if rate.is_concurrent:
            spare = rate.amount - self._under_way[one] if one in self._under_way else rate.amount
            is_new = (one, lease) not in self._leases
            enough = not is_new or spare >= times
            return Left(spare - times if is_new and enough else spare, 0.0, enough), is_new
        window = self._windows[rate.seconds].get(one)
        spare = rate.amount - (window.used if window else 0)
        enough = spare >= times
        resets = window.ends - time if window else float(rate.seconds)
        return Left(spare - times if enough else spare, resets, enough), window is None

    def _take(self, one: Wanted, times: int, lease: str, time: float) -> None:
        seconds = one[1].seconds
        if not seconds:
            if (one, lease) not in self._leases:
                self._leases[one, lease] = _Lease(time + self._lease_s, times)
                self._under_way[one] += times
                self._count += 1
            return
        windows = self._windows[seconds]
        window = windows.get(one)
        if window is None:
            window = windows[one] = _Window(time + seconds)
            self._count += 1
        window.used += times

    def _end_lease(self, one: Wanted, lease: _Lease) -> None:
        self._count -= 1
        self._under_way[one] -= lease.places
        if not self._under_way[one]:
            del self._under_way[one]

    def _sweep(self) -> float:
        """Forget the windows and leases that are over, and say what time it is."""
        time = self._clock()
        for windows in self._windows.values():
            while windows and next(iter(windows.values())).ends <= time:
                windows.popitem(last=False)
                self._count -= 1
        while self._leases and next(iter(self._leases.values())).ends <= time:
            (one, _), ended = self._leases.popitem(last=False)
            self._end_lease(one, ended)
        return time

    def _first_end(self, time: float) -> float:
        """When the next window ends; a second from now when none runs (more rates at once than the cap)."""
        return min(
            (next(iter(windows.values())).ends for windows in self._windows.values() if windows), default=time + 1
        )


class MemoryLimiter(AllOrNothing):
    """Counts in this process alone: see `MemoryWindows`."""

    def __init__(self, now: Callable[[], float], *, cap: int = 100_000, lease_s: float = 15.0) -> None:
        super().__init__(MemoryWindows(now, cap=cap, lease_s=lease_s))
