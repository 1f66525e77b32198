"""Rates hold when everybody comes at once, and count for whom they say."""

from __future__ import annotations

import asyncio
from collections import Counter

import httpx
import pytest

from narrows import Answer, Bff, Narrow, NumberId, Upstream, read
from narrows.testing import bearer
from tests.flow.world import World, world

LIMIT = 7


class Line(Narrow):
    """What the upstream tells."""

    name: str = ""


class Quick(Upstream):
    """Answers at once."""

    @read("/line", asks="profiles:read")
    def line(self) -> Answer[Line]: ...


rated = Bff(
    "rated",
    version="1.0.0",
    owner="lunch-tools@example.com",
    purpose="Count",
    exposure="internal",
    sensitivity="internal",
    importance="low",
    review_by="2027-05-01",
)
_BOUND = {"roles": {"member"}, "within": "team:{team_id}", "scope": "dining:read", "uses": [Quick.line]}


@rated.read("/teams/{team_id}/mine", rate=f"{LIMIT}/minute", **_BOUND)
async def mine(team_id: NumberId) -> Line:
    """Counted for each caller."""
    return await Quick.line()


@rated.read("/teams/{team_id}/programs", rate=f"{LIMIT}/minute per connector", **_BOUND)
async def programs(team_id: NumberId) -> Line:
    """Counted for each connector."""
    return await Quick.line()


@rated.read("/teams/{team_id}/tenants", rate=f"{LIMIT}/minute per tenant", **_BOUND)
async def tenants(team_id: NumberId) -> Line:
    """Counted for each tenant."""
    return await Quick.line()


@rated.read("/teams/{team_id}/both", rate=[f"{LIMIT}/minute", "2/second per tenant"], **_BOUND)
async def both(team_id: NumberId) -> Line:
    """Counted twice."""
    return await Quick.line()


class Quickly:
    """The upstream, which gives way before it answers, so that all calls are under way together."""

    def __init__(self) -> None:
        self.count = 0

    async def __call__(self, scope: object, receive: object, send: object) -> None:
        self.count += 1
        await asyncio.sleep(0)
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})  # type: ignore[operator] # ASGI
        await send({"type": "http.response.body", "body": b"{}"})  # type: ignore[operator] # ASGI


SETTINGS = {
    "upstreams": {"quick": {"url": "https://quick.test", "audience": "people-api"}},
    "limits": {"attempts": "100000/minute"},
    "connectors": {
        "page": {
            "issuer": "corp",
            "client_id": "where2eat-page",
            "tenant": "example",
            "kind": "low-code",
            "state": "live",
        },
        "else": {"issuer": "corp", "client_id": "nightly", "tenant": "elsewhere", "kind": "copilot", "state": "live"},
        "nightly": {"issuer": "corp", "client_id": "unused", "tenant": "example", "kind": "service", "state": "live"},
    },
}
CALLERS = ["anna", "ben", "chloe"]
PROGRAMS = ["where2eat-copilot", "where2eat-page", "nightly"]


async def rush(made: World, path: str, times: int = 20) -> Counter[tuple[str, str]]:
    """Everybody with every program, all at once; how many passed of each."""
    passed: Counter[tuple[str, str]] = Counter()

    async def one(caller: str, program: str, token: str) -> None:
        answer: httpx.Response = await made.client.get(f"/teams/7/{path}", headers=bearer(token))
        assert answer.status_code in (200, 429)
        if answer.status_code == 200:
            passed[caller, program] += 1
        else:
            assert 1 <= int(answer.headers["retry-after"]) <= 60

    who = [(c, p, made.token(c, client_id=p)) for c in CALLERS for p in PROGRAMS]
    await asyncio.gather(*(one(*each) for _ in range(times) for each in who))
    return passed


@pytest.mark.parametrize(
    ("path", "whose"),
    [
        ("mine", lambda caller, program: (caller, program)),
        ("programs", lambda _, program: program),
        ("tenants", lambda _, program: program == "nightly"),
    ],
    ids=["per caller", "per connector", "per tenant"],
)
async def test_exactly_the_limit_passes(path: str, whose: object) -> None:
    """Of many parallel requests exactly the limit passes for each caller, connector or tenant, always in its tenant."""
    host = Quickly()
    async with world(bff=rated, hosts={"quick.test": host}, **SETTINGS) as made:
        passed: Counter[object] = Counter()
        for (caller, program), count in (await rush(made, path)).items():
            passed[whose(caller, program)] += count  # type: ignore[operator] # one of the lambdas above
        assert set(passed.values()) == {LIMIT}
        assert len(passed) == {"mine": 9, "programs": 3, "tenants": 2}[path]
        assert host.count == passed.total()


async def test_the_rate_comes_back_with_time() -> None:
    """After the time that `Retry-After` names a request passes again, and not before."""
    async with world(bff=rated, hosts={"quick.test": Quickly()}, **SETTINGS) as made:
        for _ in range(LIMIT):
            assert (await made.get("/teams/7/mine")).status_code == 200
        refused = await made.get("/teams/7/mine")
        assert refused.status_code == 429
        assert refused.json()["violated-policies"] == [f"{LIMIT}/minute per caller"]
        made.clock.move(int(refused.headers["retry-after"]))
        assert (await made.get("/teams/7/mine")).status_code == 200


async def test_what_one_rate_refuses_costs_nothing_at_the_other() -> None:
    """With two rates a request passes both or takes from neither."""
    async with world(bff=rated, hosts={"quick.test": Quickly()}, **SETTINGS) as made:
        statuses = [(await made.get("/teams/7/both")).status_code for _ in range(10)]
        assert statuses == [200, 200, *[429] * 8]
        passed = 2
        for _ in range(LIMIT):
            made.clock.move(1)
            passed += (await made.get("/teams/7/both")).status_code == 200
        assert passed >= LIMIT


async def test_denied_requests_count_too() -> None:
    """Somebody who tries other teams uses up the own rate, so that ids cannot be tried without end."""
    async with world(bff=rated, hosts={"quick.test": Quickly()}, **SETTINGS) as made:
        statuses = [(await made.get(f"/teams/{100 + number}/mine")).status_code for number in range(20)]
        assert statuses == [403] * LIMIT + [429] * (20 - LIMIT)
