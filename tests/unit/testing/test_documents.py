"""GraphQL documents among what tests of a BFF are helped with: the matrix drives them, and the world asks them."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from narrows import Bff, Settings
from narrows.errors import NarrowsError
from narrows.testing.matrix import matrix
from narrows.testing.world import operations_of, scopes_of, world
from tests.unit.sdk import lunch
from tests.unit.sdk.test_openapi_graphql import Dish, Tables, make_bff

OWN, FOREIGN, ABSENT = {"team_id": 7}, {"team_id": 8}, {"team_id": 9}
PEOPLE = {"anna": {"teams": ["7"]}}


def upstream(request: httpx.Request) -> httpx.Response:
    """Dishes and tables of whatever team; what is booked is a table."""
    if request.method == "POST":
        return httpx.Response(201, json={"id": "t-2", "seats": 4})
    if request.url.path.startswith("/v1/dishes"):
        return httpx.Response(200, json=[{"name": "soup"}, {"name": "stew"}])
    return httpx.Response(200, json=[{"id": "t-1", "seats": 2}])


def settings() -> Settings:
    """Settings in which each role has a claim of its own."""
    claims = (("teams", "member", "team:{value}"), ("plans", "planner", "bff:lunch"))
    roles = [{"claim": claim, "role": role, "domain": domain} for claim, role, domain in claims]
    return lunch.make_settings(issuers={"corp": {"roles": roles}})


def fakes() -> dict[str, Any]:
    """The upstreams."""
    return {"directory": httpx.MockTransport(upstream), "tables": httpx.MockTransport(upstream)}


def joined(folder: Path) -> Bff:
    """The BFF, with a join that sends what no endpoint does, and a document that only a manager may ask."""
    bff = make_bff(folder)

    @bff.join(Dish, uses=[Tables.of])
    async def seats(dishes: list[Dish]) -> list[int]:
        """How many may eat it."""
        return [len(await Tables.of(7)) for _ in dishes]

    return bff


async def test_the_matrix_drives_documents_as_it_does_endpoints(tmp_path: Path) -> None:
    """Queries and mutations, live and in the sandbox, by everybody, for objects of one's own and of others."""
    bff, known = make_bff(tmp_path), settings()
    cases = [
        case
        for case in matrix(bff, own=OWN, foreign=FOREIGN, absent=ABSENT, settings=known)
        if case.path.startswith("/graphql/")
    ]
    asked = {(case.endpoint, case.objects) for case in cases}
    assert {("lunch.list", "own"), ("lunch.list", "foreign team_id"), ("lunch.book", "absent team_id")} <= asked
    assert ("lunch.all", "own") in asked
    async with world(bff, fakes(), settings=known) as w:
        assert [(str(case), (await w.ask(case)).status_code) for case in cases] == [
            (str(case), case.status) for case in cases
        ]


async def test_a_document_is_asked_by_its_name(tmp_path: Path) -> None:
    """Its variables are named arguments; a mutation goes by POST, and may be rehearsed."""
    async with world(make_bff(tmp_path), fakes(), people=PEOPLE, settings=settings()) as w:
        found = await w.document("list", "anna", team_id=7, most=1)
        told = await w.document("book", "anna", base="/rehearse", team_id=7, table={"seats": 4})
        with pytest.raises(NarrowsError, match=r"no document is called 'lists' here\. Remedy: list, all, book"):
            await w.document("lists", "anna")
    assert found.json() == {"data": {"menu": [{"name": "soup"}], "tables": [{"id": "t-1", "seats": 2}]}}
    assert told.status_code == 200
    assert w.rehearsal_of(told).startswith("/rehearse/rehearsals/")


def test_a_world_lets_in_what_documents_and_joins_need(tmp_path: Path) -> None:
    """The scope of a document, and the operations that only a join sends."""
    assert "list-read" in scopes_of(make_bff(tmp_path))
    bff = joined(tmp_path)
    bff.endpoints = [one for one in bff.endpoints if one.id != "lunch.tables"]
    assert Tables.of in operations_of(bff)
