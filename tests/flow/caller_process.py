"""A process of its own: it serves Where2Eat over a registry in a file, calls it, and prints each status that is new.

`python -m tests.flow.caller_process DATABASE` ends when it is refused, or when nobody refused it in time.
"""

import asyncio
import sys
import time

from narrows.stores.connectors import SqliteConnectors
from narrows.stores.memory_audit import MemoryAuditStore
from tests.flow.programs import without_table
from tests.flow.world import world

KEY = b"k" * 32
PATIENCE_S = 30.0


async def main(database: str) -> None:
    """Call until it is refused."""
    store = SqliteConnectors(database, KEY)
    around = {"now": time.time, "connectors": store, "audit": MemoryAuditStore()}
    seen, until = 0, time.monotonic() + PATIENCE_S
    over = {"limits": {"attempts": "1000000/minute"}}
    async with world(around=around, authority={"now": time.time}, settings=without_table(**over)) as made:
        path = "/sandbox/teams/7/bookings"
        while seen != 403 and time.monotonic() < until:
            status = (await made.get(path)).status_code
            # A rate that is used up says nothing of the state, which is looked at before it.
            if status not in (seen, 429):
                seen = status
                print(status, flush=True)
    await store.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
