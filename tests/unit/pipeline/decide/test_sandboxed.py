from typing import Any

import pytest

from narrows import Answer, Id, Narrow, NumberId, ShortText, Upstream, read
from narrows.errors import Forbidden
from narrows.pipeline import decide
from tests.unit.pipeline import calls


class Booking(Narrow):
    team_id: NumberId
    place: ShortText


class Directory(Upstream):
    """Bookings of teams."""

    @read("/bookings/{booking_id}", asks="a")
    def booking(self, booking_id: Id) -> Answer[Booking]: ...


async def booking(booking: Booking) -> Booking:
    """Handle one call."""


async def team(team_id: NumberId) -> calls.Team:
    """Handle one call."""


def declared(field: str) -> Any:
    """An endpoint whose domain is a field of what was read."""
    return calls.declared(
        booking, "/bookings/{booking_id}", given={"booking": Directory.booking}, within=f"team:{{booking.{field}}}"
    )


async def settled(claims: dict[str, Any], field: str = "team_id", **how: Any) -> Booking:
    """What the handler is given, of a caller with these claims."""
    endpoint = declared(field)
    performer = calls.Performing({Directory.booking: Booking(team_id=999, place="made up")})
    known = calls.credential(claims=claims)
    call = calls.call(
        endpoint, performer=performer, known=known, arguments={"booking_id": "b"}, **{"mode": "sandbox", **how}
    )
    await calls.made(decide, endpoint)(call)
    return call.given["booking"]


@pytest.mark.parametrize(
    ("claims", "field", "expected"),
    [
        ({"teams": ["7"]}, "team_id", Booking(team_id=7, place="made up")),
        ({"teams": ["x", "7"]}, "team_id", Booking(team_id=7, place="made up")),
        ({"teams": ["caf\u00e9 / 7"]}, "place", Booking(team_id=999, place="caf\u00e9 / 7")),
    ],
)
async def test_a_made_up_object_belongs_to_the_caller(claims: Any, field: str, expected: Booking) -> None:
    """The compared field takes the value of a domain in which the caller holds the role, of the field's own type."""
    assert await settled(claims, field) == expected


@pytest.mark.parametrize("claims", [{}, {"teams": ["x"]}, {"teams": ["0"]}])
async def test_who_holds_the_role_nowhere_is_denied(claims: Any) -> None:
    """The sandbox is no way around the roles."""
    with pytest.raises(Forbidden):
        await settled(claims)


async def test_outside_the_sandbox_nothing_is_moved() -> None:
    """A real object belongs where it belongs."""
    for mode in ("live", "rehearse"):
        with pytest.raises(Forbidden):
            await settled({"teams": ["7"]}, mode=mode)


async def test_only_domains_of_the_same_kind_count() -> None:
    """Being a member of place 7 does not make one of team 7."""
    endpoint = declared("team_id")
    mapped = [{"claim": "places", "role": "member", "domain": "place:{value}"}]
    step = calls.made(decide, endpoint, issuers={"corp": {"roles": mapped}})
    performer = calls.Performing({Directory.booking: Booking(team_id=999, place="p")})
    known = calls.credential(claims={"places": ["7"]})
    call = calls.call(endpoint, performer=performer, known=known, mode="sandbox", arguments={"booking_id": "b"})
    with pytest.raises(Forbidden):
        await step(call)


async def test_a_domain_of_the_path_is_judged_as_it_is() -> None:
    """The sandbox makes up objects, and no membership."""
    endpoint = calls.declared(team, within="team:{team_id}")
    await calls.made(decide, endpoint)(calls.call(endpoint, mode="sandbox", arguments={"team_id": 7}))
    with pytest.raises(Forbidden):
        await calls.made(decide, endpoint)(calls.call(endpoint, mode="sandbox", arguments={"team_id": 8}))
