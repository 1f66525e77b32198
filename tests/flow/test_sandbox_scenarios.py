"""`Sandbox-Scenario` shows a builder the bad days of their app: under /sandbox, and nowhere else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from narrows.call import Scenario
from narrows.pipeline.scenario import SCENARIOS
from narrows.testing import Clock, bearer
from tests.abuse.attack import to_upstreams
from tests.flow.world import World, world

NEW = {"place_id": "node-268056325", "starts_at": "2025-12-24T12:00:00Z", "seats": 4}
REQUESTS: list[tuple[str, str, Any]] = [
    ("GET", "/teams/7/dining-suggestions", None),
    ("GET", "/teams/7/bookings", None),
    ("POST", "/teams/7/bookings", NEW),
    ("DELETE", "/bookings/booking-5", None),
]


class Waiting:
    """Takes the place of sleep: time passes at once."""

    def __init__(self) -> None:
        self.clock: Clock | None = None
        self.slept: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.slept.append(seconds)
        assert self.clock is not None
        self.clock.move(seconds)


@asynccontextmanager
async def waiting_world(**over: Any) -> AsyncIterator[tuple[World, Waiting]]:
    """The world, in which nobody waits."""
    waiting = Waiting()
    async with world(around={"sleep": waiting}, **over) as made:
        waiting.clock = made.clock
        yield made, waiting


async def send(
    made: World, method: str, path: str, body: Any, *scenarios: str, subject: str = "anna"
) -> httpx.Response:
    """One request with as many scenario headers as are named."""
    headers = [*bearer(made.token(subject)).items(), *(("Sandbox-Scenario", one) for one in scenarios)]
    return await made.client.request(method, path, json=body, headers=headers)


def without_trace(answer: httpx.Response) -> bytes:
    """The bytes of a problem but for its trace id."""
    return answer.content.replace(answer.json()["trace_id"].encode(), b"")


@pytest.mark.parametrize(("method", "path", "body"), REQUESTS)
async def test_slow_runs_into_the_deadline_of_the_upstream(method: str, path: str, body: Any) -> None:
    """Each endpoint answers 504 after as long as an upstream may take; a write may have happened, and is named so."""
    async with waiting_world(upstreams={name: {"deadline_s": 2.5} for name in ("people", "places", "tables")}) as (
        made,
        waiting,
    ):
        answer = await send(made, method, f"/sandbox{path}", body, "slow")
        assert (answer.status_code, answer.json()["type"]) == (504, "urn:narrows:problem:upstream-timeout")
        assert set(waiting.slept) == {2.5}
        unknown = {"POST": ["Tables.book"]}.get(method)
        assert answer.json().get("effects_unknown") == unknown
        assert (made.records.calls()[-1]["scenario"], made.records.calls()[-1]["outcome"]) == ("slow", "failed")
        assert to_upstreams(made) == []


async def test_slow_takes_no_longer_than_the_call() -> None:
    """Where the call has less time left than the upstream may take, that is how long it waits."""
    async with waiting_world(limits={"call_s": 1.0}) as (made, waiting):
        answer = await send(made, "GET", "/sandbox/teams/7/bookings", None, "slow")
        assert (answer.status_code, waiting.slept) == (504, [1.0])


@pytest.mark.parametrize(("method", "path", "body"), REQUESTS)
async def test_unavailable_is_what_an_upstream_that_is_away_gives(method: str, path: str, body: Any) -> None:
    """The same status, headers and bytes as live when nobody answers at the upstreams' addresses."""
    hosts = {f"{name}.test": httpx.MockTransport(_away) for name in ("people", "places", "tables")}
    async with waiting_world(hosts=hosts) as (made, _):
        shown = await send(made, method, f"/sandbox{path}", body, "unavailable")
        real = await send(made, method, path, body)
        assert shown.status_code == real.status_code == 503
        assert without_trace(shown) == without_trace(real)
        assert shown.headers["retry-after"] == real.headers["retry-after"]
        assert [record["scenario"] for record in made.records.calls()] == ["unavailable", None]


def _away(_: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("nobody is there")


@pytest.mark.parametrize(("method", "path", "body"), REQUESTS)
async def test_denied_is_what_a_real_denial_gives(method: str, path: str, body: Any) -> None:
    """The same bytes but for the trace id as for somebody who has no role there."""
    async with waiting_world() as (made, _):
        shown = await send(made, method, f"/sandbox{path}", body, "denied")
        stranger = "ben" if method == "DELETE" else "olga"
        real = await send(made, method, f"/sandbox{path}", body, subject=stranger)
        assert shown.status_code == real.status_code == 403
        assert without_trace(shown) == without_trace(real)
        own, _ = made.records.calls()
        assert (own["scenario"], own["outcome"], own["rule"]) == ("denied", "denied", "scenario: denied")


async def test_empty_has_no_items_and_no_optional_fields() -> None:
    """Lists are empty, a write still has its effect, and the rehearsal says that it was a bad day."""
    async with waiting_world() as (made, _):
        for _, path, _ in REQUESTS[:2]:
            answer = await send(made, "GET", f"/sandbox{path}", None, "empty")
            assert (answer.status_code, answer.json()) == (200, [])
        booked = await send(made, "POST", "/sandbox/teams/7/bookings", NEW, "empty")
        assert (booked.status_code, booked.json()["note"]) == (201, "")
        link = booked.links["describedby"]["url"].removeprefix("https://bff.test")
        rehearsal = (await made.get(link)).json()
        assert rehearsal["notes"] == ["scenario: empty"]
        assert [effect["operation"] for effect in rehearsal["effects"]] == ["Tables.book"]
        assert (await send(made, "DELETE", "/sandbox/bookings/booking-5", None, "empty")).status_code == 204


@pytest.mark.parametrize(
    "sent",
    [["Slow"], ["fast"], [""], ["slow, empty"], ["slow", "empty"], ["slow", "slow"], ["none"]],
    ids=str,
)
async def test_what_is_no_scenario_is_refused(sent: list[str]) -> None:
    """Another value, or more than one: 400, which names those that there are, and no upstream value is made up."""
    async with waiting_world() as (made, waiting):
        answer = await send(made, "GET", "/sandbox/teams/7/bookings", None, *sent)
        assert answer.status_code == 400
        (error,) = answer.json()["errors"]
        assert error["pointer"] == "/header/Sandbox-Scenario"
        assert all(f"`{name}`" in error["detail"] for name in SCENARIOS)
        assert waiting.slept == []


async def test_a_wrong_scenario_is_told_with_the_other_fields() -> None:
    """All that does not hold is named at once."""
    async with waiting_world() as (made, _):
        answer = await send(made, "GET", "/sandbox/teams/07/bookings", None, "fast")
        assert {error["pointer"] for error in answer.json()["errors"]} == {
            "/path/team_id",
            "/header/Sandbox-Scenario",
        }


@pytest.mark.parametrize("base", ["", "/rehearse"])
@pytest.mark.parametrize("scenario", [*SCENARIOS, "fast"])
async def test_elsewhere_the_header_has_no_effect(base: str, scenario: Scenario) -> None:
    """Live and in a rehearsal it is an unknown header: status, body, effects and record are as without it."""
    async with waiting_world() as (made, waiting):
        for method, path, body in REQUESTS[:3]:
            plain = await send(made, method, f"{base}{path}", body)
            later = body and {**body, "starts_at": "2025-12-25T12:00:00Z"}
            headed = await send(made, method, f"{base}{path}", later, scenario)
            assert headed.status_code == plain.status_code
            assert plain.status_code < 300
            assert headed.json().keys() == plain.json().keys() if method == "POST" else headed.json() == plain.json()
            assert made.records.calls()[-1]["scenario"] is None
            assert made.records.calls()[-1]["effects"] == made.records.calls()[-2]["effects"]
        assert made.bookings() == (2 if base == "" else 0)
        assert waiting.slept == []


@pytest.mark.parametrize("scenario", SCENARIOS)
async def test_guards_go_before_a_scenario(scenario: Scenario) -> None:
    """Without credentials, without the scope and beyond the rate the answer is that of the guard."""
    async with waiting_world() as (made, waiting):
        path, header = "/sandbox/teams/7/bookings", {"Sandbox-Scenario": scenario}
        assert (await made.client.get(path, headers=header)).status_code == 401
        bare = bearer(made.token(scope="dining:book"))
        assert (await made.client.get(path, headers={**bare, **header})).status_code == 403
        if scenario != "denied":
            assert (await send(made, "GET", "/sandbox/teams/8/bookings", None, scenario)).status_code == 403
        statuses = [(await send(made, "POST", path, NEW, scenario)).status_code for _ in range(6)]
        assert statuses[-1] == 429
        assert 429 not in statuses[:5]
        assert made.authority.exchanges == []
        assert len(waiting.slept) == (5 if scenario == "slow" else 0)


async def test_own_endpoints_know_no_scenario() -> None:
    """The list of rehearsals is read on a bad day too."""
    async with waiting_world() as (made, _):
        answer = await send(made, "GET", "/sandbox/rehearsals", None, "denied")
        assert (answer.status_code, answer.json()) == (200, [])
