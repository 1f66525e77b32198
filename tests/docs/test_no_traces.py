"""The project says nothing of the machine that it was written on, and of no registry that it was installed from."""

import re
import subprocess

import pytest

from tests.docs.pages import ROOT

HERE = "tests/docs/test_no_traces.py"
# A path below the home or work folder of one machine, and hosts that packages come from.
TRACES = re.compile(
    r"(?<![\w.<}-])/(?:root|work|home/\w+|Users/\w+)/|"
    r"pypi\.org|pythonhosted\.org|registry\.npmjs\.org|proxy\.golang\.org|--(?:extra-)?index-url|"
    r"https?://[^/\s]*(?:artifactory|nexus)[^/\s]*/"
)


def tracked() -> list[str]:
    """The files of the project: those that are committed, and those that would be."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S603 - a fixed command
    return sorted(set(done.stdout.splitlines()) - {HERE})


def test_no_file_holds_a_path_of_a_machine_or_a_registry():
    """Nothing leads to a place that a reader does not have."""
    found = []
    for name in tracked():
        path = ROOT / name
        if not path.is_file():
            continue
        text = path.read_bytes().decode("utf-8", "replace")
        found += [f"{name}:{number}" for number, line in enumerate(text.splitlines(), 1) if TRACES.search(line)]
    assert found == []


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("see /root/secret", True),
        ("/home/anna/code", True),
        ("https://pypi.org/simple", True),
        ("pip install --index-url x", True),
        ("GET /homes/7", False),
        ("/teams/{team_id}/work/7", False),
        ("tests/work/x", False),
    ],
)
def test_the_search_finds_what_it_is_for(text, holds):
    """The pattern itself works, and leaves paths of an API alone."""
    assert bool(TRACES.search(text)) is holds


def test_the_pins_hold_versions_and_no_addresses():
    """Where packages come from is decided by who installs them."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("# ")
    assert [line for line in lines[1:] if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!_-]+", line)] == []
