"""The embedded stores of an audit log: the body of promises, and what a file must hold beside them."""

import os
import sqlite3
import subprocess
import sys

import pytest

from narrows.errors import Unavailable
from narrows.stores.audit import Head, Person
from narrows.stores.memory_audit import MemoryAuditStore
from narrows.stores.sqlite_audit import SqliteAuditStore
from tests.unit.stores.promises.audit import *
from tests.unit.stores.promises.audit import ANNA, grown


@pytest.fixture(params=["memory", "sqlite"])
async def store(request, tmp_path):
    """A new store."""
    made = MemoryAuditStore() if request.param == "memory" else SqliteAuditStore(tmp_path / "audit.db")
    yield made
    await made.close()


@pytest.fixture
async def two(tmp_path):
    """Two stores over one file."""
    made = [SqliteAuditStore(tmp_path / "audit.db") for _ in range(2)]
    yield made
    for each in made:
        await each.close()


async def test_a_log_in_memory_is_full_one_day():
    """It refuses what it has no room for, and drops nothing."""
    store = MemoryAuditStore(leaves=2)
    assert await store.append(*grown(Head(), b"0"))
    head = await store.head()
    with pytest.raises(Unavailable, match="full"):
        await store.append(*grown(head, b"1", b"2"))
    assert await store.head() == head
    assert await store.append(*grown(head, b"1"))


async def test_memory_has_room_for_a_bounded_number_of_persons(monkeypatch):
    """Whoever is there already is found all the same."""
    monkeypatch.setattr("narrows.stores.memory_audit._PERSONS", 1)
    store = MemoryAuditStore()
    await store.put_person(b"anna", ANNA)
    with pytest.raises(Unavailable, match="full"):
        await store.put_person(b"ben", ANNA)
    assert await store.put_person(b"anna", ANNA) == ANNA


async def test_a_file_is_found_again(tmp_path):
    """All of it, by whoever opens it next."""
    store = SqliteAuditStore(tmp_path / "audit.db")
    adding = grown(Head(), b"0", b"1", b"2")
    assert await store.append(*adding)
    await store.keep("name", 0, b"one")
    await store.put_person(b"anna", ANNA)
    await store.close()
    again = SqliteAuditStore(tmp_path / "audit.db")
    assert await again.head() == adding[1]
    assert await again.leaves(0, 9) == [b"0", b"1", b"2"]
    assert await again.kept("name") == (1, b"one")
    assert await again.person(b"anna") == ANNA
    await again.close()
    assert (tmp_path / "audit.db").stat().st_mode & 0o777 == 0o600


async def test_two_that_share_a_file_see_one_log(two):
    """What the one added the other goes on from."""
    one, other = two
    adding = grown(Head(), b"0")
    assert await one.append(*adding)
    assert not await other.append(*grown(Head(), b"1"))
    assert await other.append(*grown(adding[1], b"1"))
    assert await one.leaves(0, 9) == [b"0", b"1"]


async def test_what_is_added_is_synced_to_the_disk(tmp_path):
    """`synchronous` is FULL: the transaction is on the disk when it is over."""
    store = SqliteAuditStore(tmp_path / "audit.db")
    assert await store._file.run(lambda connection: connection.execute("PRAGMA synchronous").fetchone()) == (2,)
    await store.close()


async def test_of_a_person_who_is_forgotten_nothing_is_left_on_the_disk(tmp_path):
    """Neither in the file nor in its log of changes: their key is destroyed."""
    store = SqliteAuditStore(tmp_path / "audit.db")
    canary = os.urandom(64)
    await store.put_person(b"lookup-of-anna", Person("hash-of-anna", canary))
    assert any(canary in file.read_bytes() for file in tmp_path.iterdir())
    assert await store.forget_person(b"lookup-of-anna")
    for file in tmp_path.iterdir():
        left = file.read_bytes()
        assert canary not in left, file
        assert b"lookup-of-anna" not in left, file
    await store.close()


async def test_what_is_still_being_read_is_not_said_to_be_gone(tmp_path, monkeypatch):
    """Who forgets is told to do it again, and then it is gone."""
    monkeypatch.setattr("narrows.stores.sqlite_file._BUSY_S", 0.01)
    store = SqliteAuditStore(tmp_path / "audit.db")
    await store.put_person(b"anna", ANNA)
    reader = sqlite3.connect(tmp_path / "audit.db", isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM persons").fetchall()
    with pytest.raises(Unavailable, match="may still be on the disk"):
        await store.forget_person(b"anna")
    reader.close()
    assert not await store.forget_person(b"anna")
    assert not any(ANNA.sealed in file.read_bytes() for file in tmp_path.iterdir())
    await store.close()


_WRITER = """
import asyncio, sys
from narrows.audit.merkle import grow, leaf_hash
from narrows.stores.sqlite_audit import SqliteAuditStore

async def main(path, name):
    store = SqliteAuditStore(path)
    for number in range(100):
        leaves = [f"{name} {number}".encode()]
        while True:
            was = await store.head()
            head, nodes = grow(was, map(leaf_hash, leaves))
            if await store.append(was, head, leaves, nodes):
                break
    await store.close()

asyncio.run(main(*sys.argv[1:]))
"""


async def test_two_processes_never_fork_a_file(tmp_path):
    """Each finds all of its own records once, in its order, and the tree is that of all leaves."""
    path = tmp_path / "audit.db"
    SqliteAuditStore(path)._file.connection.close()
    writers = [subprocess.Popen([sys.executable, "-c", _WRITER, str(path), name]) for name in "ab"]  # noqa: S603, ASYNC220
    assert [writer.wait() for writer in writers] == [0, 0]
    store = SqliteAuditStore(path)
    leaves = await store.leaves(0, 1000)
    for name in "ab":
        assert [leaf for leaf in leaves if leaf.startswith(name.encode())] == [
            f"{name} {n}".encode() for n in range(100)
        ]
    assert grown(Head(), *leaves)[1] == await store.head()
    await store.close()
