"""`narrows rehearse`: example requests in the example world, told at a terminal and to a machine."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner

from narrows.cli import main
from tests.unit.cli.lunch import write_lunch

ROOT = Path(__file__).parents[3]
WHERE2EAT = "bffs.where2eat.app:bff"


def run(*arguments: str):
    """Run the command."""
    return CliRunner().invoke(main, ["rehearse", *arguments])


def write_requests(folder: Path, text: str) -> None:
    """Put the requests of the small BFF beside it."""
    (folder / "tests").mkdir(exist_ok=True)
    (folder / "tests" / "requests.py").write_text(text, encoding="utf-8")


def test_every_request_is_compared():
    """Where2Eat has no difference: each request is told in a line, and the exit code is 0."""
    result = run(WHERE2EAT, "--compare")
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert "book_table: 201, Tables.book, 0.05 EUR  same" in lines
    assert "dining_suggestions: 200, no effect, no price  same" in lines
    assert lines[-1] == f"{len(lines) - 1} requests compared, 0 differ."


def test_nothing_else_is_printed():
    """As a command of its own it tells the requests and no more; whatever a library would log is left out."""
    command = ["-c", "from narrows.cli import main; main()", "rehearse", WHERE2EAT, "--endpoint", "team_bookings"]
    done = subprocess.run(  # noqa: S603 - our own text
        [sys.executable, *command], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
    )
    assert (done.stdout, done.stderr) == ("team_bookings: 200, no effect, no price\n", "")


def test_a_machine_reads_the_same():
    """The requests of one endpoint, as JSON."""
    result = run(WHERE2EAT, "--compare", "--endpoint", "cancel_booking", "--format", "json")
    told = json.loads(result.stdout)
    assert result.exit_code == 0
    assert [one["request"] for one in told["requests"]] == ["cancel_booking", "cancel_booking (by no organiser)"]
    assert told["requests"][0]["live"] == {"status": 204, "effects": ["Tables.cancel"], "price": None}
    assert (told["requests"][0]["differences"], told["without_request"]) == ([], [])


def test_without_compare_nothing_is_sent_live():
    """The rehearsal alone is told: status, effects, price."""
    result = run(WHERE2EAT, "--endpoint", "book_table")
    assert result.stdout.splitlines() == [
        "book_table: 201, Tables.book, 0.05 EUR",
        "book_table (of another team): 403, no effect, no price",
    ]


DIFFERING = """
from contextlib import asynccontextmanager
from narrows.testing import Request, Stage
from tests.flow import test_fidelity_finds as finds

REQUESTS = (finds.asking("cheat"),)

def stage():
    return finds.stage(finds.Host())
"""


def test_a_difference_and_an_endpoint_without_a_request_fail(tmp_path):
    """What differs stands below its request, what is not asked for is named, and the exit code is 1."""
    shutil.copy(ROOT / "tests" / "flow" / "test_fidelity_finds.py", tmp_path / "lists_that_differ.py")
    write_requests(tmp_path, DIFFERING)
    result = run("lists_that_differ:bff", "--compare")
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        "cheat: 200, Lists.add, 0.10 EUR  differs",
        "    effects: rehearsed not noted, live Lists.add",
        "    price: rehearsed 0.10 EUR, live 0.20 EUR",
        "1 requests compared, 1 differ.",
    ]
    assert "lists.copy: no example request in tests/requests.py" in result.stderr
    assert run("lists_that_differ:bff", "--endpoint", "cheat").exit_code == 0


APPLICATION = """
from narrows import app, load_settings
application = app(bff, load_settings("narrows.toml"))
"""


def test_wrong_usage_says_what_would_be_right(tmp_path):
    """No requests, a file without its two names, and an endpoint that nothing asks for."""
    write_lunch(tmp_path, "lunch_rehearsed", more=APPLICATION)
    missing = run("lunch_rehearsed:application")
    assert (missing.exit_code, "requests.py is not there" in missing.stderr) == (2, True)
    write_requests(tmp_path, "REQUESTS = ()\n")
    nameless = run("lunch_rehearsed:bff")
    assert (nameless.exit_code, "does not have stage;" in nameless.stderr) == (2, True)
    unknown = run(WHERE2EAT, "--endpoint", "books")
    assert unknown.exit_code == 2
    assert "There is no request of 'books'; there are some of: book, book_table, " in unknown.stderr


def test_what_cannot_be_compared_is_said(tmp_path):
    """A request that leads nowhere ends the command with its reason, not with a stack."""
    shutil.copy(ROOT / "tests" / "flow" / "test_fidelity_finds.py", tmp_path / "lists_that_miss.py")
    write_requests(tmp_path, DIFFERING.replace('finds.asking("cheat")', 'Request("copy", "/nowhere", caller="anna")'))
    result = run("lists_that_miss:bff", "--compare")
    assert result.exit_code == 2
    assert "/nowhere does not lead to lists.copy" in result.stderr
