"""The promises of a review queue in memory and in a file, and what the file adds."""

import sqlite3
from contextlib import closing

import pytest

from narrows.stores.reviews import MemoryReviews, SqliteReviews
from tests.unit.stores.promises.reviews import *


@pytest.fixture(params=["memory", "sqlite"])
async def store(request, tmp_path):
    """Each engine."""
    made = MemoryReviews() if request.param == "memory" else SqliteReviews(tmp_path / "registry.db", KEY)
    yield made
    await made.close()


async def test_two_processes_share_the_file(tmp_path):
    """What one opens, the other decides."""
    one, two = (SqliteReviews(tmp_path / "registry.db", KEY) for _ in range(2))
    await one.open([REVIEW])
    assert await two.decide(GRANTED)
    assert await one.all() == [GRANTED]
    await one.close()
    await two.close()


async def test_what_is_changed_in_the_file_counts_for_nothing(tmp_path):
    """A verdict, a moved row or another key does not open; nothing is readable, and nothing can be deleted."""
    path = tmp_path / "registry.db"
    store = SqliteReviews(path, KEY)
    await store.open([REVIEW])
    await store.note(b"line")
    with closing(sqlite3.connect(path)) as file:
        for statement in ("DELETE FROM reviews", "DELETE FROM decisions", "UPDATE decisions SET sealed = x'00'"):
            with pytest.raises(sqlite3.Error, match="append only"):
                file.execute(statement)
        file.execute("UPDATE reviews SET verdict = 'granted'")
        file.commit()
        assert b"lunch-app" not in b"".join(bytes(row[0]) for row in file.execute("SELECT sealed FROM reviews"))
    assert await store.all() == []
    await store.close()
    other = SqliteReviews(path, b"o" * 32)
    assert (await other.all(), await other.history()) == ([], [])
    await other.close()
