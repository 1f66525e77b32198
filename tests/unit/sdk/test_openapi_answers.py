"""What the application really answers holds against the contract that it publishes."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator, FormatChecker

from narrows import Surroundings
from narrows.devkit.authority import Api, Authority, Client, Person
from narrows.surfaces.http import Application
from narrows.testing import Clock, Network, Records, bearer, serving
from tests.unit.sdk import lunch

MEMBERS = "/teams/{team_id}/members"
BOOKINGS = "/teams/{team_id}/bookings"
BOOKING = "/bookings/{booking_id}"
FORECAST = "/forecast/{day}"

TEAM = {"id": "7", "members": [{"name": "Ann", "salary": 1}, {"name": "Bob"}]}
MADE = {"id": "b-1", "team_id": "7", "cost": {"amount": "12.50", "currency": "EUR"}}
NEW = {"at": "2027-01-02T12:00:00+01:00", "seats": 3, "guests": [{"name": "Cara"}]}
SCOPES = {"lunch-read": "Look", "lunch-book": "Book", "other": "Nothing here"}
AUDIENCES = {
    "api://directory": {"directory-read": "Read"},
    "api://tables": {"tables-read": "Read", "tables-write": "Write"},
}


def make_authority(clock: Clock) -> Authority:
    """The issuer, where Ann is a member of team 7."""
    return Authority(
        lunch.ISSUER,
        people=[Person("ann", "ann-1", {"teams": ["7"]})],
        clients=[
            Client("lunch-copilot", kind="desktop", redirect_uris=["http://127.0.0.1/"], scopes=set(SCOPES),
                   audiences=["api://lunch"]),
            Client("lunch-bff", secret="hidden-secret", kind="service", grants={"token_exchange"},
                   audience="api://lunch", may_exchange_to={name: set(scopes) for name, scopes in AUDIENCES.items()}),
        ],
        apis=[Api("api://lunch", SCOPES), *(Api(name, scopes) for name, scopes in AUDIENCES.items())],
        algorithm="ES256",
        now=clock,
        log=lambda _: None,
    )  # fmt: skip


@dataclass
class World:
    """The application, its contract, and its upstreams' answers."""

    client: httpx.AsyncClient
    authority: Authority
    directory: lunch.Answers
    tables: lunch.Answers
    contract: dict[str, Any]

    async def ask(
        self, method: str, template: str, path: str, *, scope: str | None = "lunch-read lunch-book", **how: Any
    ) -> httpx.Response:
        """Send a request as Ann (without token if `scope` is None), and hold the answer against the contract."""
        headers = how.pop("headers", {})
        if scope is not None:
            token = self.authority.issue("ann-1", how.pop("client_id", "lunch-copilot"), "api://lunch", scope)
            headers = {**bearer(token), **headers}
        answer = await self.client.request(method, path, headers=headers, **how)
        self.check(self.contract["paths"][template][method.lower()], answer)
        return answer

    def check(self, operation: dict[str, Any], answer: httpx.Response) -> None:
        """The status, the type, the headers and the schema of an answer are described."""
        response = self.resolve(operation["responses"][str(answer.status_code)])
        described = {name.lower() for name in response.get("headers", {})}
        for name in ("link", "retry-after", "www-authenticate", "ratelimit-policy", "ratelimit"):
            assert name not in answer.headers or name in described, name
        if "content" not in response:
            assert answer.content == b""
            return
        schema = response["content"][answer.headers["content-type"]]["schema"]
        full = {**schema, "components": self.contract["components"]}
        Draft202012Validator(full, format_checker=FormatChecker()).validate(answer.json())

    def resolve(self, response: dict[str, Any]) -> dict[str, Any]:
        """A response, looked up in the components where it is a reference."""
        if "$ref" not in response:
            return response
        return self.contract["components"]["responses"][response["$ref"].rpartition("/")[2]]


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """The application, served in this process."""
    clock = Clock()
    authority = make_authority(clock)
    directory = lunch.Answers(GET=(200, TEAM))
    tables = lunch.Answers(GET=(200, MADE), POST=(201, MADE), DELETE=(204, None))
    hosts = {"issuer.test": authority.app, "directory.test": directory, "tables.test": tables}
    around = Surroundings(dial=Network(hosts).dial, now=clock, write_record=Records().write)
    app = Application(lunch.make_bff(), lunch.make_settings(), around)
    async with serving(app, lunch.PUBLIC) as client:
        yield World(client, authority, directory, tables, json.loads(app.document))


async def test_answers_of_reads_and_writes_hold(world: World) -> None:
    """A list, a made object and an empty answer are what the contract says."""
    members = await world.ask("GET", MEMBERS, "/teams/7/members?limit=1&tags=quiet&tags=near")
    assert (members.status_code, members.json()) == (200, [{"name": "Ann"}])
    assert (await world.ask("POST", BOOKINGS, "/teams/7/bookings", json=NEW)).status_code == 201
    assert (await world.ask("DELETE", BOOKING, "/bookings/b-1")).status_code == 204


@pytest.mark.parametrize("base", ["/rehearse", "/sandbox"])
async def test_answers_of_rehearsals_hold(world: World, base: str) -> None:
    """A rehearsal answers with the live status and schema, and its own document is described too."""
    assert (await world.ask("GET", MEMBERS, f"{base}/teams/7/members")).status_code == 200
    booked = await world.ask("POST", BOOKINGS, f"{base}/teams/7/bookings", json=NEW)
    assert booked.status_code == 201
    link = booked.headers["link"].partition(">")[0].removeprefix(f"<{lunch.PUBLIC}")
    one = await world.ask("GET", "/rehearsals/{rehearsal_id}", link)
    assert [effect["operation"] for effect in one.json()["effects"]] == ["Tables.book"]
    newest = await world.ask("GET", "/rehearsals", f"{base}/rehearsals")
    assert len(newest.json()) == 2


@pytest.mark.parametrize("path", ["/health", "/.well-known/oauth-protected-resource", "/openapi.json"])
async def test_answers_of_what_is_public_hold(world: World, path: str) -> None:
    """Health, metadata and the contract itself need no token, and are as described."""
    answer = await world.ask("GET", path, path, scope=None)
    assert answer.status_code == 200


async def test_the_contract_that_is_served_is_the_one_that_was_made(world: World) -> None:
    """A client that reads `/openapi.json` gets the document of the plan."""
    assert (await world.client.get("/openapi.json")).json() == world.contract


REFUSED: list[tuple[int, str, str, str, dict[str, Any]]] = [
    (400, "GET", MEMBERS, "/teams/7/members?limit=99&diet=stones&unknown=1", {}),
    (400, "GET", MEMBERS, "/teams/7/members?access_token=x", {}),
    (400, "POST", BOOKINGS, "/teams/7/bookings", {"json": {"seats": 0, "more": 1}}),
    (400, "GET", "/health", "/health?x=1", {"scope": None}),
    (401, "GET", MEMBERS, "/teams/7/members", {"scope": None}),
    (401, "GET", MEMBERS, "/teams/7/members", {"scope": None, "headers": {"Authorization": "Bearer x.y.z"}}),
    (403, "GET", MEMBERS, "/teams/8/members", {}),
    (403, "GET", MEMBERS, "/teams/7/members", {"scope": "other"}),
    (403, "GET", MEMBERS, "/teams/7/members", {"client_id": "unknown"}),
    (404, "GET", "/rehearsals/{rehearsal_id}", "/rehearsals/none", {}),
    (409, "GET", MEMBERS, "/teams/7/members?order=age", {}),
    (413, "POST", BOOKINGS, "/teams/7/bookings", {"json": {**NEW, "note": "x" * 70_000}}),
    (415, "POST", BOOKINGS, "/teams/7/bookings", {"content": b"x", "headers": {"Content-Type": "text/plain"}}),
    (415, "GET", MEMBERS, "/teams/7/members", {"headers": {"Content-Encoding": "gzip"}}),
    (421, "GET", MEMBERS, "/teams/7/members", {"headers": {"Host": "else.test"}}),
]


@pytest.mark.parametrize(("status", "method", "template", "path", "how"), REFUSED)
async def test_refusals_hold(
    world: World, status: int, method: str, template: str, path: str, how: dict[str, Any]
) -> None:
    """Whatever is refused is answered with a problem that the contract lists for that endpoint."""
    answer = await world.ask(method, template, path, **how)
    assert answer.status_code == status
    assert answer.json()["remedy"]


@pytest.mark.parametrize(
    ("said", "status", "slug"),
    [
        (410, 404, "no-such-table"),
        (503, 503, "directory-away"),
        (429, 503, "unavailable"),
        (418, 502, "upstream-failed"),
    ],
)
async def test_failures_of_upstreams_hold(world: World, said: int, status: int, slug: str) -> None:
    """What an upstream answers becomes a declared problem, or one that says nothing; both are in the contract."""
    world.directory.by_method = {"GET": (said, {})}
    answer = await world.ask("GET", MEMBERS, "/teams/7/members")
    assert (answer.status_code, answer.json()["type"]) == (status, f"urn:narrows:problem:{slug}")


async def test_a_problem_of_a_write_holds(world: World) -> None:
    """A conflict that the operation declares is in the contract of the endpoint that uses it."""
    world.tables.by_method = {"POST": (409, {})}
    answer = await world.ask("POST", BOOKINGS, "/teams/7/bookings", json=NEW)
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:narrows:problem:table-taken")


async def test_a_problem_that_is_not_declared_is_a_fault(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """What the contract does not have is answered as a 500 that says nothing; the log names what to declare."""
    answer = await world.ask("GET", MEMBERS, "/teams/7/members?diet=vegan")
    assert (answer.status_code, answer.json()["type"]) == (500, "urn:narrows:problem:internal-error")
    assert "kitchen" not in answer.text
    assert "NothingVegan is not in the `problems` of lunch.members" in caplog.text


async def test_a_rate_that_is_used_up_holds(world: World) -> None:
    """The 429 carries `Retry-After` and the rates, as described."""
    for _ in range(5):
        await world.ask("POST", BOOKINGS, "/teams/7/bookings", json=NEW)
    answer = await world.ask("POST", BOOKINGS, "/teams/7/bookings", json=NEW)
    assert (answer.status_code, answer.json()["violated-policies"]) == (429, ["5/minute per connector"])
    assert int(answer.headers["retry-after"]) >= 1
