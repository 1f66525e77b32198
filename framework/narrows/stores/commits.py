"""What the stores of commits share: their bounds, what stands in a row, and what a row says of a later attempt."""

from __future__ import annotations

from typing import Literal

import msgspec

from narrows.errors import Unavailable
from narrows.stores import Attempt, Found, Intent, Outcome, Owner
from narrows.stores.sealing import Sealer, frame

State = Literal["running", "intended", "done", "begun"]
"""Of a key: claimed; claimed, and an effect may have left; ended well; ended otherwise after an effect."""

NEW = Found(state="new")


class CommitBounds(msgspec.Struct, frozen=True, kw_only=True):
    """How much a store of commits keeps. Nothing that guards a write is dropped before its time: a full store refuses.

    `keys_per_owner` and `keys` bound idempotency keys, `answer_bytes` and `answers_bytes` the answers kept with them
    (one that is too large is not kept, its key is), `receipts` the receipts spent, `confirmations` the confirmations,
    `open_intents` intents without outcome; of those with one, the newest `intents` are kept.
    """

    keys_per_owner: int = 1_000
    keys: int = 100_000
    answer_bytes: int = 256 * 1024
    answers_bytes: int = 64 * 1024 * 1024
    receipts: int = 100_000
    confirmations: int = 100_000
    open_intents: int = 10_000
    intents: int = 10_000


class Lifetimes(msgspec.Struct, frozen=True):
    """For how many seconds things are kept: what belongs to a rehearsal, and what belongs to a live call."""

    rehearsal_s: float
    commit_s: float


class KeyRow(msgspec.Struct, kw_only=True):
    """One idempotency key. `attempt` holds it; `sealed` tells the end once there is one."""

    owner: str
    attempt: str
    request: str
    state: State
    until: float
    expires: float
    sealed: bytes = b""


class _End(msgspec.Struct, frozen=True):
    """How an attempt ended."""

    outcomes: tuple[Outcome, ...]
    answer: bytes | None


class CommitEnvelope:
    """Names and seals what a store of commits keeps; a sealed text moved to another row does not open."""

    def __init__(self, key: bytes, bounds: CommitBounds) -> None:
        self._sealer = Sealer(key, purpose="commits")
        self._bounds = bounds
        self._encode = msgspec.msgpack.encode

    def owner(self, owner: Owner) -> str:
        """What stands for an owner."""
        return self._sealer.digest("owner", owner.tenant, owner.issuer, owner.subject, owner.connector)

    def rehearsal(self, rehearsal_id: str, owner: Owner) -> str:
        """What stands for a rehearsal of an owner, for its receipt and its confirmation."""
        return self._sealer.digest("rehearsal", rehearsal_id, self.owner(owner))

    def key(self, attempt: Attempt) -> str:
        """What stands for the idempotency key of an owner at one endpoint; "" without one."""
        if attempt.key is None:
            return ""
        return self._sealer.digest("key", self.owner(attempt.owner), attempt.endpoint, attempt.key)

    def receipt(self, attempt: Attempt) -> str:
        """What stands for the receipt of an attempt; "" without one."""
        return self.rehearsal(attempt.receipt, attempt.owner) if attempt.receipt is not None else ""

    def seal_end(self, name: str, outcomes: tuple[Outcome, ...], answer: bytes | None, room: int) -> bytes:
        """Seal how an attempt ended; the answer only if it is within the bound and within `room` bytes."""
        fits = answer is not None and len(answer) <= min(self._bounds.answer_bytes, room)
        return self._sealer.seal(self._encode(_End(outcomes, answer if fits else None)), frame("end", name))

    def found(self, name: str, row: KeyRow, attempt: Attempt, now: float) -> Found:
        """What a key says of another attempt: `new` when it may take the key over, because nothing was sent for it."""
        if row.request != attempt.request:
            return Found(state="other")
        if row.state in ("running", "intended") and row.until > now:
            return Found(state="running", wait_s=row.until - now)
        if row.state == "running":
            return NEW
        plain = self._sealer.open(row.sealed, frame("end", name)) if row.sealed else None
        end = msgspec.msgpack.decode(plain, type=_End) if plain is not None else _End((), None)
        return Found(state="done" if row.state == "done" else "begun", answer=end.answer, outcomes=end.outcomes)

    def seal_intent(self, intent: Intent) -> bytes:
        """Seal an intent, with its outcome or without."""
        return self._sealer.seal(self._encode(intent), frame("intent", intent.id))

    def open_intent(self, intent_id: str, sealed: bytes) -> Intent | None:
        """Open an intent; None when it was made for another row, or with another key."""
        plain = self._sealer.open(sealed, frame("intent", intent_id))
        return None if plain is None else msgspec.msgpack.decode(plain, type=Intent)

    def settled(self, intent_id: str, sealed: bytes, outcomes: tuple[Outcome, ...]) -> bytes:
        """A sealed intent with its outcome; as it was when it does not open."""
        intent = self.open_intent(intent_id, sealed)
        return sealed if intent is None else self.seal_intent(msgspec.structs.replace(intent, outcomes=outcomes))


def intent_of(attempt: Attempt, operation: str, now: float) -> Intent:
    """The intent of an attempt."""
    return Intent(id=attempt.id, endpoint=attempt.endpoint, operation=operation, at=now, trace_id=attempt.trace_id)


def end_state(outcomes: tuple[Outcome, ...], answer: bytes | None) -> State | None:
    """What a key says from the end on; None when nothing came of the attempt, so that the key is free again."""
    if answer is not None:
        return "done"
    return "begun" if any(outcome.state != "failed" for outcome in outcomes) else None


def full(what: str) -> Unavailable:
    """The problem of a store in which there is no room for what must be kept."""
    return Unavailable(f"The store of commits has no room for another {what}.", headers={"Retry-After": "60"})
