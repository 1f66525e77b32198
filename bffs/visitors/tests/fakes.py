"""What visitors is tested with: a reception as far as it needs it, people, and the objects of the matrix."""

from contextlib import AbstractAsyncContextManager
from typing import Any

from litestar import Litestar, delete, get, post
from litestar.exceptions import HTTPException, NotFoundException
from litestar.params import FromPath, FromQuery, JSONBody

from bffs.visitors.app import bff
from narrows.testing.world import World, world

# `phone`, `plate` and `card` stand for all that reception knows and colleagues must not.
SECRETS = {"phone": "+43 1 23456", "plate": "W-1234", "card": "P0012345"}
VISITS: list[dict[str, Any]] = [
    {"id": "v-2", "site_id": 1, "guest": "Mia Late", "expected_at": "2025-12-01T14:00:00Z", "host": "anna", **SECRETS},
    {"id": "v-1", "site_id": 1, "guest": "Tom Early", "expected_at": "2025-12-01T08:30:00Z", "host": "anna", **SECRETS},
    {"id": "v-3", "site_id": 1, "guest": "Ida In", "expected_at": "2025-12-01T09:00:00Z", "host": "anna",
     "company": "Example Ltd", "arrived": True, **SECRETS},
    {"id": "v-8", "site_id": 2, "guest": "Eve Else", "expected_at": "2025-12-01T10:00:00Z", "host": "olga", **SECRETS},
]  # fmt: skip
PEOPLE: dict[str, dict[str, Any]] = {"anna": {"sites": [1]}, "ben": {"sites": [1]}, "olga": {"sites": [2]}}

OWN = {"site_id": 1, "visit_id": "v-1"}
FOREIGN = {"site_id": 2, "visit_id": "v-8"}
ABSENT = {"site_id": 9, "visit_id": "v-9"}
# Only the host of a visit cancels it, so the matrix calls as the host of v-1.
SUBJECTS = {"employee": "anna"}


def reception() -> Litestar:
    """The reception service; it keeps what is announced until it ends."""
    held = {visit["id"]: visit for visit in VISITS}

    @get("/sites/{site_id:int}/visits")
    async def of_day(site_id: FromPath[int], day: FromQuery[str]) -> list[dict[str, Any]]:
        return [one for one in held.values() if one["site_id"] == site_id and one["expected_at"].startswith(day)]

    @get("/visits/{visit_id:str}")
    async def visit(visit_id: FromPath[str]) -> dict[str, Any]:
        if visit_id not in held:
            raise NotFoundException
        return held[visit_id]

    @post("/visits")
    async def announce(data: JSONBody[dict[str, Any]]) -> dict[str, Any]:
        if not "07:00" <= data["expected_at"][11:16] < "19:00":
            raise HTTPException(status_code=409)
        made = {**data, "id": f"v-{100 + len(held)}", **SECRETS}
        held[made["id"]] = made
        return made

    @delete("/visits/{visit_id:str}")
    async def cancel(visit_id: FromPath[str]) -> None:
        if held.pop(visit_id, None) is None:
            raise NotFoundException

    return Litestar([of_day, visit, announce, cancel], openapi_config=None)


def upstreams() -> dict[str, Any]:
    """Every upstream by its name in the settings."""
    return {"reception": reception()}


def made_up() -> AbstractAsyncContextManager[World]:
    """The whole world of visitors inside the process."""
    return world(bff, upstreams(), people=PEOPLE)
