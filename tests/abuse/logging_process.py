"""A process of its own that writes an audit log in a file, until it is killed or the disk is full.

`python -m tests.abuse.logging_process keep FILE` prints each record that is on the disk. `… serve FILE` serves
Where2Eat over a disk that gets full, and then has room again; it prints what was answered.
"""

import asyncio
import json
import resource
import signal
import sys
from itertools import count

from narrows.audit.writer import Writer
from narrows.stores.sqlite_audit import SqliteAuditStore
from tests.flow.world import world
from tests.unit.audit.logs import SIGNER


async def keep(path: str) -> None:
    """Keep records, eight at a time, for ever."""
    writer = Writer(SqliteAuditStore(path), SIGNER, checkpoint_s=0.01)
    await writer.start()

    async def one(name: str) -> None:
        for number in count():
            leaf = f"{name} {number}"
            await writer.keep(leaf.encode())
            print(leaf, flush=True)

    await asyncio.gather(*map(one, "abcdefgh"))


async def serve(path: str) -> None:
    """Answer until the disk is full, and again when it is not."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    store = SqliteAuditStore(path)
    statuses: list[int] = []
    around = {"audit": store, "sleep": lambda _: asyncio.sleep(0.001)}

    async def until(wanted: int, ask) -> None:
        while not statuses or statuses[-1] != wanted:
            statuses.append((await ask()).status_code)
            # What is refused at once never waits, and then nothing else would happen.
            await asyncio.sleep(0)

    async with world(around=around, limits={"attempts": "1000000/minute"}) as made:
        _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, most))
        await until(503, lambda: made.client.get("/sandbox/health"))
        full = len(statuses)
        # Nothing that was not recorded reached anybody: neither a read, nor a path that leads nowhere.
        sent = len(made.network.sent)
        others = [(await made.get("/teams/7/bookings")).status_code, (await made.client.get("/nowhere")).status_code]
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
        await until(200, lambda: made.client.get("/sandbox/health"))
        print(json.dumps({"statuses": statuses, "full": full, "others": others, "sent": len(made.network.sent) - sent}))
    await store.close()


if __name__ == "__main__":
    asyncio.run({"keep": keep, "serve": serve}[sys.argv[1]](sys.argv[2]))
