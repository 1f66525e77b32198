"""What the steps of a document ask for all of its fields at once."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from narrows import NumberId
from narrows.call import Call
from narrows.declare.document import Document
from narrows.declare.endpoint import Endpoint
from narrows.declare.rate import Rate
from narrows.declare.types import Input
from narrows.errors import ConnectorRefused, PersonRequired, QuotaExceeded, ScopeMissing
from narrows.pipeline import admit, handle, inherit, rate
from narrows.pipeline.declared import declaration_digest
from narrows.pipeline.step import Preparing
from tests.unit.pipeline import calls


async def team(team_id: NumberId) -> calls.Team:
    """Answer a team."""


async def lunch(team_id: NumberId) -> calls.Team:
    """Stand for a document."""


TEAM = calls.declared(team, rate="4/minute")
WRITE = calls.declared(lunch, "/others/{team_id}", writes=True, scope="teams:write", rate=["5/minute", "1 concurrent"])
DOCUMENT = Document(name="lunch", source="", sha256="0" * 64, operation="query", variables=Input)


def prepared(*fields: tuple[Endpoint, int], **guards: Any) -> Preparing:
    """A document with fields while it is made ready."""
    endpoint = msgspec.structs.replace(calls.declared(lunch, **{"rate": "2/minute", **guards}), document=DOCUMENT)
    ready = calls.preparing(endpoint)
    ready.fields = fields
    return ready


def call_of(ready: Preparing, **how: Any) -> Call:
    """A call of the document."""
    return calls.call(ready.endpoint, **how)


async def refused(step: Any, call: Call, error: type[Exception]) -> Any:
    """What a step refuses a call with."""
    with pytest.raises(error) as caught:
        await step(call)
    return caught.value


# --- admit, inherit --------------------------------------------------------------------------------------------------


async def test_the_token_and_the_record_need_the_scopes_of_all_fields() -> None:
    """Whichever is missing, the challenge names all; and the record may not be narrower than the document."""
    ready = prepared((TEAM, 1), (WRITE, 1))
    step: Any = admit.prepare(ready)
    missing = await refused(step, call_of(ready), ScopeMissing)
    assert missing.members == {"scope": "teams:read teams:write"}
    assert "'teams:write'" in missing.detail
    both = calls.credential(scopes=frozenset({"teams:read", "teams:write"}))
    await step(call_of(ready, known=both))
    narrow = calls.connector(endpoints=frozenset({ready.endpoint.id}), scopes=frozenset({"teams:read"}))
    assert "'teams:write'" in (await refused(step, call_of(ready, known=both, program=narrow), ConnectorRefused)).detail
    wide = calls.connector(endpoints=frozenset({ready.endpoint.id}), scopes=frozenset({"teams:read", "teams:write"}))
    await step(call_of(ready, known=both, program=wide))


async def test_a_document_for_services_has_no_field_for_persons() -> None:
    """It would be refused at that field, whatever it says itself; so it does not start."""
    ready = prepared((TEAM, 1), (msgspec.structs.replace(TEAM, for_services=True), 1), for_services=True)
    admit.prepare(ready)
    assert [refusal.code for refusal in ready.refusals] == ["field-for-persons"]
    person = prepared((TEAM, 1))
    admit.prepare(person)
    assert person.refusals == []


@pytest.mark.parametrize(
    ("how", "error"),
    [
        ({"known": calls.credential(scopes=frozenset())}, ScopeMissing),
        ({"program": calls.connector(scopes=frozenset())}, ConnectorRefused),
        ({"program": calls.connector(state="suspended")}, ConnectorRefused),
        ({"program": calls.connector(state="trial")}, ConnectorRefused),
        ({"program": calls.connector(state="draft"), "mode": "rehearse"}, ConnectorRefused),
        ({"kind": "service"}, PersonRequired),
    ],
)
async def test_a_field_is_asked_again_what_its_document_was_asked(how: dict[str, Any], error: type[Exception]) -> None:
    """State, record, kind and scope hold for each field, whoever asks for it."""
    step: Any = inherit.prepare(calls.preparing(WRITE))
    known = {"known": calls.credential(scopes=frozenset({"teams:write"}))}
    await refused(step, calls.call(WRITE, **{**known, **how}), error)
    await step(calls.call(WRITE, **known))


# --- rates -----------------------------------------------------------------------------------------------------------


async def test_a_document_draws_on_the_rates_of_its_fields_as_often_as_it_asks() -> None:
    """The buckets are those of REST; what is left of each is told by its name."""
    ready = prepared((TEAM, 3))
    step, rest = rate.prepare(ready), calls.preparing(TEAM)
    rest.ground = ready.ground
    by_rest = rate.prepare(rest)
    assert step is not None
    assert by_rest is not None
    first = call_of(ready)
    await step(first)
    assert [(left.rate, left.remaining) for left in first.rates_left] == [
        ("2/minute per caller", 1),
        ("4/minute per caller of lunch.team", 1),
    ]
    assert '"4/minute per caller of lunch.team";q=4;w=60' in first.limits["RateLimit-Policy"]
    over = await refused(step, call_of(ready), QuotaExceeded)
    assert over.members == {"violated-policies": ["4/minute per caller of lunch.team"]}
    # What was refused has taken nothing.
    await by_rest(calls.call(TEAM))
    await refused(by_rest, calls.call(TEAM), QuotaExceeded)


@pytest.mark.parametrize(("fields", "left"), [((), 9), (((TEAM, 1),), 9), (((TEAM, 2), (WRITE, 1)), 7)])
async def test_rates_over_all_endpoints_count_each_field(fields: Any, left: int) -> None:
    """A connector asks for no more fields by documents than it could by REST; a document without any counts once."""
    ready = prepared(*fields)
    call = call_of(ready, program=calls.connector(rates=(Rate(10, 60, "connector"),)))
    step: Any = rate.prepare(ready)
    await step(call)
    assert call.rates_left[-1].remaining == left


async def test_fields_in_turn_hold_one_place_of_what_runs_at_once() -> None:
    """A mutation holds a place of each field's rate of that kind until it ends."""
    ready = prepared((WRITE, 2), writes=True)
    step: Any = rate.prepare(ready)
    call = call_of(ready)
    await step(call)
    assert [left.remaining for left in call.rates_left] == [1, 3, 1]
    await refused(step, call_of(ready), QuotaExceeded)
    for ending in call.ending:
        await ending()
    await step(call_of(ready))


@pytest.mark.parametrize("where", ["field", "connector"])
async def test_fields_side_by_side_hold_as_many_places_as_run(where: str) -> None:
    """A query asks for no more of an endpoint at once than by REST, nor a connector over all of them."""
    own, over_all = ("3 concurrent", ()) if where == "field" else ("9/minute", (Rate(3, 0, "connector"),))
    program = calls.connector(rates=over_all)
    field = calls.declared(team, rate=own)
    ready = prepared((field, 2), rate="9/minute")
    rest = calls.preparing(field)
    rest.ground = ready.ground
    step: Any = rate.prepare(ready)
    by_rest: Any = rate.prepare(rest)
    document, one = call_of(ready, program=program), calls.call(field, program=program)
    await step(document)
    assert document.rates_left[-1].remaining == 3
    await refused(step, call_of(ready, program=program), QuotaExceeded)
    await by_rest(one)
    await refused(by_rest, calls.call(field, program=program), QuotaExceeded)
    for ending in document.ending:
        await ending()
    await step(call_of(ready, program=program))


async def test_a_query_that_runs_more_at_once_than_is_allowed_does_not_start() -> None:
    """No call of it could ever pass; in turn its fields would."""
    ready = prepared((WRITE, 2))
    rate.prepare(ready)
    assert [refusal.code for refusal in ready.refusals] == ["field-over-rate"]
    assert "2 times, and that allows 1 concurrent" in ready.refusals[0].rule


async def test_a_document_that_no_window_could_hold_does_not_start() -> None:
    """It asks for an endpoint more often than its rate allows; a rate that is none is told where it stands."""
    broken = msgspec.structs.replace(TEAM, rates=("often",))
    ready = prepared((TEAM, 5), (WRITE, 5), (broken, 9), writes=True)
    rate.prepare(ready)
    assert [refusal.code for refusal in ready.refusals] == ["field-over-rate"]
    assert "lunch.team 5 times" in ready.refusals[0].rule


# --- handle, declaration ---------------------------------------------------------------------------------------------


def test_a_receipt_holds_for_what_its_document_and_its_fields_declare() -> None:
    """Another source, another field, another role of a field: the declaration is another one."""

    def digest(*fields: tuple[Endpoint, int], sha256: str = "0" * 64) -> str:
        ready = prepared(*fields)
        document = msgspec.structs.replace(DOCUMENT, sha256=sha256)
        ready.endpoint = msgspec.structs.replace(ready.endpoint, document=document)
        return declaration_digest(ready)

    stricter = msgspec.structs.replace(TEAM, roles=frozenset({"organiser"}))
    some = [digest((TEAM, 1)), digest((TEAM, 2)), digest((stricter, 1)), digest((TEAM, 1), sha256="1" * 64), digest()]
    assert len(set(some)) == len(some)
    assert digest((TEAM, 1)) == some[0]


async def test_a_document_has_no_place_for_what_it_is_not() -> None:
    """The step of a built-in endpoint is left out of child calls."""
    own = msgspec.structs.replace(TEAM, owned=True)
    assert inherit.prepare(calls.preparing(own)) is None
    assert handle.prepare(calls.preparing(own)) is not None
