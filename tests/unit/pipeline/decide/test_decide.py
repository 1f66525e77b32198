from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest

from narrows import Answer, Id, Narrow, NumberId, Upstream, read
from narrows.call import Call
from narrows.errors import Forbidden, InvalidInput, Problem, Unavailable, UpstreamFailed, UpstreamTimeout
from narrows.pipeline import decide
from narrows.testing import Clock
from tests.unit.pipeline import calls


class Gone(Problem):
    """It is not there any more."""

    status = 404
    title = "It is gone"


class Broken(Problem):
    """It tells that it is broken."""

    status = 503
    title = "It is broken"


class Booking(Narrow):
    id: Id
    team_id: NumberId


class Directory(Upstream):
    """Bookings of teams."""

    @read("/bookings/{booking_id}", asks="a", problems={404: Gone, 503: Broken})
    def booking(self, booking_id: Id) -> Answer[Booking]: ...

    @read("/teams/{team_id}", asks="a")
    def team(self, team_id: NumberId) -> Answer[calls.Team]: ...


async def team(team_id: NumberId) -> calls.Team:
    """Handle one call."""


async def booking(booking: Booking) -> Booking:
    """Handle one call."""


async def whole() -> calls.Team:
    """Handle one call."""


TEAM = calls.declared(team, within="team:{team_id}")
GIVEN: dict[str, Any] = {"given": {"booking": Directory.booking}, "within": "team:{booking.team_id}"}
BOOKING = calls.declared(booking, "/bookings/{booking_id}", **GIVEN)


async def denied(step: Any, call: Call) -> Forbidden:
    """The denial that a call ends in."""
    with pytest.raises(Forbidden) as caught:
        await step(call)
    return caught.value


def asking(answer: Any, **how: Any) -> Call:
    """A call for a booking, for which the upstream has this answer."""
    performer = calls.Performing({Directory.booking: answer})
    return calls.call(BOOKING, performer=performer, arguments={"booking_id": "b1"}, **how)


# --- roles in a domain ----------------------------------------------------------------------------------------------


async def test_a_role_in_the_domain_of_the_path_allows() -> None:
    """The rule that decided is kept, with the domain."""
    call = calls.call(TEAM, arguments={"team_id": 7})
    await calls.made(decide, TEAM)(call)
    assert call.domain == "team:7"
    assert call.rule == "role:member in team:7 (claim), allowed by declaration of lunch.team"


async def test_a_role_in_another_domain_does_not() -> None:
    """The caller of team 7 is nobody in team 8."""
    call = calls.call(TEAM, arguments={"team_id": 8})
    problem = await denied(calls.made(decide, TEAM), call)
    assert problem.detail == "One of these roles is needed within 'team:{team_id}': 'member'."
    assert call.domain == "team:8"
    assert call.rule == "nothing allows lunch.team in team:8"


async def test_without_within_the_domain_is_the_bff() -> None:
    """A role in a team is no role in all of the BFF."""
    endpoint = calls.declared(whole, "/all")
    step = calls.made(decide, endpoint)
    await denied(step, calls.call(endpoint))
    everywhere = [{"claim": "all", "role": "member", "domain": "bff:lunch"}]
    step = calls.made(decide, endpoint, issuers={"corp": {"roles": everywhere}})
    call = calls.call(endpoint, known=calls.credential(claims={"all": True}))
    await step(call)
    assert call.domain == "bff:lunch"


async def test_a_domain_can_be_written_out() -> None:
    """An endpoint of one team alone."""
    endpoint = calls.declared(whole, "/all", within="team:7")
    await calls.made(decide, endpoint)(calls.call(endpoint))
    await denied(calls.made(decide, endpoint), calls.call(endpoint, known=calls.credential(claims={"teams": ["8"]})))


async def test_a_value_that_is_left_out_is_no_domain() -> None:
    """`team:None` is a name that somebody could hold a role in."""

    async def maybe(team_id: NumberId | None = None) -> calls.Team: ...

    endpoint = calls.declared(maybe, "/all", within="team:{team_id}")
    call = calls.call(endpoint, arguments={"team_id": None}, known=calls.credential(claims={"teams": ["None"]}))
    await denied(calls.made(decide, endpoint), call)
    assert call.domain is None
    assert call.rule == "team:{team_id} has no value"


async def test_a_typed_value_names_its_domain_in_one_way() -> None:
    """A UUID is written as JSON writes it."""
    key = UUID("0193b5a2-1c7e-7c51-8a53-5d4e21a1f0aa")

    async def one(team_id: UUID) -> calls.Team: ...

    endpoint = calls.declared(one, within="team:{team_id}")
    call = calls.call(endpoint, arguments={"team_id": key}, known=calls.credential(claims={"teams": [str(key)]}))
    await calls.made(decide, endpoint)(call)
    assert call.domain == f"team:{key}"


# --- what is given --------------------------------------------------------------------------------------------------


async def test_what_is_given_decides() -> None:
    """The object is read on behalf of the caller, then its team is judged."""
    call = asking(Booking(id="b1", team_id=7))
    await calls.made(decide, BOOKING)(call)
    assert call.given == {"booking": Booking(id="b1", team_id=7)}
    assert call.performer.asked == [("Directory.booking", {"booking_id": "b1"})]
    assert call.domain == "team:7"


@pytest.mark.parametrize(
    "absent",
    [
        Gone(),
        UpstreamFailed(upstream_status=404),
        UpstreamFailed(upstream_status=410),
        UpstreamFailed(upstream_status=403),
        UpstreamFailed(upstream_status=401),
        InvalidInput(),
        Forbidden("another text"),
    ],
)
async def test_a_foreign_and_an_absent_object_are_told_apart_by_nothing(absent: Problem) -> None:
    """The two answers are equal to the byte, so that nobody learns what exists by asking."""
    step = calls.made(decide, BOOKING)
    foreign = await denied(step, asking(Booking(id="b1", team_id=8)))
    call = asking(absent)
    nothing = await denied(step, call)
    assert msgspec.json.encode(foreign.body("t")) == msgspec.json.encode(nothing.body("t"))
    assert foreign.headers == nothing.headers
    assert nothing.__cause__ is None
    assert nothing.__context__ is None
    assert call.rule == "given: there is nothing, or nothing for this caller"


@pytest.mark.parametrize(
    "fault",
    [
        UpstreamFailed(),
        UpstreamFailed(upstream_status=500),
        UpstreamFailed(upstream_status=400),
        UpstreamTimeout(),
        Unavailable(headers={"Retry-After": "1"}),
        Broken(),
    ],
)
async def test_a_fault_stays_a_fault(fault: Problem) -> None:
    """It tells nothing of the object, and a denial would hide it from the operators."""
    with pytest.raises(type(fault)) as caught:
        await calls.made(decide, BOOKING)(asking(fault))
    assert caught.value is fault


async def test_two_objects_are_read_side_by_side() -> None:
    """Both are there for the rules and the handler."""

    async def both(booking: Booking, found: calls.Team, team_id: NumberId) -> Booking: ...

    given = {"booking": Directory.booking, "found": Directory.team}
    endpoint = calls.declared(
        both, "/teams/{team_id}/{booking_id}", given=given, within="team:{booking.team_id}", unbound={"team_id": "test"}
    )
    answers = {Directory.booking: Booking(id="b1", team_id=7), Directory.team: calls.Team(id=8)}
    call = calls.call(endpoint, performer=calls.Performing(answers), arguments={"booking_id": "b1", "team_id": 8})
    await calls.made(decide, endpoint)(call)
    assert call.given == {"booking": Booking(id="b1", team_id=7), "found": calls.Team(id=8)}


# --- policies -------------------------------------------------------------------------------------------------------


async def test_a_changed_policy_holds_from_the_next_call_on(tmp_path: Path) -> None:
    """Whoever is taken out of the file is denied, without a restart."""
    policy, clock = tmp_path / "roles.csv", Clock()
    policy.write_text("g, user:corp|anna, role:member, team:9\n", encoding="utf-8")
    step = calls.made(decide, TEAM, policies=[policy], clock=clock)
    await step(calls.call(TEAM, arguments={"team_id": 9}, clock=clock))
    policy.write_text("g, user:corp|bertram, role:member, team:9\n", encoding="utf-8")
    clock.move(2)
    await denied(step, calls.call(TEAM, arguments={"team_id": 9}, clock=clock))
    clock.move(-100)
    policy.write_text("g, user:corp|anna, role:member, team:9\ng, user:corp|x, role:member, team:1\n", encoding="utf-8")
    await step(calls.call(TEAM, arguments={"team_id": 9}, clock=clock))


async def test_one_call_sees_one_policy(tmp_path: Path) -> None:
    """A reload while the guard's read runs changes nothing for the call that it finds."""
    policy = tmp_path / "roles.csv"
    policy.write_text("g, user:corp|anna, role:member, team:9\n", encoding="utf-8")
    ready = calls.preparing(BOOKING, policies=[policy])
    step = decide.prepare(ready)
    assert step is not None

    class Reloading(calls.Performing):
        async def perform(self, call: Call, operation: Any, args: Any, kwargs: Any) -> Any:
            policy.write_text("", encoding="utf-8")
            ready.ground.roles.reload()
            return await super().perform(call, operation, args, kwargs)

    performer = Reloading({Directory.booking: Booking(id="b1", team_id=9)})
    await step(calls.call(BOOKING, performer=performer, arguments={"booking_id": "b1"}))
    await denied(step, asking(Booking(id="b1", team_id=9)))


async def test_a_deny_of_a_policy_overrides(tmp_path: Path) -> None:
    """A claim does not help against it."""
    policy = tmp_path / "roles.csv"
    policy.write_text("p, user:corp|anna, team:7, lunch.team, deny\n", encoding="utf-8")
    call = calls.call(TEAM, arguments={"team_id": 7})
    await denied(calls.made(decide, TEAM, policies=[policy]), call)
    assert "denied by" in (call.rule or "")


# --- the start ------------------------------------------------------------------------------------------------------


def test_narrows_own_have_no_such_step() -> None:
    """They decide by ownership."""
    owned = msgspec.structs.replace(calls.declared(whole, "/all"), owned=True)
    assert decide.prepare(calls.preparing(owned)) is None


@pytest.mark.parametrize("roles", [None, set()])
def test_an_endpoint_without_roles_does_not_start(roles: Any) -> None:
    """Without roles everybody with a token may."""
    assert calls.refused(decide, calls.declared(whole, "/all", roles=roles)) == ["roles-missing"]


@pytest.mark.parametrize(
    "within", ["team", "team:", ":7", "team:{x}", "team:{team_id}-{team_id}", "team:a{team_id}", "{team_id}"]
)
def test_a_domain_that_is_not_one_value_does_not_start(within: str) -> None:
    """A domain that is put together could be made to look like another."""
    assert "within-unclear" in calls.refused(decide, calls.declared(team, within=within))


@pytest.mark.parametrize("within", ["team:{booking.seats}", "team:{other.team_id}"])
def test_a_domain_of_a_field_that_is_not_there_does_not_start(within: str) -> None:
    """A renamed field would leave the guard with nothing."""
    guards = {**GIVEN, "within": within}
    assert "within-unclear" in calls.refused(decide, calls.declared(booking, "/bookings/{booking_id}", **guards))
