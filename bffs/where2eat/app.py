"""Where2Eat: a team finds a place where every member can eat, and books a table there."""

from datetime import datetime

from bffs.where2eat.suggest import count, suggest
from bffs.where2eat.types import (
    Booking,
    Bookings,
    NewBooking,
    PlaceName,
    Suggestions,
    TeamCard,
    TeamId,
    UpstreamBooking,
)
from bffs.where2eat.upstreams import People, Places, Tables
from narrows import Bff, Moment, PageSize

bff = Bff(
    "where2eat",
    version="1.0.0",
    owner="lunch-tools@example.com",
    purpose="Suggest and book places a whole team can eat at",
    exposure="internal",
    sensitivity="personal",
    importance="low",
    review_by="2027-05-01",
    page="page",
)


def not_yet_started(booking: Booking, now: datetime) -> bool:
    """A meal that has begun cannot be cancelled."""
    return booking.starts_at > now


@bff.read(
    "/teams/{team_id}",
    roles={"member"},
    within="team:{team_id}",
    scope="dining:read",
    uses=[People.team],
    rate="60/minute",
)
async def team(team_id: TeamId) -> TeamCard:
    """What a lunch needs to know of the team: how many come, what they eat, and where they start from."""
    return count(await People.team(team_id))


@bff.read(
    "/teams/{team_id}/dining-suggestions",
    roles={"member"},
    within="team:{team_id}",
    scope="dining:read",
    uses=[People.team, Places.nearby],
    rate="30/minute",
    slo="99.5% under 2s",
)
async def dining_suggestions(team_id: TeamId, open_at: Moment | None = None, limit: PageSize = 5) -> Suggestions:
    """Places where every member of the team can eat, nearest first.

    With `open_at`, only places that are known to be open then.
    """
    team = await People.team(team_id)
    places = await Places.nearby(team.office.lat, team.office.lon, open_at=open_at)
    return suggest(team, places, open_at)[:limit]


@bff.read(
    "/teams/{team_id}/bookings",
    roles={"member"},
    within="team:{team_id}",
    scope="dining:read",
    uses=[Tables.of_team],
    rate="60/minute",
)
async def team_bookings(team_id: TeamId) -> Bookings:
    """The team's bookings."""
    return await Tables.of_team(team_id)


@bff.write(
    "/teams/{team_id}/bookings",
    status=201,
    roles={"member"},
    within="team:{team_id}",
    unbound={"place_id": "places are public, and a booking reveals nothing of one"},
    scope="dining:book",
    uses=[Tables.book],
    rate="5/minute",
    slo="99.9%",
)
async def book_table(team_id: TeamId, booking: NewBooking) -> Booking:
    """Book a table for the team."""
    wanted = UpstreamBooking(
        team_id=team_id,
        place_id=booking.place_id,
        starts_at=booking.starts_at,
        seats=booking.seats,
        note=booking.note,
    )
    return await Tables.book(wanted)


@bff.write(
    "/bookings/{booking_id}",
    method="DELETE",
    given={"booking": Tables.booking},
    roles={"organiser"},
    within="team:{booking.team_id}",
    when=[not_yet_started],
    scope="dining:book",
    uses=[Tables.cancel],
    rate="5/minute",
)
async def cancel_booking(booking: Booking) -> None:
    """Cancel one of the team's bookings."""
    await Tables.cancel(booking.id)


bff.graphql(ceiling="0.05 EUR")


@bff.join(Booking, uses=[Places.named])
async def place(bookings: list[Booking]) -> list[PlaceName | None]:
    """The place of the table; null for one that is not on the map any more."""
    ids = sorted({booking.place_id for booking in bookings})
    known = {place.id: place for place in await Places.named(ids)}
    return [known.get(booking.place_id) for booking in bookings]


bff.document("lunch", roles={"member"}, within="team:{team_id}", scope="dining:read", rate="30/minute")
bff.document("book", roles={"member"}, within="team:{team_id}", scope="dining:book", rate="5/minute")
