"""State that outlives a call, behind small protocols: an embedded engine for each, one test body for all engines."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Literal, Protocol

import msgspec

from narrows.declare.rate import Rate

Wanted = tuple[str, Rate]
"""A bucket and the rate that it is counted against."""


class Left(msgspec.Struct, frozen=True):
    """What one rate leaves: how many more, seconds until its window ends, and whether it had enough."""

    remaining: int
    resets_s: float
    enough: bool = True


class Allowed(msgspec.Struct, frozen=True):
    """Whether all rates allow one more, and seconds until that is so if not.

    `each` is what every one of them leaves, in the order in which they were wanted, one that was wanted twice once.
    """

    allowed: bool
    retry_after_s: float
    each: tuple[Left, ...] = ()

    @property
    def remaining(self) -> int:
        """The least that one of them leaves."""
        return min((left.remaining for left in self.each), default=sys.maxsize)


class Limiter(Protocol):
    """Counts against rates; all of those that are wanted together are judged at once, all or nothing.

    A rate of what is under way at once is held under the name `lease`, until it is released or its time is over: as
    many places as it is wanted times. Who holds it already takes nothing more.
    """

    async def take(self, wanted: Sequence[Wanted], lease: str = "", *, strict: bool = False) -> Allowed:
        """Take one of each rate, or none of any when one of them is used up.

        Raises `Unavailable` when the store is away and nothing may stand in for it (`strict`).
        """
        ...

    async def give_back(self, wanted: Sequence[Wanted]) -> None:
        """Undo one take of what counts in a time."""
        ...

    async def release(self, wanted: Sequence[Wanted], lease: str) -> None:
        """Let go of what counts at once: all places of the lease, however often it is named."""
        ...


class Owner(msgspec.Struct, frozen=True):
    """Whom a stored thing belongs to; nobody else can tell that it exists."""

    tenant: str
    issuer: str
    subject: str
    connector: str


class Rehearsals(Protocol):
    """Keeps the documents of rehearsals: they belong to one owner, are encrypted at rest and expire."""

    async def put(self, rehearsal_id: str, owner: Owner, document: bytes) -> None:
        """Keep a document under a new id."""
        ...

    async def get(self, rehearsal_id: str, owner: Owner) -> bytes | None:
        """The document, or None: absent, expired and another's look alike."""
        ...

    async def find(self, rehearsal_id: str, owners: Sequence[Owner]) -> tuple[Owner, bytes] | None:
        """The one of these owners that a document belongs to, with it; None as for `get`."""
        ...

    async def newest(self, owner: Owner, count: int) -> list[bytes]:
        """The owner's newest documents, newest first."""
        ...

    async def close(self) -> None:
        """Release what is held."""
        ...


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One live call that may write, as far as a store of commits needs to know it.

    `until` is the second by which it has surely ended. `key` is the client's idempotency key and `request` a digest of
    what it asks for; `receipt` is the id of the rehearsal whose receipt it brings; `trace_id` leads to its record.
    """

    id: str
    owner: Owner
    endpoint: str
    until: float
    trace_id: str
    key: str | None = None
    request: str = ""
    receipt: str | None = None


class Outcome(msgspec.Struct, frozen=True):
    """What became of one effect; `unknown` when it left and no answer told."""

    operation: str
    state: Literal["done", "failed", "unknown"]


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of an attempt's key and receipt.

    `new`: nothing, so it may go on; `running`: another attempt of the same key is on its way for `wait_s` more seconds
    at the most; `done`: it ended well, with `answer` unless that was too large to keep; `begun`: an effect may have
    happened and no answer is kept, so it is never sent again; `other`: the key came with another request; `spent`: the
    receipt is used.
    """

    state: Literal["new", "running", "done", "begun", "other", "spent"]
    answer: bytes | None = None
    outcomes: tuple[Outcome, ...] = ()
    wait_s: float = 0.0


class Intent(msgspec.Struct, frozen=True, kw_only=True):
    """What was about to be sent: the endpoint, the first operation, when, and the trace of the call."""

    id: str
    endpoint: str
    operation: str
    at: float
    trace_id: str
    outcomes: tuple[Outcome, ...] | None = None


class Commits(Protocol):
    """Keeps what makes a live write happen once: confirmations, receipts spent, idempotency keys, intents, outcomes.

    Every method raises `Unavailable` when the store is away or full: then nothing may be sent.
    """

    async def confirm(self, rehearsal_id: str, owner: Owner) -> None:
        """Note that the person confirmed a rehearsal of this owner; a second time changes nothing."""
        ...

    async def is_confirmed(self, rehearsal_id: str, owner: Owner) -> bool:
        """Whether the person confirmed a rehearsal of this owner."""
        ...

    async def claim(self, attempt: Attempt) -> Found:
        """Look up an attempt's key and receipt; what is `new` holds the key from here on."""
        ...

    async def intend(self, attempt: Attempt, operation: str) -> Found:
        """Put down durably, in one step, that the first effect is about to leave, and spend the receipt.

        Only after `new` it may leave; any other state says who was faster. The same attempt may do it twice.
        """
        ...

    async def settle(self, attempt: Attempt, outcomes: Sequence[Outcome], answer: bytes | None) -> None:
        """Put down how an attempt ended, with its `answer` if it ended well; a key of which nothing came is free again.

        A receipt of an attempt that ended well is spent, even when it had no effect.
        """
        ...

    async def unsettled(self, count: int) -> list[Intent]:
        """The oldest intents without an outcome: calls on their way, and those of processes that were killed."""
        ...

    async def close(self) -> None:
        """Release what is held."""
        ...
