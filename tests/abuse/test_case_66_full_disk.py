"""Cases 65 and 66: what cannot be recorded is not answered, and whoever is killed loses nothing that was kept."""

import asyncio
import json
import signal
import sqlite3
import subprocess
import sys

import httpx
import pytest

from narrows import Surroundings
from narrows.audit.export import export
from narrows.audit.verify import verify
from narrows.audit.writer import Writer
from narrows.errors import SettingsError
from narrows.settings import Secret
from narrows.stores.sqlite_audit import SqliteAuditStore
from narrows.surfaces.http import Application
from narrows.testing import Network
from tests.flow.minimal import make_bff, make_settings
from tests.flow.world import world
from tests.unit.audit.logs import KEYS, ORIGIN, SIGNER

KEY = Secret("A" * 43 + "=")


def begin(how, path):
    """Start the other process."""
    command = [sys.executable, "-m", "tests.abuse.logging_process", how, str(path)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603 # ours


async def leaves_of(path):
    """What is in the log of a file."""
    store = SqliteAuditStore(path)
    leaves = await store.leaves(0, 1_000_000)
    await store.close()
    return leaves


def test_case_66_on_a_full_disk_nothing_is_answered_that_is_not_recorded(tmp_path):
    """The file may grow no further (RLIMIT_FSIZE): every success has its record, and with room it goes on."""
    process = begin("serve", tmp_path / "audit.db")
    said, _ = process.communicate()
    assert process.returncode == 0
    told = json.loads(said)
    assert told["full"] > 10
    assert set(told["statuses"]) == {200, 503}
    assert told["statuses"].index(503) == told["full"] - 1
    assert (told["others"], told["sent"]) == ([503, 503], 0)
    answered = [json.loads(leaf)["status"] for leaf in asyncio.run(leaves_of(tmp_path / "audit.db"))]
    assert answered.count(200) >= told["statuses"].count(200)


async def test_case_66_a_log_that_may_not_be_written_answers_nothing(tmp_path):
    """Of its file only reading is allowed: 503 for what is found and for what is not, and then it is well again."""
    store = SqliteAuditStore(tmp_path / "audit.db")
    waking = asyncio.Event()

    async def sleep(_):
        await waking.wait()
        waking.clear()

    async with world(around={"audit": store, "sleep": sleep}) as made:
        assert (await made.get("/teams/7/bookings")).status_code == 200
        await store._file.run(lambda connection: connection.execute("PRAGMA query_only = ON").fetchall())
        sent = len(made.network.sent)
        refused = [await made.get("/teams/7/bookings") for _ in range(2)]
        refused.append(await made.client.get("/nowhere"))
        assert [(answer.status_code, answer.headers["retry-after"]) for answer in refused] == [(503, "5")] * 3
        assert {answer.json()["title"] for answer in refused} == {"A part that is needed is away"}
        await store._file.run(lambda connection: connection.execute("PRAGMA query_only = OFF").fetchall())
        after = len(made.network.sent)
        async with asyncio.timeout(10):
            while (await made.client.get("/health")).status_code != 200:
                waking.set()
                await asyncio.sleep(0)
        assert (await made.get("/teams/7/bookings")).status_code == 200
    # The first of the refused was begun while nobody knew; the others reached nobody.
    assert after - sent <= 2
    await store.close()


async def test_case_66_a_log_whose_file_was_taken_away_answers_nothing(tmp_path):
    """Whoever opens the path afterwards would find another log."""
    store = SqliteAuditStore(tmp_path / "audit.db")
    async with world(around={"audit": store}) as made:
        assert (await made.get("/teams/7/bookings")).status_code == 200
        (tmp_path / "audit.db").rename(tmp_path / "elsewhere.db")
        assert [(await made.get("/teams/7/bookings")).status_code for _ in range(2)] == [503, 503]
        before, sent = len(made.records.all()), []

        async def receive():
            return {"type": "websocket.connect"}

        async def send(message):
            sent.append(message["type"])

        await made.app({"type": "websocket", "path": "/", "headers": []}, receive, send)
        assert (sent, len(made.records.all())) == (["websocket.close"], before)
    await store.close()


@pytest.mark.parametrize(
    ("stores", "why"),
    [
        ({"audit": "memory:", "key": KEY}, "ends with its process"),
        ({}, r"stores\.key: what is kept"),
        ({"key": KEY}, r"audit\.key: nothing would sign"),
        ({"audit": "sqlite:no/a.db", "key": KEY}, "does not open"),
        ({"audit": "redis:", "key": KEY}, "names no store"),
        ({"audit": "", "key": KEY}, "names no store"),
    ],
)
async def test_case_66_a_log_that_does_not_open_starts_nothing(tmp_path, stores, why):
    """In production there is no way around it, and the settings tell what to do."""
    around = Surroundings(dial=Network({}).dial, write_record=lambda _: None)
    app = Application(make_bff(), make_settings(stores=stores, base=str(tmp_path)), around)
    with pytest.raises(SettingsError, match=why):
        await app.plan.start()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="https://bff.test") as client:
        assert (await client.get("/health")).status_code == 503
    await app.plan.close()


@pytest.mark.parametrize("records", [1, 200])
async def test_case_65_killed_in_mid_append_it_recovers_with_all_that_was_kept(tmp_path, records):
    """kill -9 at any moment: each record that was said to be on the disk is there, once, and the tree goes on."""
    path = tmp_path / "audit.db"
    process = begin("keep", path)
    kept = [process.stdout.readline().rstrip("\n") for _ in range(records)]
    process.send_signal(signal.SIGKILL)
    kept += [line for line in process.communicate()[0].splitlines(keepends=True) if line.endswith("\n")]
    assert process.returncode == -signal.SIGKILL
    store = SqliteAuditStore(path)
    writer = Writer(store, SIGNER)
    await writer.start()
    await writer.keep(b"after the restart")
    await writer.close()
    head = await store.head()
    leaves = await store.leaves(0, head.size)
    assert {line.rstrip("\n") for line in kept} <= {leaf.decode() for leaf in leaves}
    assert len(set(leaves)) == len(leaves) == head.size
    for name in "abcdefgh":
        own = [leaf for leaf in leaves if leaf.startswith(f"{name} ".encode())]
        assert own == [f"{name} {number}".encode() for number in range(len(own))]
    verdict = verify([line async for line in export(store, ORIGIN, head.size)], KEYS)
    assert (verdict.first_bad, verdict.signed) == (None, head.size)
    await store.close()


async def test_case_65_a_file_that_was_put_back_is_refused_by_the_process_that_knew_more(tmp_path):
    """The same file with the content of yesterday: nothing is answered over it."""
    path = tmp_path / "audit.db"
    store = SqliteAuditStore(path)
    async with world(around={"audit": store}) as made:
        assert (await made.get("/teams/7/bookings")).status_code == 200
        with sqlite3.connect(path) as yesterday, sqlite3.connect(tmp_path / "yesterday.db") as backup:
            yesterday.backup(backup)
        assert (await made.get("/teams/7/bookings")).status_code == 200
        with sqlite3.connect(path) as today, sqlite3.connect(tmp_path / "yesterday.db") as backup:
            backup.backup(today)
        assert [(await made.get("/teams/7/bookings")).status_code for _ in range(2)] == [503, 503]
    for each in (yesterday, backup, today):
        each.close()
    await store.close()


async def test_case_65_a_clock_that_is_moved_back_moves_no_record():
    """Records stand in the order in which they happened, whatever time they say; and it verifies."""
    async with world() as made:
        store = made.app.plan.audit
        for _ in range(3):
            assert (await made.client.get("/health")).status_code == 200
            made.clock.move(-3600)
    leaves = [json.loads(leaf) for leaf in await store.leaves(0, 9)]
    times = [leaf["time"] for leaf in leaves if leaf["endpoint"] == "narrows./health"]
    assert len(times) == 3
    assert times == sorted(times, reverse=True)
    signer = made.app.plan.log.writer.signer
    lines = [line async for line in export(store, signer.origin, (await store.head()).size)]
    assert verify(lines, signer.public).first_bad is None
