"""The document of a rehearsal: what would have happened, what it cost, and what was kept from the caller's eyes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from narrows.call import Call, Effect, Made, RateLeft
from narrows.declare.commit import Commit
from narrows.declare.types import Money
from narrows.upstreams.commitment import owner_of as owner_of
from narrows.upstreams.effects import unshown
from narrows.upstreams.made import newest
from narrows.upstreams.standins import pointers

ConfirmationState = Literal["open", "confirmed", "spent"]


class RehearsalDocument(msgspec.Struct, frozen=True, kw_only=True):
    """What a rehearsal says of itself.

    `scopes` holds what the token needed, what was asked for upstream, and the write scopes that were only listed;
    `price` the ceiling, what was taken for reads that were sent, and what the effects would cost; `left_out` names of
    fields that narrowing left out; `stand_ins` JSON pointers into the answer; `rates` what the rates still allow;
    `budget` whether the budgets suffice for the live call, and never how much is left; None where there are none.

    `commit` is what the live write needs: `open`, `receipt` or `confirmed`, None for what is no write. `receipt` holds
    for one live call until `expires_at`; where the person has to confirm it first, `confirm_url` is where.
    `confirmation` stands there when such a rehearsal is read by itself: `open` waits for the person, `spent` is done or
    was not allowed.
    """

    id: str
    endpoint: str
    mode: str
    status: int
    created_at: str
    rule: str | None
    scopes: dict[str, list[str]]
    effects: list[Effect]
    price: dict[str, str | None]
    left_out: list[str]
    stand_ins: list[str]
    notes: list[str]
    trace_id: str
    rates: list[RateLeft] = []
    budget: Literal["suffices", "short"] | None = None
    commit: Commit | None = None
    receipt: str | None = None
    expires_at: str | None = None
    confirm_url: str | None = None
    confirmation: ConfirmationState | None = None


class Binding(msgspec.Struct, frozen=True, kw_only=True):
    """What a receipt holds the live call to, besides its owner and what was made up.

    `arguments` and `declaration` are digests; `ceiling` is the most that a call could cost; `moment` what `call.now()`
    told, in seconds since 1970, and `ids` what `call.new_id()` gave.
    """

    endpoint: str
    environment: str
    connector_version: str
    arguments: str
    declaration: str
    ceiling: str | None
    moment: float
    ids: tuple[str, ...]


class KeptRehearsal(RehearsalDocument, frozen=True, kw_only=True):
    """A rehearsal as it lies sealed in its store. Nobody outside reads more of it than its document.

    `made` is what it made up, in its order; `recalled` what it knew of earlier ones; `sent` what a person who has to
    confirm it could not see in the effects of what the program sent, by pointer.
    """

    made: tuple[Made, ...] = ()
    recalled: tuple[Made, ...] = ()
    binding: Binding | None = None
    sent: dict[str, str | int | float | bool] = {}


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """What a rehearsal offers for the live call."""

    commit: Commit
    receipt: str
    expires_at: str
    confirm_url: str | None
    binding: Binding


def write_document(
    call: Call, rehearsal_id: str, ceiling: Money | None, needed: Sequence[str], offer: Offer | None = None
) -> bytes:
    """One rehearsal as its store keeps it, as JSON; `needed` are the scopes that the token had to hold."""
    listed = sorted({effect.asks for effect in call.effects if effect.asks})
    asked = [Money.parse(effect.price) for effect in call.effects if effect.price]
    document = KeptRehearsal(
        id=rehearsal_id,
        endpoint=call.endpoint.id,
        mode=call.mode,
        status=call.reply.status if call.reply else 0,
        created_at=call.now().isoformat(),
        rule=call.rule,
        scopes={
            "needed": list(needed),
            "asked": sorted(call.scopes_asked),
            "listed": listed,
        },
        effects=list(call.effects),
        price={
            "ceiling": text_of(ceiling),
            "taken": text_of(call.price),
            "asked": text_of(sum(asked[1:], asked[0])) if asked else None,
        },
        left_out=sorted(call.left_out),
        stand_ins=pointers(call, call.answer),
        notes=list(call.notes),
        trace_id=call.span.trace_id,
        rates=list(call.rates_left),
        budget=call.budget,
        commit=offer.commit if offer else None,
        receipt=offer.receipt if offer else None,
        expires_at=offer.expires_at if offer else None,
        confirm_url=offer.confirm_url if offer else None,
        made=tuple(call.made),
        recalled=newest(call.recalled),
        binding=offer.binding if offer else None,
        sent=unshown(call) if offer and offer.commit == "confirmed" else {},
    )
    return msgspec.json.encode(document)


def read_kept(document: bytes) -> KeptRehearsal:
    """A rehearsal as its store kept it."""
    return msgspec.json.decode(document, type=KeptRehearsal)


def text_of(price: Money | None) -> str | None:
    """A price as documents write it."""
    return None if price is None else str(price)
