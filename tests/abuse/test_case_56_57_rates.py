"""Cases 56 and 57: no disguise gives a caller another bucket, and no clock refills one."""

from __future__ import annotations

import asyncio
import time

import msgspec
import pytest

from narrows.errors import QuotaExceeded
from narrows.pipeline import rate
from narrows.testing import bearer
from tests.abuse.attack import ask
from tests.flow.test_rates import LIMIT, SETTINGS, Quickly, rated
from tests.flow.world import world
from tests.unit.pipeline import calls

PATH = "/teams/7/mine"
PEERS = [f"203.0.113.{number}" for number in range(20)]
NAMES = ["x-forwarded-for", "x-real-ip", "forwarded", "true-client-ip", "x-tenant", "x-user", "x-connector", "host-id"]


async def test_case_56_no_disguise_of_one_caller_gives_another_bucket() -> None:
    """Other addresses, headers that name others, spellings of the scheme, fresh tokens, other query: one bucket."""
    async with world(bff=rated, hosts={"quick.test": Quickly()}, **SETTINGS) as w:

        async def one(number: int) -> int:
            token = w.token(jti=f"t{number}", scope=("dining:read", "dining:read dining:book")[number % 2])
            scheme = ("Bearer", "bearer", "BEARER", "bEaReR")[number % 4]
            headers = [("authorization", f"{scheme}{' ' * (1 + number % 3)}{token}")]
            headers += [(name, f"192.0.2.{number}") for name in NAMES]
            got = await ask(w.app, PATH, headers=headers, peer=PEERS[number % 20])
            return got.status

        statuses = await asyncio.gather(*(one(number) for number in range(60)))
        assert (statuses.count(200), statuses.count(429)) == (LIMIT, 60 - LIMIT)


@pytest.mark.parametrize("team", ["7", "8", "9", "%37", "07", "7 ", " 7"])
async def test_case_56_an_id_spelt_otherwise_gives_no_other_bucket(team: str) -> None:
    """Whatever the id and however it is written, the caller's rate counts it: also when it is refused."""
    async with world(bff=rated, hosts={"quick.test": Quickly()}, **SETTINGS) as w:
        token = w.token()
        for _ in range(LIMIT):
            await ask(w.app, f"/teams/{team.replace(' ', '%20')}/mine", token=token)
        assert (await ask(w.app, PATH, token=token)).status == 429


async def test_case_56_the_way_in_gives_no_other_bucket() -> None:
    """A call is counted where every way in leads, and the key of its bucket does not hold the way."""

    async def team(team_id: int) -> calls.Team:
        """Handle one call."""
        return calls.Team(id=team_id)

    endpoint = calls.declared(team, rate="1/minute")
    step = calls.made(rate, endpoint)
    await step(calls.call(endpoint))
    for way in ("graphql", "mcp", "events"):
        call = calls.call(endpoint)
        call.way = way  # type: ignore[assignment] # ways that are to come
        with pytest.raises(QuotaExceeded):
            await step(call)


async def test_case_56_another_version_or_purpose_gives_no_other_bucket() -> None:
    """Whoever changes a connector's record without an approval has no rate anew."""

    async def team(team_id: int) -> calls.Team:
        """Handle one call."""
        return calls.Team(id=team_id)

    endpoint = calls.declared(team, rate="1/minute per connector")
    step = calls.made(rate, endpoint)
    await step(calls.call(endpoint))
    with pytest.raises(QuotaExceeded):
        await step(calls.call(endpoint, program=calls.connector(version="2", purpose="another", generation=9)))


async def test_case_57_no_wall_clock_refills_a_rate() -> None:
    """Rates go by a clock that nobody sets; one that is passed in and set back gives nothing either."""
    async with world(bff=rated, hosts={"quick.test": Quickly()}, **SETTINGS) as w:
        assert [(await w.get(PATH)).status_code for _ in range(LIMIT + 1)] == [200] * LIMIT + [429]
        w.clock.move(-30)
        refused = await w.get(PATH)
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "60")
    async with world(bff=rated, around={"now": time.time}, authority={"now": time.time}, **SETTINGS) as w:
        assert w.app.plan.steady is time.monotonic


async def test_case_56_headers_of_a_refusal_name_nobody() -> None:
    """Neither the caller nor the program nor the tenant can be read from what a 429 says."""
    async with world(bff=rated, hosts={"quick.test": Quickly()}, **SETTINGS) as w:
        for _ in range(LIMIT):
            await w.client.get(PATH, headers=bearer(w.token()))
        got = await ask(w.app, PATH, token=w.token())
        said = msgspec.json.encode([got.headers, got.problem]).decode()
        assert got.status == 429
        assert not any(name in said for name in ("anna", "copilot", "example", "corp"))
