"""A process of its own that serves a BFF whose rates lie in Redis, and calls it many times at once.

`python -m tests.interop.limits_process URL WHAT COUNT` prints `ready`, waits for a line, sends COUNT requests together,
and prints how many were answered with which status. WHAT is a path of the BFF, `junk` (bad tokens from one address) or
`ids` (teams that nobody is in). Calls that reach the upstream wait there for another line when WHAT is `at-once`; how
many do is printed before.
"""

import asyncio
import json
import sys
import time
from collections import Counter
from typing import Any

from narrows.settings import Secret
from tests.abuse.attack import ask
from tests.flow.test_rates import SETTINGS, Quickly, rated
from tests.flow.world import World, world

KEY = "A" * 43 + "="
SHARED = "198.51.100.7"


class Waiting(Quickly):
    """The upstream, which answers when it may."""

    def __init__(self) -> None:
        super().__init__()
        self.go = asyncio.Event()
        self.waiting = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.waiting += 1
        await self.go.wait()
        await super().__call__(scope, receive, send)


def stores(url: str) -> dict[str, Any]:
    """The settings of a process whose rates are shared."""
    return {"limits": "redis:", "redis": Secret(url), "key": Secret(KEY)}


async def line() -> str:
    """The next line of the test that started this process."""
    return await asyncio.to_thread(sys.stdin.readline)


async def one(made: World, what: str, number: int) -> int:
    """Send one request, and give its status."""
    if what == "junk":
        return (await ask(made.app, "/teams/7/mine", token=f"x.{number}.z", peer=SHARED)).status
    path = f"/teams/{number + 100}/mine" if what == "ids" else f"/teams/7/{what}"
    return (await made.get(path)).status_code


async def main(url: str, what: str, count: int) -> None:
    """Wait for the others, and call."""
    host = Waiting()
    over = {**SETTINGS, "stores": stores(url)}
    if what in ("junk", "ids"):
        over["limits"] = {"attempts": "9/minute", "unverified": "9/minute"}
    around, hosts = {"now": time.time}, {"quick.test": host}
    async with world(bff=rated, hosts=hosts, around=around, authority=around, **over) as made:
        print("ready", flush=True)
        await line()
        calls = [asyncio.ensure_future(one(made, what, number)) for number in range(count)]
        if what == "at-once":
            while host.waiting + sum(call.done() for call in calls) < count:  # noqa: ASYNC110 # two things at once
                await asyncio.sleep(0.01)
            print(host.waiting, flush=True)
            await line()
        host.go.set()
        print(json.dumps(Counter([await call for call in calls])), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
