import httpx
import pytest

from narrows.devkit.dev.madeup import MadeUp
from narrows.devkit.dev.madeup_memory import Memory
from tests.unit.devkit.dev.trial import Line, make_stage

BASE = "https://tables.made-up.invalid"


@pytest.fixture
def made(tmp_path):
    """The made-up upstreams of the trial BFF, as the network of a stage has them."""
    stage = make_stage(tmp_path)
    upstreams = MadeUp(stage.places.fields, stage._roles_of, lambda: 1_800_000_000.0)
    upstreams.know(stage.plan.sendables.values(), ["Directory.roles", "Directory.names"])
    return upstreams


async def ask(made, method, path, template, body=None, base=BASE, **headers):
    """One request as an operation sends it."""
    request = httpx.Request(method, base + path, json=body, headers=headers, extensions={"narrows.template": template})
    return await made.handle_async_request(request)


async def test_the_same_request_has_the_same_answer(made):
    """Data is stable by path and arguments, and differs by them."""
    one = await ask(made, "GET", "/teams/7/bookings", "/teams/{team_id}/bookings")
    two = await ask(made, "GET", "/teams/7/bookings", "/teams/{team_id}/bookings")
    other = await ask(made, "GET", "/teams/8/bookings", "/teams/{team_id}/bookings")
    day = await ask(made, "GET", "/teams/7/bookings?day=mon", "/teams/{team_id}/bookings")
    assert one.json() == two.json() != other.json()
    assert one.json() != day.json()
    assert {booking["team_id"] for booking in other.json()} == {8}


async def test_an_object_of_a_list_is_the_same_by_its_id(made):
    """Who reads a list and then one of it sees one world."""
    [first, *_] = (await ask(made, "GET", "/teams/7/bookings", "/teams/{team_id}/bookings")).json()
    found = await ask(made, "GET", f"/bookings/{first['id']}", "/bookings/{booking_id}")
    assert found.json() == first
    unknown = (await ask(made, "GET", "/bookings/b-9", "/bookings/{booking_id}")).json()
    assert (unknown["id"], unknown["team_id"]) == ("b-9", 7)


async def test_a_written_object_stays_until_it_is_deleted(made):
    """It stands in lists that fit it, and nowhere after."""
    body = {"seats": 3, "starts_at": "2027-01-01T12:00:00Z", "contact": {"name": "a"}}
    booked = (await ask(made, "POST", "/bookings?team_id=9", "/bookings", body)).json()
    assert (booked["seats"], booked["team_id"]) == (3, 9)
    listed = (await ask(made, "GET", "/teams/9/bookings", "/teams/{team_id}/bookings")).json()
    assert listed[0] == booked
    assert booked not in (await ask(made, "GET", "/teams/7/bookings", "/teams/{team_id}/bookings")).json()
    path = f"/bookings/{booked['id']}"
    assert (await ask(made, "DELETE", path, "/bookings/{booking_id}")).status_code == 204
    assert (await ask(made, "DELETE", path, "/bookings/{booking_id}")).status_code == 404
    assert (await ask(made, "GET", path, "/bookings/{booking_id}")).status_code == 404
    assert booked not in (await ask(made, "GET", "/teams/9/bookings", "/teams/{team_id}/bookings")).json()


async def test_an_id_that_was_seen_is_repeated_where_it_is_named(made):
    """A line belongs to the booking that was read before it, so that proofs of belonging hold."""
    await ask(made, "GET", "/bookings/b-5", "/bookings/{booking_id}")
    line = (await ask(made, "GET", "/lines/l-1", "/lines/{line_id}")).json()
    assert line == {"id": "l-1", "booking_id": "b-5"}


async def test_a_directory_answers_the_roles_of_the_made_up_person(made):
    """Whom the token is for decides; the BFF itself is told all of them."""
    directory = "https://directory.made-up.invalid"
    chair = "Bearer e30.eyJzdWIiOiJjaGFpciJ9.x"
    told = await ask(made, "GET", "/roles/7", "/roles/{team_id}", base=directory, authorization=chair)
    assert told.json() == {"roles": ["chair"]}
    stranger = "Bearer e30.eyJzdWIiOiJub2JvZHkifQ.x"
    told = await ask(made, "GET", "/roles/7", "/roles/{team_id}", base=directory, authorization=stranger)
    assert told.json() == {"roles": []}
    told = await ask(made, "GET", "/roles/7", "/roles/{team_id}", base=directory)
    assert told.json() == {"roles": ["The Chair", "chair", "member"]}


async def test_what_is_no_operation_is_not_found(made):
    """Nothing is made up that was not declared."""
    assert (await ask(made, "GET", "/secrets", "/secrets")).status_code == 404
    assert (await ask(made, "PATCH", "/bookings/b-1", "/bookings/{booking_id}")).status_code == 404


async def test_what_has_no_id_in_its_path_is_made_up_each_time_alike(made):
    """Only what can be found again is remembered."""
    newest = [(await ask(made, "GET", "/bookings/newest", "/bookings/newest")).json() for _ in range(2)]
    assert newest[0] == newest[1]
    body = {"seats": 3, "starts_at": "2027-01-01T12:00:00Z", "contact": {"name": "a"}}
    assert isinstance((await ask(made, "PUT", "/bookings/b-1", "/bookings/{booking_id}", body)).json(), str)
    for _ in range(2):
        assert (await ask(made, "DELETE", "/notes/n-1", "/notes/{note_id}")).status_code == 204
    directory = "https://directory.made-up.invalid"
    chair = "Bearer e30.eyJzdWIiOiJjaGFpciJ9.x"
    told = await ask(made, "GET", "/names/7", "/names/{team_id}", base=directory, authorization=chair)
    assert told.json() == ["chair"]


def test_the_oldest_is_forgotten():
    """Memory is bounded."""
    memory = Memory(most=2)
    for number in range(4):
        memory._keep(Line(id=str(number), booking_id="b"), written=True)
    assert [identity for _, identity in memory._kept] == ["2", "3"]


async def test_what_is_no_object_is_made_up_and_not_remembered(made):
    """A list of texts has no ids to find it by."""
    made.know([], [])
    directory = "https://directory.made-up.invalid"
    told = [(await ask(made, "GET", "/names/7", "/names/{team_id}", base=directory)).json() for _ in range(2)]
    assert told[0] == told[1]
    assert all(isinstance(name, str) for name in told[0])
