"""The cafe of the unit tests of surfaces with documents: one that reads, one that orders."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from narrows import Bff
from tests.unit.surfaces.site import GUARDS, Got, Site, make_bff, site

SOUP = """# What there is for a team.
query soup($team_id: Long!) {
  menu(team_id: $team_id) {
    dishes
  }
}
"""
LUNCH = """mutation lunch($team_id: Long!, $order: OrderInput!) {
  order(team_id: $team_id, order: $order) {
    text
  }
}
"""
ODD = "query strange($team_id: Long!) { first: odd(team_id: $team_id) { text } }\n"
DOCUMENTS = {"soup": SOUP, "lunch": LUNCH, "strange": ODD}
JSON = "application/json"
RESPONSE = "application/graphql-response+json"


def sha256(source: str) -> str:
    """The hash of a document, as its id has it."""
    return hashlib.sha256(source.encode()).hexdigest()


def make_graphql_bff(folder: Path) -> Bff:
    """The declarations, with the documents in a folder."""
    bff = make_bff()
    for name, source in DOCUMENTS.items():
        (folder / f"{name}.graphql").write_text(source, encoding="utf-8")
        bff.document(name, roles=GUARDS["roles"], within=GUARDS["within"], scope="cafe", rate="1000/minute")
    bff.graphql(queries=str(folder))
    return bff


@asynccontextmanager
async def graphql_site(folder: Path, **how: Any) -> AsyncIterator[Site]:
    """A site that has started."""
    async with site(bff=make_graphql_bff(folder), **how) as one:
        yield one


async def post(one: Site, body: Any, path: str = "/graphql", **how: Any) -> Got:
    """Send a request of GraphQL as JSON; text and bytes as they are."""
    encoded = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return await one.ask(path, "POST", body=encoded, **how)


def error(got: Got) -> Any:
    """The one error of an answer: its `extensions`, which say the status again."""
    (one,) = got.json.pop("errors")
    assert list(got.json) == ["errors"]
    assert one["extensions"]["status"] == got.status
    assert one["message"] == one["extensions"].get("detail", one["extensions"]["title"])
    return one["extensions"]
