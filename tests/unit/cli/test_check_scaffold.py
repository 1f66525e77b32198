"""What `narrows new` makes is what `narrows check` takes: its policy and its tests, its settings, its handlers."""

import subprocess
import sys
from pathlib import Path

import pytest

NARROWS = str(Path(sys.executable).with_name("narrows"))


def run(folder, *arguments):
    """Run the command in a folder, as a process: what it imports ends with it."""
    return subprocess.run([NARROWS, *arguments], cwd=folder, capture_output=True, text=True)  # noqa: S603 - our own command


@pytest.mark.parametrize("shape", ["read-only", "limited-write", "aggregate"])
def test_a_new_bff_is_refused_nothing(tmp_path, shape):
    """From nothing to a clean check in two commands; the environments that nobody has named are told."""
    assert run(tmp_path, "new", "fresh", "--shape", shape).returncode == 0
    result = run(tmp_path, "check")
    left = "(not judged, as their hosts are not named yet: staging, production)"
    assert (result.stdout, result.returncode) == (f"bffs.fresh.app:bff: ok {left}\n", 0)


def test_an_environment_that_is_asked_for_is_judged(tmp_path):
    """Its hosts are then what is refused."""
    assert run(tmp_path, "new", "fresh").returncode == 0
    result = run(tmp_path, "check", "--environment", "production")
    assert (result.returncode, "[placeholder-left]" in result.stdout) == (1, True)
