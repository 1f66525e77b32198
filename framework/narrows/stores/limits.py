"""Counting against rates with the library `limits`: a strategy of ours, and what it asks of a storage.

The strategies of the library judge one rate after the other, so that a call which the second one refuses has taken of
the first (docs/decisions/0014-rates.md). This one judges all rates of a call in one question.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import cast

from limits import RateLimitItem
from limits.aio.storage import Storage
from limits.aio.strategies import RateLimiter
from limits.util import WindowStats

from narrows.declare.rate import Rate
from narrows.stores import Allowed, Wanted


class SteadyClock:
    """Seconds that never go back: while the clock behind it is set back, time goes on from where it stood."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._seen = now()
        self._added = 0.0

    def __call__(self) -> float:
        """Seconds since some fixed moment."""
        seen = self._now()
        self._added += max(0.0, self._seen - seen)
        self._seen = seen
        return seen + self._added


class WindowsTogether(ABC):
    """What a storage of `limits` needs for `AllOrNothing`: windows that start with their first take, and leases."""

    @abstractmethod
    async def judge(self, wanted: Sequence[Wanted], *, take: bool, lease: str = "") -> Allowed:
        """Say whether all rates allow one more, and take it of each if they do and `take` says so."""

    @abstractmethod
    async def put_back(self, wanted: Sequence[Wanted]) -> None:
        """Undo one take of windows that still run; a window never goes below 0."""

    @abstractmethod
    async def let_go(self, wanted: Sequence[Wanted], lease: str) -> None:
        """End a lease."""


class AllOrNothing(RateLimiter):
    """The strategy of Narrows, which is its `Limiter` too: fixed windows from the first take, all rates or none.

    Of a burst exactly `amount` pass. In the words of the library, `hit` takes, `test` asks, and `cost` takes that many.
    """

    def __init__(self, storage: Storage) -> None:
        """Raises `NotImplementedError` for a storage that does not judge several rates together."""
        if not isinstance(storage, WindowsTogether):
            raise NotImplementedError(f"{type(storage).__name__} does not judge several rates together")
        super().__init__(storage)
        self._windows = cast("WindowsTogether", storage)

    async def ask(self, wanted: Sequence[Wanted], lease: str = "") -> Allowed:
        """Say what `take` would say, and take nothing."""
        return await self._windows.judge(wanted, take=False, lease=lease)

    async def take(
        self,
        wanted: Sequence[Wanted],
        lease: str = "",
        *,
        strict: bool = False,  # noqa: ARG002 # it is for a limiter that another stands in for
    ) -> Allowed:
        """Take one of each rate, or none of any when one of them is used up; nothing stands in, `strict` or not."""
        return await self._windows.judge(wanted, take=True, lease=lease)

    async def give_back(self, wanted: Sequence[Wanted]) -> None:
        """Undo one take, if its window still runs; what was taken in a window that has ended is not given to the next.

        Which take is undone cannot be told: give back at once, in the call that took.
        """
        await self._windows.put_back(wanted)

    async def release(self, wanted: Sequence[Wanted], lease: str) -> None:
        """Let go of what counts at once; a second time does nothing."""
        await self._windows.let_go(wanted, lease)

    async def hit(self, item: RateLimitItem, *identifiers: str, cost: int = 1) -> bool:
        """Take `cost` of one rate of the library; all or nothing."""
        return (await self.take([_one(item, identifiers)] * cost)).allowed

    async def test(self, item: RateLimitItem, *identifiers: str, cost: int = 1) -> bool:
        """Say what `hit` would say."""
        return (await self.ask([_one(item, identifiers)] * cost)).allowed

    async def get_window_stats(self, item: RateLimitItem, *identifiers: str) -> WindowStats:
        """What one rate of the library leaves, and seconds until its window ends."""
        asked = await self.ask([_one(item, identifiers)])
        left = asked.each[0]
        return WindowStats(left.resets_s, left.remaining + asked.allowed)


def _one(item: RateLimitItem, identifiers: Sequence[str]) -> Wanted:
    return item.key_for(*identifiers), Rate(item.amount, item.get_expiry())
