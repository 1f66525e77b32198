"""Four workers before a real Redis and a real PostgreSQL, under load: what is counted is exact, and nothing is lost."""

import asyncio
from collections import Counter
from decimal import Decimal

import pytest

from tests.interop.fleet import CONNECTIONS, WORKERS, Fleet, until
from tests.interop.loaded import ALLOWED, PRICE

TARGET = "tests.interop.loaded:bff"


@pytest.fixture
async def started(tmp_path, redis_peer, postgres_peer):
    """Starts four workers with a budget a day, and ends them."""
    made = []

    async def start(budget):
        fleet = Fleet(tmp_path, redis_peer, postgres_peer, (f"{budget} EUR/day",))
        made.append(fleet)
        await fleet.start()
        return fleet

    yield start
    for fleet in made:
        fleet.close()


def calls(records):
    """The records of calls, by endpoint and status."""
    return Counter((one["endpoint"], one["status"]) for one in records if one["event"] == "call")


def euros(text):
    """An amount of euros."""
    amount, _, currency = text.partition(" ")
    assert currency == "EUR"
    return Decimal(amount)


def is_paid(fleet, path, at_most):
    """All that reached the upstream is paid, and beside it no more than was on its way."""
    reached = fleet.world.reached[path]
    assert reached * PRICE <= euros(fleet.spent()) <= min(at_most, (reached + CONNECTIONS) * PRICE)


async def test_rates_budgets_and_the_tree_are_exact_under_load(started):
    """Of each exactly what is allowed passes, whichever worker is asked, and each answer has its record."""
    fleet = await started("2.00")
    counted = fleet.load("/counted", each=20)
    assert counted.statuses == {"200": ALLOWED, "429": CONNECTIONS * 20 - ALLOWED}
    assert fleet.world.reached["counted"] == ALLOWED
    priced = fleet.load("/priced", each=15)
    affordable = int(Decimal("2.00") / PRICE)
    assert priced.statuses == {"200": affordable, "402": CONNECTIONS * 15 - affordable}
    assert fleet.world.reached["priced"] == affordable
    assert euros(fleet.spent()) == 2
    free = fleet.load("/free", each=25)
    assert free.statuses == {"200": CONNECTIONS * 25}
    assert len(counted.workers + priced.workers + free.workers) > 1
    assert fleet.stop() == 0
    records = await fleet.records()
    assert calls(records) == {
        ("loaded.counted", 200): ALLOWED,
        ("loaded.counted", 429): CONNECTIONS * 20 - ALLOWED,
        ("loaded.priced", 200): affordable,
        ("loaded.priced", 402): CONNECTIONS * 15 - affordable,
        ("loaded.free", 200): CONNECTIONS * 25,
    }
    assert fleet.narrows("audit", "verify", TARGET)


async def test_a_worker_that_is_killed_loses_no_record_and_spends_nothing_twice(started):
    """Killed while it writes: each write that a client was told of is in the log, and all that left is paid."""
    fleet = await started("1000.00")
    killed = []

    def kill():
        until(lambda: fleet.world.reached["written"] > 50, "writes")
        killed.append(fleet.kill_one())

    written = fleet.load("/written", method="POST", meanwhile=kill)
    assert written.statuses.keys() == {"200"}
    until(lambda: len(fleet.workers()) == WORKERS, "the worker that takes its place")
    assert f"worker {killed[0]} ended (signal SIGKILL)" in fleet.said()
    assert fleet.load("/free", each=10).statuses == {"200": CONNECTIONS * 10}
    fleet.stop()
    recorded = calls(await fleet.records())
    reached = fleet.world.reached["written"]
    assert written.statuses["200"] <= recorded["loaded.written", 200] <= reached
    assert recorded["loaded.free", 200] == CONNECTIONS * 10
    is_paid(fleet, "written", Decimal(1000))
    assert fleet.narrows("audit", "verify", TARGET)


async def test_redis_is_killed_under_load_and_comes_back(started, redis_peer):
    """What costs is refused meanwhile, what does not goes on; then all go on by themselves, and nothing is refilled."""
    fleet = await started("6.00")
    seen = {}

    def outage():
        until(lambda: fleet.world.reached["priced"] > 50, "calls that cost")
        redis_peer.kill()
        try:
            before = fleet.world.reached["priced"]
            seen["away"] = fleet.load("/free", seconds=3).statuses
            seen["spent meanwhile"] = fleet.world.reached["priced"] - before
        finally:
            redis_peer.start()
        until(lambda: fleet.world.reached["priced"] > before + CONNECTIONS, "calls that cost, again")

    priced = fleet.load("/priced", seconds=20, meanwhile=outage)
    assert seen["away"].keys() == {"200"}
    assert seen["spent meanwhile"] <= CONNECTIONS
    assert priced.statuses["503"] > 0
    assert priced.statuses["200"] <= fleet.world.reached["priced"] <= Decimal(6) / PRICE
    assert priced.statuses["402"] > 0
    is_paid(fleet, "priced", Decimal(6))
    again = fleet.load("/free", each=10)
    assert again.statuses == {"200": CONNECTIONS * 10}
    assert fleet.stop() == 0
    assert fleet.narrows("audit", "verify", TARGET)
    assert "the store of" in fleet.said()


async def test_what_is_revoked_is_felt_by_every_worker_within_a_second(started):
    """By a command beside them: whichever worker is asked, the token holds no more."""
    fleet = await started("2.00")
    assert fleet.load("/free", each=5).statuses == {"200": CONNECTIONS * 5}
    token = fleet.world.token()
    fleet.narrows("revoke", TARGET, "corp", "anna", "--by", "dana@example.com")
    await asyncio.sleep(1)
    assert fleet.load("/free", each=5, token=token).statuses == {"401": CONNECTIONS * 5}
    assert fleet.stop() == 0
    revoked = [one for one in await fleet.records() if one.get("what") == "revoked"]
    assert [(one["event"], one["by"]) for one in revoked] == [("grant", "dana@example.com")]
