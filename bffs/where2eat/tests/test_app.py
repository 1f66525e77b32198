"""The endpoints of Where2Eat and its documents, with issuer and upstreams inside the process."""

import json
from typing import Any

import httpx
import pytest

from bffs.where2eat.app import bff
from narrows.declare.endpoint import Endpoint
from tests.flow.world import World, world

PLACE = "node-268056325"
LATER = "2025-12-01T12:00:00+01:00"
NEW = {"place_id": PLACE, "starts_at": LATER, "seats": 6}
SUGGESTION = {"place_id", "name", "cuisine", "distance_m", "lat", "lon", "vegetarian", "vegan", "opening_hours", "open"}


def declared(name: str) -> Endpoint:
    """An endpoint by the name of its function."""
    return next(endpoint for endpoint in bff.endpoints if endpoint.function.__name__ == name)


def test_there_are_five_endpoints() -> None:
    """Three reads and two writes; another one is put down here and in the contract."""
    assert [(e.kind, e.method, e.path) for e in bff.endpoints] == [
        ("read", "GET", "/teams/{team_id}"),
        ("read", "GET", "/teams/{team_id}/dining-suggestions"),
        ("read", "GET", "/teams/{team_id}/bookings"),
        ("write", "POST", "/teams/{team_id}/bookings"),
        ("write", "DELETE", "/bookings/{booking_id}"),
    ]


@pytest.mark.parametrize(
    ("name", "roles", "scope", "uses"),
    [
        ("team", {"member"}, "dining:read", ["People.team"]),
        ("dining_suggestions", {"member"}, "dining:read", ["People.team", "Places.nearby"]),
        ("team_bookings", {"member"}, "dining:read", ["Tables.of_team"]),
        ("book_table", {"member"}, "dining:book", ["Tables.book"]),
        ("cancel_booking", {"organiser"}, "dining:book", ["Tables.cancel"]),
    ],
)
def test_each_endpoint_is_as_narrow_as_agreed(name: str, roles: set[str], scope: str, uses: list[str]) -> None:
    """Who may call it, with which scope, and what it may touch: a change is seen in a review."""
    endpoint = declared(name)
    assert endpoint.roles == frozenset(roles)
    assert endpoint.scope == scope
    assert [use.id for use in endpoint.uses or () if not hasattr(use, "count")] == uses


async def test_suggestions_suit_the_team_and_come_nearest_first() -> None:
    """Team 7 has a vegan, so every place serves vegan food; five are enough unless more are asked for."""
    async with world() as lunch:
        answer = await lunch.get("/teams/7/dining-suggestions")
        more = await lunch.get("/teams/7/dining-suggestions?limit=50")
    found = answer.json()
    assert answer.status_code == 200
    assert len(found) == 5
    assert all(one["vegan"] for one in more.json())
    distances = [one["distance_m"] for one in more.json()]
    assert distances == sorted(distances)
    assert found == more.json()[:5]
    assert set().union(*found) <= SUGGESTION


async def test_a_team_is_told_without_its_people() -> None:
    """How many come and what they eat, and not who: six of them, one a vegan."""
    async with world() as lunch:
        answer = await lunch.get("/teams/7", subject="ben")
    assert answer.json() == {
        "id": 7,
        "size": 6,
        "eaters": {"none": 3, "vegetarian": 2, "vegan": 1},
        "office": {"lat": 47.803, "lon": 13.046},
    }


async def test_one_document_joins_team_places_and_bookings() -> None:
    """Each booking has its place's name, and however many there are, the places service is asked for them once."""
    async with world() as lunch:
        for day, place in (("01", PLACE), ("02", "node-767837930"), ("03", PLACE)):
            wanted = {"place_id": place, "starts_at": LATER.replace("-01T", f"-{day}T"), "seats": 2}
            assert (await lunch.post("/teams/7/bookings", wanted)).status_code == 201
        lunch.network.sent.clear()
        answer = await ask(lunch, team_id=7, limit=2)
        asked = [r.url.path for host in ("people", "places", "tables") for r in lunch.network.to(f"{host}.test")]
    data = answer.json()["data"]
    assert data["team"] == {"size": 6, "eaters": {"none": 3, "vegetarian": 2, "vegan": 1}}
    assert [one["name"] for one in data["dining_suggestions"]] == ["Cafe Habakuk", "Zum fidelen Affen"]
    named = [one["place"]["name"] for one in data["team_bookings"]]
    assert named == ["Cafe Habakuk", "Zum fidelen Affen", "Cafe Habakuk"]
    assert sorted(asked) == ["/place-names", "/places", "/teams/7", "/teams/7", "/teams/7/bookings"]


async def test_a_place_that_is_gone_is_a_booking_still() -> None:
    """Its name is not there, and all else is."""
    gone = httpx.MockTransport(lambda _: httpx.Response(200, json=[]))
    async with world() as lunch:
        await lunch.post("/teams/7/bookings", NEW)
        lunch.network.add({"places.test": gone})
        answer = await ask(lunch, team_id=7)
    [booking] = answer.json()["data"]["team_bookings"]
    assert (booking["place_id"], booking["place"]) == (PLACE, None)


async def test_the_documents_of_another_team_are_not_answered() -> None:
    """No service is asked, and nothing is booked."""
    async with world() as lunch:
        read = await ask(lunch, team_id=8)
        wrote = await lunch.post("/graphql/book", {"variables": {"team_id": 8, "booking": NEW}})
        asked = [host for host in ("people.test", "places.test", "tables.test") if lunch.network.to(host)]
    assert (read.status_code, wrote.status_code, asked) == (403, 403, [])


async def test_a_booking_by_document_rehearses_and_is_made_once() -> None:
    """It has the effect of the endpoint, and its receipt lets just that happen."""
    async with world(connectors={"copilot": {"commit": "receipt"}}) as lunch:
        body = {"variables": {"team_id": 7, "booking": NEW}}
        bare = await lunch.post("/graphql/book", body)
        booked = await lunch.commit("/graphql/book", body)
        assert lunch.bookings() == 1
    assert bare.status_code == 428
    assert booked.json()["data"]["book_table"]["seats"] == 6


async def ask(lunch: World, **variables: object) -> httpx.Response:
    """Ask the document `lunch` as anna."""
    return await lunch.get("/graphql/lunch", params={"variables": json.dumps(variables)})


async def test_with_a_time_every_suggestion_is_open() -> None:
    """The places service is asked for that very moment."""
    async with world() as lunch:
        answer = await lunch.get("/teams/7/dining-suggestions", params={"limit": "50", "open_at": LATER})
        asked = lunch.network.to("places.test")[-1].url.params
    assert {one["open"] for one in answer.json()} == {True}
    assert asked["open_at"] == "2025-12-01T12:00:00+01:00"


async def test_a_booking_is_made_listed_and_cancelled() -> None:
    """The whole life of a booking, for one team."""
    async with world() as lunch:
        made = await lunch.post("/teams/7/bookings", {**NEW, "note": "by the window"})
        listed = await lunch.get("/teams/7/bookings", subject="ben")
        cancelled = await lunch.delete(f"/bookings/{made.json()['id']}")
        left = lunch.bookings()
    assert made.status_code == 201
    assert made.json() == {"id": made.json()["id"], "team_id": 7, "place_id": PLACE, "seats": 6,
                           "starts_at": "2025-12-01T11:00:00Z", "note": "by the window"}  # fmt: skip
    assert listed.json() == [made.json()]
    assert (cancelled.status_code, cancelled.content, left) == (204, b"", 0)


@pytest.mark.parametrize(
    ("subject", "path"),
    [
        ("anna", "/teams/8"),
        ("anna", "/teams/8/dining-suggestions"),
        ("anna", "/teams/8/bookings"),
        ("olga", "/teams/7/bookings"),
    ],
)
async def test_another_team_is_not_looked_at(subject: str, path: str) -> None:
    """Not its diets, not its bookings: no upstream is asked."""
    async with world() as lunch:
        answer = await lunch.get(path, subject=subject)
        asked = [host for host in ("people.test", "places.test", "tables.test") if lunch.network.to(host)]
    assert (answer.status_code, asked) == (403, [])


async def test_nothing_is_booked_for_another_team() -> None:
    """Also not by its organiser's colleague."""
    async with world() as lunch:
        answer = await lunch.post("/teams/8/bookings", NEW)
        assert (answer.status_code, lunch.bookings()) == (403, 0)


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"seats": 21}, "/body/seats"),
        ({"seats": 0}, "/body/seats"),
        ({"note": "x" * 201}, "/body/note"),
        ({"place_id": "a/b"}, "/body/place_id"),
        ({"starts_at": "2025-12-01T12:00:00"}, "/body/starts_at"),
        ({"team_id": 8}, "/body/team_id"),
    ],
)
async def test_a_bad_booking_names_its_field(change: dict[str, Any], pointer: str) -> None:
    """And nothing is booked."""
    async with world() as lunch:
        answer = await lunch.post("/teams/7/bookings", NEW | change)
        assert lunch.bookings() == 0
    assert answer.status_code == 400
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


async def test_a_taken_table_is_said_so() -> None:
    """The problem of the tables service reaches the client with its remedy."""
    async with world() as lunch:
        answers = [await lunch.post("/teams/7/bookings", NEW | {"seats": 20}) for _ in range(5)]
    taken = [answer.json() for answer in answers if answer.status_code == 409]
    assert taken
    assert all(one["type"] == "urn:narrows:problem:table-taken" and one["remedy"] for one in taken)


async def test_only_an_organiser_cancels() -> None:
    """Ben is a member of team 7, and olga organises another."""
    async with world() as lunch:
        made = await lunch.post("/teams/7/bookings", NEW)
        path = f"/bookings/{made.json()['id']}"
        statuses = [(await lunch.delete(path, subject=subject)).status_code for subject in ("ben", "olga", "anna")]
    assert statuses == [403, 403, 204]


async def test_a_meal_that_has_begun_is_not_cancelled() -> None:
    """The rule is named, so that nobody looks for a missing role."""
    async with world() as lunch:
        made = await lunch.post("/teams/7/bookings", NEW)
        lunch.clock.move(14 * 86_400)
        answer = await lunch.delete(f"/bookings/{made.json()['id']}")
        assert lunch.bookings() == 1
    assert answer.status_code == 403
    assert "not_yet_started" in answer.json()["detail"]


async def test_a_rehearsed_booking_books_nothing() -> None:
    """It has the live status and schema, and lists what would have happened."""
    async with world() as lunch:
        answer = await lunch.post("/rehearse/teams/7/bookings", NEW)
        rehearsal = await lunch.get(answer.headers["link"].split(">")[0].removeprefix("<https://bff.test"))
        assert lunch.bookings() == 0
    assert answer.status_code == 201
    assert [effect["operation"] for effect in rehearsal.json()["effects"]] == ["Tables.book"]
    assert rehearsal.json()["price"]["asked"] == "0.05 EUR"
