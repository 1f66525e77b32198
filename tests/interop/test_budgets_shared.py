"""Two applications that share a server share their budgets: together they spend what there is, and not a cent more."""

import asyncio
from collections import Counter

import pytest

from narrows.settings import Secret
from narrows.testing import bearer
from tests.flow.programs import allow_open_writes
from tests.flow.spending import KEY, spending

CENT = 10_000


@pytest.fixture(params=["redis", "postgres"])
async def stores(request, monkeypatch):
    """The settings of stores on a server; the tenant is the test's own, so that no other has spent of its budgets."""
    allow_open_writes(monkeypatch)
    peer = request.getfixturevalue(f"{request.param}_peer")
    return {"budgets": f"{request.param}:", request.param: Secret(peer.url), "key": KEY}


async def test_two_applications_spend_the_last_cents_together(stores, tmp_path):
    """Of sixty calls to both at once exactly as many are sent as are affordable, and what they answer is one volume."""
    record = {"tenant": "shared", "budgets": ["0.42 EUR/day"], "volumes": ["1000 records/day"]}
    over = {"over": {"stores": stores, "upstreams": {"shop": {"url": "https://shop.test", "audience": "people-api"}}}}
    async with (
        spending(tmp_path, record=record, **over) as one,
        spending(tmp_path, record=record, **over) as other,
    ):

        async def order(number):
            made = (one, other)[number % 2].made
            return (await made.client.post("/teams/7/orders", json={}, headers=bearer(made.token()))).status_code

        assert Counter(await asyncio.gather(*(order(number) for number in range(60)))) == {200: 7, 402: 53}
        sent = one.host.got + other.host.got
        assert sent.count("POST /orders") == 7
        assert await one.used() == await other.used() == {"0.42 EUR/day": 42 * CENT, "1000 records/day": 7}
        assert len(one.events() + other.events()) == 2, "soft and hard, once for both"


async def test_while_the_server_is_away_nothing_is_spent(stores, tmp_path, request):
    """What costs is a 503 and not sent; when the server is there again, it goes on with what was used."""
    record = {"tenant": "away", "budgets": ["1.00 EUR/day"]}
    over = {"over": {"stores": stores, "upstreams": {"shop": {"url": "https://shop.test", "audience": "people-api"}}}}
    peer = request.getfixturevalue(f"{stores['budgets'].rstrip(':')}_peer")
    async with spending(tmp_path, record=record, **over) as made:
        assert (await made.made.get("/teams/7/item")).status_code == 200
        await asyncio.to_thread(peer.kill)
        sent = len(made.host.got)
        assert (await made.made.get("/teams/7/item")).status_code == 503
        assert len(made.host.got) == sent
        assert (await made.made.get("/teams/7/items")).status_code == 200
        await asyncio.to_thread(peer.start)
        for _ in range(200):
            if (await made.made.get("/teams/7/item")).status_code == 200:
                break
            await asyncio.sleep(0.05)  # another program's return can only be waited for
        assert await made.used() == {"1.00 EUR/day": 2 * CENT}
