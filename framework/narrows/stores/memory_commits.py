"""The embedded store of commits of one process: what makes a live write happen once, as long as the process lives."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

from narrows.stores import Attempt, Found, Intent, Outcome, Owner
from narrows.stores.commits import (
    NEW,
    CommitBounds,
    CommitEnvelope,
    KeyRow,
    Lifetimes,
    end_state,
    full,
    intent_of,
)

T = TypeVar("T")


class _Spent(msgspec.Struct, frozen=True):
    """A receipt that is used: by which attempt."""

    attempt: str
    expires: float


class _Open(msgspec.Struct, frozen=True):
    """An intent without an outcome."""

    sealed: bytes
    expires: float


class MemoryCommits:
    """Keeps commits in this process, sealed and under keyed digests. `key` has 32 bytes; `now` gives seconds.

    For one event loop: no method awaits anything, so each is one step.
    """

    def __init__(
        self, now: Callable[[], float], lifetimes: Lifetimes, key: bytes, *, bounds: CommitBounds | None = None
    ) -> None:
        self._now = now
        self._lifetimes = lifetimes
        self._bounds = bounds or CommitBounds()
        self._envelope = CommitEnvelope(key, self._bounds)
        self._confirmed: OrderedDict[str, float] = OrderedDict()
        self._spent: OrderedDict[str, _Spent] = OrderedDict()
        self._keys: OrderedDict[str, KeyRow] = OrderedDict()
        self._of_owner: Counter[str] = Counter()
        self._answers = 0
        self._open: OrderedDict[str, _Open] = OrderedDict()
        self._settled: OrderedDict[str, bytes] = OrderedDict()

    async def confirm(self, rehearsal_id: str, owner: Owner) -> None:
        """Note a confirmation. Raises `Unavailable` when the store is full."""
        _drop_expired(self._confirmed, self._now(), lambda expires: expires)
        name = self._envelope.rehearsal(rehearsal_id, owner)
        if name not in self._confirmed and len(self._confirmed) >= self._bounds.confirmations:
            raise full("confirmation")
        self._confirmed[name] = self._now() + self._lifetimes.rehearsal_s
        self._confirmed.move_to_end(name)

    async def is_confirmed(self, rehearsal_id: str, owner: Owner) -> bool:
        """Whether a rehearsal is confirmed."""
        return self._confirmed.get(self._envelope.rehearsal(rehearsal_id, owner), 0.0) > self._now()

    async def claim(self, attempt: Attempt) -> Found:
        """Look up key and receipt, and hold the key. Raises `Unavailable` when the store is full."""
        now = self._now()
        self._forget_expired(now)
        name = self._envelope.key(attempt)
        row = self._keys.get(name)
        found = NEW if row is None else self._envelope.found(name, row, attempt, now)
        if found.state != "new":
            return found
        if self._is_spent(attempt):
            return Found(state="spent")
        if name:
            self._hold(name, attempt, now)
        return NEW

    async def intend(self, attempt: Attempt, operation: str) -> Found:
        """Put down the intent and spend the receipt. Raises `Unavailable` when the store is full."""
        now, name = self._now(), self._envelope.key(attempt)
        row = self._keys.get(name)
        if name and (row is None or row.attempt != attempt.id):
            return Found(state="running")
        if self._is_spent(attempt):
            return Found(state="spent")
        _drop_expired(self._open, now, lambda intent: intent.expires)
        if attempt.id not in self._open and len(self._open) >= self._bounds.open_intents:
            raise full("intent")
        if not self._spend(attempt):
            raise full("receipt")
        if row is not None:
            row.state = "intended"
        sealed = self._envelope.seal_intent(intent_of(attempt, operation, now))
        self._open[attempt.id] = _Open(sealed, now + self._lifetimes.commit_s)
        return NEW

    async def settle(self, attempt: Attempt, outcomes: Sequence[Outcome], answer: bytes | None) -> None:
        """Put down the end of an attempt. Raises `Unavailable` when there is no room to spend its receipt."""
        ends = tuple(outcomes)
        self._settle_intent(attempt, ends)
        self._settle_key(attempt, ends, answer)
        # With an effect it was spent by the intent.
        if answer is not None and not outcomes and not self._is_spent(attempt) and not self._spend(attempt):
            raise full("receipt")

    async def unsettled(self, count: int) -> list[Intent]:
        """The oldest intents without an outcome."""
        oldest = list(self._open.items())[:count]
        opened = [self._envelope.open_intent(name, kept.sealed) for name, kept in oldest]
        return [intent for intent in opened if intent is not None]

    async def close(self) -> None:
        """Forget everything."""
        for kept in (self._confirmed, self._spent, self._keys, self._of_owner, self._open, self._settled):
            kept.clear()
        self._answers = 0

    def _hold(self, name: str, attempt: Attempt, now: float) -> None:
        """Let an attempt hold a key that is free, or that is taken over."""
        if name in self._keys:
            self._forget(name)
        owner = self._envelope.owner(attempt.owner)
        if self._of_owner[owner] >= self._bounds.keys_per_owner or len(self._keys) >= self._bounds.keys:
            raise full("idempotency key")
        self._of_owner[owner] += 1
        self._keys[name] = KeyRow(
            owner=owner,
            attempt=attempt.id,
            request=attempt.request,
            state="running",
            until=attempt.until,
            expires=now + self._lifetimes.commit_s,
        )

    def _is_spent(self, attempt: Attempt) -> bool:
        """Whether another attempt used the receipt."""
        spent = self._spent.get(self._envelope.receipt(attempt)) if attempt.receipt is not None else None
        return spent is not None and spent.attempt != attempt.id

    def _spend(self, attempt: Attempt) -> bool:
        """Note that the receipt is used, if it came with one; False when there is no room to note it."""
        if attempt.receipt is None:
            return True
        now, name = self._now(), self._envelope.receipt(attempt)
        _drop_expired(self._spent, now, lambda spent: spent.expires)
        if name not in self._spent and len(self._spent) >= self._bounds.receipts:
            return False
        self._spent.setdefault(name, _Spent(attempt.id, now + self._lifetimes.rehearsal_s))
        return True

    def _settle_intent(self, attempt: Attempt, outcomes: tuple[Outcome, ...]) -> None:
        kept = self._open.pop(attempt.id, None)
        if kept is not None:
            self._settled[attempt.id] = self._envelope.settled(attempt.id, kept.sealed, outcomes)
            while len(self._settled) > self._bounds.intents:
                self._settled.popitem(last=False)

    def _settle_key(self, attempt: Attempt, outcomes: tuple[Outcome, ...], answer: bytes | None) -> None:
        name = self._envelope.key(attempt)
        row = self._keys.get(name)
        if row is None or row.attempt != attempt.id:
            return
        state = end_state(outcomes, answer)
        if state is None:
            self._forget(name)
            return
        row.state = state
        # A call that is cancelled while its end is put down puts it down again.
        self._answers -= len(row.sealed)
        row.sealed = self._envelope.seal_end(name, outcomes, answer, self._bounds.answers_bytes - self._answers)
        self._answers += len(row.sealed)

    def _forget_expired(self, now: float) -> None:
        while self._keys and next(iter(self._keys.values())).expires <= now:
            self._forget(next(iter(self._keys)))

    def _forget(self, name: str) -> None:
        row = self._keys.pop(name)
        self._answers -= len(row.sealed)
        self._of_owner[row.owner] -= 1
        if not self._of_owner[row.owner]:
            del self._of_owner[row.owner]


def _drop_expired(kept: OrderedDict[str, T], now: float, expires: Callable[[T], float]) -> None:
    """Drop what is over; things are kept in the order in which they end."""
    while kept and expires(next(iter(kept.values()))) <= now:
        kept.popitem(last=False)
