"""The story of a receipt: what was rehearsed is what then happens, once, and only if the person wants it."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from narrows.testing import bearer
from tests.flow.world import BFF, World, world

PATH = "/teams/7/bookings"
NEW = {"place_id": "node-268056325", "starts_at": "2025-12-24T12:00:00+01:00", "seats": 4, "note": "window"}
COPILOT = {"copilot": {"commit": "confirmed"}}
LOW_CODE = {"copilot": {"commit": "receipt"}}


async def rehearse(made: World, path: str = PATH, json: Any = NEW, **headers: str) -> httpx.Response:
    """Rehearse a booking as anna."""
    return await made.client.post(f"/rehearse{path}", json=json, headers=bearer(made.token()) | headers)


async def live(made: World, rehearsed: httpx.Response, path: str = PATH, json: Any = NEW) -> httpx.Response:
    """Send it live with the receipt of a rehearsal."""
    headers = bearer(made.token()) | {"Rehearsal-Receipt": rehearsed.headers["rehearsal-receipt"]}
    return await made.client.post(path, json=json, headers=headers)


async def document_of(made: World, rehearsed: httpx.Response) -> dict[str, Any]:
    """What a rehearsal says of itself."""
    found = await made.client.get(rehearsed.links["describedby"]["url"], headers=bearer(made.token()))
    return dict(found.json())


async def test_a_copilot_writes_what_the_person_confirmed_and_once() -> None:
    """Without a receipt 428 and where to rehearse; unconfirmed 428 and where to confirm; then it happens, once."""
    async with world(connectors=COPILOT) as made:
        bare = await made.post(PATH, NEW)
        assert (bare.status_code, bare.json()["type"]) == (428, "urn:narrows:problem:receipt-required")
        assert (bare.json()["commit"], bare.json()["rehearse_url"]) == ("confirmed", f"{BFF}/rehearse{PATH}")
        rehearsed = await rehearse(made)
        told = await document_of(made, rehearsed)
        assert told["receipt"] == rehearsed.headers["rehearsal-receipt"]
        assert (told["commit"], told["confirm_url"]) == ("confirmed", f"{BFF}/confirm/{told['id']}")
        assert told["expires_at"] == "2025-11-24T17:00:00+00:00"
        unconfirmed = await live(made, rehearsed)
        assert (unconfirmed.status_code, unconfirmed.json()["confirm_url"]) == (428, told["confirm_url"])
        assert unconfirmed.json()["type"] == "urn:narrows:problem:confirmation-required"
        assert made.bookings() == 0
        await made.confirm(rehearsed)
        assert (await live(made, rehearsed)).status_code == 201
        record = made.records.calls()[-1]
        assert (record["receipt"], record["effects"]) == (told["id"], ["Tables.book"])
        again = await live(made, rehearsed)
        assert (again.status_code, again.json()["reason"]) == (409, "spent")
        assert made.bookings() == 1


async def test_a_low_code_app_needs_a_receipt_and_no_confirmation() -> None:
    """What a person clicks is seen first; the click itself is the consent."""
    async with world(connectors=LOW_CODE) as made:
        assert (await made.post(PATH, NEW)).json()["commit"] == "receipt"
        rehearsed = await rehearse(made)
        told = await document_of(made, rehearsed)
        assert (told["commit"], told["confirm_url"]) == ("receipt", None)
        assert (await live(made, rehearsed)).status_code == 201
        assert made.bookings() == 1


async def test_a_partner_may_write_openly_and_may_also_bring_a_receipt() -> None:
    """A receipt that is not needed is still held to: with other values it is refused, and nothing is sent."""
    async with world() as made:
        rehearsed = await rehearse(made)
        assert (await document_of(made, rehearsed))["commit"] == "open"
        other = await live(made, rehearsed, json={**NEW, "seats": 5})
        assert (other.status_code, other.json()["reason"], made.bookings()) == (409, "arguments", 0)
        assert (await live(made, rehearsed)).status_code == 201
        assert (await made.post(PATH, NEW)).status_code in (201, 409)


async def test_a_cancellation_is_committed_too() -> None:
    """A write whose id stands in the path, and which answers nothing."""
    async with world(connectors=COPILOT) as made:
        booking = (await made.commit(PATH, NEW)).json()["id"]
        assert made.bookings() == 1
        assert (await made.commit(f"/bookings/{booking}", method="DELETE")).status_code == 204
        assert made.bookings() == 0


@pytest.mark.parametrize("base", ["/rehearse", "/sandbox"])
async def test_a_booking_that_was_only_rehearsed_can_be_cancelled_in_a_rehearsal(base: str) -> None:
    """A rehearsal that names an earlier one knows its stand-ins: book, then cancel, and nobody hears of it."""
    async with world() as made:
        first = await made.client.post(f"{base}{PATH}", json=NEW, headers=bearer(made.token()))
        booking, path = first.json()["id"], f"{base}/bookings/{first.json()['id']}"
        alone = await made.delete(path)
        named = {"Rehearsal": first.links["describedby"]["url"].rpartition("/")[2]}
        second = await made.client.request("DELETE", path, headers=bearer(made.token()) | named)
        assert second.status_code == 204, second.text
        # Without the name, a rehearsal asks the real service, which does not know the id; the sandbox makes up another.
        assert alone.status_code == (403 if base == "/rehearse" else 204)
        told = await document_of(made, second)
        assert [(one["operation"], one["arguments"]) for one in told["effects"]] == [
            ("Tables.cancel", {"/booking_id": booking})
        ]
        assert told["receipt"] is None
        assert told["rule"].startswith("role:organiser in team:7")
        if base == "/rehearse":
            assert told["notes"] == ["Tables.booking was answered by the sandbox: an argument is a stand-in"]
        assert made.bookings() == 0


async def test_a_third_rehearsal_knows_the_first() -> None:
    """What a rehearsal recalled, one that names it recalls too."""
    async with world() as made:
        first = await rehearse(made)
        path = f"/rehearse/bookings/{first.json()['id']}"
        last = first
        for _ in range(2):
            named = {"Rehearsal": last.links["describedby"]["url"].rpartition("/")[2]}
            last = await made.client.request("DELETE", path, headers=bearer(made.token()) | named)
            assert last.status_code == 204


@pytest.mark.parametrize("name", ["unknown", "", "../x", "a" * 300])
async def test_a_rehearsal_that_is_not_the_callers_is_not_there(name: str) -> None:
    """Absent, somebody else's and nonsense are the same 404."""
    async with world() as made:
        foreign = (await rehearse(made)).links["describedby"]["url"].rpartition("/")[2]
        answers = [
            await made.client.post(
                f"/rehearse{PATH}", json=NEW, headers=bearer(made.token("ben")) | {"Rehearsal": named}
            )
            for named in (foreign, name)
        ]
        assert [answer.status_code for answer in answers] == [404, 404]
        bodies = [{k: v for k, v in answer.json().items() if k != "trace_id"} for answer in answers]
        assert bodies[0] == bodies[1]


async def test_a_live_call_builds_on_no_rehearsal() -> None:
    """The header is a 400 there, for reads and writes, and nothing is sent."""
    async with world() as made:
        headers = bearer(made.token()) | {"Rehearsal": "r1"}
        assert (await made.client.post(PATH, json=NEW, headers=headers)).status_code == 400
        assert (await made.client.get(PATH, headers=headers)).status_code == 400
        assert made.bookings() == 0
