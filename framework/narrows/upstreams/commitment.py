"""What a live write has claimed: its key, its receipt, and that its first effect was put down before it left."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from narrows.call import Call, Made
from narrows.declare.upstream import Operation
from narrows.errors import EffectsDrifted, KeyInUse, ReceiptRefused
from narrows.stores import Attempt, Commits, Outcome, Owner
from narrows.upstreams.made import Matching
from narrows.upstreams.sendable import Sendable


def owner_of(call: Call) -> Owner:
    """Whom the rehearsals and commits of a call belong to. Raises `AssertionError` before step 2."""
    caller, connector = call.caller, call.connector
    if caller is None or connector is None:
        raise AssertionError("nobody is known to call")
    return Owner(connector.tenant, caller.issuer, caller.subject, connector.id)


def receipt_refused(reason: str, detail: str) -> ReceiptRefused:
    """The refusal of a receipt; `reason` is one of the closed list of its page in docs/errors."""
    return ReceiptRefused(detail, members={"reason": reason})


class Commitment:
    """What one live call has claimed. `rehearsed` is what it is held to, when it came with a receipt."""

    def __init__(self, attempt: Attempt, rehearsed: Sequence[Made] | None = None) -> None:
        self.attempt = attempt
        self._matching = None if rehearsed is None else Matching(rehearsed)
        self._intended = False
        self._lock = asyncio.Lock()

    @property
    def receipt(self) -> str | None:
        """The rehearsal whose receipt is spent by this call; None as long as none is."""
        return self.attempt.receipt if self._intended else None

    async def before(self, commits: Commits, operation: Operation[..., Any], values: Mapping[str, Any]) -> int | None:
        """Let one operation leave, and tell which rehearsed one it is.

        A write is checked against the rehearsal; before the first, the intent becomes durable. Raises `EffectsDrifted`,
        `ReceiptRefused`, `KeyInUse`, and `Unavailable` when the intent cannot be put down: then nothing is sent.
        """
        place = self._matching.take(operation, values) if self._matching is not None else None
        if operation.kind == "read":
            return place
        if self._matching is not None and place is None:
            raise EffectsDrifted(f"{operation.id} was not rehearsed with these values, or not as often.")
        async with self._lock:
            # Siblings of a `gather` wait here for the one intent of their call.
            if not self._intended:
                await self._intend(commits, operation.id)
        return place

    def after(self, place: int, answer: Any) -> None:
        """Learn what the real answer gives in place of stand-ins."""
        if self._matching is not None:
            self._matching.learn(place, answer)

    async def _intend(self, commits: Commits, operation: str) -> None:
        found = await commits.intend(self.attempt, operation)
        if found.state == "spent":
            raise receipt_refused("spent", "Another request used this receipt.")
        if found.state != "new":
            raise KeyInUse(headers={"Retry-After": "1"})
        self._intended = True


class Committer:
    """Stands before what leaves in live calls: no effect without its intent, none that was rehearsed otherwise."""

    def __init__(self, commits: Commits, new_id: Callable[[], str]) -> None:
        self._commits = commits
        self._new_id = new_id

    async def before(self, call: Call, sendable: Sendable, values: Mapping[str, Any]) -> int | None:
        """Let one operation of a live call leave; see `Commitment.before`."""
        if call.commitment is None:
            call.commitment = Commitment(attempt_of(call, self._new_id()))
        return await call.commitment.before(self._commits, sendable.operation, values)


def attempt_of(call: Call, attempt_id: str, **claimed: Any) -> Attempt:
    """A live call as a store of commits knows it; `claimed` are its key, its request and its receipt."""
    return Attempt(
        id=attempt_id,
        owner=owner_of(call),
        endpoint=call.called.id,
        until=call.deadline,
        trace_id=call.span.trace_id,
        **claimed,
    )


def outcomes_of(call: Call) -> list[Outcome]:
    """What became of the effects of a live call."""
    return [
        *(Outcome(name, "done") for name in call.sent),
        *(Outcome(name, "unknown") for name in call.unknown),
        *(Outcome(name, "failed") for name in call.failed),
    ]
