"""A BFF whose inputs are of every kind and whose one upstream is as bad as a test wants it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from narrows import Answer, Bff, Count, Id, Input, Moment, Narrow, Problem, ShortText, Upstream, read, write
from tests.flow.world import World, world

Texts = Annotated[dict[Annotated[str, Meta(max_length=20)], ShortText], Meta(max_length=10)]


class Label(Input):
    """An object inside a body."""

    name: ShortText
    value: ShortText = "-"


class Parcel(Input):
    """A body with a field of every kind."""

    text: ShortText
    count: Count = 1
    weight: Annotated[float, Meta(ge=0, le=1000)] = 1.0
    price: Decimal | None = None
    when: Moment | None = None
    labels: Annotated[list[Label], Meta(max_length=10)] = msgspec.field(default_factory=list)
    extra: Annotated[dict[Annotated[str, Meta(max_length=20)], ShortText], Meta(max_length=10)] = msgspec.field(
        default_factory=dict
    )
    below: Parcel | None = None


class Inner(Narrow):
    """A part of what the upstream sends."""

    name: str = ""


class Item(Narrow):
    """What is taken of what the upstream sends."""

    name: str = ""
    count: int = 0
    inner: Inner | None = None
    more: list[Inner] = msgspec.field(default_factory=list)


class Gone(Problem):
    """A declared failure of the upstream."""

    status = 404
    title = "It is gone"


class Depot(Upstream):
    """The upstream of `victim`."""

    @read("/items/{item_id}", asks="profiles:read", problems={410: Gone})
    def item(self, item_id: Id) -> Answer[Item]: ...

    @write("/items", asks="profiles:read")
    def put(self, item: Item) -> Answer[Item]: ...

    @write("/items/{item_id}", method="DELETE", asks="profiles:read")
    def drop(self, item_id: Id) -> Answer[None]: ...


victim = Bff(
    "victim",
    version="1.0.0",
    owner="red@example.com",
    purpose="Take what comes",
    exposure="internal",
    sensitivity="internal",
    importance="low",
    review_by="2027-05-01",
)
_FREE: dict[str, Any] = {"roles": {"member"}, "scope": "dining:read", "rate": "100000/minute"}
_ANY_ITEM = {"item_id": "for the attack"}


@victim.write("/parcels", uses=[Depot.put], **_FREE)
async def send_parcel(parcel: Parcel) -> Item:
    """Pass a body on."""
    return await Depot.put(Item(name=parcel.text, count=parcel.count))


@victim.write("/prices/{price}", unbound={"price": "for the attack"}, uses=[Depot.put], **_FREE)
async def set_price(price: Decimal, parcel: Parcel) -> Item:
    """A number stands in the path and in the body."""
    return await Depot.put(Item(name=f"{price} {parcel.price}"))


@victim.read("/items/{item_id}", unbound=_ANY_ITEM, uses=[Depot.item], **_FREE)
async def get_item(item_id: Id) -> Item:
    """Pass an answer on."""
    return await Depot.item(item_id)


@victim.read("/pairs/{item_id}", unbound=_ANY_ITEM, uses=[Depot.item.times(2)], **_FREE)
async def get_pair(item_id: Id) -> list[Item]:
    """Pass two answers on, the one after the other."""
    return [await Depot.item(item_id), await Depot.item(item_id)]


@victim.write("/items/{item_id}", method="DELETE", unbound=_ANY_ITEM, uses=[Depot.drop], **_FREE)
async def drop_item(item_id: Id) -> None:
    """Pass a deletion on."""
    await Depot.drop(item_id)


@victim.read("/faults", uses=[], **_FREE)
async def fail() -> Item:
    """Fail as no declaration says."""
    raise RuntimeError("canary-in-an-exception")


SETTINGS: dict[str, Any] = {
    "upstreams": {"depot": {"url": "https://depot.test", "audience": "people-api", "breaker_failures": 100_000}},
    "issuers": {"corp": {"roles": [{"claim": "teams", "role": "member", "domain": "bff:victim"}]}},
    "limits": {"attempts": "100000/minute"},
}


class Host:
    """The upstream as an ASGI application: it answers `body` with `status` and `headers`."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Answer well again."""
        self.status, self.body = 200, b'{"name":"x"}'
        self.headers: list[tuple[bytes, bytes]] = [(b"content-type", b"application/json")]
        self.bodies: list[bytes] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        self.bodies.append(body)
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        await send({"type": "http.response.body", "body": self.body})


def merged(over: dict[str, Any]) -> dict[str, Any]:
    """The settings of `victim` with some of their tables' keys replaced."""
    from narrows.settings import merge

    return merge(SETTINGS, over)


@asynccontextmanager
async def attacked(**over: Any) -> AsyncIterator[tuple[World, Host]]:
    """The world with the BFF `victim` in it, and its upstream."""
    host = Host()
    hosts = {"depot.test": host, **over.pop("hosts", {})}
    around, tracers = over.pop("around", None), over.pop("tracers", None)
    async with world(bff=victim, hosts=hosts, around=around, tracers=tracers, **merged(over)) as made:
        yield made, host
