"""One live call in a process of its own, which a test kills in its midst or holds until another is as far.

`python -m tests.abuse.apart kill|race PLACE HEADERS` sends one request with these headers (JSON) to the BFF of
`errands`, whose stores are the files in a folder, or in the PostgreSQL of a URL. It prints `ready` once its read is
upstream and waits for a line; at the end it prints status, problem and the number of writes that left.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from narrows.settings import Secret
from tests.abuse.attack import post
from tests.abuse.errands import LedgerHost, running

PATH = "/teams/7/copies"
TEXT = {"text": "once"}


Place = Path | str
"""A folder, or the URL of a PostgreSQL."""


def stores(place: Place) -> dict[str, Any]:
    """Stores that several processes share."""
    key = Secret(base64.b64encode(b"k" * 32).decode())
    if str(place).startswith("postgresql://"):
        return {"rehearsals": "postgres:", "commits": "postgres:", "postgres": Secret(str(place)), "key": key}
    files = {name: f"sqlite:{Path(place) / name}.db" for name in ("rehearsals", "commits")}
    return {**files, "key": key}


class Held(LedgerHost):
    """Waits for a line before it answers a read; a write may be the end of the process."""

    def __init__(self, *, deadly: bool) -> None:
        super().__init__()
        self._deadly = deadly

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["method"] == "GET":
            print("ready", flush=True)
            await asyncio.to_thread(sys.stdin.readline)
        elif self._deadly:
            print("written", flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        await super().__call__(scope, receive, send)


async def main(how: str, place: str, headers: str) -> None:
    """Send the one request."""
    host = Held(deadly=how == "kill")
    async with running(host, stores=stores(place)) as (made, _):
        got = await post(made.app, PATH, TEXT, token=made.token(), headers=list(json.loads(headers).items()))
        problem = json.loads(got.body) if got.status >= 400 else {}
        print(json.dumps([got.status, problem.get("reason"), len(host.writes)]), flush=True)


class Child:
    """Such a process, as a test sees it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def said(self) -> str:
        """Its next line."""
        assert self.process.stdout is not None
        return (await self.process.stdout.readline()).decode().strip()

    async def go(self) -> None:
        """Let it go on."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"go\n")
        await self.process.stdin.drain()

    async def end(self) -> None:
        """End it, if it has not ended."""
        if self.process.returncode is None:
            self.process.kill()
            await self.process.wait()


async def begin(how: str, place: Place, headers: dict[str, str]) -> Child:
    """Start one."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.abuse.apart", how, str(place), json.dumps(headers)),
        cwd=Path(__file__).parents[2],
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    return Child(process)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
