"""A BFF with GraphQL documents whose fields cost, write and are denied, before an upstream that a test can stop."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import httpx
import msgspec
from msgspec import Meta

from narrows import Answer, Bff, Input, Narrow, NumberId, Problem, ShortText, Upstream, read, write
from narrows.surfaces.graphql.schema import make_schema
from narrows.testing import bearer
from tests.flow.programs import FREE, Programs, registered
from tests.flow.world import World, world

FACTS: dict[str, Any] = {
    "version": "1.0.0",
    "owner": "lunch-tools@example.com",
    "purpose": "Eat",
    "exposure": "internal",
    "sensitivity": "internal",
    "importance": "low",
    "review_by": "2027-05-01",
}


class SoldOut(Problem):
    """There is none left."""

    status = 409
    title = "There is none left"
    remedy = "Take another dish."


class Dish(Narrow):
    """What is eaten."""

    id: NumberId
    team_id: NumberId
    name: ShortText = "-"
    price_note: ShortText = "-"


class Meal(Input):
    """What is ordered."""

    dish_id: NumberId
    note: ShortText = "-"


class Receipt(Narrow):
    """What was ordered."""

    id: NumberId
    note: ShortText = "-"


class Kitchen(Upstream):
    """Cooks. A dish belongs to the team whose number is its own divided by 10."""

    @read("/dishes/{dish_id}", asks="profiles:read", price="0.01 EUR")
    def dish(self, dish_id: NumberId) -> Answer[Dish]: ...

    @read("/menu", asks="profiles:read", price="0.02 EUR")
    def menu(self, team_id: NumberId) -> Answer[Annotated[list[Dish], Meta(max_length=50)]]: ...

    @write("/meals", asks="profiles:read", price="0.05 EUR", problems={409: SoldOut})
    def cook(self, meal: Meal) -> Answer[Receipt]: ...

    @write("/notes", asks="profiles:read", price="0.03 EUR")
    def tell(self, meal: Meal) -> Answer[Receipt]: ...


DOCUMENTS: dict[str, str] = {
    "lunch": "query($team: <menu.team_id>, $dish: <dish.dish_id>) "
    "{ menu(team_id: $team) { name } dish(dish_id: $dish) { id team_id } }",
    "five": "query($dish: <dish.dish_id>) {" + " ".join(f"d{n}: dish(dish_id: $dish) {{ id }}" for n in range(5)) + "}",
    "order": "mutation($team: <cook.team_id>, $meal: <cook.meal>) "
    "{ cook(team_id: $team, meal: $meal) { id } tell(team_id: $team, meal: $meal) { id note } }",
}
"""By name: `<dish.dish_id>` stands for the GraphQL type of that argument."""
GUARDS: dict[str, Any] = {"roles": {"member"}, "within": "team:7", "scope": "dining:read", "rate": "100000/minute"}


def make_bff(
    folder: Path,
    documents: Mapping[str, str] = DOCUMENTS,
    *,
    rates: Mapping[str, str] | None = None,
    guards: Mapping[str, Mapping[str, Any]] | None = None,
    endpoints: Mapping[str, Mapping[str, Any]] | None = None,
    says: Callable[[str], str] = str,
) -> Bff:
    """The canteen, whose documents are written into `folder`.

    `rates` are those of its endpoints, `guards` other ones of its documents, `endpoints` of its endpoints, by name.
    `says` makes the note that `tell` sends of the one that came.
    """
    canteen = Bff("canteen", **FACTS)
    free = {
        name: {"roles": {"member"}, "rate": (rates or {}).get(name, "100000/minute"), **(endpoints or {}).get(name, {})}
        for name in ("dish", "menu", "cook", "tell")
    }

    @canteen.read(
        "/dishes/{dish_id}",
        **{
            "given": {"found": Kitchen.dish},
            "within": "team:{found.team_id}",
            "scope": "dining:read",
            "uses": [],
            **free["dish"],
        },
    )
    async def dish(dish_id: NumberId, found: Dish) -> Dish:
        """One dish."""
        return found

    @canteen.read(
        "/teams/{team_id}/menu",
        **{"within": "team:{team_id}", "scope": "dining:read", "uses": [Kitchen.menu], **free["menu"]},
    )
    async def menu(
        team_id: NumberId, most: Annotated[int, Meta(ge=1, le=50)] = 10
    ) -> Annotated[list[Dish], Meta(max_length=50)]:
        """What there is."""
        return (await Kitchen.menu(team_id))[:most]

    writes: dict[str, Any] = {"within": "team:{team_id}", "scope": "dining:book"}
    unbound = {"dish_id": "anybody may eat anything"}

    @canteen.write(
        "/teams/{team_id}/meals",
        **{**writes, "unbound": unbound, "uses": [Kitchen.cook], "problems": [SoldOut], **free["cook"]},
    )
    async def cook(team_id: NumberId, meal: Meal) -> Receipt:
        """Order."""
        return await Kitchen.cook(meal)

    @canteen.write("/teams/{team_id}/notes", **{**writes, "unbound": unbound, "uses": [Kitchen.tell], **free["tell"]})
    async def tell(team_id: NumberId, meal: Meal) -> Receipt:
        """Say something."""
        return await Kitchen.tell(Meal(dish_id=meal.dish_id, note=says(meal.note)))

    canteen.graphql(queries=folder, ceiling="10.00 EUR")
    types = make_schema(canteen)
    folder.mkdir(exist_ok=True)
    for name, text in documents.items():
        source = re.sub("^(query|mutation)", rf"\1 {name}", text)  # the operation has the name of its file
        (folder / f"{name}.graphql").write_text(
            re.sub("<([a-z_]+)[.]([a-z_]+)>", lambda m: _type(types, *m.groups()), source)
        )
        writes_too = {"scope": "dining:book"} if source.startswith("mutation") else {}
        canteen.document(name, **{**GUARDS, **writes_too, **(guards or {}).get(name, {})})
    return canteen


def _type(schema: Any, field: str, argument: str) -> str:
    for root in (schema.core.query_type, schema.core.mutation_type):
        if field in root.fields:
            return str(root.fields[field].args[argument].type)
    raise AssertionError(field)


class Host:
    """The upstream. `says` has statuses by path; while `gate` is not set it answers nothing that `stops` names."""

    def __init__(self) -> None:
        self.got: list[str] = []
        self.says: dict[str, int] = {}
        self.stops: set[str] = set()
        self.gate = asyncio.Event()
        self.reached = asyncio.Event()
        self.gone: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        path = scope["path"]
        self.got.append(f"{scope['method']} {path}")
        if path in self.stops:
            self.reached.set()
            try:
                await self.gate.wait()
            except asyncio.CancelledError:
                self.gone.append(path)
                raise
        await asyncio.sleep(0)
        number = int(path.rpartition("/")[2]) if path.startswith("/dishes/") else 70
        body: Any = {"id": number, "team_id": number // 10, "name": "soup", "note": "served"}
        body = [body] * 3 if path == "/menu" else body
        status = self.says.get(path, 200)
        await send(
            {"type": "http.response.start", "status": status, "headers": [(b"content-type", b"application/json")]}
        )
        await send({"type": "http.response.body", "body": json.dumps(body).encode()})


class Canteen:
    """What a test looks at. Anna is a member of team 7."""

    def __init__(self, made: World, host: Host, programs: Programs | None = None) -> None:
        self.made, self.host, self.programs = made, host, programs

    async def ask(
        self,
        name: str,
        variables: Mapping[str, Any] | None = None,
        *,
        mode: str = "live",
        headers: Mapping[str, str] | None = None,
        subject: str = "anna",
        **token: Any,
    ) -> httpx.Response:
        """Call a document as somebody; queries by GET, mutations by POST."""
        path = ("" if mode == "live" else f"/{mode}") + f"/graphql/{name}"
        known = {**bearer(self.made.token(subject, **token)), **(headers or {})}
        if self.method(name) == "POST":
            return await self.made.client.post(path, json={"variables": variables or {}}, headers=known)
        query = {"variables": json.dumps(variables)} if variables is not None else {}
        return await self.made.client.get(path, params=query, headers=known)

    async def rest(self, path: str, subject: str = "anna", **token: Any) -> httpx.Response:
        """GET an endpoint by REST."""
        return await self.made.client.get(path, headers=bearer(self.made.token(subject, **token)))

    def method(self, name: str) -> str:
        """The method of a document."""
        return next(e.endpoint.method for e in self.made.app.plan.entries if e.endpoint.id == f"canteen.{name}")

    def record(self) -> dict[str, Any]:
        """The record of the last call."""
        found: dict[str, Any] = [one for one in self.made.records.all() if one["event"] == "call"][-1]
        return found

    async def used(self) -> dict[str, int]:
        """What is used of every budget of the copilot, in millionths, by its text."""
        plan = self.made.app.plan
        await plan.directory.refresh()
        [connector] = [one for one in plan.programs("corp") if one.id == "copilot"]
        held = plan.accounts.all(connector, None)
        standing = await plan.budgets.standing([one.account for one in held])
        return {str(one.budget): found.used for one, found in zip(held, standing, strict=True)}


UPSTREAM = {"kitchen": {"url": "https://kitchen.test", "audience": "people-api", "breaker_failures": 1000}}
RECORD: dict[str, Any] = {
    "kind": "service",
    "template": FREE,
    "endpoints": [f"canteen.{name}" for name in DOCUMENTS],
    "scopes": ["dining:read", "dining:book"],
    "rates": ["1000/minute"],
    "price_ceiling": "0.50 EUR",
    "budgets": [],
    "volumes": [],
}


@asynccontextmanager
async def canteen(folder: Path, *, bff: Bff | None = None, over: Any = None, **how: Any) -> AsyncIterator[Canteen]:
    """The canteen, running, with the programs of the settings; `how` is that of `make_bff`."""
    host = Host()
    made_up = bff or make_bff(folder / "queries", **how)
    settings = {"upstreams": UPSTREAM, "limits": {"attempts": "100000/minute"}, **(over or {})}
    async with world(bff=made_up, hosts={"kitchen.test": host}, **settings) as made:
        yield Canteen(made, host)


@asynccontextmanager
async def with_program(
    folder: Path, *, record: Any = None, over: Any = None, steps: int = 2, around: Any = None, **how: Any
) -> AsyncIterator[Canteen]:
    """The canteen with the copilot in the registry; the template FREE must be known."""
    host = Host()
    settings = {"upstreams": UPSTREAM, "limits": {"attempts": "100000/minute"}, **(over or {})}
    made_up = {"bff": make_bff(folder / "queries", **how), "hosts": {"kitchen.test": host}}
    fields = {**RECORD, **(record or {})}
    async with registered(**made_up, record=fields, over=settings, steps=steps, around=around) as (made, programs):
        yield Canteen(made, host, programs)


def problem(answer: httpx.Response) -> dict[str, Any]:
    """The members of the problem that a document ended in."""
    body = msgspec.json.decode(answer.content)
    found: dict[str, Any] = body["errors"][0]["extensions"] if "errors" in body and "type" not in body else body
    return found
