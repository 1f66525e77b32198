"""The shelf of tokens on a real Redis: its promises, its ends, and what is left when it is killed."""

import asyncio

import pytest

from narrows.settings import Secret, StoreSettings
from narrows.stores.redis_tokens import RedisShelf
from narrows.stores.servers import Servers
from narrows.upstreams.dialects import peek
from tests.unit.stores.promises.tokens import *
from tests.unit.stores.promises.tokens import KEY, marks
from tests.unit.upstreams.fake_authority import World


@pytest.fixture
async def servers(redis_peer):
    """Connections to the server, which has forgotten every token of other tests."""
    made = Servers(StoreSettings(redis=Secret(redis_peer.url)))
    await made.redis.ask("tokens", lambda redis: redis.flushdb())
    yield made
    await made.close()


@pytest.fixture
def shelf(servers):
    """An empty shelf."""
    return RedisShelf(servers.redis)


async def test_what_is_over_is_not_there_any_more(shelf, servers):
    """Redis forgets a token at its end, and remembers an epoch for longer than any token lives."""
    await shelf.put(KEY, marks(subject=1), b"sealed", 60)
    await shelf.put(KEY, [], b"short", 0.05)
    assert await shelf.get(KEY, []) == b"short"
    await asyncio.sleep(0.1)
    assert await shelf.get(KEY, []) is None
    names = await servers.redis.ask("tokens", lambda redis: redis.keys("narrows:epoch:*"))
    lives = [await servers.redis.ask("tokens", lambda redis, n=name: redis.ttl(n)) for name in names]
    assert len(lives) == 1
    assert lives[0] > 49 * 3600


async def test_two_processes_find_each_others_tokens_and_survive_its_death(shelf, redis_peer):
    """While it is away each exchanges for itself; a revocation of that time holds when it is back."""
    one = World(shelf=shelf)
    other = World(shelf=shelf, server=one.server)
    first = await one.exchange()
    assert await other.exchange() == first
    redis_peer.kill()
    assert peek((await one.exchange("bob")).reveal())["sub"] == "bob"
    assert one.events.count("away") == 1
    one.exchanger.forget_subject("corp", "alice", 1)
    assert await one.exchange() != first
    redis_peer.start()
    other.exchanger.forget_subject("corp", "alice", 1)
    assert await other.exchange() != first
    one.at += 5
    await one.exchange("carla")
    assert await other.exchange("carla") == await one.exchange("carla")
    assert one.events.count("away") == 1
