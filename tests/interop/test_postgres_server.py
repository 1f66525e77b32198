"""What a PostgreSQL may do to a store: refuse, go away, fall silent, lose an answer; each is told, and ends."""

import asyncio
import logging
import re
from contextlib import asynccontextmanager

import psycopg
import pytest

from narrows.errors import SettingsError, Unavailable
from narrows.settings import Secret
from narrows.stores.audit import Head, Node, Person
from narrows.stores.commits import Lifetimes
from narrows.stores.postgres_audit import PostgresAuditStore
from narrows.stores.postgres_budgets import PostgresBudgets
from narrows.stores.postgres_commits import PostgresCommits
from narrows.stores.postgres_connectors import PostgresConnectors
from narrows.stores.postgres_ended import PostgresEnded
from narrows.stores.postgres_rehearsals import PostgresRehearsals
from narrows.stores.postgres_reviews import PostgresReviews
from narrows.stores.postgres_revoked import PostgresRevoked
from narrows.stores.postgres_server import PostgresServer, Schema
from narrows.testing import Clock
from tests.interop.hostile import ROOT
from tests.interop.line import line_to
from tests.interop.servers import back
from tests.unit.stores.promises import connectors, rehearsals, reviews, revoked
from tests.unit.stores.promises.commits import ANN, DONE, KEY, attempt, both

QUICK_S = 0.3


@asynccontextmanager
async def over_a_line(peer, url, **how):
    """The same, over a line that a test cuts."""
    async with line_to(peer.port) as line, reaching(url.replace(f":{peer.port}/", f":{line.port}/"), **how) as server:
        yield line, server


@asynccontextmanager
async def reaching(url, **how):
    """A server that is closed afterwards."""
    server = PostgresServer(Secret(url), **how)
    yield server
    await server.close()


def commits(server):
    """A store of commits on a server."""
    return PostgresCommits(server, Clock(1_790_000_000.0), Lifetimes(60, 600), KEY)


async def is_there(store):
    """Whether a store answers."""
    return await store.is_confirmed("r", ANN)


async def test_a_server_that_was_killed_is_found_again(postgres, postgres_peer):
    """What was committed is there; nobody waits long while it is away, and the store comes back by itself."""
    store = commits(postgres)
    await store.confirm("r", ANN)
    postgres_peer.kill()
    loop = asyncio.get_running_loop()
    for _ in range(3):
        began = loop.time()
        with pytest.raises(Unavailable, match="The store of commits is away") as caught:
            await store.confirm("s", ANN)
        assert caught.value.headers == {"Retry-After": "5"}
    assert loop.time() - began < 0.5
    postgres_peer.start()
    assert await back(lambda: is_there(store))


async def test_a_connection_that_ends_in_the_midst_takes_its_transaction_along(postgres, postgres_peer, postgres_url):
    """Nothing of it is there, and the next one has a connection that works."""
    postgres.expect(Schema("numbers", 1, "CREATE TABLE numbers (it int)"))

    async def lose():
        async with postgres.transaction("numbers") as connection:
            await connection.execute("INSERT INTO numbers VALUES (1)")
            postgres_peer.ask(f"SELECT pg_terminate_backend({connection.info.backend_pid})")
            await connection.execute("INSERT INTO numbers VALUES (2)")

    with pytest.raises(Unavailable, match="The store of numbers is away"):
        await lose()
    async with postgres.transaction("numbers") as connection:
        assert await (await connection.execute("SELECT * FROM numbers")).fetchall() == []
    assert postgres_peer.ask("SELECT name, version FROM narrows_schemas", postgres_url) == [("numbers", 1)]


async def test_a_connection_that_ended_while_it_lay_idle_is_not_used(postgres, postgres_peer):
    """No question fails for it."""
    store = commits(postgres)
    await is_there(store)
    async with postgres.transaction("commits") as connection:
        pid = connection.info.backend_pid
    postgres_peer.ask(f"SELECT pg_terminate_backend({pid}, 5000)")
    assert not await is_there(store)


async def test_a_server_that_falls_silent_is_cut(postgres_peer, postgres_url):
    """Also in the midst of a transaction nobody waits for more than twice the time; afterwards all is well again."""
    async with over_a_line(postgres_peer, postgres_url, wait_s=QUICK_S) as (line, server):
        store = commits(server)
        await store.confirm("r", ANN)
        line.passing.clear()
        began = asyncio.get_running_loop().time()
        with pytest.raises(Unavailable):
            await store.confirm("s", ANN)
        assert asyncio.get_running_loop().time() - began < 4 * QUICK_S
        line.passing.set()
        assert await back(lambda: is_there(store))


@pytest.mark.parametrize("ends", [True, False])
async def test_an_intent_whose_answer_was_lost_is_sent_by_nobody(postgres_peer, postgres_url, ends):
    """It is a 503, so nothing leaves; whoever comes later finds it begun, or free when its end was put down."""
    async with over_a_line(postgres_peer, postgres_url) as (line, server):
        store, one = commits(server), attempt(key="k", receipt="r")
        await store.claim(one)
        line.lose = b"COMMIT"
        with pytest.raises(Unavailable):
            await store.intend(one, "Tables.book")
        # It did happen, and the same attempt may ask once more.
        assert [intent.id for intent in await store.unsettled(10)] == ["a1"]
        assert (await store.intend(one, "Tables.book")).state == "new"
        if ends:
            await store.settle(one, [], None)
        again = attempt("a2", key="k", until=store._now() + 30)
        store._now.move(20)
        assert (await store.claim(again)).state == ("new" if ends else "begun")
        assert (await store.claim(attempt("a3", receipt="r"))).state == "spent"


async def test_other_answers_that_are_lost_harm_nothing(postgres_peer, postgres_url):
    """A claim holds its key for its time; an end and a confirmation are put down once, however often."""
    async with over_a_line(postgres_peer, postgres_url) as (line, server):
        store = commits(server)
        await is_there(store)

        async def lose(work):
            line.lose = b"COMMIT"
            with pytest.raises(Unavailable):
                await work

        await lose(store.claim(attempt("a0", key="j")))
        assert (await store.claim(attempt("a9", key="j"))).state == "running"
        one = attempt(key="k")
        await both(store, one)
        await lose(store.settle(one, DONE, b"answer"))
        await store.settle(one, DONE, b"answer")
        assert (await store.claim(attempt("a2", key="k"))).answer == b"answer"
        await lose(store.confirm("r", ANN))
        await store.confirm("r", ANN)
        assert await is_there(store)
        assert await store.unsettled(10) == []


async def test_a_wrong_password_is_told_without_it(postgres_peer, caplog):
    """At start with the remedy; later as away; and it stands in no message and in no log."""
    caplog.set_level(logging.DEBUG)
    postgres_peer.ask("CREATE ROLE guarded LOGIN PASSWORD 'right'")
    postgres_peer.let_in("host all guarded 127.0.0.1/32 scram-sha-256")
    url = f"postgresql://guarded:canary-pass@127.0.0.1:{postgres_peer.port}/postgres"
    async with reaching(url, wait_s=QUICK_S) as server:
        store = commits(server)
        with pytest.raises(SettingsError, match="it does not take the password") as told:
            await server.prepare()
        with pytest.raises(Unavailable) as later:
            await is_there(store)
        assert "canary-pass" not in str(told.value) + str(later.value) + caplog.text


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("postgresql://nobody@127.0.0.1:{port}/postgres", "the role or the database is not there"),
        ("postgresql://narrows@127.0.0.1:{port}/nowhere", "the role or the database is not there"),
        ("postgresql://narrows@127.0.0.1:{port}/postgres?sslmode=require", "it does not speak TLS as the URL asks"),
        ("postgresql://narrows:canary-pass@127.0.0.1:port/x", "nobody can read its URL"),
        ("postgresql://narrows:canary-pass@127.0.0.1:1/postgres", "it does not answer"),
    ],
)
async def test_what_keeps_a_start_from_its_server_is_told(postgres_peer, url, told):
    """In words of its own: those of the client could hold what stands in the URL."""
    async with reaching(url.format(port=postgres_peer.port), wait_s=QUICK_S) as server:
        store = commits(server)
        with pytest.raises(SettingsError, match=rf"stores\.postgres: {told}\. Remedy: ") as caught:
            await server.prepare()
        assert "canary" not in str(caught.value)
        with pytest.raises(Unavailable):
            await is_there(store)


async def test_a_server_without_a_connection_left_is_told(postgres_peer, postgres_url):
    """Nobody waits for ever; when there is one again the store goes on."""
    postgres_peer.ask("CREATE ROLE crowded LOGIN SUPERUSER CONNECTION LIMIT 1")
    url = postgres_url.replace("narrows@", "crowded@")
    # The limit of a role does not hold for a superuser.
    postgres_peer.ask("ALTER ROLE crowded NOSUPERUSER")
    [(place,)] = postgres_peer.ask("SELECT current_schema()", postgres_url)
    postgres_peer.ask(f"GRANT ALL ON SCHEMA {place} TO crowded")
    async with reaching(url, wait_s=QUICK_S) as server:
        store = commits(server)
        with psycopg.connect(url):
            with pytest.raises(SettingsError, match="it has no connection left"):
                await server.prepare()
            with pytest.raises(Unavailable):
                await is_there(store)
        assert await back(lambda: is_there(store)) is False


async def test_more_questions_than_connections_wait_for_each_other(postgres_url):
    """One connection serves fifty at once; and who waits too long is told, without taking the server for away."""
    async with reaching(postgres_url, size=1, wait_s=5 * QUICK_S) as server:
        store = commits(server)
        assert await asyncio.gather(*(is_there(store) for _ in range(50))) == [False] * 50
        async with server.transaction("commits"):
            with pytest.raises(Unavailable):
                await is_there(store)
        assert await is_there(store) is False


async def test_a_server_that_only_reads_takes_nothing(postgres_peer, postgres_url):
    """As one that was the second until now: reading goes, no intent is taken for put down."""
    async with reaching(postgres_url) as server:
        await is_there(commits(server))
    url = postgres_url.replace("?options=", "?options=-cdefault_transaction_read_only%3Don%20")
    async with reaching(url) as server:
        store = commits(server)
        assert await is_there(store) is False
        with pytest.raises(Unavailable):
            await store.intend(attempt(), "Tables.book")
    async with reaching(postgres_url) as server:
        assert await commits(server).unsettled(10) == []


@pytest.mark.parametrize(("version", "word"), [(0, "an older"), (9, "a newer")])
async def test_tables_of_another_version_are_told_and_left_alone(postgres_peer, postgres_url, caplog, version, word):
    """At start with what to do, later in the log; nothing is read or written by guessing."""
    async with reaching(postgres_url) as server:
        await commits(server).confirm("r", ANN)
    postgres_peer.ask(f"UPDATE narrows_schemas SET version = {version}", postgres_url)
    async with reaching(postgres_url) as server:
        store = commits(server)
        with pytest.raises(SettingsError, match=f"its tables of commits were made by {word} Narrows"):
            await server.prepare()
        with pytest.raises(Unavailable):
            await store.confirm("s", ANN)
        assert f"made by {word} Narrows" in caplog.text
    assert postgres_peer.ask("SELECT count(*) FROM narrows_confirmations", postgres_url) == [(1,)]


def every_store(server):
    """One of each kind."""
    clock = Clock(1_790_000_000.0)
    return (
        commits(server),
        PostgresConnectors(server, KEY),
        PostgresEnded(server, clock),
        PostgresRehearsals(server, clock, 60, KEY),
        PostgresReviews(server, KEY),
        PostgresRevoked(server, clock, KEY),
        PostgresAuditStore(server),
        PostgresBudgets(server, clock),
    )


async def test_a_role_that_may_make_nothing_works_on_what_the_owner_made(postgres_peer, postgres_url):
    """With the grants of the guide; without the tables its start says whose turn it is."""
    [(place,)] = postgres_peer.ask("SELECT current_schema()", postgres_url)
    postgres_peer.ask("CREATE ROLE modest LOGIN")
    postgres_peer.ask(grants()[0].replace("lunch_bff", "modest").replace("lunch", place))
    async with reaching(postgres_url.replace("narrows@", "modest@")) as server:
        await use(every_store(server), server, lacks=True)
        async with reaching(postgres_url) as owner:
            every_store(owner)
            await owner.prepare()
            await owner.prepare()  # what is made already is not looked at again
        for grant in grants():
            postgres_peer.ask(re.sub(r"\blunch\b", place, grant).replace("lunch_bff", "modest"), postgres_url)
        await use(every_store(server), server, lacks=False)
        for table in ("changes", "decisions", "audit_leaves", "audit_nodes"):
            for statement in ("DELETE FROM {}", "TRUNCATE {}", "DROP TABLE {}"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    postgres_peer.ask(statement.format(f"narrows_{table}"), postgres_url.replace("narrows@", "modest@"))


def grants():
    """The grants of the guide, word by word."""
    guide = (ROOT / "docs" / "guide" / "postgresql.md").read_text(encoding="utf-8")
    return [line for line in guide.splitlines() if line.startswith("GRANT ")]


async def use(stores, server, *, lacks):
    """Do with each store what a process does with it."""
    if lacks:
        with pytest.raises(SettingsError, match="does not let this role make or read the tables"):
            await server.prepare()
        return
    await server.prepare()
    kept, registry, ended, rehearsed, queue, revocations, log, _ = stores
    one = attempt(key="k", receipt="r")
    await both(kept, one)
    await kept.settle(one, DONE, b"answer")
    await kept.confirm("r", ANN)
    await registry.put(connectors.entry(), connectors.change(), 0)
    await registry.note(connectors.change())
    assert len(await registry.history()) == 2
    assert await ended.add("a", 2e9)
    await rehearsed.put("r", rehearsals.ANN, b"document")
    await queue.open([reviews.REVIEW])
    assert await queue.decide(reviews.GRANTED)
    await queue.note(b"line")
    assert await revocations.add(revoked.subject("anna", Clock(1_790_000_000.0))) == 1
    assert await log.append(Head(), Head(1, (b"1" * 32,)), [b"leaf"], [Node(0, 0, b"1" * 32)])
    assert await log.keep("at", 0, b"1")
    assert await log.keep("at", 1, b"2")
    assert await log.put_person(b"lookup", Person("hash", b"sealed")) == Person("hash", b"sealed")
