"""The sandbox answers everything, from nothing: no upstream is called, and what is made up is valid and steady."""

from __future__ import annotations

import msgspec
import pytest

from bffs.where2eat.types import Booking, Suggestion
from tests.flow.world import world

NEW = {"place_id": "node-268056325", "starts_at": "2025-12-24T12:00:00Z", "seats": 4}


async def test_no_upstream_is_called() -> None:
    """Reads, bookings and cancellations work while nobody but the issuer's keys is asked for anything."""
    async with world() as made:
        before = len(made.network.sent)
        assert (await made.get("/sandbox/teams/7/dining-suggestions")).status_code == 200
        assert (await made.get("/sandbox/teams/7/bookings")).status_code == 200
        assert (await made.post("/sandbox/teams/7/bookings", NEW)).status_code == 201
        assert (await made.delete("/sandbox/bookings/booking-5")).status_code == 204
        asked = {(request.url.host, request.url.path) for request in made.network.sent[before:]}
        assert asked <= {("issuer.test", "/jwks")}
        assert made.authority.exchanges == []


async def test_what_is_made_up_is_of_the_declared_types() -> None:
    """Answers decode with the very types that the endpoints declare, unknown fields refused."""
    async with world() as made:
        suggestions = await made.get("/sandbox/teams/7/dining-suggestions")
        bookings = await made.get("/sandbox/teams/7/bookings")
        booked = await made.post("/sandbox/teams/7/bookings", NEW)
        msgspec.json.decode(suggestions.content, type=list[Suggestion])
        assert msgspec.json.decode(bookings.content, type=list[Booking])
        assert msgspec.json.decode(booked.content, type=Booking).place_id == NEW["place_id"]
        assert booked.json().keys() == set(Booking.__struct_encode_fields__)


async def test_the_same_caller_sees_the_same_data() -> None:
    """Asked again, with a new token too, a caller sees what they saw; another caller sees something else."""
    async with world() as made:
        first = (await made.get("/sandbox/teams/7/bookings")).json()
        made.clock.move(1)
        assert [one["id"] for one in (await made.get("/sandbox/teams/7/bookings")).json()] == [
            one["id"] for one in first
        ]
        assert (await made.get("/sandbox/teams/7/bookings", "ben")).json() != first
        assert all(one["team_id"] == 7 for one in first)


@pytest.mark.parametrize("booking", [f"booking-{number}" for number in range(12)])
async def test_a_made_up_booking_can_be_cancelled(booking: str) -> None:
    """Made-up objects lie in a domain of the caller, so the guard can be passed; whatever chance made of them."""
    async with world() as made:
        answer = await made.delete(f"/sandbox/bookings/{booking}")
        assert answer.status_code == 204
        assert "/sandbox/rehearsals/" in answer.links["describedby"]["url"]


async def test_the_guards_still_stand() -> None:
    """In the sandbox too, another team is denied, a member without the role cannot cancel, and bad input is a 400."""
    async with world() as made:
        assert (await made.get("/sandbox/teams/8/bookings")).status_code == 403
        assert (await made.delete("/sandbox/bookings/booking-5", "ben")).status_code == 403
        assert (await made.get("/sandbox/teams/07/bookings")).status_code == 400
        assert (await made.client.get("/sandbox/teams/7/bookings")).status_code == 401
