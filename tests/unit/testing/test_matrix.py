"""The matrix of callers, objects and endpoints: what it asks, what it expects, and what it cannot drive."""

from typing import Annotated, Any

import httpx
import pytest
from msgspec import Meta

from narrows import Answer, Bff, Id, Input, Narrow, PageSize, ShortText, Upstream, read
from narrows.testing.matrix import CannotDrive, Case, matrix
from narrows.testing.world import world
from tests.flow.minimal import FACTS, make_bff, make_settings, without

OWN = {"team_id": "t-1", "booking_id": "b-1", "line_id": "l-1"}
FOREIGN = {"team_id": "t-2", "booking_id": "b-2", "line_id": "l-2"}
ABSENT = {"team_id": "t-9", "booking_id": "b-9", "line_id": "l-9"}


class Thing(Narrow):
    """A thing."""

    id: Id


class Things(Upstream):
    """Things."""

    @read("/things/{thing_id}", asks="things:read")
    def thing(self, thing_id: Id, day: ShortText) -> Answer[Thing]: ...


class Basket(Input):
    """What is bought."""

    thing_id: Id
    ids: Annotated[tuple[Id, ...], Meta(max_length=3)] = ()


def cases(bff: Bff, **over: Any) -> list[Case]:
    """The matrix of a BFF."""
    tables = {"own": OWN, "foreign": FOREIGN, "absent": ABSENT, "settings": make_settings(), **over}
    return matrix(bff, **tables)


def bare(**guards: Any) -> Bff:
    """A BFF without an endpoint."""
    return Bff("lunch", **FACTS)


def upstream(request: httpx.Request) -> httpx.Response:
    """Everything that has an id of `OWN` is there and belongs to t-1; what ends in 2 belongs to t-2."""
    last = request.url.path.rpartition("/")[2]
    if last.endswith("9"):
        return httpx.Response(404)
    number = last[-1]
    found = {"id": last, "team_id": f"t-{number}", "name": "x", "booking_id": f"b-{number}", "roles": ["chair"]}
    return httpx.Response(200, json=found)


async def test_every_case_holds_for_a_bff_that_guards_as_it_declares() -> None:
    """Reads, writes, `given`, `inside` and `roles_from`, each by every caller."""
    bff, fake = make_bff(), httpx.MockTransport(upstream)
    found = cases(bff, subjects={"chair": "carla"})
    for case in found:
        fakes = {"people": fake, "tables": fake}
        async with world(bff, fakes, people={"carla": {}}, settings=make_settings()) as w:
            answer = await w.ask(case)
        if case.endpoint == "lunch.chairs" and case.status == 403 and case.caller == "stranger":
            continue  # this upstream says of everybody that they hold the chair
        if case.endpoint == "lunch.chairs" and (case.objects != "own" or case.caller in ("service", "member")):
            continue
        assert answer.status_code == case.status, case.remedy
    assert {case.endpoint for case in found} == {endpoint.id for endpoint in bff.endpoints}


def test_it_has_every_kind_of_caller_and_of_object() -> None:
    """Of a write bound by `given` and `inside`, with a rule."""
    found = [case for case in cases(make_bff(), subjects={"chair": "carla"}) if case.endpoint == "lunch.cancel"]
    assert {(case.caller, case.objects, case.state, case.mode, case.status) for case in found} == {
        ("nobody", "own", "live", "rehearse", 401),
        ("member without the scope", "own", "live", "rehearse", 403),
        ("member", "own", "draft", "rehearse", 403),
        ("member", "own", "draft", "sandbox", 204),
        ("member", "own", "trial", "rehearse", 204),
        ("member", "own", "trial", "live", 403),
        ("member", "own", "live", "rehearse", 204),
        ("member", "foreign booking_id", "live", "rehearse", 403),
        ("member", "absent booking_id", "live", "rehearse", 403),
        ("member", "foreign line_id", "live", "rehearse", 403),
        ("member", "absent line_id", "live", "rehearse", 403),
        ("stranger", "own", "live", "rehearse", 403),
        ("service", "own", "live", "rehearse", 403),
    }


def test_a_caller_of_another_role_is_one_too() -> None:
    """A role that claims grant, and that this endpoint does not want, helps nobody."""
    roles = [{"claim": f"realm.{role}", "role": role, "domain": "team:{value}"} for role in ("member", "guest")]
    roles += [{"claim": "crew", "role": "crew", "domain": "bff:lunch"}]
    found = cases(make_bff(), settings=make_settings(issuers={"corp": {"roles": roles}}), subjects={"chair": "carla"})
    guests = [case for case in found if case.caller == "guest" and case.endpoint == "lunch.team"]
    assert [(case.claims, case.status) for case in guests] == [({"realm": {"guest": ["t-1"]}}, 403)]
    assert "crew" not in {case.caller for case in found}
    assert guests[0].remedy.startswith("lunch.team: guest, own, live GET / gives 403: if the fakes hold no such object")


def test_a_role_in_the_whole_bff_comes_from_a_claim_of_its_own_value() -> None:
    """Without `within` there is no other object; with `for_services` a service may."""
    bff = bare()

    @bff.read("/menu", **without("within", uses=[], roles={"crew", "cook"}, for_services=True))
    async def menu(limit: PageSize, wanted: list[bool]) -> None:
        """The menu."""

    roles = [
        {"claim": "crew", "role": "crew", "domain": "bff:lunch"},
        {"claim": "job", "role": "cook", "domain": "bff:lunch", "value": "cook"},
    ]
    found = cases(bff, settings=make_settings(issuers={"corp": {"roles": roles}}))
    assert {case.objects for case in found} == {"own"}
    assert {case.caller: case.claims for case in found if case.status == 204 and case.state == "live"} == {
        "crew": {"crew": True},
        "cook": {"job": "cook"},
    }
    assert "service" not in {case.caller for case in found}
    assert "limit=" in found[0].path
    assert "wanted=true" in found[0].path or "wanted=false" in found[0].path


def test_values_that_are_no_ids_are_made_up_and_ids_of_the_body_are_the_teams_own() -> None:
    """So that a new field costs no work, and a new id does."""
    bff = bare()

    @bff.write(
        "/teams/{team_id}/{day}", **without("uses", uses=[], unbound={"day": "x", "thing_id": "y", "ids[]": "z"})
    )
    async def buy(team_id: Id, day: PageSize, basket: Basket) -> None:
        """Buy."""

    [case, *_] = cases(bff, own={**OWN, "day": 3, "thing_id": "x-1", "ids": "x-2"})
    assert (case.path, b'"thing_id":"x-1"' in (case.body or b"")) == ("/teams/t-1/3", True)


@pytest.mark.parametrize(
    ("over", "said"),
    [
        ({"own": {}}, "add 'team_id' to own= of the matrix"),
        ({"foreign": {}}, "add 'team_id' to foreign= of the matrix"),
        ({"absent": {"team_id": "t-9"}}, "add 'line_id' to absent= of the matrix"),
        ({}, "subjects={'chair': …}"),
    ],
)
def test_what_it_cannot_drive_is_named_with_its_remedy(over: dict[str, Any], said: str) -> None:
    """A new endpoint is driven too, or the test fails and says how."""
    with pytest.raises(CannotDrive, match="the matrix cannot drive these endpoints") as refused:
        cases(make_bff(), **over)
    assert said in str(refused.value)
    assert "lunch." in str(refused.value)


def test_a_type_that_cannot_be_made_up_is_said_so() -> None:
    """The start refuses it too; the matrix tells which parameter."""
    bff = bare()

    @bff.read("/find", **without("within", uses=[]))
    async def find(word: Annotated[str, Meta(pattern="^(?=a)b$")]) -> None:
        """Find."""

    roles = [{"claim": "crew", "role": "member", "domain": "bff:lunch"}]
    with pytest.raises(CannotDrive, match="`word`"):
        cases(bff, settings=make_settings(issuers={"corp": {"roles": roles}}))
