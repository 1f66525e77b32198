"""What every store of an audit log promises holds in PostgreSQL, for two machines, and when the server is killed."""

import asyncio
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from narrows.audit.export import export
from narrows.audit.verify import verify
from narrows.audit.writer import Writer
from narrows.errors import Unavailable
from narrows.settings import Secret
from narrows.stores.audit import Head
from narrows.stores.postgres_audit import PostgresAuditStore
from narrows.stores.postgres_server import PostgresServer
from tests.interop.servers import until
from tests.unit.audit.logs import KEYS, ORIGIN, SIGNER
from tests.unit.stores.promises.audit import *


@pytest.fixture
def store(postgres):
    """A store of its own."""
    return PostgresAuditStore(postgres)


async def holds(store) -> list[bytes]:
    """All leaves of a log that was signed and verifies."""
    head = await store.head()
    lines = [line async for line in export(store, ORIGIN, head.size)]
    verdict = verify(lines, KEYS)
    assert (verdict.first_bad, verdict.signed, verdict.why) == (None, head.size, "")
    return await store.leaves(0, head.size)


async def test_of_a_person_who_is_forgotten_the_tables_file_holds_nothing(store, postgres_url):
    """The file in which they stood is removed, and the others are still found."""
    canary = b"canary-" * 8
    await store.put_person(b"lookup-of-anna", Person("hash-of-anna", canary))
    await store.put_person(b"ben", BEN)
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("CHECKPOINT")
        [(before,)] = connection.execute("SELECT pg_relation_filepath('narrows_audit_persons')").fetchall()
        [(data,)] = connection.execute("SHOW data_directory").fetchall()
        folder = Path(data)
        assert canary in (folder / before).read_bytes()
        assert await store.forget_person(b"lookup-of-anna")
        connection.execute("CHECKPOINT")
        [(after,)] = connection.execute("SELECT pg_relation_filepath('narrows_audit_persons')").fetchall()
        assert not (folder / before).exists() or canary not in (folder / before).read_bytes()
        assert canary not in (folder / after).read_bytes()
    assert await store.person(b"ben") == BEN


async def test_two_machines_never_fork_it(store, postgres_url):
    """Both write at once, each in batches: every record is there once, in the order of its machine, and it verifies."""
    server = PostgresServer(Secret(postgres_url))
    writers = [Writer(each, SIGNER) for each in (store, PostgresAuditStore(server))]

    async def write(writer, name):
        for number in range(60):
            await writer.keep(f"{name} {number}".encode())

    names = [f"{place}{letter}" for place in (0, 1) for letter in "abcd"]
    await asyncio.gather(*(write(writers[int(name[0])], name) for name in names))
    for writer in writers:
        await writer.close()
    leaves = await holds(store)
    for name in names:
        own = [leaf for leaf in leaves if leaf.startswith(name.encode() + b" ")]
        assert own == [f"{name} {number}".encode() for number in range(60)]
    assert len(leaves) == 60 * len(names)
    await server.close()


PROCESS = """
import asyncio, sys
from narrows.audit.writer import Writer
from narrows.settings import Secret
from narrows.stores.postgres_audit import PostgresAuditStore
from narrows.stores.postgres_server import PostgresServer
from tests.interop.servers import until
from tests.unit.audit.logs import SIGNER

async def main(url, name):
    server = PostgresServer(Secret(url))
    writer = Writer(PostgresAuditStore(server), SIGNER)
    async def write(task):
        for number in range(25):
            await writer.keep(f"{name} {task} {number}".encode())
    await asyncio.gather(*map(write, range(8)))
    await writer.close()
    await server.close()

asyncio.run(main(*sys.argv[1:]))
"""


async def test_two_processes_never_fork_it(store, postgres_url):
    """As `narrows run --workers` has them."""
    assert await store.head() == Head()
    running = [
        subprocess.Popen([sys.executable, "-c", PROCESS, postgres_url, name])  # noqa: S603, ASYNC220 # ours
        for name in "ab"
    ]
    assert [process.wait() for process in running] == [0, 0]
    leaves = await holds(store)
    assert len(leaves) == len(set(leaves)) == 400


@pytest.mark.parametrize("how", ["kill", "stop"])
async def test_a_server_that_is_killed_under_load_loses_nothing_that_was_kept(store, postgres_peer, how):
    """Whatever was said to be on the disk is there, once; what was not stays in the queue and is there in the end."""
    writer = Writer(store, SIGNER)
    kept: list[bytes] = []
    given: list[bytes] = []
    over = asyncio.Event()

    async def write(name):
        number = 0
        while not over.is_set():
            leaf = f"{name} {number}".encode()
            number += 1
            with suppress(Unavailable):
                await writer.room()
                given.append(leaf)
                await writer.keep(leaf)
                kept.append(leaf)
            await asyncio.sleep(0)

    tasks = [asyncio.create_task(write(name)) for name in "abcdefgh"]
    await until(lambda: len(kept) >= 100)
    await asyncio.to_thread(getattr(postgres_peer, how))
    await until(lambda: writer.failing)
    before = len(kept)
    with pytest.raises(Unavailable):
        await writer.room()
    await asyncio.to_thread(postgres_peer.start)
    await until(lambda: len(kept) >= before + 100)
    over.set()
    await asyncio.gather(*tasks)
    await writer.close()
    counted = Counter(await holds(store))
    assert set(counted.values()) == {1}
    assert set(kept) <= counted.keys()
    assert counted.keys() == set(given)
