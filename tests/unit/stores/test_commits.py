"""The promises of a store of commits in memory and in a file, and what only the file must hold."""

import sqlite3

import msgspec
import pytest

from narrows.errors import SettingsError, Unavailable
from narrows.settings import Secret, Settings, StoreSettings
from narrows.stores import Found
from narrows.stores.commits import CommitBounds, Lifetimes
from narrows.stores.memory_commits import MemoryCommits
from narrows.stores.opening import open_commits
from narrows.stores.sqlite_commits import SqliteCommits
from tests.unit.stores.promises.commits import *


@pytest.fixture(params=["memory", "sqlite"])
async def make(request, clock, tmp_path):
    """Opens stores of one kind, and closes them after the test."""
    opened = []

    def open_one(**bounds):
        lifetimes, bound = Lifetimes(60, 600), CommitBounds(**bounds) if bounds else None
        if request.param == "memory":
            opened.append(MemoryCommits(clock, lifetimes, KEY, bounds=bound))
        else:
            opened.append(SqliteCommits(tmp_path / "kept.db", clock, lifetimes, KEY, bounds=bound))
        return opened[-1]

    yield open_one
    for store in opened:
        await store.close()


async def test_two_processes_share_a_file(clock, tmp_path):
    """What one connection put down, another meets: a key, a receipt, a confirmation."""
    one, other = (SqliteCommits(tmp_path / "kept.db", clock, Lifetimes(60, 600), KEY) for _ in range(2))
    first = attempt(key="k", receipt="r")
    await one.confirm("r", ANN)
    await one.claim(first)
    await one.intend(first, "Tables.book")
    assert await other.is_confirmed("r", ANN)
    assert (await other.claim(attempt("a2", key="k"))).state == "running"
    assert (await other.intend(attempt("a2", receipt="r"), "Tables.book")).state == "spent"
    assert [intent.id for intent in await other.unsettled(10)] == ["a1"]
    for store in (one, other):
        await store.close()


async def test_nothing_in_the_file_can_be_read(clock, tmp_path):
    """Neither a name, a key, an answer nor an operation stands in it, and another key opens nothing."""
    path = tmp_path / "kept.db"
    store = SqliteCommits(path, clock, Lifetimes(60, 600), KEY)
    one = attempt(key="client-key", receipt="rehearsal-id", trace_id="trace-id", request="request-digest")
    await store.confirm("rehearsal-id", ANN)
    await store.claim(one)
    await store.intend(one, "Tables.book")
    await store.settle(one, UNKNOWN, b"canary answer")
    await store.intend(attempt("a2", trace_id="trace-id"), "Tables.book")
    await store.close()
    content = path.read_bytes()
    for text in ("ann", "acme", "where2eat", "client-key", "rehearsal-id", "canary", "Tables", "lunch.", "trace-id"):
        assert text.encode() not in content
    assert path.stat().st_mode & 0o077 == 0
    stranger = SqliteCommits(path, clock, Lifetimes(60, 600), bytes(32))
    assert await stranger.unsettled(10) == []
    assert (await stranger.claim(attempt("a3", key="client-key"))).state == "new"
    await stranger.settle(attempt("a2"), DONE, None)
    await stranger.close()


async def test_a_text_moved_to_another_row_tells_nothing(clock, tmp_path):
    """Who can write into the file cannot make one key answer with the answer of another."""
    store = SqliteCommits(tmp_path / "kept.db", clock, Lifetimes(60, 600), KEY)
    for name in ("k", "l"):
        one = attempt(name, key=name)
        await store.claim(one)
        await store.settle(one, DONE, name.encode())
    with sqlite3.connect(tmp_path / "kept.db") as other:
        other.execute("UPDATE keys SET sealed = (SELECT sealed FROM keys WHERE attempt = 'l')")
    other.close()
    assert await store.claim(attempt("a2", key="k")) == Found(state="done")
    assert (await store.claim(attempt("a2", key="l"))).answer == b"l"
    await store.close()


async def test_a_file_that_fails_lets_nothing_through(clock, tmp_path):
    """Where the disk does not take an intent, that is a 503."""
    store = SqliteCommits(tmp_path / "kept.db", clock, Lifetimes(60, 600), KEY)
    with sqlite3.connect(tmp_path / "kept.db") as other:
        other.execute("DROP TABLE intents")
    other.close()
    with pytest.raises(Unavailable):
        await store.intend(attempt(), "Tables.book")
    await store.close()


def settings(folder, **stores):
    """Settings with these stores."""
    return Settings(public_url="https://bff.test", base=str(folder), stores=StoreSettings(**stores))


async def test_the_settings_choose_the_store(clock, tmp_path):
    """`memory:` is the default; a file is opened beside the settings."""
    key = Secret("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
    memory = open_commits(settings(tmp_path), clock)
    file = open_commits(settings(tmp_path, commits="sqlite:kept.db", key=key), clock)
    assert isinstance(memory, MemoryCommits)
    assert isinstance(file, SqliteCommits)
    assert (tmp_path / "kept.db").exists()
    await memory.close()
    await file.close()


@pytest.mark.parametrize(
    ("over", "key"),
    [
        ({"commits": "redis:x"}, "stores.commits"),
        ({"commits": "sqlite:kept.db"}, "stores.key"),
        ({"commits": "sqlite:absent/kept.db", "key": Secret("A" * 43 + "=")}, "stores.commits"),
        ({"commit_s": 0.0}, "stores.commit_s"),
    ],
)
def test_a_store_that_cannot_be_is_refused(clock, tmp_path, over, key):
    """The error names the key."""
    with pytest.raises(SettingsError, match=key):
        open_commits(settings(tmp_path, **over), clock)


def test_what_is_known_is_a_plain_value():
    """Found and attempts are frozen values that a test can compare."""
    with pytest.raises(AttributeError):
        Found(state="new").state = "done"
    assert msgspec.structs.replace(attempt(), id="b") != attempt()
