"""One body of promises for both stores of ended ids."""

import asyncio
import base64

import pytest

from narrows.errors import SettingsError, Unavailable
from narrows.settings import Secret, Settings, StoreSettings
from narrows.stores.ended import MemoryEnded, SqliteEnded
from narrows.stores.opening import open_ended
from narrows.testing import Clock


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


async def test_an_id_that_was_ended_holds_no_more(ended, clock):
    """And another one does."""
    assert await ended.add("a", clock() + 10)
    assert await ended.holds("a", clock())
    assert not await ended.holds("b", clock())


async def test_an_id_is_ended_once(ended, clock):
    """Of many that come at once one is the first."""
    assert sorted(await asyncio.gather(*(ended.add("a", clock() + 10) for _ in range(5)))) == [False] * 4 + [True]


async def test_ended_ids_are_forgotten_when_they_would_have_expired(ended, clock):
    """So that the store does not fill, and nothing else is ended with them."""
    for name in "abcdefgh":
        assert await ended.add(name, clock() + 10)
        assert await ended.holds(name, clock())
        clock.move(5)
    assert not await ended.holds("z", clock() - 100)


async def test_when_there_are_too_many_everything_older_is_ended(ended, clock):
    """More than was asked for, and never less; what begins later holds."""
    since = clock()
    for name in "abc":
        await ended.add(name, clock() + 100)
    assert not await ended.add("c", clock() + 100)
    assert not await ended.holds("never", since)
    for name in "defghij":
        assert await ended.add(name, clock() + 100)
    for name in (*"abcdefghij", "never"):
        assert await ended.holds(name, since)
    clock.move(1)
    assert not await ended.holds("later", clock())


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
