"""The shared stores' servers are real: they answer, are away when they are killed, and are there again afterwards."""

import pytest

from narrows.errors import Unavailable
from narrows.settings import Secret, StoreSettings
from narrows.stores.servers import Servers


async def test_redis_is_asked_and_its_absence_is_told(redis_peer) -> None:
    """What fails is `Unavailable`, and the next question after the server's return is answered."""
    servers = Servers(StoreSettings(redis=Secret(redis_peer.url)))
    assert await servers.redis.ask("numbers", lambda redis: redis.set("server", "1")) is True
    redis_peer.kill()
    with pytest.raises(Unavailable, match="The store of numbers is away"):
        await servers.redis.ask("numbers", lambda redis: redis.get("server"))
    redis_peer.start()
    assert await servers.redis.ask("numbers", lambda redis: redis.get("server")) == b"1"
    await servers.close()


async def test_postgres_is_asked_and_its_absence_is_told(postgres_peer) -> None:
    """What fails is `Unavailable`, what was committed is kept, and the next question is answered."""
    servers = Servers(StoreSettings(postgres=Secret(postgres_peer.url)))
    schema = "CREATE TABLE IF NOT EXISTS server (it int)"
    async with servers.postgres.transaction("numbers", schema) as connection:
        await connection.execute("INSERT INTO server VALUES (1)")
    postgres_peer.kill()
    with pytest.raises(Unavailable, match="The store of numbers is away"):
        async with servers.postgres.transaction("numbers"):
            raise AssertionError("it was reached")
    postgres_peer.start()
    async with servers.postgres.transaction("numbers", schema) as connection:
        assert await (await connection.execute("SELECT it FROM server")).fetchall() == [(1,)]
    await servers.close()
    await Servers(StoreSettings()).close()
