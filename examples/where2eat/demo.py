"""Shows the main job with real processes over real sockets, and fails if any of it is not so.

`python -m examples.where2eat.demo` starts the whole world on free ports and goes through it as a team member, an
outsider and a desktop copilot would. Each claim that it prints is checked against what the services recorded.
"""

import asyncio
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import msgspec

from . import demo_chapters as chapters
from . import world
from .copilot import next_lunch
from .demo_audit import who_did_what
from .demo_budgets import runaways
from .demo_graphql import one_document
from .demo_walk import Story, Walk
from .dev import Addresses
from .evidence import Answers

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "build" / "demo"


@contextmanager
def running(folder: Path, secret: str) -> Iterator[Addresses]:
    """The world as a process of its own, on free ports."""
    command = [sys.executable, "-m", "examples.where2eat.dev", "--json", "--port", "0", "--folder", str(folder)]
    environment = {**os.environ, world.SECRET_VARIABLE: secret}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE) as process:  # noqa: S603 # ours
        try:
            line = process.stdout.readline() if process.stdout else b""
            if not line:
                raise SystemExit("The world did not start; the reason stands above.")
            yield msgspec.json.decode(line, type=Addresses)
        finally:
            process.terminate()
    if process.returncode != 0:
        raise SystemExit(f"The world did not end cleanly ({process.returncode}).")


async def tell(addresses: Addresses, secret: str, at: datetime) -> Story:
    """Go through all chapters, in order."""
    answers = Answers(addresses.origin)
    hooks = {"response": [answers.keep]}
    async with httpx.AsyncClient(trust_env=False, timeout=20.0, event_hooks=hooks) as client:
        walk = Walk(client, addresses, secret, answers, at)
        await walk.sign_in("anna", "olga", "lena")
        await chapters.suggestions(walk)
        await chapters.on_behalf(walk)
        await chapters.outsider(walk)
        await chapters.bad_values(walk)
        await one_document(walk, ROOT)
        place, document = await chapters.rehearsal(walk)
        await chapters.stopped(walk, place, document)
        await chapters.booking(walk, place, document)
        printed = await chapters.copilot(walk, ROOT)
        await who_did_what(walk, ROOT)
        await runaways(walk, ROOT, place)
        await chapters.export(walk)
        await chapters.nothing_leaked(walk, printed)
        return walk.story


def main() -> None:
    """Run the demonstration; exits with 1 and what was wrong if any claim does not hold."""
    began, secret = time.monotonic(), secrets.token_urlsafe(32)
    print("Where2Eat: five programs on free ports of this machine")
    with running(FOLDER, secret) as addresses:
        print(f"  ready after {time.monotonic() - began:.1f} s; logs and traces lie in {FOLDER.relative_to(ROOT)}/")
        story = asyncio.run(tell(addresses, secret, next_lunch(datetime.now(UTC))))
    took = f"{time.monotonic() - began:.1f} s"
    if story.false:
        print(f"\n{len(story.false)} of {story.told} claims do NOT hold ({took}):", *story.false, sep="\n  - ")
        raise SystemExit(1)
    print(f"\nAll {story.told} claims hold ({took}).")


if __name__ == "__main__":
    main()
