"""The promises of a store of revocations in memory and in a file."""

import base64

import pytest

from narrows.errors import SettingsError, Unavailable
from narrows.settings import Secret, Settings, StoreSettings
from narrows.stores.opening import open_revoked
from narrows.stores.revoked import MemoryRevoked, SqliteRevoked
from narrows.testing import Clock
from tests.unit.stores.promises.revoked import *
from tests.unit.stores.promises.revoked import subject

KEY = bytes(32)


@pytest.fixture
def clock():
    """The clock of a test."""
    return Clock()


@pytest.fixture(params=["memory", "sqlite"])
async def revoked(request, clock, tmp_path):
    """A store with room for three."""
    if request.param == "memory":
        made = MemoryRevoked(clock, capacity=3)
    else:
        made = SqliteRevoked(tmp_path / "r.db", clock, KEY, capacity=3)
    yield made
    await made.close()


async def test_processes_share_a_file(clock, tmp_path):
    """What one has revoked the other reads, also after a restart, and numbers are never given twice."""
    one, other = (SqliteRevoked(tmp_path / "r.db", clock, KEY) for _ in range(2))
    first = await one.add(subject("anna", clock))
    assert await other.since(0) == [(first, subject("anna", clock))]
    assert await other.add(subject("ben", clock)) > first
    await one.close()
    await other.close()
    clock.move(1000)
    again = SqliteRevoked(tmp_path / "r.db", clock, KEY)
    assert await again.add(subject("cleo", clock)) > first + 1
    await again.close()


async def test_a_copy_of_the_file_names_nobody(clock, tmp_path):
    """Who was revoked is sealed."""
    store = SqliteRevoked(tmp_path / "r.db", clock, KEY)
    await store.add(subject("canary-anna", clock))
    await store.close()
    assert not any(b"canary" in file.read_bytes() for file in tmp_path.iterdir())


async def test_another_key_reads_nothing_and_lets_nobody_in(clock, tmp_path):
    """Nothing is guessed: the store counts as away."""
    store = SqliteRevoked(tmp_path / "r.db", clock, KEY)
    await store.add(subject("anna", clock))
    await store.close()
    other = SqliteRevoked(tmp_path / "r.db", clock, bytes([1]) * 32)
    with pytest.raises(Unavailable):
        await other.since(0)
    await other.close()


async def test_it_lies_beside_the_registry(clock, tmp_path):
    """In memory with it, and in its file."""
    memory = open_revoked(Settings(public_url="https://bff.test"), clock)
    assert isinstance(memory, MemoryRevoked)
    key = Secret(base64.b64encode(KEY).decode())
    settings = Settings(
        public_url="https://bff.test", base=str(tmp_path), stores=StoreSettings(connectors="sqlite:c.db", key=key)
    )
    store = open_revoked(settings, clock)
    assert isinstance(store, SqliteRevoked)
    await store.close()
    assert (tmp_path / "c.db").exists()
    with pytest.raises(SettingsError, match="does not open"):
        open_revoked(
            Settings(
                public_url="https://bff.test",
                base=str(tmp_path),
                stores=StoreSettings(connectors="sqlite:no/c.db", key=key),
            ),
            clock,
        )
