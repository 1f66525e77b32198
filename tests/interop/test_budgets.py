"""Budgets on real servers: the body of promises and the machine of the unit tests, and what only a server can do."""

import asyncio
import itertools
from contextlib import suppress

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from narrows.errors import Unavailable
from narrows.settings import Secret, StoreSettings
from narrows.stores.budgets import Charge
from narrows.stores.postgres_budgets import PostgresBudgets
from narrows.stores.redis_budgets import RedisBudgets
from narrows.stores.servers import Servers
from tests.interop.servers import PAUSE_S
from tests.unit.stores.promises.budgets import DAY_S, NOON, Promises, Spending, account, at_noon, used

NUMBERS = itertools.count()
CLEAR = "TRUNCATE narrows_budgets, narrows_reservations"


class Peers:
    """Opens stores on one server; each has its own connections, as a process would."""

    def __init__(self, peer, kind):
        self.peer, self.kind = peer, kind
        self.servers = []
        self.prefix = f"test{next(NUMBERS)}"

    def open(self, clock):
        """A store of a process of its own."""
        url = Secret(self.peer.url)
        servers = Servers(StoreSettings(redis=url, postgres=url))
        self.servers.append(servers)
        if self.kind == "redis":
            return RedisBudgets(servers.redis, clock, prefix=self.prefix)
        return PostgresBudgets(servers.postgres, clock)

    async def clear(self):
        """Nothing is used of anything, and nothing is open."""
        if self.kind == "redis":
            self.prefix = f"test{next(NUMBERS)}"
        elif self.servers:
            async with self.servers[0].postgres.transaction("budgets") as connection:
                await connection.execute(CLEAR)
        await self.close()

    async def close(self):
        """End all connections."""
        for servers in self.servers:
            await servers.close()
        self.servers.clear()


@pytest.fixture(params=["redis", "postgres"])
async def peers(request):
    """The servers of both kinds."""
    made = Peers(request.getfixturevalue(f"{request.param}_peer"), request.param)
    yield made
    await made.clear()


class TestServers(Promises):
    """What every engine promises, on both servers."""

    @pytest.fixture
    def opened(self, clock, peers):
        """A store as a process of its own has it."""
        return lambda: peers.open(clock)


class ServerSpending(Spending):
    """The machine on a server; a restart is one of the process."""

    peers = None

    @classmethod
    async def opened(cls, clock, fresh):
        await (cls.peers.clear() if fresh else cls.peers.close())
        return cls.peers.open(clock)

    def teardown(self):
        """Its connections end with its loop."""
        if self.store is not None:
            self.run(type(self).peers.clear())
        super().teardown()


@pytest.mark.parametrize("kind", ["redis", "postgres"])
def test_whatever_happens_a_server_never_overspends(request, kind):
    """Store and books agree at every step."""
    ServerSpending.peers = Peers(request.getfixturevalue(f"{kind}_peer"), kind)
    few = settings(max_examples=10, stateful_step_count=20, deadline=None)
    run_state_machine_as_test(ServerSpending, settings=few)


async def when_back(store, *accounts):
    """What is used, as soon as the server is found again: who looks for it waits longer and longer."""
    for _ in range(200):
        with suppress(Unavailable):
            return await used(store, *accounts)
        await asyncio.sleep(PAUSE_S)  # another program's return can only be waited for
    raise AssertionError("the server is not found again")


class Spenders:
    """Many who spend a cent at a time. Who was refused the answer does not know whether it was granted."""

    def __init__(self, stores, cents):
        self.stores, self.cents = stores, cents
        self.granted = self.refused = self.unknown = 0
        self.names = itertools.count()
        self.enough = asyncio.Event()

    async def spend(self, store):
        """Reserve a cent, and spend it."""
        name, charges = f"r{next(self.names)}", [Charge(self.cents, 1)]
        try:
            verdict = await store.reserve(name, charges, NOON + 15)
        except Unavailable:
            self.unknown += 1
            return
        self.granted += verdict.granted
        self.refused += not verdict.granted
        if self.granted % 60 == 0:
            self.enough.set()
        with suppress(Unavailable):
            await store.settle(name, charges, 1)

    async def until(self, event):
        """Spend all the while."""

        async def spender(store):
            while not event.is_set():
                await self.spend(store)

        await asyncio.gather(*(spender(store) for store in self.stores for _ in range(4)))


async def test_a_kill_under_load_spends_nothing_twice(peers):
    """What was granted before the kill is counted after it, and no more than the limit is ever granted."""
    clock, cents = at_noon(), account("killed", 300)
    stores = [peers.open(clock) for _ in range(2)]
    spenders = Spenders(stores, cents)
    for _ in range(2):
        stop = asyncio.Event()
        spenders.enough.clear()
        load = asyncio.create_task(spenders.until(stop))
        await spenders.enough.wait()
        await asyncio.to_thread(peers.peer.kill)
        stop.set()
        await load
        await asyncio.to_thread(peers.peer.start)
        (spent,) = await when_back(stores[0], cents)
        assert spenders.granted <= spent <= spenders.granted + spenders.unknown
    while not spenders.refused:
        await asyncio.gather(*(spenders.spend(store) for store in stores for _ in range(8)))
    assert await when_back(stores[1], cents) == [300]
    assert 300 - spenders.unknown <= spenders.granted <= 300


async def test_a_server_that_is_away_refuses(peers):
    """Nothing is spent on a guess, and it goes on when the server is there again."""
    store, one = peers.open(at_noon()), account("away", 10)
    await store.count([Charge(one, 1)])
    peers.peer.kill()
    for asked in (
        lambda: store.reserve("r1", [Charge(one, 1)], NOON + 15),
        lambda: store.count([Charge(one, 1)]),
        lambda: store.settle("r1", [Charge(one, 1)], 0),
        lambda: store.standing([one]),
    ):
        with pytest.raises(Unavailable, match="store of budgets is away"):
            await asked()
    peers.peer.start()
    assert await when_back(store, one) == [1]


@pytest.mark.parametrize(
    "bad",
    [
        {"appendonly": "no"},
        {"maxmemory": "100mb", "maxmemory-policy": "volatile-lru"},
        {"maxmemory": "100mb", "maxmemory-policy": "allkeys-lfu"},
    ],
    ids=lambda bad: next(reversed(bad.values())),
)
async def test_a_redis_that_forgets_is_refused(redis_peer, bad):
    """Its restart, or whoever fills its memory, would refill budgets."""
    peers = Peers(redis_peer, "redis")
    store, one = peers.open(at_noon()), account("forgotten", 10)
    redis = peers.servers[0].redis

    async def put(values):
        for name, value in values.items():
            await redis.ask("settings", lambda client, name=name, value=value: client.config_set(name, value))

    await put(bad)
    try:
        with pytest.raises(Unavailable, match="store of budgets is away"):
            await store.count([Charge(one, 1)])
    finally:
        await put({"appendonly": "yes", "maxmemory": "0"})
    assert (await store.count([Charge(one, 1)])).granted
    await put({"maxmemory-policy": "noeviction"})
    await peers.close()


async def test_what_has_long_ended_is_forgotten(postgres_peer):
    """PostgreSQL keeps an account for more than a year, and a reservation for a minute."""
    clock = at_noon()
    peers = Peers(postgres_peer, "postgres")
    store, old, new = peers.open(clock), account("old", 10), account("new", 10)
    await store.reserve("r1", [Charge(old, 1)], NOON + 15)
    clock.move(402 * DAY_S)
    await store.count([Charge(new, 1)])
    async with peers.servers[0].postgres.transaction("budgets") as connection:
        found = await (await connection.execute("SELECT name FROM narrows_budgets")).fetchall()
        assert found == [("new",)]
        assert await (await connection.execute("SELECT id FROM narrows_reservations")).fetchall() == []
    await peers.clear()
