"""The walk from nothing to a write with its receipt, done as its page says, by real processes over real sockets."""

import os
import re
import selectors
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, blocks
from tests.docs.test_snippets import checked, commands

PAGE = ROOT / "docs" / "guide" / "first-micro-app.md"
SERVES = "narrows dev bffs.desks.app:bff"
PATIENCE_S = 90
BIN = Path(sys.executable).parent


def steps() -> list[str]:
    """Every command of the page, in its order."""
    return [command for block in blocks(PAGE, "sh") for command in commands(block)]


def script(lines: list[str], port: int = 0) -> str:
    """Commands as one script: each must succeed, and each curl end as its comment says."""
    told = ["set -euo pipefail"]
    for line in lines:
        bare, _, comment = line.partition("  #")
        bare = bare.replace("127.0.0.1:8000", f"127.0.0.1:{port}")
        bare = re.sub(r"narrows token (.*?)\)", rf"narrows token \1 --port {port})", bare)
        told.append(patient(checked(bare, comment)) if bare.startswith("curl ") else bare)
    return "\n".join(told)


def patient(step: str) -> str:
    """A state of a connector is felt within a second; a call that comes sooner is made again, for two seconds."""
    return f"for turn in {{1..8}}; do\nif (\n{step}\n); then turn=done; break; fi\nsleep 0.25\ndone\n[ $turn = done ]"


def run(text: str, folder: Path) -> str:
    """Run a script in a folder, and give what it printed."""
    environment = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "TMPDIR": str(folder / "tmp")}
    done = subprocess.run(  # noqa: S603 - our own page
        ["/bin/bash", "-c", text], cwd=folder, env=environment, capture_output=True, text=True, timeout=PATIENCE_S
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def banner_of(process: subprocess.Popen) -> str:
    """What `narrows dev` says when it serves, up to its last part."""
    said, deadline = b"", time.monotonic() + PATIENCE_S
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while b"\n  programs " not in said and selector.select(max(0.0, deadline - time.monotonic())):
            more = os.read(process.stdout.fileno(), 65_536)
            said += more
            if not more:
                break
    assert b"\n  programs " in said, said.decode()
    return said.decode()


def port_of(banner: str) -> int:
    """The port on which it serves."""
    return int(re.search(r"the API\s+http://127\.0\.0\.1:(\d+)", banner)[1])


@pytest.fixture
def folder(tmp_path):
    """An empty folder, with one for temporary files."""
    (tmp_path / "tmp").mkdir(mode=0o700)
    return tmp_path


def test_the_walk_works_to_the_letter(folder):
    """Scaffold, sandbox, trial, rehearse, approve, commit with a receipt; each refusal on the way is the one shown."""
    before, after = steps()[: steps().index(SERVES)], steps()[steps().index(SERVES) + 1 :]
    run(script(before), folder)
    environment = {**os.environ, "TMPDIR": str(folder / "tmp")}
    command = [BIN / "narrows", *SERVES.split()[1:], "--port", "0"]
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE) as process:  # noqa: S603 - our own command
        try:
            run(script(after, port_of(banner_of(process))), folder)
        finally:
            process.terminate()
            process.wait(PATIENCE_S)


def test_the_page_says_how_each_step_ends():
    """Every refusal of the walk is shown with its status, so that a reader knows it from a mistake."""
    shown = [re.search(r"  # (\d{3})", step) for step in steps()]
    assert [found[1] for found in shown if found] == ["403", "403", "403", "400", "428", "409", "403"]
    assert len(re.findall(r"^## \d\. ", PAGE.read_text(encoding="utf-8"), re.MULTILINE)) == 6
