"""The promises of a store of rehearsals in memory and in a file, and what only the file must hold."""

import asyncio
import base64
import sqlite3
import stat
import threading

import pytest

from narrows.errors import SettingsError, Unavailable
from narrows.settings import Secret, Settings, StoreSettings
from narrows.stores import Owner
from narrows.stores.memory import MemoryRehearsals
from narrows.stores.opening import open_rehearsals
from narrows.stores.rehearsals import Bounds
from narrows.stores.sqlite import SqliteRehearsals
from tests.unit.stores.promises.rehearsals import *


@pytest.fixture(params=["memory", "sqlite"])
async def make(request, clock, tmp_path):
    """Opens stores of one kind, and closes them after the test."""
    opened = []

    def open_one(**bounds):
        bound = Bounds(**bounds) if bounds else None
        if request.param == "memory":
            opened.append(MemoryRehearsals(clock, 60, KEY, bounds=bound))
        else:
            opened.append(SqliteRehearsals(tmp_path / "kept.db", clock, 60, KEY, bounds=bound))
        return opened[-1]

    yield open_one
    for store in opened:
        await store.close()


@pytest.fixture
async def file_store(clock, tmp_path):
    """A store in a file, closed after the test."""
    store = SqliteRehearsals(tmp_path / "kept.db", clock, 60, KEY)
    yield store
    await store.close()


async def test_memory_holds_no_plain_document(clock):
    """Also in memory, documents and owners are not readable."""
    store = MemoryRehearsals(clock, 60, KEY)
    await store.put("r1", Owner("CANARY1", "CANARY2", "CANARY3", "CANARY4"), b"CANARY5")
    assert "CANARY" not in repr(store._kept) + repr(store._of_owner)


async def test_memory_keeps_no_trace_of_what_is_over(clock):
    """When documents are over, their bytes and owners are no longer counted."""
    store = MemoryRehearsals(clock, 60, KEY)
    await store.put("r1", ANN, b"document")
    clock.time += 60
    await store.put("r2", OTHERS[0], b"")
    assert (len(store._kept), len(store._of_owner), store._bytes) == (1, 1, 29)


async def test_a_canary_is_not_found_in_the_file(file_store, tmp_path):
    """Neither documents nor owners can be read in the database file, its log or its index."""
    owner = Owner("canary-tenant", "https://canary-issuer.example.com", "canary-subject", "canary-connector")
    await file_store.put("r1", owner, b"canary-document" * 100)
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == ["kept.db", "kept.db-shm", "kept.db-wal"]
    assert b"r1" in (tmp_path / "kept.db-wal").read_bytes()
    assert not any(b"canary" in file.read_bytes() for file in files)
    await file_store.close()
    assert b"r1" in (tmp_path / "kept.db").read_bytes()
    assert not any(b"canary" in file.read_bytes() for file in tmp_path.iterdir())


async def test_the_files_belong_to_their_user_alone(file_store, tmp_path):
    """The database and what SQLite lays beside it have mode 0600."""
    await file_store.put("r1", ANN, b"document")
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    assert set(modes.values()) == {0o600}, modes


async def test_a_file_that_others_could_read_is_closed_to_them(clock, tmp_path):
    """A file made before with a wider mode is narrowed at opening."""
    path = tmp_path / "kept.db"
    path.touch(mode=0o644)
    await SqliteRehearsals(path, clock, 60, KEY).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_a_link_is_not_followed(clock, tmp_path):
    """A symbolic link laid at the store's place is refused."""
    (tmp_path / "kept.db").symlink_to(tmp_path / "elsewhere.db")
    with pytest.raises(OSError, match="symbolic link"):
        SqliteRehearsals(tmp_path / "kept.db", clock, 60, KEY)
    assert not (tmp_path / "elsewhere.db").exists()


async def test_documents_outlive_the_process(clock, tmp_path):
    """A store opened again on the same file with the same key has the documents; with another key it has none."""
    path = tmp_path / "kept.db"
    first = SqliteRehearsals(path, clock, 60, KEY)
    await first.put("r1", ANN, b"document")
    await first.close()
    again, stranger = SqliteRehearsals(path, clock, 60, KEY), SqliteRehearsals(path, clock, 60, bytes(32))
    assert await again.get("r1", ANN) == b"document"
    assert await stranger.get("r1", ANN) is None
    assert await stranger.newest(ANN, 10) == []
    await again.close()
    await stranger.close()


async def test_two_stores_share_a_file(file_store, clock, tmp_path):
    """Two processes on one file see each other's documents, and puts side by side all arrive."""
    other = SqliteRehearsals(tmp_path / "kept.db", clock, 60, KEY)
    stores = [file_store, other]
    await asyncio.gather(*(stores[number % 2].put(f"r{number}", ANN, b"document") for number in range(40)))
    assert len(await file_store.newest(ANN, 100)) == len(await other.newest(ANN, 100)) == 40
    await other.close()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE rehearsals SET sealed = (SELECT sealed FROM rehearsals WHERE id = 'r2') WHERE id = 'r1'",
        "UPDATE rehearsals SET expires = expires + 1000 WHERE id = 'r1'",
        "UPDATE rehearsals SET sealed = x'00' WHERE id = 'r1'",
        "UPDATE rehearsals SET owner = (SELECT owner FROM rehearsals WHERE id = 'r2') WHERE id = 'r1'",
    ],
)
async def test_rows_cannot_be_changed_or_swapped(file_store, tmp_path, change):
    """Who can write the file can give nobody another's document, and no document a longer life."""
    bob = OTHERS[2]
    await file_store.put("r1", ANN, b"of ann")
    await file_store.put("r2", bob, b"of bob")
    with sqlite3.connect(tmp_path / "kept.db") as raw:
        raw.execute(change)
    raw.close()
    assert await file_store.get("r1", ANN) is None
    assert await file_store.get("r1", bob) is None
    assert await file_store.newest(ANN, 10) == []
    assert await file_store.newest(bob, 10) == [b"of bob"]


async def test_a_store_that_fails_is_a_503_that_says_nothing(file_store, tmp_path):
    """When the file does not answer, the problem names no path and no statement."""
    with sqlite3.connect(tmp_path / "kept.db") as raw:
        raw.execute("DROP TABLE rehearsals")
    raw.close()
    with pytest.raises(Unavailable) as caught:
        await file_store.get("r1", ANN)
    assert caught.value.body()["detail"] == "The store of rehearsals is away."
    assert caught.value.headers == {"Retry-After": "5"}


async def test_the_loop_never_works_on_the_file(file_store, clock):
    """All work is done in one other thread, so a slow disk stops no other call."""
    threads = set()
    read = clock.__call__
    file_store._now = lambda: (threads.add(threading.current_thread().name), read())[1]
    await file_store.put("r1", ANN, b"document")
    await file_store.get("r1", ANN)
    await file_store.newest(ANN, 1)
    assert len(threads) == 1
    assert threading.current_thread().name not in threads


def settings(tmp_path, store, key=None, **more):
    """Settings that name one store."""
    kept = StoreSettings(rehearsals=store, key=None if key is None else Secret(key), **more)
    return Settings(public_url="https://bff.example.com", stores=kept, base=str(tmp_path))


async def test_the_settings_choose_the_store(clock, tmp_path):
    """`memory:` and `sqlite:` open their stores, the path counted from the settings file."""
    key = base64.b64encode(KEY).decode()
    memory, keyed = (open_rehearsals(settings(tmp_path, "memory:", k), clock) for k in (None, key))
    file = open_rehearsals(settings(tmp_path, "sqlite:kept.db", key, rehearsal_s=5.0), clock)
    assert [type(store) for store in (memory, keyed, file)] == [MemoryRehearsals, MemoryRehearsals, SqliteRehearsals]
    for store in (memory, keyed, file):
        await store.put("r1", ANN, b"document")
        assert await store.get("r1", ANN) == b"document"
    clock.time += 5
    assert await file.get("r1", ANN) is None
    assert (tmp_path / "kept.db").exists()
    await file.close()


@pytest.mark.parametrize("store", ["", "memory", "memory:x", "sqlite", "sqlite:", "redis://x", "postgres:x"])
def test_an_unknown_store_is_refused(clock, tmp_path, store):
    """Anything but the two stores is refused with what to write instead."""
    with pytest.raises(
        SettingsError, match=r"stores.rehearsals: .* Remedy: set one of `memory:`, `sqlite:rehearsals.db`"
    ):
        open_rehearsals(settings(tmp_path, store), clock)


def test_a_file_without_a_key_is_refused(clock, tmp_path):
    """Nothing is kept in a file unencrypted; the remedy makes a key."""
    with pytest.raises(SettingsError, match=r"stores.key: .* Remedy: make a key with `openssl rand -base64 32"):
        open_rehearsals(settings(tmp_path, "sqlite:kept.db"), clock)
    assert not (tmp_path / "kept.db").exists()


@pytest.mark.parametrize("key", ["", "c2hvcnQ=", "not base64!", "ü", base64.b64encode(bytes(33)).decode()])
@pytest.mark.parametrize("store", ["memory:", "sqlite:kept.db"])
def test_a_key_that_is_none_is_refused_and_never_shown(clock, tmp_path, store, key):
    """A key that is not 32 bytes in base64 is refused, and no part of it is repeated."""
    with pytest.raises(SettingsError, match=r"stores.key: the key is not 32 bytes in base64") as caught:
        open_rehearsals(settings(tmp_path, store, key), clock)
    assert not key or key not in str(caught.value)


@pytest.mark.parametrize("name", ["absent/kept.db", ".", "text.db"])
def test_a_file_that_does_not_open_is_refused(clock, tmp_path, name):
    """A folder that is not there, a folder and a file of something else are refused at start."""
    (tmp_path / "text.db").write_text("This is not a database. " * 10)
    with pytest.raises(SettingsError, match=r"stores.rehearsals: .* does not open .* Remedy: name a plain file"):
        open_rehearsals(settings(tmp_path, f"sqlite:{name}", base64.b64encode(KEY).decode()), clock)


@pytest.mark.parametrize("lifetime", [0, -1])
def test_a_lifetime_of_nothing_is_refused(clock, tmp_path, lifetime):
    """Rehearsals that are over at once would never be read."""
    with pytest.raises(SettingsError, match=r"stores.rehearsal_s: .* above 0"):
        open_rehearsals(settings(tmp_path, "memory:", rehearsal_s=lifetime), clock)
