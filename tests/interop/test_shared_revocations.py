"""Revocations in a real PostgreSQL: their promises, and what its death does not take away."""

import pytest

from narrows.errors import Unavailable
from narrows.settings import Secret, StoreSettings
from narrows.stores.postgres_revoked import PostgresRevoked
from narrows.stores.servers import Servers
from narrows.testing import Clock
from tests.unit.stores.promises.revoked import *
from tests.unit.stores.promises.revoked import subject


@pytest.fixture
def clock():
    """The clock of a test."""
    return Clock()


@pytest.fixture
async def servers(postgres_peer):
    """Connections to the server, which has no table of other tests."""
    made = Servers(StoreSettings(postgres=Secret(postgres_peer.url)))
    async with made.postgres.transaction("revocations") as connection:
        await connection.execute("DROP TABLE IF EXISTS narrows_revoked")
    yield made
    await made.close()


@pytest.fixture
async def revoked(servers, clock):
    """A store with room for three."""
    store = PostgresRevoked(servers.postgres, clock, bytes(32), capacity=3)
    yield store
    await store.close()


async def test_what_was_revoked_outlives_the_death_of_the_server(revoked, clock, postgres_peer):
    """While it is away nobody is let in on what was known; then it is there, under its number."""
    number = await revoked.add(subject("anna", clock))
    postgres_peer.kill()
    with pytest.raises(Unavailable):
        await revoked.since(0)
    with pytest.raises(Unavailable):
        await revoked.add(subject("ben", clock))
    postgres_peer.start()
    assert await revoked.since(0) == [(number, subject("anna", clock))]
    assert await revoked.add(subject("ben", clock)) > number
