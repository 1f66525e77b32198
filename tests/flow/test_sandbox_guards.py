"""The sandbox runs the real guards, limits and audit: what refuses a live call refuses a sandboxed one alike."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from narrows.testing import bearer
from tests.abuse.attack import to_upstreams
from tests.flow.world import World, world

NEW = {"place_id": "node-268056325", "starts_at": "2025-12-24T12:00:00Z", "seats": 4}
BOOKINGS = "/teams/7/bookings"


def bare(answer: httpx.Response) -> tuple[int, bytes]:
    """An answer without what differs from call to call."""
    return answer.status_code, answer.content.replace(answer.json()["trace_id"].encode(), b"")


async def ask(made: World, base: str, method: str, path: str, body: Any = None, **token: Any) -> httpx.Response:
    """One request under a base path."""
    headers = bearer(made.token(**token)) if token.get("subject") != "nobody" else {}
    return await made.client.request(method, base + path, json=body, headers=headers)


REFUSED: dict[str, tuple[str, str, Any, dict[str, Any]]] = {
    "no credentials": ("GET", BOOKINGS, None, {"subject": "nobody"}),
    "another audience": ("GET", BOOKINGS, None, {"audience": "people-api"}),
    "an unknown program": ("GET", BOOKINGS, None, {"client_id": "where2eat-bff"}),
    "a token that has expired": ("GET", BOOKINGS, None, {"exp": 1_000_000_000}),
    "no scope": ("POST", BOOKINGS, NEW, {"scope": "dining:read"}),
    "no role": ("GET", "/teams/8/bookings", None, {}),
    "no role, to write": ("POST", "/teams/8/bookings", NEW, {}),
    "a path that is no number": ("GET", "/teams/07/bookings", None, {}),
    "a query that nobody declared": ("GET", f"{BOOKINGS}?more=1", None, {}),
    "a body with a wrong field": ("POST", BOOKINGS, {**NEW, "seats": 21, "team_id": 8}, {}),
    "no body": ("POST", BOOKINGS, None, {}),
    "a path that is not there": ("GET", "/teams/7/nothing", None, {}),
    "a method that is not there": ("PUT", BOOKINGS, NEW, {}),
}


@pytest.mark.parametrize("why", REFUSED)
async def test_what_is_refused_live_is_refused_alike(why: str) -> None:
    """The same status and bytes but for the trace id, and a record with the same outcome and problem."""
    method, path, body, token = REFUSED[why]
    async with world() as made:
        live = await ask(made, "", method, path, body, **token)
        shown = await ask(made, "/sandbox", method, path, body, **token)
        assert live.status_code >= 400
        assert bare(shown) == bare(live)
        one, other = made.records.calls()
        assert (one["mode"], other["mode"]) == ("live", "sandbox")
        same = ("status", "outcome", "problem", "endpoint", "method", "caller", "connector", "tenant", "rule", "domain")
        assert {name: other[name] for name in same} == {name: one[name] for name in same}
        assert to_upstreams(made) == []


@pytest.mark.parametrize("base", ["", "/sandbox"])
async def test_rates_hold(base: str) -> None:
    """Five bookings in a minute, and no sixth until the bucket has filled again."""
    async with world() as made:
        statuses = [(await ask(made, base, "POST", BOOKINGS, {**NEW, "seats": 1})).status_code for _ in range(6)]
        assert [status == 429 for status in statuses] == [False] * 5 + [True]
        made.clock.move(61)
        assert (await ask(made, base, "POST", BOOKINGS, {**NEW, "seats": 1})).status_code != 429


@pytest.mark.parametrize("base", ["", "/sandbox"])
async def test_attempts_hold_and_are_one_bucket(base: str) -> None:
    """What is denied uses up attempts too, and the attempts of the sandbox are those of all modes."""
    async with world(limits={"attempts": "4/minute"}) as made:
        statuses = [(await ask(made, base, "GET", "/teams/8/bookings")).status_code for _ in range(5)]
        assert statuses == [403] * 4 + [429]
        other = "/sandbox" if base == "" else ""
        assert (await ask(made, other, "GET", BOOKINGS)).status_code == 429


async def test_every_answer_has_its_record_and_its_rehearsal() -> None:
    """A sandboxed write is recorded with its mode, rule, domain and effect, and its rehearsal can be read."""
    async with world() as made:
        answer = await ask(made, "/sandbox", "POST", BOOKINGS, NEW)
        (record,) = made.records.calls()
        assert (record["mode"], record["status"], record["outcome"]) == ("sandbox", 201, "ok")
        assert record["rule"].startswith("role:member in team:7")
        assert (record["domain"], record["effects"], record["scopes_asked"]) == ("team:7", ["Tables.book"], [])
        link = answer.links["describedby"]["url"].removeprefix("https://bff.test")
        rehearsal = (await made.get(link)).json()
        assert (rehearsal["mode"], rehearsal["price"]["asked"]) == ("sandbox", "0.05 EUR")
        assert rehearsal["trace_id"] == record["trace_id"]


async def test_a_receipt_is_never_given() -> None:
    """Nothing that happens in the sandbox can be used for a live call."""
    async with world() as made:
        answer = await ask(made, "/sandbox", "POST", BOOKINGS, NEW)
        assert answer.status_code == 201
        assert "rehearsal-receipt" not in answer.headers


async def test_a_call_in_the_sandbox_has_its_deadline_too() -> None:
    """A handler that takes too long ends in a 504 there as it does live: see also the scenario `slow`."""
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    async with world(limits={"call_s": 3.0}, around={"sleep": sleep}) as made:
        headers = {**bearer(made.token()), "Sandbox-Scenario": "slow"}
        answer = await made.client.get(f"/sandbox{BOOKINGS}", headers=headers)
        assert (answer.status_code, waited) == (504, [3.0])
