"""Joins in documents: one operation for all parents of a place, counted into the ceiling, in every mode."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, cast

import httpx
import pytest
import strawberry
from msgspec import Meta

from narrows import Answer, Bff, Id, Narrow, NumberId, PageSize, Problem, ShortText, Upstream, read
from narrows.errors import StartRefused
from narrows.testing import bearer
from tests.flow.canteen import FACTS
from tests.flow.minimal import refusals
from tests.flow.world import World, world

Ids = Annotated[list[Id], Meta(max_length=5)]


class Moved(Problem):
    """It moved."""

    status = 410
    title = "It moved"
    remedy = "Ask again."


class Place(Narrow):
    """Where somebody eats."""

    id: Id
    owner_id: Id


class Owner(Narrow):
    """Whose it is."""

    id: Id
    name: ShortText


class Booking(Narrow):
    """A table."""

    id: Id
    place_id: Id


Bookings = Annotated[list[Booking], Meta(max_length=5)]


class Places(Upstream):
    """Places, their owners, and who sits there."""

    @read("/bookings", asks="places:read", price="0.01 EUR")
    def bookings(self, team_id: NumberId) -> Answer[list[Booking]]: ...

    @read("/places", asks="places:read", price="0.02 EUR", problems={410: Moved})
    def by_ids(self, ids: Ids) -> Answer[list[Place]]: ...

    @read("/owners", asks="places:read", price="0.04 EUR")
    def owners(self, ids: Ids) -> Answer[list[Owner]]: ...


class Shown:
    """What is shown of a booking."""

    @strawberry.field
    def label(self, before: ShortText = "#") -> str:
        """How it is called."""
        return before + cast("Booking", self).id

    @strawberry.field
    async def sends(self) -> str:
        """What it must not do."""
        return str(await Places.by_ids([]))


DOCUMENTS = {
    "lunch": 'query lunch($team: Long!, $most: Int! = 3, $before: String! = "#") { bookings(team_id: $team) '
    "{ id label(before: $before) place(most: $most) { id owner { name } } } }",
    "twice": "query twice { bookings(team_id: 7) { one: place { id } two: place { id } } }",
    "sends": "query sends { bookings(team_id: 7) { sends place { id } } }",
}


def make_bff(folder: Path, documents: dict[str, str] = DOCUMENTS, ceiling: str = "0.10 EUR") -> Bff:
    """A BFF with bookings, whose places and owners are joined."""
    lunch = Bff("lunch", **FACTS)
    guards: dict[str, Any] = {"roles": {"member"}, "scope": "dining:read", "rate": "100000/minute"}

    @lunch.read("/teams/{team_id}/bookings", within="team:{team_id}", uses=[Places.bookings], **guards)
    async def bookings(team_id: NumberId) -> Bookings:
        """The team's bookings."""
        return await Places.bookings(team_id)

    @lunch.join(Booking, uses=[Places.by_ids])
    async def place(of: list[Booking], most: PageSize = 3) -> list[Place | None]:
        """Where each of them is."""
        found = {one.id: one for one in await Places.by_ids([booking.place_id for booking in of])}
        return [found.get(booking.place_id) for booking in of]

    @lunch.join(Place, uses=[Places.owners])
    async def owner(of: list[Place]) -> list[Owner | None]:
        """Whose each of them is."""
        found = {one.id: one for one in await Places.owners([one.owner_id for one in of])}
        return [found.get(one.owner_id) for one in of]

    folder.mkdir(parents=True)
    lunch.graphql({Booking: Shown}, queries=str(folder), ceiling=ceiling)
    for name, source in documents.items():
        (folder / f"{name}.graphql").write_text(source, encoding="utf-8")
        lunch.document(name, within="team:7", **guards)
    return lunch


class Host:
    """The upstream, which counts what it is asked."""

    def __init__(self) -> None:
        self.got: list[str] = []
        self.count = 4
        self.status = 200

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        path = scope["path"]
        self.got.append(path)
        made: Any = {
            "/bookings": [{"id": f"b{n}", "place_id": f"p{n}"} for n in range(self.count)],
            "/places": [{"id": f"p{n}", "owner_id": f"o{n}"} for n in range(self.count - 1)],
            "/owners": [{"id": f"o{n}", "name": f"Owner {n}"} for n in range(self.count)],
        }[path]
        status = self.status if path == "/places" else 200
        await send(
            {"type": "http.response.start", "status": status, "headers": [(b"content-type", b"application/json")]}
        )
        await send({"type": "http.response.body", "body": json.dumps(made).encode()})


@asynccontextmanager
async def joined(folder: Path, **how: Any) -> AsyncIterator[tuple[World, Host]]:
    """The BFF, running."""
    host = Host()
    async with world(bff=make_bff(folder / "queries", **how), hosts={"places.test": host}) as made:
        yield made, host


async def ask(made: World, name: str, mode: str = "", **variables: Any) -> httpx.Response:
    """Call a document as Anna."""
    query = {"variables": json.dumps(variables)} if variables else {}
    return await made.client.get(f"{mode}/graphql/{name}", params=query, headers=bearer(made.token("anna")))


async def test_a_document_asks_once_for_each_level(tmp_path: Path) -> None:
    """However many bookings there are, places and owners are one request each, and the price is theirs."""
    async with joined(tmp_path) as (made, host):
        answer = await ask(made, "lunch", team=7, before="=")

        assert answer.status_code == 200, answer.text
        assert host.got == ["/bookings", "/places", "/owners"]
        assert answer.json()["data"]["bookings"][0] == {
            "id": "b0",
            "label": "=b0",
            "place": {"id": "p0", "owner": {"name": "Owner 0"}},
        }
        assert answer.json()["data"]["bookings"][3] == {"id": "b3", "label": "=b3", "place": None}
        record = [one for one in made.records.all() if one["event"] == "call"][-1]
        assert (record["endpoint"], record["price"]) == ("lunch.lunch", "0.07 EUR")


async def test_the_ceiling_counts_a_join_once_for_each_place(tmp_path: Path) -> None:
    """A join that stands twice in a document is reckoned twice, and sent twice, whatever stands under it."""
    async with joined(tmp_path) as (made, host):
        ceilings = {entry.endpoint.id: str(entry.ceiling) for entry in made.app.plan.entries if entry.ceiling}
        assert (ceilings["lunch.lunch"], ceilings["lunch.twice"]) == ("0.07 EUR", "0.05 EUR")

        await ask(made, "twice")
        assert sorted(host.got) == ["/bookings", "/places", "/places"]
    with pytest.raises(StartRefused, match="document-ceiling"):
        async with joined(tmp_path / "other", ceiling="0.06 EUR"):
            pass


@pytest.mark.parametrize("mode", ["/rehearse", "/sandbox"])
async def test_joins_hold_in_every_mode(tmp_path: Path, mode: str) -> None:
    """A rehearsal reads what a live call reads; the sandbox sends nothing."""
    async with joined(tmp_path) as (made, host):
        answer = await ask(made, "lunch", mode, team=7)

        assert answer.status_code == 200, answer.text
        assert host.got == (["/bookings", "/places", "/owners"] if mode == "/rehearse" else [])


@pytest.mark.parametrize(
    ("name", "variables", "pointer"),
    [("lunch", {"team": 7, "most": 51}, "/variables/most"), ("lunch", {"team": 7, "before": ""}, "/variables/before")],
)
async def test_arguments_of_added_fields_hold_their_bounds(
    tmp_path: Path, name: str, variables: dict[str, Any], pointer: str
) -> None:
    """A variable that stands for such an argument is decoded by its type, before anything is sent."""
    async with joined(tmp_path) as (made, host):
        answer = await ask(made, name, **variables)

        assert (answer.status_code, host.got) == (400, [])
        assert pointer in answer.text


async def test_what_a_join_may_send_no_plain_field_may(tmp_path: Path) -> None:
    """A plain field that sends is a fault, though its document may send the same for a join."""
    async with joined(tmp_path) as (made, _):
        answer = await ask(made, "sends")

        assert answer.status_code == 500
        assert "Places" not in answer.text


async def test_a_problem_of_a_join_ends_its_document(tmp_path: Path) -> None:
    """What the upstream of a join answers is what the document ends in."""
    async with joined(tmp_path) as (made, host):
        host.status = 410
        answer = await ask(made, "twice")

        assert answer.status_code == 410
        assert "It moved" in answer.text


async def test_a_list_longer_than_declared_is_not_answered(tmp_path: Path) -> None:
    """Every list has a maximum, and what is longer stays here."""
    async with joined(tmp_path) as (made, host):
        host.count = 6
        answer = await ask(made, "twice")

        assert answer.status_code == 500
        assert answer.json().keys() == {"errors"}


def test_what_is_wrong_in_a_schema_is_told_with_all_else(tmp_path: Path) -> None:
    """A type that GraphQL cannot tell is refused beside a guard that is missing, and once."""
    bff = make_bff(tmp_path / "queries")

    @bff.read("/open/{team_id}", roles={"member"}, within="team:{team_id}", scope="dining:read", uses=[])
    async def opened(team_id: NumberId) -> list[Booking]:
        """Without a rate, and without a bound."""
        return []

    @bff.read("/odd/{team_id}", roles={"member"}, within="team:{team_id}", scope="dining:read", uses=[], rate="1/hour")
    async def odd(team_id: NumberId) -> Booking | Place:
        """Two Structs that nothing tells apart."""
        return Place(id="a", owner_id="b")

    codes = [refusal.code for refusal in refusals(bff)]
    told = ("rate-missing", "graphql-list-open", "type-unsupported")
    assert sorted(code for code in codes if code in told) == ["graphql-list-open", "rate-missing", "type-unsupported"]


async def test_a_join_that_no_document_selects_is_ready_too(tmp_path: Path) -> None:
    """What it sends is checked at start, and text that is tried in development may select it."""
    async with joined(tmp_path, documents={}) as (made, _):
        assert {Places.by_ids, Places.owners} <= made.app.plan.sendables.keys()


def test_a_join_without_graphql_is_refused(tmp_path: Path) -> None:
    """A field that nobody can select is a mistake."""
    bff = make_bff(tmp_path / "queries", documents={})
    bff.graphql_surface = None
    assert {(r.code, r.subject) for r in refusals(bff) if r.code == "graphql-missing"} == {
        ("graphql-missing", "lunch.place"),
        ("graphql-missing", "lunch.owner"),
    }
