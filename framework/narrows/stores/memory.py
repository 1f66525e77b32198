"""The embedded stores of one process: rates and rehearsals in memory, both bounded."""

from __future__ import annotations

import sys
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Sequence

import msgspec

from narrows.declare.rate import Rate
from narrows.stores import Allowed, Owner
from narrows.stores.rehearsals import Bounds, Envelope, used_already

Wanted = tuple[str, Rate]


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


class _Window(msgspec.Struct):
    """How much of a rate is used until the window ends."""

    ends: float
    used: int = 0


class MemoryLimiter:
    """Counts in fixed windows; a key's window starts with its first take, so of a burst exactly `amount` pass.

    `now` gives seconds; a clock set back refills nothing. At most `cap` windows are kept (each about 350 bytes): when
    that many are running, keys without a window are refused until one ends, because forgetting a window would refill
    it. For one event loop; processes that share limits need a shared store.
    """

    def __init__(self, now: Callable[[], float], *, cap: int = 100_000) -> None:
        self._clock = SteadyClock(now)
        self._cap = cap
        self._count = 0
        # Windows of one length end in the order in which they started, so only the first of each can be over.
        self._windows: defaultdict[int, OrderedDict[Wanted, _Window]] = defaultdict(OrderedDict)

    async def ask(self, wanted: Sequence[Wanted]) -> Allowed:
        """Say what `take` would say, and take nothing."""
        return self._judge(Counter(wanted), self._sweep())

    async def take(self, wanted: Sequence[Wanted]) -> Allowed:
        """Take one of each rate, or none of any when one of them is used up."""
        counted, time = Counter(wanted), self._sweep()
        verdict = self._judge(counted, time)
        if verdict.allowed:
            for one, times in counted.items():
                self._running(one, time).used += times
        return verdict

    async def give_back(self, wanted: Sequence[Wanted]) -> None:
        """Undo one take, if its window still runs; what was taken in a window that has ended is not given to the next.

        A window never goes below 0. Which take is undone cannot be told: give back at once, in the call that took.
        """
        self._sweep()
        for one, times in Counter(wanted).items():
            window = self._find(one)
            if window is not None:
                window.used = max(0, window.used - times)

    def _judge(self, wanted: Counter[Wanted], time: float) -> Allowed:
        each, wait, new = [], 0.0, 0
        for one, times in wanted.items():
            window = self._find(one)
            new += window is None
            _, rate = one
            spare = rate.amount - times - (window.used if window else 0)
            each.append(spare)
            if spare < 0:
                wait = max(wait, window.ends - time if window else rate.seconds)
        if self._count + new > self._cap:
            wait = max(wait, self._first_end(time) - time)
        return Allowed(False, 0, wait) if wait else Allowed(True, min(each, default=sys.maxsize), 0.0, tuple(each))

    def _find(self, one: Wanted) -> _Window | None:
        return self._windows[one[1].seconds].get(one)

    def _running(self, one: Wanted, time: float) -> _Window:
        """The window of a key that was let through; it starts now when there is none."""
        window = self._find(one)
        if window is None:
            seconds = one[1].seconds
            window = self._windows[seconds][one] = _Window(time + seconds)
            self._count += 1
        return window

    def _sweep(self) -> float:
        """Forget the windows that are over, and say what time it is."""
        time = self._clock()
        for windows in self._windows.values():
            while windows and next(iter(windows.values())).ends <= time:
                windows.popitem(last=False)
                self._count -= 1
        return time

    def _first_end(self, time: float) -> float:
        """When the next window ends; a second from now when none runs (more rates at once than the cap)."""
        return min(
            (next(iter(windows.values())).ends for windows in self._windows.values() if windows), default=time + 1
        )


class _Kept(msgspec.Struct, frozen=True):
    """A document as the store holds it."""

    owner: str
    expires: float
    sealed: bytes


class MemoryRehearsals:
    """Keeps rehearsals for `lifetime_s` seconds in this process, sealed, so that no dump of memory shows them.

    `key` has 32 bytes; `now` gives seconds.
    """

    def __init__(
        self, now: Callable[[], float], lifetime_s: float, key: bytes, *, bounds: Bounds | None = None
    ) -> None:
        self._now = now
        self._lifetime_s = lifetime_s
        self._bounds = bounds or Bounds()
        self._envelope = Envelope(key, self._bounds)
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._of_owner: dict[str, OrderedDict[str, int]] = {}
        self._bytes = 0

    async def put(self, rehearsal_id: str, owner: Owner, document: bytes) -> None:
        """Keep a document under a new id. Raises `StoreRefused` for a used id or a document that is too large."""
        self._forget_expired()
        if rehearsal_id in self._kept:
            raise used_already(rehearsal_id)
        whose, expires = self._envelope.owner(owner), self._now() + self._lifetime_s
        kept = _Kept(whose, expires, self._envelope.seal(rehearsal_id, whose, expires, document))
        self._kept[rehearsal_id] = kept
        self._of_owner.setdefault(whose, OrderedDict())[rehearsal_id] = len(kept.sealed)
        self._bytes += len(kept.sealed)
        self._keep_bounds(whose)

    async def get(self, rehearsal_id: str, owner: Owner) -> bytes | None:
        """The document, or None: absent, expired and another's look alike."""
        kept, whose = self._kept.get(rehearsal_id), self._envelope.owner(owner)
        if kept is None or kept.owner != whose or kept.expires <= self._now():
            return None
        return self._envelope.open(rehearsal_id, whose, kept.expires, kept.sealed)

    async def find(self, rehearsal_id: str, owners: Sequence[Owner]) -> tuple[Owner, bytes] | None:
        """The one of these owners that a document belongs to, with it; None as for `get`."""
        for owner in owners:
            document = await self.get(rehearsal_id, owner)
            if document is not None:
                return owner, document
        return None

    async def newest(self, owner: Owner, count: int) -> list[bytes]:
        """The owner's newest documents, newest first."""
        ids = list(reversed(self._of_owner.get(self._envelope.owner(owner), ())))
        documents = [await self.get(rehearsal_id, owner) for rehearsal_id in ids[: max(count, 0)]]
        return [document for document in documents if document is not None]

    async def close(self) -> None:
        """Forget everything."""
        self._kept.clear()
        self._of_owner.clear()
        self._bytes = 0

    def _forget_expired(self) -> None:
        """Documents are kept in the order in which they expire, unless the clock was set back; reading checks each."""
        while self._kept and next(iter(self._kept.values())).expires <= self._now():
            self._forget(next(iter(self._kept)))

    def _keep_bounds(self, owner: str) -> None:
        own, bounds = self._of_owner[owner], self._bounds
        while len(own) > 1 and (
            len(own) > bounds.per_owner or sum(own.values()) > bounds.owner_bytes or self._is_over_full()
        ):
            self._forget(next(iter(own)))
        while self._is_over_full():
            self._forget(next(iter(self._kept)))

    def _is_over_full(self) -> bool:
        return len(self._kept) > self._bounds.documents or self._bytes > self._bounds.total_bytes

    def _forget(self, rehearsal_id: str) -> None:
        kept = self._kept.pop(rehearsal_id)
        self._bytes -= len(kept.sealed)
        ids = self._of_owner[kept.owner]
        del ids[rehearsal_id]
        if not ids:
            del self._of_owner[kept.owner]
