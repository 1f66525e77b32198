"""The shared stores' servers are real: they answer, are away when they are killed, and are there again afterwards."""

import pytest

from narrows.errors import Unavailable
from narrows.settings import Secret, StoreSettings
from narrows.stores.postgres_server import Schema
from narrows.stores.servers import Servers
from tests.interop.servers import back, free_port


async def test_redis_is_asked_and_its_absence_is_told(redis_peer) -> None:
    """What fails is `Unavailable`, and the next question after the server's return is answered."""
    away: list[str] = []
    servers = Servers(StoreSettings(redis=Secret(redis_peer.url)), away.append)
    assert await servers.redis.ask("numbers", lambda redis: redis.set("server", "1")) is True
    redis_peer.kill()
    with pytest.raises(Unavailable, match="The store of numbers is away"):
        await servers.redis.ask("numbers", lambda redis: redis.get("server"))
    assert away == ["numbers"]
    redis_peer.start()
    assert await servers.redis.ask("numbers", lambda redis: redis.get("server")) == b"1"
    await servers.close()


async def test_a_redis_that_does_not_answer_is_told_at_the_start(redis_peer, caplog) -> None:
    """A wrong URL is found before the first call, by its key and without its secret; one that answers says nothing."""
    servers = Servers(StoreSettings(redis=Secret(redis_peer.url)))
    assert servers.redis
    await servers.prepare()
    await servers.close()
    assert caplog.text == ""
    servers = Servers(StoreSettings(redis=Secret(f"redis://:hidden-word@127.0.0.1:{free_port()}/0")))
    assert servers.redis
    await servers.prepare()
    await servers.close()
    assert "stores.redis: it does not answer (ConnectionError). Remedy: see whether it runs" in caplog.text
    assert "hidden-word" not in caplog.text


async def test_postgres_is_asked_and_its_absence_is_told(postgres_peer) -> None:
    """What fails is `Unavailable`, what was committed is kept, and the next question is answered."""
    away: list[str] = []
    servers = Servers(StoreSettings(postgres=Secret(postgres_peer.url)), away.append)
    servers.postgres.expect(Schema("numbers", 1, "CREATE TABLE server (it int)"))
    async with servers.postgres.transaction("numbers") as connection:
        await connection.execute("INSERT INTO server VALUES (1)")
    postgres_peer.kill()
    with pytest.raises(Unavailable, match="The store of numbers is away"):
        async with servers.postgres.transaction("numbers"):
            raise AssertionError("it was reached")
    assert away == ["numbers"]
    postgres_peer.start()

    async def numbers():
        async with servers.postgres.transaction("numbers") as connection:
            return await (await connection.execute("SELECT it FROM server")).fetchall()

    assert await back(numbers) == [(1,)]
    await servers.close()
    await Servers(StoreSettings()).close()
