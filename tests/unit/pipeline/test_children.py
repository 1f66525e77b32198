"""Child calls: what they share with their parent, what is theirs alone, and what may be asked at all."""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple, cast

import msgspec
import pytest

from narrows import NumberId
from narrows.call import Allowance, Call
from narrows.current import current, current_call
from narrows.declare.document import Document, Field
from narrows.declare.endpoint import Endpoint
from narrows.declare.types import Input, Money
from narrows.errors import Forbidden, InvalidInput, OperationRefused, Unavailable
from narrows.pipeline.children import Children
from tests.unit.pipeline import calls


class Entry(NamedTuple):
    """An endpoint made ready for child calls."""

    endpoint: Endpoint
    child_steps: tuple[Any, ...] = ()
    allowance: Allowance = Allowance({}, {}, {})


async def team(team_id: NumberId) -> calls.Team:
    """Answer a team."""


async def lunch(team_id: NumberId) -> calls.Team:
    """Stand for a document."""


TEAM = calls.declared(team)
LUNCH = msgspec.structs.replace(
    calls.declared(lunch),
    document=Document(
        name="lunch",
        source="",
        sha256="0" * 64,
        operation="query",
        variables=Input,
        fields=[Field(endpoint=TEAM.id, times=2)],
    ),
)


def document(*steps: Any, endpoint: Endpoint = LUNCH, **how: Any) -> Call:
    """A call of the document, whose field runs these steps."""
    call = calls.call(endpoint, **how)
    call.fields = Children([Entry(TEAM, steps), Entry(LUNCH)])
    return call


def child_of(call: Call) -> Any:
    """The last child call."""
    return call.children[-1]


async def test_a_field_is_asked_with_its_arguments_and_answers() -> None:
    """The steps of the endpoint run over a call of its own, which is the one that runs meanwhile."""
    seen: list[Any] = []

    async def step(call: Call) -> None:
        seen.append((current_call("x"), call.endpoint, call.arguments, call.called))
        call.answer = "soup"

    call = document(step)
    assert await call.field(TEAM.id, {"team_id": 7}) == "soup"
    assert seen == [(child_of(call), TEAM, {"team_id": 7}, LUNCH)]
    assert current.get(None) is None
    assert (child_of(call).outcome, child_of(call).problem) == ("ok", None)


async def test_what_a_field_does_is_done_by_its_document() -> None:
    """Money, effects, notes and ids are those of the whole call; a decision is the field's own."""

    async def step(call: Call) -> None:
        call.spend(Money.parse("0.10 EUR"))
        call.sent.append("Kitchen.cook")
        call.notes.append("slow")
        call.effects_id, call.commitment, call.rehearsal_id = "e1", cast("Any", "claimed"), "r1"
        call.recorded, call.stand_in_index = True, (1, {})
        call.new_id()
        call.rule, call.domain, call.in_flight = "rule", "team:7", 1

    call = document(step)
    call.spend(Money.parse("0.05 EUR"))
    await call.field(TEAM.id, {})
    assert call.price == Money.parse("0.15 EUR")
    assert (call.sent, call.notes, len(call.ids)) == (["Kitchen.cook"], ["slow"], 1)
    assert (call.effects_id, call.commitment, call.rehearsal_id) == ("e1", "claimed", "r1")
    assert (call.recorded, call.stand_in_index) == (True, (1, {}))
    assert (call.rule, call.domain, call.in_flight) == (None, None, 0)
    assert (child_of(call).rule, child_of(call).domain) == ("rule", "team:7")


async def test_who_calls_is_inherited() -> None:
    """Caller, program, mode, deadline, scenario and time are those of the parent, and no header reaches a field."""
    seen: list[Call] = []

    async def step(call: Call) -> None:
        seen.append(call)
        assert await call.raw.read_body(1) == b""

    call = document(step, mode="sandbox", headers={"rehearsal": ["r1"]})
    call.scenario, call.moment = "empty", 17.0
    await call.field(TEAM.id, {})
    [child] = seen
    for name in ("caller", "connector", "credential", "named", "mode", "deadline", "scenario", "moment", "way", "span"):
        assert getattr(child, name) is getattr(call, name)
    assert child.raw.headers == {}


@pytest.mark.parametrize(
    ("fault", "outcome"), [(Forbidden(), "denied"), (InvalidInput(), "refused"), (Unavailable(), "failed")]
)
async def test_the_problem_of_a_field_is_the_documents(fault: Any, outcome: str) -> None:
    """It is raised as it is, and known as one that was raised, so that the document may end in it."""

    async def step(_: Call) -> None:
        raise fault

    call = document(step)
    with pytest.raises(type(fault)):
        await call.field(TEAM.id, {})
    assert call.raised == [fault]
    assert (child_of(call).outcome, child_of(call).problem) == (outcome, fault)


async def test_a_fault_of_a_field_is_a_fault_of_the_document() -> None:
    """What no problem is, is told of as failed, and of one that was cut short that it was cancelled."""

    async def broken(_: Call) -> None:
        raise ValueError("secret")

    async def waiting(_: Call) -> None:
        await asyncio.Event().wait()

    call = document(broken)
    with pytest.raises(ValueError, match="secret"):
        await call.field(TEAM.id, {})
    assert (child_of(call).outcome, child_of(call).problem) == ("failed", None)
    call = document(waiting)
    task = asyncio.ensure_future(call.field(TEAM.id, {}))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert child_of(call).outcome == "cancelled"


async def test_a_field_that_has_ended_is_closed_and_so_is_every_field_of_what_has_ended() -> None:
    """A task that a handler left behind sends nothing, neither after its field nor after the document."""
    inside: list[bool] = []

    async def step(call: Call) -> None:
        inside.append(call.open)
        call.parent.open = False  # type: ignore[attr-defined]
        inside.append(call.open)

    call = document(step)
    await call.field(TEAM.id, {})
    assert inside == [True, False]
    call.open = True
    assert not child_of(call).open
    call.open = False
    with pytest.raises(OperationRefused, match="has ended"):
        await call.field(TEAM.id, {})


async def test_a_document_asks_for_what_it_selects_and_no_more() -> None:
    """Its rates and its price were reckoned from that."""
    call = document()
    await call.field(TEAM.id, {})
    await call.field(TEAM.id, {})
    with pytest.raises(OperationRefused, match="2 time"):
        await call.field(TEAM.id, {})
    with pytest.raises(OperationRefused, match="0 time"):
        await document().field(LUNCH.id, {})


async def test_what_is_no_document_asks_for_nothing() -> None:
    """Neither an endpoint whose handler holds its call, nor a field of a document."""

    async def step(call: Call) -> None:
        await call.field(TEAM.id, {})

    with pytest.raises(OperationRefused, match="0 time"):
        await document(endpoint=TEAM).field(TEAM.id, {})
    with pytest.raises(OperationRefused, match="no document"):
        await document(step).field(TEAM.id, {})
    with pytest.raises(OperationRefused, match="no document"):
        await calls.call(TEAM).field(TEAM.id, {})


async def test_what_was_not_registered_is_held_to_what_it_selects_too() -> None:
    """In development text runs that no entry was made for: its document says what it asks for."""
    assert LUNCH.document is not None
    improvised = msgspec.structs.replace(
        LUNCH, id="lunch.ad_hoc", document=msgspec.structs.replace(LUNCH.document, ad_hoc=True)
    )
    call = document(endpoint=improvised)
    await call.field(TEAM.id, {})
    await call.field(TEAM.id, {})
    with pytest.raises(OperationRefused, match="2 time"):
        await call.field(TEAM.id, {})


async def test_an_endpoint_of_narrows_own_asks_for_nothing() -> None:
    """None of them has fields."""
    with pytest.raises(OperationRefused, match="0 time"):
        await document(endpoint=msgspec.structs.replace(TEAM, owned=True)).field(TEAM.id, {})
