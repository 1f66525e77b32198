"""Places to eat in Salzburg, from OpenStreetMap (see data/README.md): near a point, and open at a time."""

import math
from collections.abc import Callable
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import httpx
import msgspec
from litestar import Litestar, Request, get
from litestar.response import Response
from msgspec import Meta
from opening_hours import OpeningHours, State, validate
from opentelemetry.trace import TracerProvider

from .problem import Refusal
from .service import query, service_app

READ = "places:read"
EARTH_RADIUS_M = 6_371_008.8  # mean radius, IUGG
LICENCE = {"link": '<https://www.openstreetmap.org/copyright>; rel="license"'}

_FILE = Path(__file__).with_name("data") / "salzburg-places.geojson"
_VIENNA = ZoneInfo("Europe/Vienna")
_YES = {"yes": True, "only": True, "no": False}

Moment = Annotated[datetime, Meta(tz=True)]
Latitude = Annotated[float, Meta(ge=-90, le=90)]
Longitude = Annotated[float, Meta(ge=-180, le=180)]


class Diets(msgspec.Struct, frozen=True):
    """Whether there are dishes for a diet; None where nobody noted it."""

    vegetarian: bool | None
    vegan: bool | None


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A place; `distance_m` (metres) if asked near a point, `open` if asked for a time and the hours are known."""

    id: str
    name: str
    amenity: str
    cuisine: list[str]
    diets: Diets
    lat: float
    lon: float
    distance_m: int | None = None
    open: bool | None = None
    address: str | None
    opening_hours: str | None
    wheelchair: str | None
    outdoor_seating: str | None
    phone: str | None
    email: str | None
    website: str | None
    tags: dict[str, str]


class Near(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Query of `GET /places`; `open_at` is RFC 3339 with an offset."""

    lat: Latitude
    lon: Longitude
    radius_m: Annotated[int, Meta(ge=1, le=50_000)] = 1_000
    limit: Annotated[int, Meta(ge=1, le=200)] = 20
    open_at: Annotated[str, Meta(max_length=40)] | None = None


class When(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Query of `GET /places/{place_id}`."""

    open_at: Annotated[str, Meta(max_length=40)] | None = None


class Name(msgspec.Struct, frozen=True):
    """What a place is called."""

    id: str
    name: str


class _Point(msgspec.Struct):
    coordinates: tuple[float, float]


class _Feature(msgspec.Struct):
    id: str
    properties: dict[str, str]
    geometry: _Point


class _Collection(msgspec.Struct):
    features: list[_Feature]


def _address(tags: dict[str, str]) -> str | None:
    street = f"{tags.get('addr:street', '')} {tags.get('addr:housenumber', '')}".strip()
    town = f"{tags.get('addr:postcode', '')} {tags.get('addr:city', '')}".strip()
    return ", ".join(part for part in (street, town) if part) or None


def _place(feature: _Feature) -> Place:
    tags = feature.properties
    lon, lat = feature.geometry.coordinates
    return Place(
        id=feature.id.replace("/", "-"),
        name=tags["name"],
        amenity=tags["amenity"],
        cuisine=[kind.strip() for kind in tags.get("cuisine", "").split(";") if kind.strip()],
        diets=Diets(_YES.get(tags["diet:vegetarian"]), _YES.get(tags.get("diet:vegan", ""))),
        lat=lat,
        lon=lon,
        address=_address(tags),
        opening_hours=tags.get("opening_hours"),
        wheelchair=tags.get("wheelchair"),
        outdoor_seating=tags.get("outdoor_seating"),
        phone=tags.get("phone") or tags.get("contact:phone"),
        email=tags.get("email") or tags.get("contact:email"),
        website=tags.get("website") or tags.get("contact:website"),
        tags=tags,
    )


@cache
def places() -> dict[str, Place]:
    """Every place by id; ids are OpenStreetMap's with `-` for `/`: `node-266071059`."""
    features = msgspec.json.decode(_FILE.read_bytes(), type=_Collection).features
    return {place.id: place for place in map(_place, features)}


@cache
def _hours(text: str) -> OpeningHours | None:
    if not validate(text):
        return None  # what mappers wrote in words of their own is unknown, not closed
    return OpeningHours(text, timezone=_VIENNA, country="AT")


def is_open(text: str | None, at: datetime) -> bool | None:
    """Whether opening hours in OpenStreetMap's grammar mean open at a time in Salzburg; None if that is not known."""
    hours = _hours(text) if text else None
    if hours is None or not 2000 <= at.year < 2100:  # no calendar of holidays reaches further
        return None
    state, _ = hours.state(at.astimezone(_VIENNA))
    return {State.OPEN: True, State.CLOSED: False}.get(state)


def distance(lat: float, lon: float, place: Place) -> float:
    """Metres on the sphere (haversine) from a point in degrees to a place."""
    from_lat, to_lat = math.radians(lat), math.radians(place.lat)
    half_lat, half_lon = (to_lat - from_lat) / 2, math.radians(place.lon - lon) / 2
    chord = math.sin(half_lat) ** 2 + math.cos(from_lat) * math.cos(to_lat) * math.sin(half_lon) ** 2
    return 2 * EARTH_RADIUS_M * math.asin(math.sqrt(min(1.0, chord)))


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return msgspec.convert(text, Moment)
    except msgspec.ValidationError as error:
        detail = "open_at: give an RFC 3339 time with an offset, its + written as %2B"
        raise Refusal(400, "invalid-request", detail) from error


def _seen(place: Place, at: datetime | None, metres: float | None = None) -> Place:
    return msgspec.structs.replace(
        place,
        distance_m=None if metres is None else round(metres),
        open=None if at is None else is_open(place.opening_hours, at),
    )


@get("/places", opt={"scope": READ})
async def nearby(request: Request[Any, Any, Any]) -> Response[list[Place]]:
    """The places within a radius, nearest first."""
    near = query(request, Near)
    at = _moment(near.open_at)
    ranked = sorted((distance(near.lat, near.lon, place), place.id) for place in places().values())
    within = [(metres, key) for metres, key in ranked if metres <= near.radius_m][: near.limit]
    return Response([_seen(places()[key], at, metres) for metres, key in within], headers=LICENCE)


@get("/places/{place_id:str}", opt={"scope": READ})
async def place(request: Request[Any, Any, Any]) -> Response[Place]:
    """One place."""
    at = _moment(query(request, When).open_at)
    found = places().get(request.path_params["place_id"])
    if found is None:
        raise Refusal(404, "no-such-place", "There is no such place.")
    return Response(_seen(found, at), headers=LICENCE)


@get("/place-names", opt={"scope": READ})
async def names(request: Request[Any, Any, Any]) -> Response[list[Name]]:
    """The names of several places at once; those that are not known are left out."""
    wanted = request.query_params.getall("ids", [])
    if not 1 <= len(wanted) <= 100:
        raise Refusal(400, "invalid-request", "ids: name from 1 to 100 places")
    found = (places().get(one) for one in dict.fromkeys(wanted))
    return Response([Name(place.id, place.name) for place in found if place is not None], headers=LICENCE)


def places_app(
    issuer: str,
    transport: httpx.AsyncBaseTransport,
    now: Callable[[], float],
    tracer_provider: TracerProvider | None = None,
) -> Litestar:
    """The places, for tokens of `issuer` (asked for its keys through `transport`) with the audience `places-api`."""
    return service_app(
        "places",
        [nearby, place, names],
        {},
        issuer=issuer,
        transport=transport,
        now=now,
        tracer_provider=tracer_provider,
    )
