"""What a type checker must infer of declarations; read by mypy and pyright, never run."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, assert_type

from narrows import (
    Answer,
    Bff,
    Caller,
    Id,
    Input,
    Money,
    Narrow,
    Operation,
    PageSize,
    Problem,
    Settings,
    Upstream,
    app,
    gather,
    load_settings,
    read,
    write,
)
from narrows.declare.upstream import Times
from narrows.surfaces.http import Application


class Team(Narrow):
    """A team."""

    id: int


class NewBooking(Input):
    """A booking to make."""

    seats: PageSize


class Booking(Narrow):
    """A booking."""

    id: Id


class TableTaken(Problem):
    """Somebody was faster."""

    status = 409
    title = "The table is taken"


def made_up(team_id: int, booking: NewBooking) -> Booking:
    """A stand-in."""
    return Booking(id=f"{team_id}-{booking.seats}")


class People(Upstream):
    """The staff."""

    @read("/teams/{team_id}", asks="profiles:read")
    def team(self, team_id: int) -> Answer[Team]: ...

    @read("/teams")
    def teams(self, *, limit: int = 5) -> Answer[list[Team]]: ...

    @read("/name", price="0.01 EUR")
    def name(self) -> Answer[str]: ...


class Tables(Upstream):
    """The bookings."""

    @write("/bookings", asks="bookings:write", problems={409: TableTaken}, stand_in=made_up)
    def book(self, team_id: int, booking: NewBooking) -> Answer[Booking]: ...

    @write("/bookings/{booking_id}", method="DELETE", asks="bookings:write")
    def cancel(self, booking_id: Id) -> Answer[None]: ...


bff = Bff("lunch", version="1.0.0", exposure="internal", sensitivity="personal", importance="low")


def not_late(caller: Caller) -> bool:
    """A rule."""
    return caller.kind == "person"


@bff.read(
    "/teams/{team_id}",
    roles={"member"},
    within="team:{team_id}",
    when=[not_late],
    scope="lunch:read",
    uses=[People.team, People.teams.times(2)],
    rate=["30/minute", "100/day per tenant"],
)
async def team(team_id: int) -> Team:
    """A team."""
    return await People.team(team_id)


@bff.write(
    "/bookings",
    method="PUT",
    status=201,
    given={"team": People.team},
    inside={"booking_id": (Tables.cancel, "id")},
    unbound={"place": "it is public"},
    roles_from=People.teams,
    scope="lunch:book",
    uses=[Tables.book],
    rate="5/minute",
    problems=[TableTaken],
    for_services=True,
)
async def book(team_id: int, booking: NewBooking) -> Booking:
    """Book."""
    return await Tables.book(team_id, booking)


async def operations() -> None:
    """An operation is itself on the class, and its answer when it is awaited."""
    assert_type(People.name, Operation[[], str])
    asked: Operation[..., Team] = People.team
    begun = People.team(1)
    checked = assert_type(begun, Coroutine[Any, Any, Team])
    assert_type(await checked, Team)
    assert_type(await People.team(1), Team)
    assert_type(await People.team(team_id=1), Team)
    assert_type(await People.teams(limit=3), list[Team])
    assert_type(await People.teams(), list[Team])
    assert_type(await Tables.book(1, NewBooking(seats=2)), Booking)
    assert_type(People.team.times(5), Times)
    assert_type(asked.id, str)
    await Tables.cancel("a")


async def gathering(ids: list[int]) -> None:
    """As many answers as operations, each of its own type; a list of many of one type."""
    assert_type(await gather(People.team(1)), tuple[Team])
    assert_type(await gather(People.team(1), People.name()), tuple[Team, str])
    assert_type(await gather(People.team(1), People.name(), People.teams()), tuple[Team, str, list[Team]])
    assert_type(
        await gather(People.team(1), People.name(), People.teams(), Tables.book(1, NewBooking(seats=2))),
        tuple[Team, str, list[Team], Booking],
    )
    assert_type(
        await gather(People.name(), People.name(), People.name(), People.name(), People.team(1)),
        tuple[str, str, str, str, Team],
    )
    assert_type(await gather(People.team(team_id) for team_id in ids), list[Team])
    assert_type(await gather([People.team(team_id) for team_id in ids]), list[Team])


async def declared() -> None:
    """A decorator gives the function back as it was."""
    assert_type(await team(1), Team)
    assert_type(await book(1, NewBooking(seats=2)), Booking)
    unchanged: Callable[[int], Coroutine[Any, Any, Team]] = team
    assert_type(await unchanged(1), Team)


def around() -> None:
    """Settings lead to an application."""
    assert_type(load_settings(), Settings)
    assert_type(app(bff, load_settings()), Application)
    assert_type(Money.parse("1 EUR") + Money.parse("2 EUR") * 3, Money)
