"""Case 72: a draft gets the sandbox only, a trial no live write, by every way in."""

from __future__ import annotations

import pytest

from narrows.testing import bearer
from tests.flow.programs import ERIK, registered

BOOKING = {"place_id": "node-268056345", "starts_at": "2099-05-04T10:30:00Z", "seats": 2}
READS = ["/teams/7/bookings", "/teams/7/dining-suggestions"]
OPEN = {0: {"/sandbox"}, 1: {"", "/rehearse", "/sandbox"}}


@pytest.mark.parametrize("steps", [0, 1], ids=["draft", "trial"])
@pytest.mark.parametrize("base", ["", "/rehearse", "/sandbox"])
async def test_reads_go_by_the_state(steps: int, base: str) -> None:
    """A draft reads in the sandbox alone, a trial everywhere; what is refused reaches no upstream."""
    async with registered(steps=steps) as (made, _):
        before = len(made.network.sent)
        for path in READS:
            answer = await made.get(base + path)
            assert answer.status_code == (200 if base in OPEN[steps] else 403), (path, answer.text)
        reached = {request.url.host for request in made.network.sent[before:]} - {"issuer.test"}
        assert (not reached) is (base not in OPEN[steps] or base == "/sandbox")


@pytest.mark.parametrize("steps", [0, 1], ids=["draft", "trial"])
@pytest.mark.parametrize("base", ["", "/rehearse", "/sandbox"])
async def test_no_write_is_live(steps: int, base: str) -> None:
    """Neither a draft's nor a trial's, and what they may rehearse sends nothing."""
    async with registered(steps=steps) as (made, _):
        before = made.bookings()
        answer = await made.post(f"{base}/teams/7/bookings", BOOKING)
        allowed = base in OPEN[steps] and base != ""
        assert (answer.status_code == 403) is not allowed, answer.text
        deleted = await made.delete(f"{base}/bookings/b-1")
        assert deleted.status_code == 403 or allowed
        assert made.bookings() == before
        assert not [one for one in made.network.to("tables.test") if one.method != "GET"]


@pytest.mark.parametrize("state", ["suspended", "revoked", "expired"])
@pytest.mark.parametrize("base", ["", "/rehearse", "/sandbox"])
async def test_what_has_ended_may_nothing(state: str, base: str) -> None:
    """Not even read its old rehearsals or play in the sandbox."""
    async with registered(record={"expires": "2025-11-26"}) as (made, programs):
        if state == "suspended":
            await programs.suspend()
        elif state == "revoked":
            await programs.governor.revoke("copilot", ERIK)
            made.clock.move(1)
        else:
            made.clock.move(2 * 86_400)
        for path in (*READS, "/rehearsals"):
            answer = await made.get(base + path)
            assert answer.status_code in (403, 404), answer.text
            assert answer.status_code == 403 or path == "/rehearsals"
        assert (await made.post(f"{base}/teams/7/bookings", BOOKING)).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"X-HTTP-Method-Override": "GET"},
        {"X-Connector": "page"},
        {"Connector": "page"},
        {"Rehearse": "true"},
        {"Prefer": "dry-run"},
        {"X-Mode": "sandbox"},
    ],
)
async def test_no_header_raises_a_state(headers: dict[str, str]) -> None:
    """The mode is the base path, and the state is that of the registry."""
    async with registered(steps=1) as (made, _):
        known = {**bearer(made.token()), **headers}
        answer = await made.client.post("/teams/7/bookings", json=BOOKING, headers=known)
        assert (answer.status_code, "'trial'" in answer.json()["detail"]) == (403, True)
        assert not [one for one in made.network.to("tables.test") if one.method != "GET"]
