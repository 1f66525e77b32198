"""What every store of rehearsals promises holds in PostgreSQL, and what only several machines ask for."""

import asyncio

import pytest

from narrows.settings import Secret
from narrows.stores.postgres_rehearsals import PostgresRehearsals
from narrows.stores.postgres_server import PostgresServer
from narrows.stores.rehearsals import Bounds
from tests.unit.stores.conftest import Clock
from tests.unit.stores.promises.rehearsals import *


@pytest.fixture
def clock():
    """The clock of a test."""
    return Clock()


@pytest.fixture
def make(postgres, clock):
    """Opens stores in one place."""
    return lambda **bounds: PostgresRehearsals(postgres, clock, 60, KEY, bounds=Bounds(**bounds))


async def test_two_machines_share_it(make, postgres_url, clock):
    """Puts side by side all arrive, for both; and the bound is that of all."""
    store = make(per_owner=30)
    server = PostgresServer(Secret(postgres_url))
    stores = [store, PostgresRehearsals(server, clock, 60, KEY, bounds=Bounds(per_owner=30))]
    await asyncio.gather(*(stores[number % 2].put(f"r{number}", ANN, b"document") for number in range(40)))
    assert [len(await one.newest(ANN, 100)) for one in stores] == [30, 30]
    await server.close()


async def test_nothing_in_the_table_can_be_read(make, postgres, postgres_peer, postgres_url, clock):
    """Neither documents nor owners, and another key opens nothing."""
    owner = Owner("canary-tenant", "https://canary-issuer.example.com", "canary-subject", "canary-connector")
    await make().put("r1", owner, b"canary-document")
    content = repr(postgres_peer.ask("SELECT * FROM narrows_rehearsals", postgres_url))
    assert "'r1'" in content
    assert "canary" not in content
    stranger = PostgresRehearsals(postgres, clock, 60, bytes(32))
    assert await stranger.get("r1", owner) is None
    assert await stranger.newest(owner, 10) == []


@pytest.mark.parametrize(
    "change",
    [
        "sealed = (SELECT sealed FROM narrows_rehearsals WHERE id = 'r2')",
        "expires = expires + 1000",
        "sealed = 'x'",
        "owner = (SELECT owner FROM narrows_rehearsals WHERE id = 'r2')",
    ],
)
async def test_rows_cannot_be_changed_or_swapped(make, postgres_peer, postgres_url, change):
    """Who can write the table can give nobody another's document, and no document a longer life."""
    store, bob = make(), OTHERS[2]
    await store.put("r1", ANN, b"of ann")
    await store.put("r2", bob, b"of bob")
    postgres_peer.ask(f"UPDATE narrows_rehearsals SET {change} WHERE id = 'r1'", postgres_url)
    assert await store.get("r1", ANN) is None
    assert await store.get("r1", bob) is None
    assert await store.newest(ANN, 10) == []
    assert await store.newest(bob, 10) == [b"of bob"]
