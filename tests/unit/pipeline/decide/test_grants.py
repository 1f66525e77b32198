from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import Meta

from narrows import Answer, Narrow, NumberId, ShortText, Upstream, read
from narrows.errors import Forbidden, Problem, UpstreamFailed
from narrows.pipeline import decide
from tests.unit.pipeline import calls


class Roles(Narrow):
    roles: list[ShortText]


class Others(Narrow):
    names: list[ShortText]


class Gone(Problem):
    """It is not there any more."""

    status = 404
    title = "It is gone"


class Directory(Upstream):
    """Roles in teams."""

    @read("/a/{team_id}", asks="a", problems={404: Gone})
    def listed(self, team_id: NumberId) -> Answer[list[ShortText]]: ...

    @read("/b/{team_id}", asks="a")
    def object(self, team_id: NumberId) -> Answer[Roles]: ...

    @read("/c/{team_id}", asks="a")
    def closed(self, team_id: NumberId) -> Answer[Annotated[list[Literal["member", "guest"]], Meta(max_length=3)]]: ...

    @read("/d/{team_id}", asks="a")
    def others(self, team_id: NumberId) -> Answer[Others]: ...

    @read("/e/{team_id}", asks="a")
    def numbers(self, team_id: NumberId) -> Answer[list[int]]: ...

    @read("/f/{team_id}", asks="a")
    def levels(self, team_id: NumberId) -> Answer[list[Literal["a", 1]]]: ...

    @read("/g/{team_id}", asks="a")
    def text(self, team_id: NumberId) -> Answer[ShortText]: ...


async def team(team_id: NumberId) -> calls.Team:
    """Handle one call."""


TEAM = calls.declared(team, within="team:{team_id}")


async def holds(claims: dict[str, Any], *mapped: dict[str, Any], team_id: int = 7, issuer: str = "corp") -> bool:
    """Whether claims grant the role in a team, by the mapping of the issuer."""
    roles = [{"role": "member", **claim} for claim in mapped]
    step = decide.prepare(calls.preparing(TEAM, issuers={"corp": {"roles": roles}}))
    assert step is not None
    call = calls.call(TEAM, known=calls.credential(claims=claims, issuer=issuer), arguments={"team_id": team_id})
    try:
        await step(call)
    except Forbidden:
        return False
    return True


OF_TEAM = {"claim": "teams", "domain": "team:{value}"}
IN_ALL = {"claim": "admin", "domain": "team:7"}


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({"teams": ["7"]}, True),
        ({"teams": ["8", "7"]}, True),
        ({"teams": "7"}, True),
        ({"teams": 7}, True),
        ({"teams": [7]}, True),
        ({}, False),
        ({"teams": None}, False),
        ({"teams": []}, False),
        ({"teams": "8"}, False),
        ({"teams": "07"}, False),
        ({"teams": "7 8"}, False),
        ({"teams": "*"}, False),
        ({"teams": "7:x"}, False),
        ({"teams": 7.0}, False),
        ({"teams": {"7": True}}, False),
        ({"teams": [["7"]]}, False),
        ({"teams": ""}, False),
        ({"team": ["7"]}, False),
        ({"Teams": ["7"]}, False),
    ],
)
async def test_each_value_of_a_claim_grants_in_its_own_domain(claims: dict[str, Any], expected: bool) -> None:
    """A value is compared as it is; nothing in it is a wildcard."""
    assert await holds(claims, OF_TEAM) is expected


@pytest.mark.parametrize(("value", "team_id"), [(True, 1), (False, 0), ("", 0)])
async def test_what_names_no_object_grants_nothing(value: Any, team_id: int) -> None:
    """True is not team 1."""
    assert not await holds({"teams": value}, OF_TEAM, team_id=team_id)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(True, True), ("yes", True), (1, True), (False, False), ("", False), (0, False), (None, False)],
)
async def test_a_fixed_domain_is_granted_by_what_says_yes(value: Any, expected: bool) -> None:
    """`admin: false` makes nobody an admin."""
    assert await holds({"admin": value}, IN_ALL) is expected


@pytest.mark.parametrize(
    ("wanted", "value", "expected"),
    [
        ("staff", "staff", True),
        ("staff", ["guest", "staff"], True),
        ("staff", "Staff", False),
        (True, True, True),
        (True, 1, False),
        (1, True, False),
        (1, 1, True),
        ("1", 1, False),
        (False, False, True),
        (True, "true", False),
    ],
)
async def test_with_a_wanted_value_only_that_one_grants(wanted: Any, value: Any, expected: bool) -> None:
    """Of its type: a number is no truth."""
    assert await holds({"admin": value}, {**IN_ALL, "value": wanted}) is expected


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({"realm": {"teams": ["7"]}}, True),
        ({"realm.teams": ["7"]}, True),
        ({"realm.teams": ["8"], "realm": {"teams": ["7"]}}, False),
        ({"realm": {}}, False),
        ({"realm": "7"}, False),
        ({"realm": ["teams"]}, False),
        ({"realm": {"teams": {"x": "7"}}}, False),
    ],
)
async def test_a_claim_may_stand_inside_another(claims: dict[str, Any], expected: bool) -> None:
    """`realm.teams` leads into objects, unless a claim has that very name."""
    assert await holds(claims, {"claim": "realm.teams", "domain": "team:{value}"}) is expected


async def test_the_mapping_of_one_issuer_does_not_count_for_another() -> None:
    """The same claim of a partner's token grants nothing."""
    assert not await holds({"teams": ["7"]}, OF_TEAM, issuer="partner")


async def test_a_value_cannot_spell_another_domain() -> None:
    """What separates names is encoded."""
    assert not await holds({"teams": ["x|team:7", "%37", "7%", "\ud800", "team:7"]}, OF_TEAM)


# --- roles_from -----------------------------------------------------------------------------------------------------


def reading(operation: Any) -> Any:
    """An endpoint whose roles are read."""
    return calls.declared(team, within="team:{team_id}", roles_from=operation)


async def decided(operation: Any, answer: Any, **how: Any) -> Any:
    """A call of somebody without claims, whose roles the upstream tells."""
    endpoint = reading(operation)
    performer = calls.Performing({operation: answer})
    known = calls.credential(claims={})
    call = calls.call(endpoint, known=known, performer=performer, arguments={"team_id": 7}, **how)
    await calls.made(decide, endpoint)(call)
    return call


@pytest.mark.parametrize(
    ("operation", "answer"),
    [
        (Directory.listed, ["guest", "member"]),
        (Directory.object, Roles(roles=["member"])),
        (Directory.closed, ["member"]),
    ],
)
async def test_a_read_tells_the_roles_in_the_domain(operation: Any, answer: Any) -> None:
    """It is asked on behalf of the caller, and the record says where the role came from."""
    call = await decided(operation, answer)
    assert call.performer.asked == [(operation.id, {"team_id": 7})]
    assert call.rule == "role:member in team:7 (roles_from), allowed by declaration of lunch.team"


@pytest.mark.parametrize(
    "answer", [[], ["guest"], ["Member"], ["role:member"], Gone(), UpstreamFailed(upstream_status=404)]
)
async def test_another_role_and_nobody_are_denied(answer: Any) -> None:
    """What the read does not tell is not held."""
    with pytest.raises(Forbidden):
        await decided(Directory.listed, answer)


async def test_a_fault_of_the_read_lets_nobody_in() -> None:
    """And it is not hidden by a denial."""
    with pytest.raises(UpstreamFailed):
        await decided(Directory.listed, UpstreamFailed())


async def test_in_the_sandbox_the_made_up_directory_knows_the_caller() -> None:
    """Names that were made up would deny everybody."""
    assert (await decided(Directory.listed, ["xyz"], mode="sandbox")).rule.startswith(
        "role:member in team:7 (roles_from)"
    )


@pytest.mark.parametrize("operation", [Directory.others, Directory.numbers, Directory.levels, Directory.text])
def test_a_read_that_tells_no_names_does_not_start(operation: Any) -> None:
    """Nothing can be decided by it."""
    assert calls.refused(decide, reading(operation)) == ["roles-from-type"]


def test_a_read_that_is_not_ready_is_judged_where_it_is_made_ready() -> None:
    """One fault is reported once."""
    ready = calls.preparing(reading(Directory.listed))
    ready.ground = msgspec.structs.replace(ready.ground, sendables={})
    decide.prepare(ready)
    assert ready.refusals == []


def test_a_role_that_nobody_can_hold_does_not_start() -> None:
    """It is a mistake in a name."""
    assert calls.refused(decide, calls.declared(team, within="team:{team_id}", roles={"membr"})) == ["role-ungrantable"]
