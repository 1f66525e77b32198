"""One body of promises for both stores of rehearsals, and what only the file must hold."""

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
from narrows.stores.rehearsals import Bounds, StoreRefused
from narrows.stores.sqlite import SqliteRehearsals

KEY = bytes(range(32))
ANN = Owner("acme", "https://login.example.com", "ann", "where2eat")
OTHERS = [
    Owner("other", ANN.issuer, ANN.subject, ANN.connector),
    Owner(ANN.tenant, "https://other.example.com", ANN.subject, ANN.connector),
    Owner(ANN.tenant, ANN.issuer, "bob", ANN.connector),
    Owner(ANN.tenant, ANN.issuer, ANN.subject, "other"),
    Owner(ANN.tenant + ANN.issuer, "", ANN.subject, ANN.connector),
]


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


async def test_a_document_is_found_among_owners(make, clock):
    """The one of them that it belongs to comes with it; nobody else's, and nothing that has expired, is found."""
    store = make()
    await store.put("r1", ANN, b"one")
    assert await store.find("r1", [*OTHERS, ANN]) == (ANN, b"one")
    assert await store.find("r1", OTHERS) is None
    assert await store.find("r1", []) is None
    assert await store.find("r2", [ANN]) is None
    clock.time += 60
    assert await store.find("r1", [ANN]) is None


async def test_a_document_comes_back_to_its_owner(make):
    """What was put is what its owner gets, byte for byte."""
    store = make()
    await store.put("r1", ANN, b"\x00document\xff")
    await store.put("r2", ANN, b"")
    assert await store.get("r1", ANN) == b"\x00document\xff"
    assert await store.get("r2", ANN) == b""


@pytest.mark.parametrize("other", OTHERS)
async def test_nobody_else_can_tell_that_it_exists(make, other):
    """Another tenant, issuer, subject or connector gets what one gets who asks for nothing that exists."""
    store = make()
    await store.put("r1", ANN, b"document")
    assert await store.get("r1", other) is None
    assert await store.newest(other, 10) == []
    assert await store.get("unknown", ANN) is None


async def test_documents_expire(make, clock):
    """A document is there until its lifetime is over, and not a moment longer."""
    store = make()
    await store.put("r1", ANN, b"document")
    clock.time += 59.5
    assert await store.get("r1", ANN) == b"document"
    clock.time += 0.5
    assert await store.get("r1", ANN) is None
    assert await store.newest(ANN, 10) == []


async def test_expired_documents_leave_room_and_their_id(make, clock):
    """What is over is removed by the next put, and its id is free again."""
    store = make()
    await store.put("r1", ANN, b"old")
    clock.time += 60
    await store.put("r1", ANN, b"new")
    assert await store.newest(ANN, 10) == [b"new"]


async def test_the_newest_come_first(make):
    """An owner's list goes from new to old and is as long as asked for, none of another's in it."""
    store = make()
    for number in range(5):
        await store.put(f"a{number}", ANN, b"ann %d" % number)
        await store.put(f"b{number}", OTHERS[0], b"other %d" % number)
    assert await store.newest(ANN, 3) == [b"ann 4", b"ann 3", b"ann 2"]
    assert len(await store.newest(ANN, 100)) == 5
    assert await store.newest(ANN, 0) == await store.newest(ANN, -1) == []


@pytest.mark.parametrize("owner", [ANN, OTHERS[0]])
async def test_a_used_id_is_refused(make, owner):
    """No put replaces a document, whoever's it is."""
    store = make()
    await store.put("r1", ANN, b"first")
    with pytest.raises(StoreRefused, match="kept already"):
        await store.put("r1", owner, b"second")
    assert await store.get("r1", ANN) == b"first"
    await store.put("r2", owner, b"the store goes on")
    assert await store.get("r2", owner) == b"the store goes on"


async def test_each_owner_has_a_bound(make):
    """Past an owner's bound the owner's oldest go, and nobody else's."""
    store = make(per_owner=2)
    await store.put("b", OTHERS[0], b"other")
    for number in range(4):
        await store.put(f"a{number}", ANN, b"%d" % number)
    assert await store.newest(ANN, 10) == [b"3", b"2"]
    assert await store.get("b", OTHERS[0]) == b"other"


async def test_the_store_has_a_bound_of_documents(make):
    """Past the store's bound the oldest of all go."""
    store = make(documents=2)
    for number, owner in enumerate(OTHERS[:3]):
        await store.put(f"r{number}", owner, b"document")
    kept = [await store.get(f"r{number}", owner) for number, owner in enumerate(OTHERS[:3])]
    assert kept == [None, b"document", b"document"]


async def test_the_store_has_a_bound_of_bytes(make):
    """The documents together stay under the store's bytes."""
    store = make(total_bytes=250)
    for number in range(5):
        await store.put(f"r{number}", ANN, bytes(60))
    assert len(await store.newest(ANN, 10)) == 2


@pytest.mark.parametrize("bounds", [{"documents": 4}, {"total_bytes": 500}, {"owner_bytes": 250}])
async def test_nobody_pushes_out_what_belongs_to_another(make, bounds):
    """Who fills the store loses their own documents first; another's receipts and previews stay."""
    store = make(**bounds)
    await store.put("b", OTHERS[0], bytes(60))
    for number in range(20):
        await store.put(f"a{number}", ANN, bytes(60))
    assert await store.get("b", OTHERS[0]) == bytes(60)
    assert await store.get("a19", ANN) == bytes(60)
    assert 1 < len(await store.newest(ANN, 30)) < 5


async def test_in_a_full_store_the_newest_of_an_owner_has_room(make):
    """Somebody who has nothing there yet takes the place of the oldest of all."""
    store = make(documents=2)
    for number in range(2):
        await store.put(f"a{number}", ANN, b"document")
    await store.put("b", OTHERS[0], b"document")
    assert await store.get("b", OTHERS[0]) == b"document"
    assert await store.newest(ANN, 10) == [b"document"]


async def test_a_document_that_is_too_large_is_refused(make):
    """One document cannot push all others out."""
    store = make(document_bytes=10)
    await store.put("r1", ANN, bytes(10))
    with pytest.raises(StoreRefused, match="11 bytes, the bound is 10"):
        await store.put("r2", ANN, bytes(11))
    assert await store.newest(ANN, 10) == [bytes(10)]


async def test_a_clock_set_back_harms_nothing(make, clock):
    """With the clock set back, documents stay as long as it says and still expire."""
    store = make()
    await store.put("r1", ANN, b"first")
    clock.time -= 30
    await store.put("r2", ANN, b"second")
    clock.time += 60
    await store.put("r3", ANN, b"third")
    assert await store.newest(ANN, 10) == [b"third", b"first"]


async def test_many_at_once_all_arrive(make):
    """Puts and gets side by side lose nothing."""
    store = make()
    await asyncio.gather(*(store.put(f"r{number}", ANN, b"%d" % number) for number in range(50)))
    assert await asyncio.gather(*(store.get(f"r{number}", ANN) for number in range(50))) == [
        b"%d" % number for number in range(50)
    ]


async def test_closing_twice_is_harmless(make):
    """A store can be closed again."""
    store = make()
    await store.close()
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
