"""The document of a rehearsal: what would have happened, what it cost, and what was kept from the caller's eyes."""

from __future__ import annotations

import msgspec

from narrows.call import Call, Effect, RateLeft
from narrows.declare.types import Money
from narrows.pipeline.step import who
from narrows.stores import Owner
from narrows.upstreams.standins import pointers


class RehearsalDocument(msgspec.Struct, frozen=True, kw_only=True):
    """What a rehearsal says of itself.

    `scopes` holds what the token needed, what was asked for upstream, and the write scopes that were only listed;
    `price` the ceiling, what was taken for reads that were sent, and what the effects would cost; `left_out` names of
    fields that narrowing left out; `stand_ins` JSON pointers into the answer; `rates` what the rates still allow.
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


def owner_of(call: Call) -> Owner:
    """Whom the rehearsals of a call belong to."""
    caller, connector, _ = who(call)
    return Owner(connector.tenant, caller.issuer, caller.subject, connector.id)


def write_document(call: Call, rehearsal_id: str, ceiling: Money | None) -> bytes:
    """The document of one rehearsal as JSON."""
    listed = sorted({effect.asks for effect in call.effects if effect.asks})
    asked = [Money.parse(effect.price) for effect in call.effects if effect.price]
    document = RehearsalDocument(
        id=rehearsal_id,
        endpoint=call.endpoint.id,
        mode=call.mode,
        status=call.reply.status if call.reply else 0,
        created_at=call.now().isoformat(),
        rule=call.rule,
        scopes={
            "needed": [call.endpoint.scope] if call.endpoint.scope else [],
            "asked": sorted(call.scopes_asked),
            "listed": listed,
        },
        effects=list(call.effects),
        price={
            "ceiling": _text(ceiling),
            "taken": _text(call.price),
            "asked": _text(sum(asked[1:], asked[0])) if asked else None,
        },
        left_out=sorted(call.left_out),
        stand_ins=pointers(call, call.answer),
        notes=list(call.notes),
        trace_id=call.span.trace_id,
        rates=list(call.rates_left),
    )
    return msgspec.json.encode(document)


def _text(price: Money | None) -> str | None:
    return None if price is None else str(price)
