"""`make demo`: the main job with real processes over real sockets, each claim checked against what was recorded."""

import re
import subprocess
import sys

from tests.docs.pages import ROOT

STOP = "The copilot would book that for real: it is stopped until Anna confirms it herself"
# Each stands in its chapter, in this order, and each is a claim that was checked.
CLAIMS = [
    "without a rehearsal's receipt it is refused: 428",
    "with it too: 428, which says where Anna confirms",
    "the copilot cannot confirm it with Anna's token: 401",
    "she confirms it",
    "all the while no write was sent, and there are as many bookings as before: 0",
    "it books: 201",
    "the same receipt again is refused: 409",
]


def test_the_demonstration_holds_and_shows_the_stop() -> None:
    """All its claims hold; the copilot's write is stopped until the person has confirmed it, and then happens once."""
    command = [sys.executable, "-m", "examples.where2eat.demo"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False)  # noqa: S603 # ours
    assert run.returncode == 0, run.stdout[-4000:] + run.stderr[-2000:]
    assert re.search(r"^All \d+ claims hold", run.stdout, re.MULTILINE)
    shown = re.findall(r"^  ok      (.+)$", run.stdout[run.stdout.index(STOP) :], re.MULTILINE)
    assert [claim for claim in shown if claim in CLAIMS] == CLAIMS
    assert re.search(r"^  +\| Stopped: .*\(428\)\.$", run.stdout, re.MULTILINE), "the desktop copilot says it too"
