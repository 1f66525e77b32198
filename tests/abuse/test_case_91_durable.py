"""Case 91: two writers never fork the log, and what is sensitive is on the disk before it is answered."""

import asyncio
import json
import sqlite3

import pytest

from narrows.stores.audit import Head
from narrows.stores.memory_audit import MemoryAuditStore
from narrows.stores.sqlite_audit import SqliteAuditStore
from tests.flow.world import world

BOOKING = {"place_id": "node-268056325", "starts_at": "2025-12-24T12:00:00Z", "seats": 4}


class Held(MemoryAuditStore):
    """A log whose disk takes its time."""

    def __init__(self):
        super().__init__()
        self.disk = asyncio.Event()
        self.asked = asyncio.Event()

    async def append(self, was, head, leaves, nodes):
        self.asked.set()
        await self.disk.wait()
        return await super().append(was, head, leaves, nodes)


@pytest.mark.parametrize("what", ["read", "write"])
async def test_case_91_a_sensitive_answer_waits_for_the_disk(what):
    """It goes out when its record is there, and not a moment earlier."""
    store = Held()
    async with world(around={"audit": store}) as made:
        asking = made.get("/teams/7/bookings") if what == "read" else made.post("/teams/7/bookings", BOOKING)
        answering = asyncio.create_task(asking)
        await store.asked.wait()
        for _ in range(100):
            await asyncio.sleep(0)
        assert not answering.done()
        assert await store.head() == Head()
        store.disk.set()
        answer = await answering
        assert answer.status_code in (200, 201)
        last = json.loads((await store.leaves(0, 9))[-1])
        assert (last["status"], last["outcome"]) == (answer.status_code, "ok")


async def test_case_91_another_process_finds_the_record_when_the_answer_is_there(tmp_path):
    """It is in the file, not in a process."""
    store = SqliteAuditStore(tmp_path / "audit.db")
    async with world(around={"audit": store}) as made:
        assert (await made.get("/teams/7/bookings")).status_code == 200
        with sqlite3.connect(tmp_path / "audit.db") as other:
            rows = other.execute("SELECT leaf FROM leaves ORDER BY place").fetchall()
        other.close()
        assert json.loads(rows[-1][0])["endpoint"] == "where2eat.team_bookings"
    await store.close()


async def test_case_91_two_applications_over_one_log_never_fork_it(tmp_path):
    """Each answers with its own records in it, all of them once."""
    stores = [SqliteAuditStore(tmp_path / "audit.db") for _ in range(2)]
    async with world(around={"audit": stores[0]}) as one, world(around={"audit": stores[1]}) as other:
        answers = await asyncio.gather(*(made.client.get("/health") for made in (one, other) * 20))
        assert {answer.status_code for answer in answers} == {200}
        leaves = [json.loads(leaf) for leaf in await stores[0].leaves(0, 99)]
        assert len({leaf["trace_id"] for leaf in leaves if leaf["endpoint"] == "narrows./health"}) == 40
    for store in stores:
        await store.close()


async def test_case_91_a_client_that_goes_away_before_the_disk_has_it_leaves_one_record():
    """It says what was done, and not a second time that nobody waited for it."""
    store = Held()
    async with world(around={"audit": store}) as made:
        asking = asyncio.create_task(made.get("/teams/7/bookings"))
        await store.asked.wait()
        for _ in range(100):
            await asyncio.sleep(0)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        store.disk.set()
        await made.app.plan.log.writer.flush()
        leaves = [json.loads(leaf) for leaf in await store.leaves(0, 9)]
    calls = [leaf for leaf in leaves if leaf["event"] == "call"]
    assert [(leaf["endpoint"], leaf["status"]) for leaf in calls] == [("where2eat.team_bookings", 200)]
