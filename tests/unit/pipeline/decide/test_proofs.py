from typing import Any

import msgspec
import pytest

from narrows import Answer, Id, Input, Narrow, NumberId, ShortText, Upstream, read
from narrows.call import Call
from narrows.errors import Forbidden, Problem, Unavailable, UpstreamFailed
from narrows.pipeline import decide
from tests.unit.pipeline import calls


class Gone(Problem):
    """It is not there any more."""

    status = 404
    title = "It is gone"


class Line(Narrow, rename="camel"):
    id: Id
    team_id: NumberId | None


class Directory(Upstream):
    """Lines of teams."""

    @read("/lines/{line_id}", asks="a", problems={404: Gone})
    def line(self, line_id: Id) -> Answer[Line]: ...

    @read("/names/{line_id}", asks="a")
    def names(self, line_id: Id) -> Answer[list[ShortText]]: ...

    @read("/pairs/{line_id}", asks="a")
    def pair(self, line_id: Id, other: Id) -> Answer[Line]: ...


class Change(Input):
    note: ShortText
    line_id: Id


async def change(teamId: NumberId, line_id: Id) -> calls.Team:  # noqa: N803 - the name of the field in JSON
    """Handle one call."""


async def change_by_body(teamId: NumberId, body: Change) -> calls.Team:  # noqa: N803 - as above
    """Handle one call."""


INSIDE: dict[str, Any] = {"within": "team:{teamId}", "inside": {"line_id": (Directory.line, "teamId")}}
PATH = "/teams/{teamId}/lines/{line_id}"
ENDPOINT = calls.declared(change, PATH, writes=True, **INSIDE)


def asking(answer: Any, **how: Any) -> Call:
    """A call about a line of team 7, of which the upstream has this answer."""
    performer = calls.Performing({Directory.line: answer})
    return calls.call(ENDPOINT, performer=performer, arguments={"teamId": 7, "line_id": "l1"}, **how)


async def test_a_line_of_the_same_team_is_proven() -> None:
    """The read is asked for the id, and its answer names the bound object."""
    call = asking(Line(id="l1", team_id=7))
    await calls.made(decide, ENDPOINT)(call)
    assert call.performer.asked == [("Directory.line", {"line_id": "l1"})]
    assert call.rule == "role:member in team:7 (claim), allowed by declaration of lunch.change"


@pytest.mark.parametrize(
    "answer", [Line(id="l1", team_id=8), Line(id="l1", team_id=None), Gone(), UpstreamFailed(upstream_status=404)]
)
async def test_a_line_of_another_team_and_none_are_denied_alike(answer: Any) -> None:
    """The denial is that of a caller without the role, byte by byte."""
    step = calls.made(decide, ENDPOINT)
    call = asking(answer)
    with pytest.raises(Forbidden) as caught:
        await step(call)
    stranger = asking(Line(id="l1", team_id=7), known=calls.credential(claims={}))
    with pytest.raises(Forbidden) as foreign:
        await step(stranger)
    assert caught.value.body("t") == foreign.value.body("t")
    assert (call.rule or "").startswith("inside:line_id")
    assert stranger.performer.asked == []


async def test_a_fault_of_the_proof_stays_a_fault() -> None:
    """Nothing is let through without the proof, and the fault is not hidden."""
    with pytest.raises(Unavailable):
        await calls.made(decide, ENDPOINT)(asking(Unavailable()))


async def test_two_absent_values_are_no_proof() -> None:
    """A line of no team is not inside no team."""

    async def maybe(line_id: Id, teamId: NumberId | None = None) -> calls.Team: ...  # noqa: N803 - as above

    endpoint = calls.declared(
        maybe,
        "/lines/{line_id}",
        within="team:7",
        inside={"line_id": (Directory.line, "teamId")},
        unbound={"teamId": "x"},
    )
    ready = calls.preparing(endpoint)
    step = decide.prepare(ready)
    assert step is not None
    performer = calls.Performing({Directory.line: Line(id="l1", team_id=None)})
    with pytest.raises(Forbidden):
        await step(calls.call(endpoint, performer=performer, arguments={"teamId": None, "line_id": "l1"}))


async def test_in_the_sandbox_nothing_belongs_anywhere() -> None:
    """What was made up cannot be compared."""
    await calls.made(decide, ENDPOINT)(asking(Line(id="l1", team_id=8), mode="sandbox"))
    with pytest.raises(Forbidden):
        await calls.made(decide, ENDPOINT)(asking(Line(id="l1", team_id=8), mode="rehearse"))


async def test_an_id_in_the_body_is_proven_too() -> None:
    """It is found by its name."""
    endpoint = calls.declared(change_by_body, "/teams/{teamId}", writes=True, **INSIDE)
    performer = calls.Performing({Directory.line: Line(id="l1", team_id=7)})
    arguments = {"teamId": 7, "body": Change(note="n", line_id="l1")}
    await calls.made(decide, endpoint)(calls.call(endpoint, performer=performer, arguments=arguments))
    assert performer.asked == [("Directory.line", {"line_id": "l1"})]


@pytest.mark.parametrize(
    "proof",
    [
        (Directory.line, "seats"),
        (Directory.line, "team_id"),
        (Directory.line, "id"),
        (Directory.names, "teamId"),
    ],
)
def test_a_proof_that_compares_nothing_does_not_start(proof: Any) -> None:
    """The field is one of the answer, as it is written there, and a parameter of the endpoint."""
    endpoint = calls.declared(change, PATH, within="team:{teamId}", inside={"line_id": proof})
    assert "inside-field" in calls.refused(decide, endpoint)


def test_a_proof_whose_read_cannot_be_asked_does_not_start() -> None:
    """Its reason is that of every guard's read."""
    endpoint = calls.declared(change, PATH, within="team:{teamId}", inside={"line_id": (Directory.pair, "teamId")})
    assert calls.refused(decide, endpoint) == ["guard-argument"]


def test_a_proof_whose_operation_is_not_ready_is_judged_where_it_is_made_ready() -> None:
    """One fault is reported once."""
    ready = calls.preparing(ENDPOINT)
    ready.ground = msgspec.structs.replace(ready.ground, sendables={})
    decide.prepare(ready)
    assert ready.refusals == []
