"""A made-up BFF with something of everything that a contract can hold, and the world that it runs in."""

from datetime import date
from enum import Enum
from typing import Annotated, Literal

import httpx
from msgspec import Meta, field

from narrows import (
    Answer,
    Bff,
    Caller,
    Count,
    Id,
    Input,
    Latitude,
    LongText,
    Moment,
    Money,
    Narrow,
    NumberId,
    PageSize,
    Problem,
    ShortText,
    Upstream,
    read,
    write,
)
from narrows.settings import Secret, Settings, merge, read_settings

PUBLIC = "https://lunch.test"
ISSUER = "https://issuer.test"
Tags = Annotated[list[ShortText], Meta(max_length=5, description="What the place should be like.")]


class Diet(Enum):
    """What somebody eats."""

    VEGAN = "vegan"
    ANY = "any"


class NoSuchTable(Problem):
    """The table is not there."""

    status = 404
    title = "There is no such table"
    remedy = "Choose one of the tables listed."


class TableTaken(Problem):
    """Somebody was faster."""

    status = 409
    title = "The table is taken"
    remedy = "Choose another time."


class TooLate(Problem):
    """The kitchen is closed."""

    status = 409
    title = "The kitchen is closed then"
    remedy = "Choose a time before it closes."


class NothingVegan(Problem):
    """The endpoint that raises it does not declare it."""

    status = 404
    title = "The kitchen has nothing vegan"


class DirectoryAway(Problem):
    """The directory tells that it is away."""

    status = 503
    title = "The directory is away"
    remedy = "Come back after lunch."


class Guest(Input):
    """Somebody who comes along."""

    name: ShortText
    diet: Diet = Diet.ANY


class NewBooking(Input):
    """A booking to make.

    The guests are counted with the team.
    """

    at: Moment
    seats: Annotated[int, Meta(ge=1, le=20, multiple_of=1)]
    guests: Annotated[list[Guest], Meta(max_length=7)] = field(default_factory=list)
    note: LongText | None = None
    near: Annotated[float, Meta(gt=0, lt=5)] | None = None


class Member(Narrow):
    """A member of a team."""

    name: str


class Team(Narrow):
    """A team."""

    id: Id
    members: list[Member]


class Booking(Narrow):
    """A booking."""

    id: Id
    team_id: Id
    cost: Money | None = None


class Directory(Upstream):
    """The staff."""

    @read("/teams/{team_id}", asks="directory-read", price="0.01 EUR", problems={503: DirectoryAway, 410: NoSuchTable})
    def team(self, team_id: Id) -> Answer[Team]: ...


class Tables(Upstream):
    """The bookings."""

    @read("/bookings/{booking_id}", asks="tables-read", problems={404: NoSuchTable, 503: DirectoryAway})
    def booking(self, booking_id: Id) -> Answer[Booking]: ...

    @write("/bookings", asks="tables-write", price="0.05 EUR", problems={409: TableTaken})
    def book(self, team_id: Id, booking: NewBooking) -> Answer[Booking]: ...

    @write("/bookings/{booking_id}", method="DELETE", asks="tables-write")
    def cancel(self, booking_id: Id) -> Answer[None]: ...


class Weather(Upstream):
    """Public data."""

    @read("/weather")
    def today(self) -> Answer[Member]: ...


def make_bff() -> Bff:
    """The BFF; each endpoint shows another side of the contract."""
    bff = Bff(
        "lunch",
        version="1.2.3",
        owner="lunch-tools@example.com",
        purpose="Book lunch for a team",
        exposure="internal",
        sensitivity="personal",
        importance="low",
        review_by="2027-05-01",
    )

    @bff.read(
        "/teams/{team_id}/members",
        roles={"organiser", "member"},
        within="team:{team_id}",
        scope="lunch-read",
        uses=[Directory.team],
        rate=["30/minute", "100/day per tenant"],
        problems=[TooLate],
    )
    async def members(
        team_id: Id,
        diet: Diet = Diet.ANY,
        tags: Tags = [],  # noqa: B006  (a default is declared here, and never changed)
        since: Moment | None = None,
        on: date = date(2027, 1, 2),
        near: Latitude = 47.8,
        order: Literal["name", "age"] = "name",
        limit: PageSize = 5,
    ) -> list[Member]:
        """The members of a team.

        Those who eat
          anything come last.
        """
        if order == "age":
            raise TooLate()
        if diet is Diet.VEGAN:
            raise NothingVegan()
        return (await Directory.team(team_id)).members[:limit]

    @bff.write(
        "/teams/{team_id}/bookings",
        status=201,
        roles={"organiser"},
        within="team:{team_id}",
        scope="lunch-book",
        uses=[Directory.team, Tables.book.times(2)],
        rate="5/minute per connector",
        problems=[TooLate],
    )
    async def book(team_id: Id, booking: NewBooking) -> Booking:
        """Book a table."""
        return await Tables.book(team_id, booking)

    @bff.write(
        "/bookings/{booking_id}",
        method="DELETE",
        given={"booking": Tables.booking},
        roles={"organiser"},
        within="team:{booking.team_id}",
        scope="lunch-book",
        uses=[Tables.cancel],
        rate="5/minute",
    )
    async def cancel(booking: Booking, caller: Caller) -> None:
        """Cancel a booking."""
        await Tables.cancel(booking.id)

    @bff.read(
        "/forecast/{day}",
        roles={"planner"},
        scope="lunch-read",
        uses=[Weather.today],
        unbound={"day": "a day is nobody's", "place": "weather is the same for all"},
        rate="1/minute",
        for_services=True,
    )
    async def forecast(day: Count, place: NumberId) -> Member:
        """The weather."""
        return await Weather.today()

    return bff


def make_settings(**over: object) -> Settings:
    """Settings whose hosts must not show in the contract."""
    document = {
        "environment": "development",
        "public_url": PUBLIC,
        "issuers": {
            "corp": {
                "url": ISSUER,
                "audience": "api://lunch",
                "algorithms": ["ES256"],
                "client": {"id": "lunch-bff", "secret": Secret("hidden-secret")},
                "roles": [
                    {"claim": "teams", "role": "organiser", "domain": "team:{value}"},
                    {"claim": "teams", "role": "member", "domain": "team:{value}"},
                    {"claim": "plans", "role": "planner", "domain": "bff:lunch"},
                ],
            }
        },
        "connectors": {
            "copilot": {"issuer": "corp", "client_id": "lunch-copilot", "tenant": "example", "kind": "copilot",
                        "state": "live", "commit": "open"},  # its tests are about the contract
        },
        "upstreams": {
            "directory": {"url": "https://directory.test/v1", "audience": "api://directory"},
            "tables": {"url": "https://tables.test", "audience": "api://tables"},
            "weather": {"url": "https://weather.test", "identity": "none"},
        },
    }  # fmt: skip
    return read_settings(merge(document, over), environ={})


class Answers(httpx.AsyncBaseTransport):
    """An upstream that answers what a test tells it to: (status, JSON) by method."""

    def __init__(self, **by_method: tuple[int, object]) -> None:
        self.by_method = by_method

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        status, value = self.by_method[request.method]
        return httpx.Response(status, json=value) if value is not None else httpx.Response(status)
