import pytest

from examples.where2eat.tables import tables_app

WANTED = {
    "team_id": 7,
    "place_id": "node-266071059",
    "starts_at": "2026-11-24T12:00:00+01:00",
    "seats": 6,
    "note": "by the window",
}


async def book(tables, **changes):
    """Ask for the table wanted, with changes."""
    return await tables.call("POST", "/bookings", json={**WANTED, **changes})


async def count(tables):
    """How many bookings are kept."""
    return (await tables.get("/_count")).json()["bookings"]


async def test_a_booking_is_kept_and_told_with_its_inner_fields(tables):
    """A booking is made for the subject of the token, in UTC, and carries what must not leave the BFF."""
    answer = await book(tables)
    booking = answer.json()
    assert answer.status_code == 201
    assert answer.headers["location"] == "/bookings/booking-1"
    assert booking == {
        "id": "booking-1",
        "team_id": 7,
        "place_id": "node-266071059",
        "starts_at": "2026-11-24T11:00:00Z",
        "seats": 6,
        "note": "by the window",
        "booked_by": "anna",
        "created_at": "2026-11-23T09:00:00Z",
        "card_on_file": {"holder": "anna", "number": "0000 0000 0000 0000"},
        "internal_margin": "0.17",
        "no_show_score": 3,
    }
    assert (await tables.get("/bookings/booking-1")).json() == booking
    assert (await tables.get("/teams/7/bookings")).json() == [booking]
    assert await count(tables) == 1


@pytest.mark.parametrize("starts_at", ["2026-11-24T12:00:00+01:00", "2026-11-24T11:00:00Z"])
async def test_a_table_is_taken_once(tables, starts_at):
    """The same place at the same instant, however it is written, is a 409 and changes nothing."""
    await book(tables)
    answer = await book(tables, starts_at=starts_at, team_id=8)
    assert answer.status_code == 409
    assert answer.json()["type"] == "https://where2eat.example/problems/table-taken"
    assert await count(tables) == 1


async def test_another_place_or_time_is_free(tables):
    """Only place and start together make a table taken, and a cancelled one is free again under a new id."""
    await book(tables)
    assert (await book(tables, place_id="node-268056323")).status_code == 201
    assert (await book(tables, starts_at="2026-11-24T13:00:00+01:00")).status_code == 201
    await tables.call("DELETE", "/bookings/booking-3")
    assert (await book(tables, starts_at="2026-11-24T13:00:00+01:00")).json()["id"] == "booking-4"


async def test_the_bookings_of_a_team_are_its_own_earliest_first(tables):
    """A team sees its bookings by start, and not another team's."""
    await book(tables, starts_at="2026-11-26T12:00:00+01:00")
    await book(tables, starts_at="2026-11-25T12:00:00+01:00")
    await book(tables, team_id=8)
    found = (await tables.get("/teams/7/bookings")).json()
    assert [booking["id"] for booking in found] == ["booking-2", "booking-1"]
    assert (await tables.get("/teams/9/bookings")).json() == []
    assert (await tables.get(f"/teams/{2**70}/bookings")).json() == []


async def test_cancelling_takes_the_booking_away(tables):
    """A cancelled booking is gone: the second time there is nothing to cancel."""
    await book(tables)
    answer = await tables.call("DELETE", "/bookings/booking-1")
    assert (answer.status_code, answer.content) == (204, b"")
    assert (await tables.call("DELETE", "/bookings/booking-1")).status_code == 404
    assert (await tables.get("/bookings/booking-1")).status_code == 404
    assert await count(tables) == 0


@pytest.mark.parametrize(
    "booking_id", ["booking-2", "1", "booking-", "booking-01x", "booking-" + "9" * 30, "booking--1"]
)
async def test_an_absent_booking_is_a_404(tables, booking_id):
    """Ids that were never given are absent, whatever they look like."""
    await book(tables)
    assert (await tables.get(f"/bookings/{booking_id}")).status_code == 404
    assert (await tables.call("DELETE", f"/bookings/{booking_id}")).status_code == 404
    assert await count(tables) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"team_id": 0},
        {"team_id": "7"},
        {"place_id": "node/266071059"},
        {"place_id": "node-266071059\n"},
        {"starts_at": "2026-11-24T12:00:00"},
        {"starts_at": "2026-11-23T09:00:00Z"},
        {"starts_at": "2027-11-30T12:00:00Z"},
        {"starts_at": "9999-12-31T23:59:59-05:00"},
        {"starts_at": "0001-01-01T00:00:00+05:00"},
        {"seats": 0},
        {"seats": 51},
        {"note": "x" * 201},
        {"booked_by": "olga"},
        {"internal_margin": "1"},
    ],
)
async def test_what_is_out_of_bounds_is_a_400(tables, changes):
    """Wrong, unknown or unreasonable fields are refused, and nothing is booked."""
    answer = await book(tables, **changes)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert await count(tables) == 0


@pytest.mark.parametrize(
    ("content", "media", "status"),
    [
        (b"{", "application/json", 400),
        (b"\xff", "application/json", 400),
        (b'{"note": "\xff"}', "application/json", 400),
        (b"", "application/json; charset=utf-8", 400),
        (b"{}", "text/plain", 415),
        (b" " * 20_000, "application/json", 413),
    ],
)
async def test_a_body_that_is_no_booking_is_refused(tables, content, media, status):
    """Broken JSON, another media type and a huge body each have their status."""
    answer = await tables.call("POST", "/bookings", content=content, headers={"content-type": media})
    assert answer.status_code == status
    assert answer.json()["status"] == status


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("POST", "/bookings", "bookings:read"),
        ("DELETE", "/bookings/booking-1", "bookings:read"),
        ("GET", "/bookings/booking-1", "bookings:write"),
        ("GET", "/teams/7/bookings", "bookings:write"),
    ],
)
async def test_reading_and_writing_are_two_scopes(tables, issuer, method, path, scope):
    """A token to read changes nothing, and one to write reads nothing."""
    await book(tables)
    answer = await tables.call(method, path, token=issuer.token("tables-api", scope))
    assert answer.status_code == 403
    assert await count(tables) == 1


async def test_the_count_is_for_this_machine_only(tables):
    """From elsewhere there is no count."""
    assert (await tables.get("/_count", client=("192.0.2.7", 1))).status_code == 404


async def test_bookings_outlive_the_process(tables, issuer, clock, tmp_path):
    """Given a file, a second application finds what the first one kept."""
    file = tmp_path / "bookings.sqlite"
    tables.app = tables_app("https://issuer.test", issuer.transport, clock, database=file)
    await book(tables)
    tables.app = tables_app("https://issuer.test", issuer.transport, clock, database=file)
    assert await count(tables) == 1
    assert (await book(tables)).status_code == 409
