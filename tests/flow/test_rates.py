"""Rates hold when everybody comes at once, and count for whom they say."""

from __future__ import annotations

import asyncio
from collections import Counter
from itertools import islice

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


@rated.read("/teams/{team_id}/at-once", rate=["3 concurrent per connector", "1000/minute"], **_BOUND)
async def at_once(team_id: NumberId) -> Line:
    """Counted while it is under way."""
    return await Quick.line()


@rated.read("/teams/{team_id}/everybody", rate=f"{LIMIT}/minute per endpoint", **_BOUND)
async def everybody(team_id: NumberId) -> Line:
    """Counted for all together."""
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
        ("everybody", lambda *_: None),
    ],
    ids=["per caller", "per connector", "per tenant", "per endpoint"],
)
async def test_exactly_the_limit_passes(path: str, whose: object) -> None:
    """Of many parallel requests exactly the limit passes for each caller, connector, tenant or endpoint."""
    host = Quickly()
    async with world(bff=rated, hosts={"quick.test": host}, **SETTINGS) as made:
        passed: Counter[object] = Counter()
        for (caller, program), count in (await rush(made, path)).items():
            passed[whose(caller, program)] += count  # type: ignore[operator] # one of the lambdas above
        assert set(passed.values()) == {LIMIT}
        assert len(passed) == {"mine": 9, "programs": 3, "tenants": 2, "everybody": 1}[path]
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


class Slowly(Quickly):
    """The upstream, which answers when it may, and tells how many wait."""

    def __init__(self) -> None:
        super().__init__()
        self.go = asyncio.Event()
        self.waiting = 0
        self.most = 0

    async def __call__(self, scope: object, receive: object, send: object) -> None:
        self.waiting += 1
        self.most = max(self.most, self.waiting)
        await self.go.wait()
        self.waiting -= 1
        await super().__call__(scope, receive, send)


async def test_never_more_are_under_way_than_the_rate_says() -> None:
    """Exactly so many wait for the upstream at once; the others read when to come again, and later they may."""
    host = Slowly()
    async with world(bff=rated, hosts={"quick.test": host}, **SETTINGS) as made:
        calls = [asyncio.ensure_future(made.get("/teams/7/at-once")) for _ in range(20)]
        refused = [await call for call in islice(asyncio.as_completed(calls), 17)]
        assert {answer.status_code for answer in refused} == {429}
        assert {answer.json()["violated-policies"][0] for answer in refused} == {"3 concurrent per connector"}
        assert {answer.headers["retry-after"] for answer in refused} == {"1"}
        host.go.set()
        statuses = [(await call).status_code for call in calls]
        assert (statuses.count(200), host.most) == (3, 3)
        again = [(await made.get("/teams/7/at-once")).status_code for _ in range(5)]
        assert again == [200] * 5


@pytest.mark.parametrize("mode", ["", "/rehearse", "/sandbox"])
async def test_answers_tell_what_is_left_in_every_mode(mode: str) -> None:
    """And the 429 tells what is used up, under the name that the answers had for it; the sandbox has its own bucket."""
    async with world(bff=rated, hosts={"quick.test": Quickly()}, **SETTINGS) as made:
        policies, left = set(), []
        for _ in range(LIMIT):
            answer = await made.get(f"{mode}/teams/7/mine")
            policies.add(answer.headers["ratelimit-policy"])
            left.append(answer.headers["ratelimit"])
        [policy] = policies
        name, _, key = policy.partition(";q=7;w=60;pk=")
        assert name == '"7/minute per caller"'
        assert left == [f"{name};r={LIMIT - 1 - n};t=60;pk={key}" for n in range(LIMIT)]
        refused = await made.get(f"{mode}/teams/7/mine")
        assert refused.headers["ratelimit"] == f"{name};r=0;t=60;pk={key}"
        assert refused.json()["violated-policies"] == [name.strip('"')]
        record = made.records.all()[-1]
        assert (record["event"], record["rule"]) == ("call", "rate 7/minute per caller")
        events = [record for record in made.records.all() if record["event"] == "limit"]
        assert [(e["what"], e["rule"], e["trace_id"]) for e in events] == [
            ("breached", "7/minute per caller", record["trace_id"])
        ]


async def test_a_rehearsal_shows_what_the_rates_leave() -> None:
    """What runs at once is told as it is when the rehearsal has ended, and what others share is not told."""
    async with world(bff=rated, hosts={"quick.test": Quickly()}, **SETTINGS) as made:
        for path, rates in {
            "at-once": [("3 concurrent per connector", 3), ("1000/minute per caller", 999)],
            "both": [(f"{LIMIT}/minute per caller", LIMIT - 1), ("2/second per tenant", None)],
        }.items():
            answer = await made.get(f"/rehearse/teams/7/{path}")
            document = (await made.get(answer.headers["link"].partition(">")[0][1:].partition("bff.test")[2])).json()
            assert document["rates"] == [{"rate": rate, "remaining": remaining} for rate, remaining in rates]
