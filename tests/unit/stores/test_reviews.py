"""The stores of reviews keep the same promises: one body for both engines, and the file keeps more."""

import sqlite3
from contextlib import closing

import msgspec
import pytest

from narrows.stores.reviews import MemoryReviews, Review, SqliteReviews

KEY = b"k" * 32
REVIEW = Review(
    connector="lunch-app",
    grant="data:export",
    digest="d1",
    tenant="acme",
    owner="amina@example.com",
    contact="tools@example.com",
    policy="data_export",
    rule="data-export",
    message="bulk",
    asked_at=1.0,
)
GRANTED = msgspec.structs.replace(REVIEW, verdict="granted", by="security@example.com", decided_at=2.0)
OTHER = msgspec.structs.replace(REVIEW, digest="d2")


@pytest.fixture(params=["memory", "sqlite"])
async def store(request, tmp_path):
    """Each engine."""
    made = MemoryReviews() if request.param == "memory" else SqliteReviews(tmp_path / "registry.db", KEY)
    yield made
    await made.close()


async def test_a_review_is_opened_once(store):
    """Asking again does not open again what was decided; another record is another review."""
    await store.open([REVIEW, REVIEW])
    assert await store.decide(GRANTED)
    await store.open([REVIEW, OTHER])
    assert await store.all() == [GRANTED, OTHER]


async def test_a_verdict_is_given_once(store):
    """Compare and set: the second of two approvers changes nothing, nor does one for what is not there."""
    await store.open([REVIEW])
    assert await store.decide(GRANTED)
    assert not await store.decide(msgspec.structs.replace(GRANTED, verdict="denied"))
    assert await store.decide(msgspec.structs.replace(GRANTED, verdict="denied"), was="granted")
    assert not await store.decide(OTHER)
    assert [review.verdict for review in await store.all()] == ["denied"]


async def test_history_is_kept_in_its_order(store):
    """Lines are added and read, and that is all."""
    await store.note(b"one\n")
    await store.note(b"two\n")
    assert await store.history() == [b"one\n", b"two\n"]


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
