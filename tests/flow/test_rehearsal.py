"""A rehearsal tells what a call would do, and does it not; the same call live then does exactly that."""

from __future__ import annotations

from typing import Any

import httpx

from narrows.testing import bearer
from tests.abuse.attack import to_upstreams
from tests.flow.world import BFF, World, world

NEW = {"place_id": "node-268056325", "starts_at": "2025-12-24T12:00:00+01:00", "seats": 4, "note": "window"}


async def told(made: World, answer: httpx.Response) -> dict[str, Any]:
    """The rehearsal that an answer leads to."""
    assert answer.links["describedby"]["url"].startswith(f"{BFF}/rehearse/rehearsals/")
    found = await made.client.get(answer.links["describedby"]["url"], headers=bearer(made.token()))
    assert found.status_code == 200
    return dict(found.json())


async def test_a_rehearsed_booking_is_listed_and_not_made() -> None:
    """The effect, its price, its scope and the stand-in are told; the tables service holds as many as before."""
    async with world() as made:
        answer = await made.post("/rehearse/teams/7/bookings", NEW)
        assert answer.status_code == 201
        rehearsal = await told(made, answer)
        (effect,) = rehearsal["effects"]
        assert effect["operation"] == "Tables.book"
        assert (effect["method"], effect["path"], effect["asks"]) == ("POST", "/bookings", "bookings:write")
        assert effect["arguments"]["/booking/note"] == "window"
        assert effect["arguments"]["/booking/team_id"] == 7
        assert effect["price"] == "0.05 EUR"
        assert rehearsal["price"] == {"ceiling": "0.05 EUR", "taken": None, "asked": "0.05 EUR"}
        assert rehearsal["scopes"] == {"needed": ["dining:book"], "asked": [], "listed": ["bookings:write"]}
        assert rehearsal["stand_ins"] == ["/id"]
        assert rehearsal["rule"].startswith("role:member in team:7")
        assert rehearsal["trace_id"] == made.records.calls()[-2]["trace_id"]
        assert (made.bookings(), to_upstreams(made)) == (0, [])


async def test_the_same_booking_live_is_exactly_one_more() -> None:
    """After the rehearsal the live call books once, and answers in the same form with real values."""
    async with world() as made:
        rehearsed = (await made.post("/rehearse/teams/7/bookings", NEW)).json()
        answer = await made.post("/teams/7/bookings", NEW)
        assert answer.status_code == 201
        assert "link" not in answer.headers
        assert made.bookings() == 1
        live = answer.json()
        assert live.keys() == rehearsed.keys()
        assert live["id"] == "booking-1" != rehearsed["id"]
        assert {k: live[k] for k in ("team_id", "place_id", "seats", "note")} == {
            k: rehearsed[k] for k in ("team_id", "place_id", "seats", "note")
        }


async def test_a_rehearsed_read_is_the_live_read_and_names_what_was_left_out() -> None:
    """The answer is that of a live read; the rehearsal names the fields of the directory that narrowing dropped."""
    async with world() as made:
        live = await made.get("/teams/7/dining-suggestions")
        answer = await made.get("/rehearse/teams/7/dining-suggestions")
        assert answer.json() == live.json()
        rehearsal = await told(made, answer)
        assert rehearsal["effects"] == []
        assert {"People.team.members[].salary", "People.team.members[].home_address"} <= set(rehearsal["left_out"])
        assert rehearsal["scopes"]["asked"] == ["places:read", "profiles:read"]
        assert "37840" not in str(rehearsal)


async def test_a_rehearsed_cancellation_reads_and_does_not_cancel() -> None:
    """The guard's read is real, the write is an effect, and the booking is still there to be cancelled live."""
    async with world() as made:
        booking = (await made.post("/teams/7/bookings", NEW)).json()["id"]
        answer = await made.delete(f"/rehearse/bookings/{booking}")
        assert (answer.status_code, made.bookings()) == (204, 1)
        (effect,) = (await told(made, answer))["effects"]
        assert (effect["operation"], effect["arguments"]) == ("Tables.cancel", {"/booking_id": booking})
        assert (await made.delete(f"/bookings/{booking}")).status_code == 204
        assert made.bookings() == 0


async def test_the_newest_rehearsals_are_listed() -> None:
    """A client that reads no headers finds its rehearsals in a list, the newest first."""
    async with world() as made:
        answers = [await made.post("/rehearse/teams/7/bookings", NEW) for _ in range(3)]
        ids = [answer.links["describedby"]["url"].rpartition("/")[2] for answer in answers]
        for base in ("", "/rehearse"):
            assert [one["id"] for one in (await made.get(f"{base}/rehearsals")).json()] == ids[::-1]
