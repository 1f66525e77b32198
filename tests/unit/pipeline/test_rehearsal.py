from typing import Any

import msgspec
import pytest

from narrows import NumberId
from narrows.call import Effect, RateLeft, Reply
from narrows.declare.types import Money
from narrows.pipeline.rehearsal import RehearsalDocument, owner_of, write_document
from narrows.stores import Owner
from tests.unit.pipeline import calls


async def team(team_id: NumberId) -> calls.Team:
    """Handle one call."""


def effect(operation: str, asks: str | None, price: str | None) -> Effect:
    """A write that was not sent."""
    return Effect(operation=operation, method="POST", path="/x", asks=asks, arguments={}, price=price)


def written(call: Any, ceiling: Money | None = None) -> RehearsalDocument:
    """The document of a call."""
    needed = [call.endpoint.scope] if call.endpoint.scope else []
    return msgspec.json.decode(write_document(call, "r1", ceiling, needed), type=RehearsalDocument)


def test_a_rehearsal_belongs_to_its_caller_and_program() -> None:
    """Four parts, so that nobody else has the same."""
    assert owner_of(calls.call(calls.declared(team))) == Owner("example", "corp", "anna", "app")


def test_nobody_owns_what_nobody_asked_for() -> None:
    """Before step 2 there is no owner."""
    with pytest.raises(AssertionError):
        owner_of(calls.call(calls.declared(team), anonymous=True))


def test_a_document_tells_what_would_have_happened() -> None:
    """The rule, the scopes, the effects, the prices and what was made up."""
    call = calls.call(calls.declared(team), mode="rehearse")
    call.reply = Reply(201, [], b"")
    call.rule = "role:member in team:7"
    call.effects = [effect("T.a", "t:write", "0.05 EUR"), effect("T.b", "t:write", "1 EUR"), effect("T.c", None, None)]
    call.scopes_asked = {"b:read", "a:read"}
    call.price = Money.parse("0.10 EUR")
    call.left_out = {"T.x.b", "T.x.a"}
    call.notes = ["a note"]
    call.stand_ins = {"made-up"}
    call.answer = {"id": "made-up", "name": "real name"}
    call.rates_left = (RateLeft("2/minute per caller", 1),)
    document = written(call, Money.parse("2 EUR"))
    assert document == RehearsalDocument(
        id="r1",
        endpoint="lunch.team",
        mode="rehearse",
        status=201,
        created_at=call.now().isoformat(),
        rule="role:member in team:7",
        scopes={"needed": ["teams:read"], "asked": ["a:read", "b:read"], "listed": ["t:write"]},
        effects=call.effects,
        price={"ceiling": "2 EUR", "taken": "0.10 EUR", "asked": "1.05 EUR"},
        left_out=["T.x.a", "T.x.b"],
        stand_ins=["/id"],
        notes=["a note"],
        trace_id=calls.TRACE_ID,
        rates=[RateLeft("2/minute per caller", 1)],
    )


def test_a_document_of_nothing() -> None:
    """What costs nothing has no price, and what needs no scope names none."""
    endpoint = msgspec.structs.replace(calls.declared(team), scope=None)
    document = written(calls.call(endpoint, mode="sandbox"))
    assert document.scopes == {"needed": [], "asked": [], "listed": []}
    assert document.price == {"ceiling": None, "taken": None, "asked": None}
    assert (document.status, document.effects, document.stand_ins) == (0, [], [])
