"""What every store of revocations promises holds in PostgreSQL, also between two machines."""

import asyncio

import pytest

from narrows.errors import Unavailable
from narrows.settings import Secret
from narrows.stores.postgres_revoked import PostgresRevoked
from narrows.stores.postgres_server import PostgresServer
from narrows.testing import Clock
from tests.interop.servers import back
from tests.unit.stores.promises.revoked import *

KEY = bytes(32)


@pytest.fixture
def clock():
    """The clock of a test."""
    return Clock()


@pytest.fixture
def revoked(postgres, clock):
    """A store with room for three."""
    return PostgresRevoked(postgres, clock, KEY, capacity=3)


async def test_whoever_reads_on_from_a_number_misses_nothing(postgres, postgres_url, clock):
    """Two machines add side by side; what has a lower number than one that was read, was read too."""
    server = PostgresServer(Secret(postgres_url))
    stores = [PostgresRevoked(one, clock, KEY) for one in (postgres, server)]
    adding = asyncio.gather(*(stores[n % 2].add(subject(f"s{n}", clock)) for n in range(40)))
    read = []
    while not adding.done():
        read += await stores[0].since(read[-1][0] if read else 0)
    read += await stores[0].since(read[-1][0] if read else 0)
    assert [number for number, _ in read] == sorted(await adding)
    await server.close()


async def test_who_was_revoked_is_sealed(revoked, postgres, postgres_peer, postgres_url, clock):
    """The table does not say it, and with another key nothing is guessed."""
    await revoked.add(subject("canary", clock))
    assert "canary" not in repr(postgres_peer.ask("SELECT * FROM narrows_revoked", postgres_url))
    with pytest.raises(Unavailable, match="cannot be read"):
        await PostgresRevoked(postgres, clock, b"o" * 32).since(0)


async def test_what_was_revoked_outlives_the_death_of_the_server(revoked, clock, postgres_peer):
    """While it is away nobody is let in on what was known; then it is there, under its number."""
    number = await revoked.add(subject("anna", clock))
    postgres_peer.kill()
    for asked in (revoked.since(0), revoked.add(subject("ben", clock))):
        with pytest.raises(Unavailable):
            await asked
    postgres_peer.start()
    assert await back(lambda: revoked.since(0)) == [(number, subject("anna", clock))]
    assert await revoked.add(subject("ben", clock)) > number
