"""A process of its own that watches an audit log, and prints the id of each alert that it tells.

`python -m tests.flow.alert_process STORE BEGAN MARK` ends when all of the log is judged and told. STORE is the path of
a file, or the URL of a PostgreSQL server. Its clock runs ten times as fast as that of the machine, and is the same in
every process that was given the same BEGAN (seconds since 1970 by the machine). The first that has told `DIES_AT`
alerts makes the file MARK, and kills itself before it can say that it has told them.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from narrows.alerts.engine import Facts
from narrows.alerts.state import decode
from narrows.alerts.watch import Around, Watch
from narrows.audit.log import RecordLog
from narrows.settings import AlertSettings, Secret
from narrows.stores.audit import AuditStore
from narrows.stores.sqlite_audit import SqliteAuditStore
from tests.flow.minimal import make_settings
from tests.unit.alerts.traffic import MONDAY
from tests.unit.declare.records import Office

FACTS = Facts("shop", {}, {})
FASTER = 10
DIES_AT = 60


@asynccontextmanager
async def opened(place: str) -> AsyncIterator[AuditStore]:
    """The log."""
    if "://" not in place:
        file = SqliteAuditStore(place)
        yield file
        await file.close()
        return
    from narrows.stores.postgres_audit import PostgresAuditStore
    from narrows.stores.postgres_server import PostgresServer

    server = PostgresServer(Secret(place))
    store = PostgresAuditStore(server)
    await server.prepare()
    yield store
    await store.close()
    await server.close()


class Saying:
    """Prints which alert was told."""

    def __init__(self, mark: Path) -> None:
        self._mark = mark
        self._told = 0

    def __call__(self, line: bytes) -> None:
        """Print one, and perhaps die of it."""
        print(msgspec.json.decode(line)["note"].partition(":")[0], flush=True)
        self._told += 1
        if self._told == DIES_AT:
            with contextlib.suppress(FileExistsError):
                self._mark.touch(exist_ok=False)
                os.kill(os.getpid(), signal.SIGKILL)


async def main(place: str, began: float, mark: Path) -> None:
    """Watch until there is nothing left."""
    from narrows.telemetry import Telemetry

    office = Office()
    telemetry = Telemetry.build(make_settings())

    def clock() -> float:
        return MONDAY + (time.time() - began) * FASTER

    async with opened(place) as store:
        around = Around(store, RecordLog(Saying(mark)), office.governor, telemetry, clock, str(time.time_ns()))
        running = asyncio.create_task(Watch(FACTS, AlertSettings(every_s=0.01), {}, around).run())
        while not await _is_done(store):  # noqa: ASYNC110 - other processes do it too
            await asyncio.sleep(0.05)
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


async def _is_done(store: AuditStore) -> bool:
    kept, head = await store.kept("alerts.v1:shop"), await store.head()
    state = decode(kept.value) if kept else None
    return state is not None and state.cursor == head.size and not state.pending


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], float(sys.argv[2]), Path(sys.argv[3])))
