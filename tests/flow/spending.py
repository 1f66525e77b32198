"""A BFF whose calls cost, before upstreams that a test can stop, with programs that have budgets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta

from narrows import Answer, Bff, Input, Narrow, NumberId, ShortText, Upstream, read, write
from narrows.call import Caller
from narrows.settings import Secret
from tests.flow.programs import FREE, Programs, registered
from tests.flow.world import World

KEY = Secret("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")


FIELDS: dict[str, Any] = {
    "kind": "service",
    "template": FREE,
    "endpoints": ["shop.item", "shop.items", "shop.order"],
    "scopes": ["dining:read"],
    "rates": ["1000/minute"],
    "price_ceiling": "0.10 EUR",
    "budgets": [],
    "volumes": [],
}


class Item(Narrow):
    """What is sold."""

    name: str = ""


class Order(Input):
    """What is ordered."""

    note: ShortText = "-"


class Shop(Upstream):
    """Sells things."""

    @read("/item", asks="profiles:read", price="0.01 EUR")
    def item(self) -> Answer[Item]: ...

    @read("/items", asks="profiles:read")
    def items(self, count: int) -> Answer[list[Item]]: ...

    @write("/orders", asks="profiles:read", price="0.05 EUR")
    def order(self, order: Order) -> Answer[Item]: ...


shop = Bff(
    "shop",
    version="1.0.0",
    owner="lunch-tools@example.com",
    purpose="Sell",
    exposure="internal",
    sensitivity="internal",
    importance="low",
    review_by="2027-05-01",
)
_FREE: Any = {"roles": {"member"}, "within": "team:{team_id}", "rate": "100000/minute"}


@shop.read("/teams/{team_id}/item", scope="dining:read", uses=[Shop.item.times(2)], **_FREE)
async def item(team_id: NumberId, twice: bool = False) -> Item:
    """Look at it once, or twice."""
    found = await Shop.item()
    return await Shop.item() if twice else found


@shop.read("/teams/{team_id}/items", scope="dining:read", uses=[Shop.items], **_FREE)
async def items(team_id: NumberId, count: Annotated[int, Meta(ge=0, le=1000)] = 10) -> list[Item]:
    """All of them, which costs nothing."""
    return await Shop.items(count)


@shop.write("/teams/{team_id}/orders", scope="dining:read", uses=[Shop.item, Shop.order], **_FREE)
async def order(team_id: NumberId, wanted: Order) -> Item:
    """Look at it, and order it."""
    await Shop.item()
    return await Shop.order(wanted)


class Host:
    """The upstream: `says` is the status that it answers with, and while `gate` is not set it does not answer."""

    def __init__(self) -> None:
        self.got: list[str] = []
        self.says = 200
        self.gate = asyncio.Event()
        self.gate.set()
        self.reached = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.got.append(f"{scope['method']} {scope['path']}")
        self.reached.set()
        await self.gate.wait()
        await asyncio.sleep(0)
        body: Any = {"name": "x" * 20}
        if scope["path"] == "/items":
            body = [body] * int(scope["query_string"].decode().rpartition("=")[2])
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": self.says, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(body).encode()})


class Spending:
    """What a test looks at."""

    def __init__(self, made: World, programs: Programs, host: Host) -> None:
        self.made, self.programs, self.host = made, programs, host

    async def used(self, subject: str | None = None) -> dict[str, int]:
        """What is used of every budget of the copilot, by its text; with a subject, of theirs too."""
        plan = self.made.app.plan
        await plan.directory.refresh()
        [connector] = [one for one in plan.programs("corp") if one.id == "copilot"]
        caller = Caller(issuer="corp", subject=subject, kind="person") if subject else None
        held = plan.accounts.all(connector, caller)
        standing = await plan.budgets.standing([one.account for one in held])
        return {str(one.budget): found.used for one, found in zip(held, standing, strict=True)}

    def events(self) -> list[tuple[str, str, str]]:
        """The budget events so far: what, of which budget, and how much was used."""
        told = [record for record in self.made.records.all() if record["event"] == "budget"]
        return [(one["what"], one["rule"], one["amount"]) for one in told]


@asynccontextmanager
async def spending(
    folder: Path, *, record: Mapping[str, Any] | None = None, over: Mapping[str, Any] | None = None, **how: Any
) -> AsyncIterator[Spending]:
    """The shop with one program in the registry, whose budgets are kept in a file; FREE must be known."""
    host = Host()
    fields = {**FIELDS, **(record or {})}
    settings = {
        "upstreams": {"shop": {"url": "https://shop.test", "audience": "people-api", "breaker_failures": 1000}},
        "limits": {"attempts": "100000/minute"},
        "stores": {"budgets": f"sqlite:{folder / 'budgets.db'}", "key": KEY},
        **(over or {}),
    }
    made_up = {"bff": shop, "hosts": {"shop.test": host}, "record": fields, "over": settings, **how}
    async with registered(**made_up) as (made, programs):
        yield Spending(made, programs, host)
