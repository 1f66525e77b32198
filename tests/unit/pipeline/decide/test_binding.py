from typing import Annotated, Any

import pytest
from msgspec import Meta

from narrows import Answer, Id, Input, Narrow, NumberId, ShortText, Upstream, read
from narrows.pipeline import decide
from tests.unit.pipeline import calls


class Booking(Narrow):
    id: Id
    team_id: NumberId


class Line(Narrow):
    id: Id
    booking_id: Id


class Directory(Upstream):
    """Bookings and their lines."""

    @read("/bookings/{booking_id}", asks="a")
    def booking(self, booking_id: Id) -> Answer[Booking]: ...

    @read("/expanded/{booking_id}", asks="a")
    def expanded(self, booking_id: Id, line_id: Id | None = None) -> Answer[Booking]: ...

    @read("/lines/{line_id}", asks="a")
    def line(self, line_id: Id) -> Answer[Line]: ...

    @read("/of/{booking_id}", asks="a")
    def line_of(self, booking_id: Id) -> Answer[Line]: ...


class Item(Input):
    line_id: Id


class Change(Input):
    line_id: Id
    items: Annotated[list[Item], Meta(max_length=2)] = []  # noqa: RUF012 - msgspec copies it
    note: ShortText = ""


async def team(team_id: NumberId) -> calls.Team:
    """Handle one call."""


async def both(team_id: NumberId, booking_id: Id) -> calls.Team:
    """Handle one call."""


async def queried(team_id: NumberId, place_id: Id, note: ShortText = "") -> calls.Team:
    """Handle one call."""


async def line(booking_id: Id, line_id: Id) -> calls.Team:
    """Handle one call."""


async def changed(booking_id: Id, body: Change) -> calls.Team:
    """Handle one call."""


TEAM = {"within": "team:{team_id}"}
BOOKING: dict[str, Any] = {"given": {"booking": Directory.booking}, "within": "team:{booking.team_id}"}
EXPANDED: dict[str, Any] = {"given": {"booking": Directory.expanded}, "within": "team:{booking.team_id}"}
PROVEN = {"line_id": (Directory.line, "booking_id")}
LINE = "/bookings/{booking_id}/lines/{line_id}"


@pytest.mark.parametrize(
    ("function", "path", "guards", "expected"),
    [
        (team, "/teams/{team_id}", TEAM, []),
        (team, "/teams/{team_id}", {}, ["id-unbound"]),
        (team, "/teams/{team_id}", {"unbound": {"team_id": "teams are public"}}, []),
        (team, "/teams/{team_id}", {"unbound": {"team_id": "  "}}, ["reason-missing"]),
        (team, "/teams/{team_id}", {**TEAM, "unbound": {"place_id": "x"}}, ["id-unknown"]),
        (both, "/teams/{team_id}/{booking_id}", TEAM, ["id-unbound"]),
        (both, "/teams/{team_id}/{booking_id}", BOOKING, ["id-unbound"]),
        (queried, "/teams/{team_id}", TEAM, ["id-unbound"]),
        (queried, "/teams/{team_id}", {**TEAM, "unbound": {"place_id": "places are public"}}, []),
        (line, LINE, BOOKING, ["id-unbound"]),
        (line, LINE, EXPANDED, ["id-unbound"]),
        (line, LINE, {**BOOKING, "inside": PROVEN}, []),
        (line, LINE, {**BOOKING, "inside": {"line_id": (Directory.line_of, "booking_id")}}, ["inside-loose"]),
        (line, LINE, {"within": "team:7", "unbound": {"booking_id": "x"}, "inside": PROVEN}, ["inside-loose"]),
        (changed, "/bookings/{booking_id}", {**BOOKING, "inside": PROVEN}, ["id-unbound"]),
        (changed, "/bookings/{booking_id}", {**BOOKING, "inside": PROVEN, "unbound": {"items[].line_id": "x"}}, []),
    ],
)
def test_every_id_is_bound_proven_or_explained(function: Any, path: str, guards: Any, expected: list[str]) -> None:
    """An id that nobody checks is how a caller reaches another's object."""
    endpoint = calls.declared(function, path, writes=function is changed, **guards)
    assert calls.refused(decide, endpoint) == expected
