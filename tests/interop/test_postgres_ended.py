"""What every store of ended ids promises holds in PostgreSQL, also between two machines."""

import pytest

from narrows.settings import Secret
from narrows.stores.postgres_ended import PostgresEnded
from narrows.stores.postgres_server import PostgresServer
from narrows.testing import Clock
from tests.unit.stores.promises.ended import *


@pytest.fixture
def clock():
    """The clock of a test."""
    return Clock()


@pytest.fixture
def ended(postgres, clock):
    """A store with room for three."""
    return PostgresEnded(postgres, clock, capacity=3)


async def test_two_machines_share_it(ended, postgres_url, clock):
    """What one has ended the other knows, and of both at one instant one is the first."""
    server = PostgresServer(Secret(postgres_url))
    other = PostgresEnded(server, clock, capacity=3)
    await ended.add("a", clock() + 10)
    assert await other.holds("a", clock())
    firsts = await asyncio.gather(*((ended, other)[n % 2].add("b", clock() + 10) for n in range(10)))
    assert sorted(firsts) == [False] * 9 + [True]
    await server.close()
