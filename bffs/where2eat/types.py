"""The types of Where2Eat: what clients send is bounded, what upstreams send is narrow."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta

from narrows import Id, Input, Latitude, Longitude, Moment, Narrow, NumberId

TeamId = NumberId
PlaceId = Id
PlaceIds = Annotated[list[PlaceId], Meta(min_length=1, max_length=100)]
BookingId = Id
Note = Annotated[str, Meta(max_length=200)]
Seats = Annotated[int, Meta(ge=1, le=20)]
Cuisine = Annotated[str, Meta(max_length=60)]
Cuisines = Annotated[list[Cuisine], Meta(max_length=20)]
Metres = Annotated[int, Meta(ge=1, le=5000)]

# --- what upstreams send ------------------------------------------------------------------------------------------


class Office(Narrow):
    """Where a team works."""

    lat: Latitude
    lon: Longitude


class Member(Narrow):
    """What a lunch needs to know of a person; everything else in the directory stays there."""

    diet: Literal["none", "vegetarian", "vegan"]


class Team(Narrow):
    """A team and its members."""

    id: TeamId
    office: Office
    members: list[Member]


class Diets(Narrow):
    """What a place serves; unknown is not yes."""

    vegetarian: bool | None = None
    vegan: bool | None = None


class Place(Narrow):
    """A place to eat, as OpenStreetMap knows it."""

    id: PlaceId
    name: str
    cuisine: Cuisines
    diets: Diets
    distance_m: Annotated[float, Meta(ge=0, le=50_000)]
    lat: Latitude
    lon: Longitude
    opening_hours: str | None = None
    open: bool | None = None


class PlaceName(Narrow):
    """What a place is called."""

    id: PlaceId
    name: str


class Booking(Narrow):
    """A table that is booked for a team."""

    id: BookingId
    team_id: TeamId
    place_id: PlaceId
    starts_at: datetime
    seats: Seats
    note: Note = ""


Bookings = Annotated[list[Booking], Meta(max_length=100)]


class UpstreamBooking(Input):
    """What the tables service takes."""

    team_id: TeamId
    place_id: PlaceId
    starts_at: Moment
    seats: Seats
    note: Note = ""


# --- what clients send and get ------------------------------------------------------------------------------------


class NewBooking(Input):
    """A table that a client wants for a team."""

    place_id: PlaceId
    starts_at: Moment
    seats: Seats
    note: Note = ""


class Eaters(Narrow):
    """How many of a team eat what."""

    none: Annotated[int, Meta(ge=0, le=10_000)]
    vegetarian: Annotated[int, Meta(ge=0, le=10_000)]
    vegan: Annotated[int, Meta(ge=0, le=10_000)]


class TeamCard(Narrow):
    """A team as its lunch sees it; nobody is named."""

    id: TeamId
    size: Annotated[int, Meta(ge=0, le=10_000)]
    eaters: Eaters
    office: Office


class Suggestion(Narrow):
    """A place where every member of the team can eat."""

    place_id: PlaceId
    name: str
    cuisine: Cuisines
    distance_m: int
    lat: Latitude
    lon: Longitude
    vegetarian: bool
    vegan: bool
    opening_hours: str | None = None
    open: bool | None = None


Suggestions = Annotated[list[Suggestion], Meta(max_length=50)]
