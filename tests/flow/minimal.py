"""The minimal BFF that starts, to which a test adds one defect."""

import sys
import types
from datetime import datetime
from typing import Annotated, Any

import msgspec
import pytest
from msgspec import Meta

from narrows import (
    Answer,
    Bff,
    Caller,
    Id,
    Input,
    Narrow,
    PageSize,
    Problem,
    ShortText,
    Surroundings,
    Upstream,
    read,
    write,
)
from narrows.errors import Refusal, StartRefused
from narrows.settings import Secret, merge, read_settings
from narrows.stores.memory_audit import MemoryAuditStore
from narrows.surfaces.http import Application
from narrows.testing import Network

FACTS: dict[str, Any] = {
    "version": "1.0.0",
    "owner": "lunch@example.com",
    "purpose": "Book lunch",
    "exposure": "internal",
    "sensitivity": "personal",
    "importance": "low",
    "review_by": "2027-05-01",
}


class Team(Narrow):
    """A team."""

    id: Id
    name: str


class Booking(Narrow):
    """A booking."""

    id: Id
    team_id: Id


class Line(Narrow):
    """A line of a booking."""

    booking_id: Id
    note: ShortText = "-"


class Roles(Narrow):
    """The roles of somebody."""

    roles: list[str]


class NewBooking(Input):
    """A booking to make."""

    seats: PageSize


class Item(Input):
    """An item of an order."""

    item_id: Id


class Order(Input):
    """An order of several items."""

    items: Annotated[list[Item], Meta(max_length=5)]


class Gone(Problem):
    """It is not there any more."""

    status = 410
    title = "It is gone"
    remedy = "Choose another."


class People(Upstream):
    """The staff."""

    @read("/teams/{team_id}", asks="profiles:read", price="0.01 EUR")
    def team(self, team_id: Id) -> Answer[Team]: ...

    @read("/roles/{team_id}", asks="roles:read")
    def roles(self, team_id: Id) -> Answer[Roles]: ...


class Tables(Upstream):
    """The bookings."""

    @read("/bookings/{booking_id}", asks="bookings:read", problems={410: Gone})
    def booking(self, booking_id: Id) -> Answer[Booking]: ...

    @read("/lines/{line_id}", asks="bookings:read")
    def line(self, line_id: Id) -> Answer[Line]: ...

    @write("/bookings", asks="bookings:write", price="0.05 EUR")
    def book(self, team_id: Id, booking: NewBooking) -> Answer[Booking]: ...


def tangled(base: type[msgspec.Struct], count: int = 12) -> Any:
    """A class of `count` classes that each contain all of them."""
    names = [f"Tangle{number}" for number in range(count)]
    space: dict[str, Any] = {"__name__": "tangled", "Annotated": Annotated, "Meta": Meta}
    module = types.ModuleType("tangled")
    for name in names:
        fields: list[Any] = [
            (f"to_{other.lower()}", f"Annotated[list[{other}], Meta(max_length=3)] | None", None) for other in names
        ]
        space[name] = msgspec.defstruct(name, fields, bases=(base,), kw_only=True, module="tangled")
    module.__dict__.update(space)
    sys.modules["tangled"] = module  # where hints that are written as text are looked up
    return space[names[0]]


def started(booking: Booking, now: datetime, caller: Caller) -> bool:
    """A rule."""
    return bool(booking and now and caller)


GUARDS: dict[str, Any] = {
    "roles": {"member"},
    "within": "team:{team_id}",
    "scope": "lunch:read",
    "uses": [People.team],
    "rate": "30/minute",
}


def without(*names: str, **over: Any) -> dict[str, Any]:
    """The guards but for some, and with others."""
    return {name: value for name, value in GUARDS.items() if name not in names} | over


def make_bff(**facts: Any) -> Bff:
    """A BFF with one endpoint of each kind, and nothing to refuse."""
    bff = Bff("lunch", **{**FACTS, **facts})  # here is the BFF

    @bff.read("/teams/{team_id}", **GUARDS)
    async def team(team_id: Id, limit: PageSize = 5) -> Team:
        """A team."""
        return await People.team(team_id)

    @bff.write("/teams/{team_id}/bookings", **{**GUARDS, "uses": [Tables.book]})
    async def book(team_id: Id, booking: NewBooking) -> Booking:
        """Book a table."""
        return await Tables.book(team_id, booking)

    @bff.write(
        "/bookings/{booking_id}/lines/{line_id}",
        method="DELETE",
        given={"booking": Tables.booking},
        inside={"line_id": (Tables.line, "booking_id")},
        when=[started],
        **without("within", within="team:{booking.team_id}", uses=[Tables.book.times(2)], problems=[Gone]),
    )
    async def cancel(booking: Booking, line_id: Id) -> None:
        """Cancel a line."""

    @bff.read("/chairs/{team_id}", roles_from=People.roles, **without("roles", roles={"chair"}))
    async def chairs(team_id: Id) -> None:
        """The chairs."""

    return bff


def make_settings(**over: Any) -> Any:
    """Settings that hold."""
    document = {
        "public_url": "https://bff.test",
        "issuers": {
            "corp": {
                "url": "https://issuer.test",
                "audience": "lunch-api",
                "client": {"id": "lunch-bff", "secret": Secret("hidden")},
                "roles": [{"claim": "teams", "role": "member", "domain": "team:{value}"}],
            }
        },
        "upstreams": {
            name: {"url": f"https://{name}.test", "audience": f"{name}-api"} for name in ("people", "tables", "extra")
        },
    }
    return read_settings(merge(document, over), environ={})


def start(bff: Bff, **over: Any) -> Application:
    """Make the application."""
    around = Surroundings(dial=Network({}).dial, write_record=lambda _: None, audit=MemoryAuditStore())
    return Application(bff, make_settings(**over), around)


def refusals(bff: Bff, **over: Any) -> tuple[Refusal, ...]:
    """Why it does not start."""
    with pytest.raises(StartRefused) as caught:
        start(bff, **over)
    return caught.value.refusals
