"""The promises of a store of ended ids in memory and in a file."""

import base64

import pytest

from narrows.errors import SettingsError, Unavailable
from narrows.settings import Secret, Settings, StoreSettings
from narrows.stores.ended import MemoryEnded, SqliteEnded
from narrows.stores.opening import open_ended
from narrows.testing import Clock
from tests.unit.stores.promises.ended import *


@pytest.fixture
def clock():
    """The clock of a test."""
    return Clock()


@pytest.fixture(params=["memory", "sqlite"])
async def ended(request, clock, tmp_path):
    """A store with room for three."""
    made = MemoryEnded if request.param == "memory" else lambda now, **how: SqliteEnded(tmp_path / "e.db", now, **how)
    store = made(clock, capacity=3)
    yield store
    await store.close()


async def test_processes_share_a_file(clock, tmp_path):
    """What one has ended the other knows, also after a restart."""
    one, other = (SqliteEnded(tmp_path / "e.db", clock) for _ in range(2))
    await one.add("a", clock() + 10)
    assert await other.holds("a", clock())
    assert not await other.add("a", clock() + 10)
    await one.close()
    await other.close()
    again = SqliteEnded(tmp_path / "e.db", clock)
    assert await again.holds("a", clock())
    await again.close()


async def test_a_store_that_is_away_says_so(clock, tmp_path):
    """Nobody is signed in or out on a guess."""
    store = SqliteEnded(tmp_path / "e.db", clock)
    store._file.connection.execute("DROP TABLE ended")
    with pytest.raises(Unavailable):
        await store.holds("a", clock())
    await store.close()


async def test_it_lies_beside_the_commits(clock, tmp_path):
    """In memory with them, and in their file."""
    memory = open_ended(Settings(public_url="https://bff.test"), clock)
    assert isinstance(memory, MemoryEnded)
    await memory.close()
    with pytest.raises(SettingsError, match="does not open"):
        open_ended(
            Settings(public_url="https://bff.test", base=str(tmp_path), stores=StoreSettings(**stores("none/c.db"))),
            clock,
        )
    store = open_ended(
        Settings(public_url="https://bff.test", base=str(tmp_path), stores=StoreSettings(**stores("c.db"))), clock
    )
    assert isinstance(store, SqliteEnded)
    await store.close()
    assert (tmp_path / "c.db").exists()


def stores(name):
    """Settings of a file with a key."""
    return {"commits": f"sqlite:{name}", "key": Secret(base64.b64encode(bytes(32)).decode())}
