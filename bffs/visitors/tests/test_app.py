"""What visitors answers, with reception inside the process."""

from typing import Any

import httpx
import pytest

from bffs.visitors.app import bff
from bffs.visitors.tests.fakes import made_up
from bffs.visitors.tests.requests import AT_NIGHT, NEW, PAST
from narrows.testing.world import World

DAY = "/sites/1/visits?day=2025-12-01"


async def after_rehearsal(w: World, method: str, path: str, person: str, **how: Any) -> httpx.Response:
    """Rehearse a write, and send it live with the receipt of that."""
    rehearsed = await w.send(method, f"/rehearse{path}", person, **how)
    assert rehearsed.is_success, rehearsed.text
    return await w.send(
        method, path, person, headers={"Rehearsal-Receipt": rehearsed.headers["rehearsal-receipt"]}, **how
    )


def test_the_contract_is_as_agreed() -> None:
    """Another endpoint, or a wider one, is put down here and seen in a review."""
    assert [(e.kind, e.method, e.path, e.scope, e.commit) for e in bff.endpoints] == [
        ("read", "GET", "/sites/{site_id}/visits", "visitors:read", "open"),
        ("read", "GET", "/visits/{visit_id}", "visitors:read", "open"),
        ("write", "POST", "/sites/{site_id}/visits", "visitors:write", "receipt"),
        ("write", "DELETE", "/visits/{visit_id}", "visitors:write", "receipt"),
    ]


@pytest.mark.asyncio
async def test_colleagues_see_who_comes_when_and_nothing_that_reception_knows_besides() -> None:
    """In the order of their coming; no telephone, plate or card."""
    async with made_up() as w:
        answer = await w.get(DAY, "ben")
    assert [visit["guest"] for visit in answer.json()] == ["Tom Early", "Ida In", "Mia Late"]
    assert set().union(*answer.json()) == {"id", "site_id", "guest", "company", "expected_at", "host", "arrived"}


@pytest.mark.asyncio
async def test_a_guest_is_announced_after_a_rehearsal_and_the_caller_is_the_host() -> None:
    """The guest stands in the list then, once."""
    async with made_up() as w:
        made = await after_rehearsal(w, "POST", "/sites/1/visits", "ben", json=NEW)
        listed = await w.get(DAY, "anna")
    assert (made.status_code, made.json()["host"]) == (201, "ben")
    assert [visit["guest"] for visit in listed.json()].count("Noa New") == 1


@pytest.mark.asyncio
async def test_without_the_receipt_of_a_rehearsal_nobody_is_announced() -> None:
    """No badge is printed for what nobody has looked at."""
    async with made_up() as w:
        answer = await w.post("/sites/1/visits", NEW, "anna")
        listed = await w.get(DAY, "anna")
    assert (answer.status_code, len(listed.json())) == (428, 3)


@pytest.mark.asyncio
async def test_nobody_is_announced_for_a_time_that_is_over() -> None:
    """The rule is named, so that nobody looks for a missing role."""
    async with made_up() as w:
        answer = await w.post("/rehearse/sites/1/visits", PAST, "anna")
    assert answer.status_code == 403
    assert "to_come" in answer.json()["detail"]


@pytest.mark.asyncio
async def test_at_night_reception_says_that_it_is_closed() -> None:
    """Its refusal is a problem with a remedy."""
    async with made_up() as w:
        answer = await after_rehearsal(w, "POST", "/sites/1/visits", "anna", json=AT_NIGHT)
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:narrows:problem:reception-closed")


@pytest.mark.asyncio
async def test_the_host_cancels_and_a_colleague_does_not() -> None:
    """Ben works at the same site, and sees the visit."""
    async with made_up() as w:
        denied = await w.send("DELETE", "/rehearse/visits/v-1", "ben")
        cancelled = await after_rehearsal(w, "DELETE", "/visits/v-1", "anna")
        left = await w.get(DAY, "anna")
    assert (denied.status_code, cancelled.status_code) == (403, 204)
    assert [visit["id"] for visit in left.json()] == ["v-3", "v-2"]


@pytest.mark.asyncio
async def test_a_guest_who_has_come_is_not_cancelled() -> None:
    """The rule is named."""
    async with made_up() as w:
        answer = await w.send("DELETE", "/rehearse/visits/v-3", "anna")
    assert answer.status_code == 403
    assert "not_arrived" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"guest": ""}, "/body/guest"),
        ({"guest": "x" * 101}, "/body/guest"),
        ({"expected_at": "2025-12-01T11:00:00"}, "/body/expected_at"),
        ({"note": "x" * 201}, "/body/note"),
        ({"host": "olga"}, "/body/host"),
    ],
)
@pytest.mark.asyncio
async def test_a_bad_announcement_names_its_field(change: dict[str, Any], pointer: str) -> None:
    """A host cannot be named: it is always the caller."""
    async with made_up() as w:
        answer = await w.post("/rehearse/sites/1/visits", NEW | change, "anna")
    assert answer.status_code == 400
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
