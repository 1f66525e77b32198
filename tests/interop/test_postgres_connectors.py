"""What every registry of connectors promises holds in PostgreSQL, and what only several machines ask for."""

import asyncio

import psycopg
import pytest

from narrows.errors import Unavailable
from narrows.settings import Secret
from narrows.stores.postgres_connectors import PostgresConnectors
from narrows.stores.postgres_server import PostgresServer
from tests.unit.stores.promises.connectors import *


@pytest.fixture
def store(postgres):
    """An empty registry."""
    return PostgresConnectors(postgres, KEY)


async def test_of_many_changes_at_one_instant_one_is_made(store, postgres_url):
    """All of two machines were made from the same entry; the others are told, and the history has one more line."""
    server = PostgresServer(Secret(postgres_url))
    stores = [store, PostgresConnectors(server, KEY)]
    first = await store.put(entry(), change(), 0)
    changes = (stores[n % 2].put(first, change(note=f"{n}"), first.generation) for n in range(20))
    ends = await asyncio.gather(*changes, return_exceptions=True)
    assert sorted(type(end).__name__ for end in ends) == ["ConnectorError"] * 19 + ["Registered"]
    assert len(await store.history()) == 2
    assert await stores[1].generation() == 2
    await server.close()


async def test_the_history_cannot_be_altered(store, postgres_peer, postgres_url):
    """Not even by the owner of the tables, while the triggers stand."""
    await store.put(entry(), change(), 0)
    for statement in (
        "DELETE FROM narrows_changes",
        "UPDATE narrows_changes SET name = 'x'",
        "TRUNCATE narrows_changes",
    ):
        with pytest.raises(psycopg.errors.RaiseException, match="append only"):
            postgres_peer.ask(statement, postgres_url)


async def test_nothing_in_the_tables_can_be_read(store, postgres, postgres_peer, postgres_url):
    """No field of a record and no name of an operator, and another key opens nothing."""
    await store.put(entry(state="live"), change(note="canary-note"), 0)
    tables = ("connectors", "changes", "registry")
    content = repr([postgres_peer.ask(f"SELECT * FROM narrows_{table}", postgres_url) for table in tables])
    for canary in ("lunch-app", "olga", "conny", "carla", "lunch.book", "canary-note", "live"):
        assert canary not in content
    other = PostgresConnectors(postgres, b"o" * 32)
    assert await other.get("lunch-app") is None
    for read in (other.all, other.history):
        with pytest.raises(Unavailable, match="cannot be read"):
            await read()


@pytest.mark.parametrize("change_of_row", ["name = 'x' || name", "generation = generation + 1", "sealed = 'x'"])
async def test_a_row_that_somebody_touched_does_not_open(store, postgres_peer, postgres_url, change_of_row):
    """Nothing is guessed of it: the registry is away, and nothing is let through."""
    await store.put(entry(), change(), 0)
    postgres_peer.ask(f"UPDATE narrows_connectors SET {change_of_row}", postgres_url)
    with pytest.raises(Unavailable, match="cannot be read"):
        await store.all()
