"""How long a store of commits takes, embedded and on a real server: `python -m tests.interop.measure_commits`."""

import asyncio
import tempfile
import time
from pathlib import Path

from narrows.settings import Secret
from narrows.stores import Attempt, Commits, Outcome, Owner
from narrows.stores.commits import Lifetimes
from narrows.stores.postgres_commits import PostgresCommits
from narrows.stores.postgres_server import PostgresServer
from narrows.stores.sqlite_commits import SqliteCommits
from tests.interop.servers import PostgresPeer

ANN = Owner("acme", "https://login.example.com", "ann", "where2eat")
LIVES, KEY = Lifetimes(3600, 86_400), bytes(32)
WRITES, WARM, SIDE_BY_SIDE = 400, 20, 16


def attempt(name: str) -> Attempt:
    """One write with a key and a receipt."""
    until = time.time() + 15
    return Attempt(id=name, owner=ANN, endpoint="e", until=until, trace_id="t", request="r", key=name, receipt=name)


async def measure(called: str, store: Commits) -> None:
    """Print the median and the 95th percentile of each step of a write, and how many intents go side by side."""
    taken: dict[str, list[float]] = {"claim": [], "intend": [], "settle": []}
    for number in range(WRITES):
        one = attempt(f"a{number}")
        steps = {
            "claim": store.claim(one),
            "intend": store.intend(one, "Tables.book"),
            "settle": store.settle(one, [Outcome("Tables.book", "done")], b"x" * 500),
        }
        for step, work in steps.items():
            began = time.perf_counter()
            await work
            taken[step].append((time.perf_counter() - began) * 1e6)
    for step, times in taken.items():
        ordered = sorted(times[WARM:])
        middle, late = ordered[len(ordered) // 2], ordered[len(ordered) * 95 // 100]
        print(f"{called:9} {step:7} median {middle:6.0f} µs, 95th percentile {late:6.0f} µs")

    async def many(writer: int) -> None:
        for number in range(WRITES // SIDE_BY_SIDE):
            one = attempt(f"b{writer}-{number}")
            await store.claim(one)
            await store.intend(one, "Tables.book")

    began = time.perf_counter()
    await asyncio.gather(*(many(writer) for writer in range(SIDE_BY_SIDE)))
    print(f"{called:9} {SIDE_BY_SIDE} side by side: {WRITES / (time.perf_counter() - began):.0f} claims and intents/s")


async def main() -> None:
    """Measure both."""
    with tempfile.TemporaryDirectory(prefix="narrows-measure-") as folder:
        file = SqliteCommits(Path(folder) / "commits.db", time.time, LIVES, KEY)
        await measure("sqlite", file)
        await file.close()
    with tempfile.TemporaryDirectory(prefix="narrows-postgres-") as folder:
        peer = PostgresPeer(Path(folder), durable=True)
        peer.start()
        server = PostgresServer(Secret(peer.url))
        await measure("postgres", PostgresCommits(server, time.time, LIVES, KEY))
        await server.close()
        peer.stop()


if __name__ == "__main__":
    asyncio.run(main())
