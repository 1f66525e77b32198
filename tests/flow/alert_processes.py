"""Processes that watch one log, of which one is killed: what has to come of it, whatever the log lies on."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections import Counter
from pathlib import Path

from narrows.alerts.replay import replay
from narrows.alerts.state import State, decode, encode
from narrows.audit.merkle import grow, leaf_hash
from narrows.settings import AlertSettings
from narrows.stores.audit import AuditStore, Head
from tests.flow.alert_process import DIES_AT, FACTS
from tests.unit.alerts.traffic import MONDAY, leaf

CONNECTORS, CALLS = 200, 25
PATIENCE_S = 120
# What one step may have in hand: the alerts of a thousand records.
IN_HAND = 1000 // CALLS


async def judge_and_kill(place: str, store: AuditStore, folder: Path) -> None:
    """Let three processes judge a log, of which one that leads is killed, and see that the others tell what is left."""
    leaves = [
        leaf(MONDAY + n, connector=f"app-{one}", status=403, outcome="denied")
        for one in range(CONNECTORS)
        for n in range(CALLS)
    ]
    head, nodes = grow(Head(), [leaf_hash(one) for one in leaves])
    assert await store.append(Head(), head, leaves, nodes)
    # A log that is new to the watch is learned in silence; this one is not new.
    assert await store.keep("alerts.v1:shop", 0, encode(State()))
    # Three that share so many cannot all stay below the number at which the first of them dies.
    assert CONNECTORS > 3 * DIES_AT
    told = await _three(place, folder / "mark")
    expected = {alert.id async for alert in replay(store, FACTS, AlertSettings(), (), MONDAY)}
    assert (len(expected), set(told)) == (CONNECTORS, expected)
    assert sum(told.values()) - len(told) <= IN_HAND
    kept = await store.kept("alerts.v1:shop")
    state = decode(kept.value) if kept else None
    assert state is not None
    assert (state.cursor, len(state.told), state.pending) == (len(leaves), CONNECTORS, [])


async def _three(place: str, mark: Path) -> Counter[str]:
    """What all of them told."""
    command = [sys.executable, "-m", "tests.flow.alert_process", place, str(time.time()), str(mark)]
    started = [await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE) for _ in range(3)]
    try:
        async with asyncio.timeout(PATIENCE_S):
            printed = [out for out, _ in await asyncio.gather(*(process.communicate() for process in started))]
    finally:
        for process in started:
            if process.returncode is None:
                process.kill()
                await process.wait()
    assert sorted(process.returncode or 0 for process in started) == [-signal.SIGKILL, 0, 0]
    return Counter(line for out in printed for line in out.decode().split())
