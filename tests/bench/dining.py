"""A BFF that answers the same data twice: by endpoints that join upstream reads by hand, and by documents."""

from __future__ import annotations

from typing import Annotated, Any

import httpx
import msgspec
from msgspec import Meta

from narrows import Answer, Bff, Count, Moment, Narrow, NumberId, ShortText, Upstream, gather, read
from narrows.devkit.authority import Api, Authority, Client, Person
from narrows.settings import Secret, Settings, merge, read_settings
from narrows.testing import Clock

ISSUER = "https://issuer.test"
GUARDS: dict[str, Any] = {
    "roles": {"cook"},
    "within": "team:{team_id}",
    "scope": "cafe",
    "rate": "100000000/minute",
}
TEAM = 7


class Team(Narrow):
    """A team."""

    id: NumberId
    name: ShortText
    office: ShortText
    seats: Count


class Menu(Narrow):
    """What there is."""

    day: ShortText
    soup: ShortText
    dish: ShortText
    price: Count


class Booking(Narrow):
    """A booking, of ten fields."""

    id: NumberId
    place_id: NumberId
    title: ShortText
    note: ShortText
    seats: Count
    waiting: Count
    starts: Moment
    ends: Moment
    confirmed: bool
    price: float


class Bookings(Narrow):
    """What is booked."""

    items: Annotated[list[Booking], Meta(max_length=200)]
    total: Count


class Place(Narrow):
    """Where a booking is."""

    id: NumberId
    name: ShortText
    street: ShortText


class Places(Narrow):
    """Several places."""

    items: Annotated[list[Place], Meta(max_length=200)]


class Kitchen(Upstream):
    """What the BFF reads."""

    @read("/teams/{team_id}")
    def team(self, team_id: NumberId) -> Answer[Team]: ...

    @read("/menus/{team_id}")
    def menu(self, team_id: NumberId) -> Answer[Menu]: ...

    @read("/bookings/{team_id}")
    def bookings(self, team_id: NumberId, size: Count) -> Answer[Bookings]: ...

    @read("/places")
    def places(self, ids: Annotated[list[NumberId], Meta(max_length=200)]) -> Answer[Places]: ...


class Short(Narrow):
    """A booking, of three fields."""

    id: NumberId
    title: ShortText
    seats: Count


class ShortBookings(Narrow):
    """What is booked, in short."""

    items: Annotated[list[Short], Meta(max_length=200)]
    total: Count


class Few(Narrow):
    """Three reads, few fields of each."""

    team: Team
    menu: Menu
    bookings: ShortBookings


class Many(Narrow):
    """Three reads, all fields of each."""

    team: Team
    menu: Menu
    bookings: Bookings


class Brief(Narrow):
    """A booking by other names."""

    number: NumberId
    what: ShortText
    people: Count
    begin: Moment
    end: Moment


class Briefs(Narrow):
    """What is booked, by other names."""

    booked: Annotated[list[Brief], Meta(max_length=200)]
    count: Count


class Renamed(Narrow):
    """Three reads by other names."""

    group: Team
    offer: Menu
    agenda: Briefs


class Placed(Narrow):
    """A booking with its place."""

    id: NumberId
    title: ShortText
    note: ShortText
    seats: Count
    waiting: Count
    starts: Moment
    ends: Moment
    confirmed: bool
    price: float
    place: Place


class PlacedBookings(Narrow):
    """What is booked, with places."""

    items: Annotated[list[Placed], Meta(max_length=200)]
    total: Count


class Joined(Narrow):
    """Two reads, one of which leads to a third."""

    team: Team
    bookings: PlacedBookings


def make_bff() -> Bff:
    """The declarations."""
    bff = Bff(
        "cafe",
        version="1.0.0",
        owner="cafe@example.com",
        purpose="Serve lunch",
        exposure="internal",
        sensitivity="internal",
        importance="low",
        review_by="2027-05-01",
    )
    _declare_parts(bff)
    _declare_joined(bff)
    _declare_renamed(bff)
    bff.graphql(ceiling=None)
    for name in DOCUMENTS:
        bff.document(name, **GUARDS)
    return bff


DOCUMENTS = ("few", "many", "renamed", "joined")
"""Each is answered by the document and by `/by-hand/<name>`."""


def _declare_parts(bff: Bff) -> None:
    """What the documents select from."""

    @bff.read("/teams/{team_id}", uses=[Kitchen.team], **GUARDS)
    async def team(team_id: NumberId) -> Team:
        """The team."""
        return await Kitchen.team(team_id)

    @bff.read("/teams/{team_id}/menu", uses=[Kitchen.menu], **GUARDS)
    async def menu(team_id: NumberId) -> Menu:
        """What there is."""
        return await Kitchen.menu(team_id)

    @bff.read("/teams/{team_id}/bookings", uses=[Kitchen.bookings], **GUARDS)
    async def bookings(team_id: NumberId, size: Count) -> Bookings:
        """What is booked."""
        return await Kitchen.bookings(team_id, size)

    @bff.join(Booking, uses=[Kitchen.places])
    async def place(bookings: list[Booking]) -> list[Place]:
        """Where it is."""
        return await _places(bookings)


async def _places(bookings: list[Booking]) -> list[Place]:
    found = await Kitchen.places(list(dict.fromkeys(booking.place_id for booking in bookings)))
    by_id = {place.id: place for place in found.items}
    return [by_id[booking.place_id] for booking in bookings]


def _declare_joined(bff: Bff) -> None:
    """The same by hand."""
    uses = [Kitchen.team, Kitchen.menu, Kitchen.bookings]

    @bff.read("/by-hand/few/{team_id}", uses=uses, **GUARDS)
    async def few_by_hand(team_id: NumberId, size: Count) -> Few:
        """Three reads side by side."""
        team, menu, bookings = await gather(
            Kitchen.team(team_id), Kitchen.menu(team_id), Kitchen.bookings(team_id, size)
        )
        return Few(team=team, menu=menu, bookings=bookings)

    @bff.read("/by-hand/many/{team_id}", uses=uses, **GUARDS)
    async def many_by_hand(team_id: NumberId, size: Count) -> Many:
        """Three reads side by side."""
        team, menu, bookings = await gather(
            Kitchen.team(team_id), Kitchen.menu(team_id), Kitchen.bookings(team_id, size)
        )
        return Many(team=team, menu=menu, bookings=bookings)

    @bff.read("/by-hand/joined/{team_id}", uses=[Kitchen.team, Kitchen.bookings, Kitchen.places], **GUARDS)
    async def joined_by_hand(team_id: NumberId, size: Count) -> Joined:
        """Two reads side by side, then one for the places of all bookings."""
        team, bookings = await gather(Kitchen.team(team_id), Kitchen.bookings(team_id, size))
        places = await _places(bookings.items)
        items = [
            Placed(
                id=one.id, title=one.title, note=one.note, seats=one.seats, waiting=one.waiting, starts=one.starts,
                ends=one.ends, confirmed=one.confirmed, price=one.price, place=place,
            )
            for one, place in zip(bookings.items, places, strict=True)
        ]  # fmt: skip
        return Joined(team=team, bookings=PlacedBookings(items=items, total=bookings.total))


def _declare_renamed(bff: Bff) -> None:
    """Three reads by other names, by hand."""

    @bff.read("/by-hand/renamed/{team_id}", uses=[Kitchen.team, Kitchen.menu, Kitchen.bookings], **GUARDS)
    async def renamed_by_hand(team_id: NumberId, size: Count) -> Renamed:
        """Three reads side by side."""
        team, menu, bookings = await gather(
            Kitchen.team(team_id), Kitchen.menu(team_id), Kitchen.bookings(team_id, size)
        )
        items = [
            Brief(number=one.id, what=one.title, people=one.seats, begin=one.starts, end=one.ends)
            for one in bookings.items
        ]
        return Renamed(group=team, offer=menu, agenda=Briefs(booked=items, count=bookings.total))


class Upstreams(httpx.AsyncBaseTransport):
    """Answers every read at once, with bytes made before; what is measured is the server and nothing behind it."""

    def __init__(self, issuer: Any = None) -> None:
        self.asked = 0
        self._issuer = httpx.ASGITransport(app=issuer) if issuer is not None else None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self._issuer is not None and request.url.host == "issuer.test":
            return await self._issuer.handle_async_request(request)
        self.asked += 1
        body = answer_to(request.url.path, request.url.query.decode())
        return httpx.Response(200, headers={"content-type": "application/json"}, content=body)


def answer_to(path: str, query: str) -> bytes:
    """What the kitchen answers to one target; each holds fields that nobody wants."""
    if path.startswith("/teams/"):
        return _TEAM
    if path.startswith("/menus/"):
        return _MENU
    return _PLACES if path == "/places" else _BOOKINGS[int(query.partition("size=")[2])]


def _booking(number: int) -> dict[str, Any]:
    return {
        "id": number, "place_id": number % 5 + 1, "title": f"Lunch {number}", "note": "by the window", "seats": 4,
        "waiting": 0, "starts": "2026-11-25T12:00:00Z", "ends": "2026-11-25T13:00:00Z", "confirmed": True,
        "price": 12.5, "internal": "nobody reads this",
    }  # fmt: skip


_encode = msgspec.json.encode
_TEAM = _encode({"id": TEAM, "name": "Platform", "office": "Berlin", "seats": 12, "budget": "secret"})
_MENU = _encode({"day": "Wednesday", "soup": "Lentils", "dish": "Dumplings", "price": 9, "margin": "secret"})
_PLACES = _encode({"items": [{"id": n, "name": f"Place {n}", "street": f"Street {n}", "x": 1} for n in range(1, 6)]})
_BOOKINGS = {
    size: _encode({"items": [_booking(n) for n in range(1, size + 1)], "total": size, "x": "x"})
    for size in (1, 20, 200)
}


def make_authority(clock: Any = None, url: str = ISSUER) -> Authority:
    """The issuer, with Anna, who is a cook of the team."""
    return Authority(
        url,
        people=[Person("anna", "anna", {"teams": [TEAM]})],
        clients=[
            Client("till", kind="desktop", redirect_uris=["http://127.0.0.1/"], scopes={"cafe"}, audiences=["cafe-api"])
        ],
        apis=[Api("cafe-api", {"cafe": "Eat"})],
        algorithm="ES256",
        lifetime=3600,
        log=lambda _: None,
        **({"now": clock} if clock is not None else {}),
    )


def token(authority: Authority) -> str:
    """Anna's."""
    return authority.issue("anna", "till", "cafe-api", "cafe", teams=[TEAM])


def make_settings(issuer: str = ISSUER, kitchen: str = "https://kitchen.test", **over: Any) -> Settings:
    """The settings."""
    document = {
        "environment": "development",
        "public_url": "https://bff.test",
        "issuers": {
            "corp": {
                "url": issuer,
                "audience": "cafe-api",
                "algorithms": ["ES256"],
                "client": {"id": "cafe-bff", "secret": Secret("hidden")},
                "roles": [{"claim": "teams", "role": "cook", "domain": "team:{value}"}],
            }
        },
        "limits": {"attempts": "100000000/minute"},
        "connectors": {
            "till": {
                "issuer": "corp", "client_id": "till", "tenant": "example", "kind": "low-code", "state": "live",
                "commit": "open",
            }
        },
        "upstreams": {"kitchen": {"url": kitchen, "identity": "none"}},
    }  # fmt: skip
    return read_settings(merge(document, over), environ={})


def still() -> Clock:
    """A clock that stands."""
    return Clock()
