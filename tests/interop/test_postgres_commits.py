"""What every store of commits promises holds in PostgreSQL, and what only several machines ask for."""

import asyncio

import psycopg
import pytest

from narrows.errors import Unavailable
from narrows.settings import Secret
from narrows.stores import Found
from narrows.stores.commits import CommitBounds, Lifetimes
from narrows.stores.postgres_commits import PostgresCommits
from narrows.stores.postgres_server import PostgresServer
from tests.interop.servers import until
from tests.unit.stores.conftest import Clock
from tests.unit.stores.promises.commits import *


@pytest.fixture
def clock():
    """The clock of a test."""
    return Clock()


@pytest.fixture
def make(postgres, clock):
    """Opens stores in one place."""

    def open_one(**bounds):
        return PostgresCommits(postgres, clock, Lifetimes(60, 600), KEY, bounds=CommitBounds(**bounds))

    return open_one


@pytest.fixture
async def elsewhere(postgres_url, clock):
    """The store of another machine at the same place: a pool of its own."""
    server = PostgresServer(Secret(postgres_url))
    yield PostgresCommits(server, clock, Lifetimes(60, 600), KEY)
    await server.close()


async def test_two_machines_share_it(make, elsewhere):
    """What one put down, another meets: a key, a receipt, a confirmation, an intent."""
    store = make()
    first = attempt(key="k", receipt="r")
    await store.confirm("r", ANN)
    await both(store, first)
    assert await elsewhere.is_confirmed("r", ANN)
    assert (await elsewhere.claim(attempt("a2", key="k"))).state == "running"
    assert (await elsewhere.intend(attempt("a2", receipt="r"), "Tables.book")).state == "spent"
    assert [intent.id for intent in await elsewhere.unsettled(10)] == ["a1"]


async def test_a_receipt_is_spent_once_by_many_at_one_instant(make, elsewhere):
    """Of forty attempts of two machines one passes; nothing of the others is left, and none waits for another."""
    stores = [make(), elsewhere]
    await asyncio.gather(*(stores[n % 2].is_confirmed("r", ANN) for n in range(40)))
    one_each = [attempt(f"a{n}", receipt="r", key=f"k{n}") for n in range(40)]
    await asyncio.gather(*(stores[n % 2].claim(one) for n, one in enumerate(one_each)))
    found = await asyncio.gather(*(stores[n % 2].intend(one, "Tables.book") for n, one in enumerate(one_each)))
    assert sorted(one.state for one in found) == ["new"] + ["spent"] * 39
    assert len(await elsewhere.unsettled(100)) == 1


async def test_a_key_is_claimed_once_by_many_at_one_instant(make, elsewhere):
    """Of forty attempts of two machines one holds it; a free key, and one whose holder has died."""
    stores = [make(), elsewhere]
    # So that each connection is there already, and they do come at one instant.
    await asyncio.gather(*(stores[n % 2].is_confirmed("r", ANN) for n in range(40)))
    for late in (0.0, 100.0):
        stores[0]._now.time += late
        until = stores[0]._now.time + 15
        asked = (stores[n % 2].claim(attempt(f"a{late}{n}", key="k", until=until)) for n in range(40))
        found = await asyncio.gather(*asked)
        assert sorted(one.state for one in found) == ["new"] + ["running"] * 39


async def test_whoever_claims_a_key_at_the_same_instant_waits_for_the_first(make, postgres_peer, postgres_url):
    """Until that is decided; then the key is on its way, and nothing was asked for twice."""
    store = make()
    await store.is_confirmed("r", ANN)
    row = "INSERT INTO narrows_keys VALUES (%s, 'o', 'a0', 'r1', 'running', 2e9, 2e9, '')"
    with psycopg.connect(postgres_url) as first:
        first.execute(row, (store._envelope.key(attempt(key="k")),))
        second = asyncio.create_task(store.claim(attempt("a2", key="k")))
        await until(lambda: postgres_peer.ask("SELECT 1 FROM pg_locks WHERE NOT granted"))
        first.commit()
    assert await second == Found(state="running", wait_s=1.0)
    assert (await store.intend(attempt("a2", key="k"), "Tables.book")).state == "running"


async def test_an_attempt_whose_key_was_lost_with_the_server_sends_nothing(make, postgres_peer, postgres_url):
    """A claim does not wait for the disk: without it there is no intent."""
    store = make()
    one = attempt(key="k")
    await store.claim(one)
    postgres_peer.ask("DELETE FROM narrows_keys", postgres_url)
    assert await store.intend(one, "Tables.book") == Found(state="running")
    assert await store.unsettled(10) == []


async def test_what_is_full_of_many_is_told_after_a_hundredth(make, elsewhere):
    """A bound is not counted for each row; two machines pass it by a hundredth each at the most."""
    store = make(keys=200)
    elsewhere._keys.most = 200
    held = 0
    for number in range(300):
        try:
            await (store, elsewhere)[number % 2].claim(attempt(f"a{number}", key=f"k{number}"))
            held += 1
        except Unavailable:
            break
    assert 200 <= held <= 204


async def test_nothing_in_the_tables_can_be_read(make, postgres_peer, postgres_url, clock):
    """Neither a name, a key, an answer nor an operation stands in them, and another key opens nothing."""
    store = make()
    one = attempt(key="client-key", receipt="rehearsal-id", trace_id="trace-id", request="request-digest")
    await store.confirm("rehearsal-id", ANN)
    await both(store, one)
    await store.settle(one, UNKNOWN, b"canary answer")
    await store.intend(attempt("a2", trace_id="trace-id"), "Tables.book")
    tables = ("confirmations", "receipts", "keys", "intents")
    content = repr([postgres_peer.ask(f"SELECT * FROM narrows_{table}", postgres_url) for table in tables])
    for text in ("ann", "acme", "where2eat", "client-key", "rehearsal-id", "canary", "Tables", "lunch.", "trace-id"):
        assert text not in content
    stranger = PostgresCommits(store._server, clock, Lifetimes(60, 600), bytes(32))
    assert await stranger.unsettled(10) == []
    assert (await stranger.claim(attempt("a3", key="client-key"))).state == "new"
    await stranger.settle(attempt("a2"), DONE, None)


async def test_a_text_moved_to_another_row_tells_nothing(make, postgres_peer, postgres_url):
    """Who can write into the tables cannot make one key answer with the answer of another."""
    store = make()
    for name in ("k", "l"):
        one = attempt(name, key=name)
        await store.claim(one)
        await store.settle(one, DONE, name.encode())
    move = "UPDATE narrows_keys SET sealed = (SELECT sealed FROM narrows_keys WHERE attempt = 'l')"
    postgres_peer.ask(move, postgres_url)
    assert await store.claim(attempt("a2", key="k")) == Found(state="done")
    assert (await store.claim(attempt("a2", key="l"))).answer == b"l"
