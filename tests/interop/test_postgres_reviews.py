"""What every review queue promises holds in PostgreSQL, and what the tables add."""

import asyncio

import psycopg
import pytest

from narrows.settings import Secret
from narrows.stores.postgres_reviews import PostgresReviews
from narrows.stores.postgres_server import PostgresServer
from tests.unit.stores.promises.reviews import *


@pytest.fixture
def store(postgres):
    """An empty queue."""
    return PostgresReviews(postgres, KEY)


async def test_of_two_approvers_at_one_instant_one_decides(store, postgres_url):
    """On two machines, who open it at one instant too: it is opened once, and the second verdict changes nothing."""
    server = PostgresServer(Secret(postgres_url))
    other = PostgresReviews(server, KEY)
    await asyncio.gather(*(one.open([REVIEW, OTHER]) for one in (store, other) for _ in range(5)))
    assert await other.all() == [REVIEW, OTHER]
    verdicts = [GRANTED, msgspec.structs.replace(GRANTED, verdict="denied")]
    decided = await asyncio.gather(
        *(one.decide(verdict) for one, verdict in zip((store, other), verdicts, strict=True))
    )
    assert sorted(decided) == [False, True]
    await server.close()


async def test_what_is_changed_in_the_tables_counts_for_nothing(store, postgres, postgres_peer, postgres_url):
    """A verdict, a moved row or another key does not open; nothing is readable, and nothing can be deleted."""
    await store.open([REVIEW])
    await store.note(b"line")
    for statement in (
        "DELETE FROM narrows_reviews",
        "TRUNCATE narrows_reviews",
        "DELETE FROM narrows_decisions",
        "UPDATE narrows_decisions SET sealed = 'x'",
    ):
        with pytest.raises(psycopg.errors.RaiseException, match="append only"):
            postgres_peer.ask(statement, postgres_url)
    postgres_peer.ask("UPDATE narrows_reviews SET verdict = 'granted'", postgres_url)
    assert "lunch-app" not in repr(postgres_peer.ask("SELECT * FROM narrows_reviews", postgres_url))
    assert await store.all() == []
    other = PostgresReviews(postgres, b"o" * 32)
    assert (await other.all(), await other.history()) == ([], [])
