"""Processes that watch one log, of which one is killed: what has to come of it, whatever the log lies on."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter

from narrows.alerts.replay import replay
from narrows.alerts.state import State, decode, encode
from narrows.audit.merkle import grow, leaf_hash
from narrows.settings import AlertSettings
from narrows.stores.audit import AuditStore, Head
from tests.flow.alert_process import FACTS
from tests.unit.alerts.traffic import MONDAY, leaf

CONNECTORS, CALLS = 200, 25
PATIENCE_S = 60
# What one step may have in hand: the alerts of a thousand records.
IN_HAND = 1000 // CALLS


async def judge_and_kill(place: str, store: AuditStore) -> None:
    """Let three processes judge a log, kill the one that leads, and see that the others tell what is left."""
    leaves = [
        leaf(MONDAY + n, connector=f"app-{one}", status=403, outcome="denied")
        for one in range(CONNECTORS)
        for n in range(CALLS)
    ]
    head, nodes = grow(Head(), [leaf_hash(one) for one in leaves])
    assert await store.append(Head(), head, leaves, nodes)
    # A log that is new to the watch is learned in silence; this one is not new.
    assert await store.keep("alerts.v1:shop", 0, encode(State()))
    told, killed = await _three(place)
    expected = {alert.id async for alert in replay(store, FACTS, AlertSettings(), (), MONDAY)}
    assert (len(expected), set(told)) == (CONNECTORS, expected)
    assert killed > 0
    assert sum(told.values()) - len(told) <= IN_HAND
    kept = await store.kept("alerts.v1:shop")
    state = decode(kept.value) if kept else None
    assert state is not None
    assert (state.cursor, len(state.told), state.pending) == (len(leaves), CONNECTORS, [])


async def _three(place: str) -> tuple[Counter[str], int]:
    """What all of them told, and how much of it the one that was killed."""
    command = [sys.executable, "-m", "tests.flow.alert_process", place, str(time.time())]
    started = [await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE) for _ in range(3)]
    told: Counter[str] = Counter()
    killed: list[int] = []

    async def read(process: asyncio.subprocess.Process) -> None:
        own = 0
        assert process.stdout is not None
        async for line in process.stdout:
            told[line.decode().strip()] += 1
            own += 1
            if own == IN_HAND + IN_HAND // 2 and not killed:
                process.kill()
                killed.append(own)

    try:
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.gather(*map(read, started))
            codes = [await process.wait() for process in started]
    finally:
        for process in started:
            if process.returncode is None:
                process.kill()
                await process.wait()
    assert sorted(codes) == [-9, 0, 0]
    return told, killed[0]
