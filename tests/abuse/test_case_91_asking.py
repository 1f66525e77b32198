"""Case 91, at the commands: who may not know somebody learns nothing from the log of their own attempt.

And forgetting that was cut short in the middle can be ended.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from narrows.cli import main
from tests.unit.cli.test_audit import DANA, DPO, keep, lunch, run, told

__all__ = ["lunch"]


@pytest.mark.parametrize("how", ["search", "forget"])
def test_case_91_a_refused_attempt_leads_nobody_to_the_hash_of_a_person(lunch: str, how: str) -> None:
    """Whoever may not know it tries with a name, and then reads the log: it holds no hash that the name gave."""
    caller = keep(lunch, {})
    asked = ("search", lunch, "--person", "corp|anna") if how == "search" else ("forget", lunch, "corp|anna")
    said = run(*asked, "--by", "mallory@example.com", code=2)
    [refused] = told("search", lunch, "--event", "audit")
    assert (refused["what"], refused["by"]) == ("refused", "mallory@example.com")
    assert caller not in str(refused) + said


def test_case_91_a_refused_attempt_tells_not_whether_somebody_is_in_the_log(lunch: str) -> None:
    """For who is in it and who is not, the same is said and recorded."""
    keep(lunch, {})
    said = [
        run("search", lunch, "--person", f"corp|{name}", "--by", "mallory", code=2).partition("Account")[0]
        for name in ("anna", "nobody")
    ]
    there, absent = told("search", lunch, "--event", "audit")
    differing = {key for key in {*there, *absent} if there.get(key) != absent.get(key)}
    assert said[0] == said[1]
    assert differing <= {"index", "time"}


@pytest.mark.parametrize("again", ["hash", "corp|anna"])
def test_case_91_forgetting_that_was_cut_short_is_ended_by_asking_again(
    lunch: str, again: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While somebody reads the file the old key stays in its log of changes; a second time takes it away from there."""
    monkeypatch.setattr("narrows.stores.sqlite_file._BUSY_S", 0.05)
    caller = keep(lunch, {})
    with closing(sqlite3.connect("audit.db")) as reading:
        [(sealed,)] = reading.execute("SELECT sealed FROM persons").fetchall()
        reading.execute("PRAGMA busy_timeout = 0")
        reading.execute("BEGIN")
        reading.execute("SELECT count(*) FROM persons").fetchall()
        cut = CliRunner().invoke(main, ["audit", "forget", lunch, "corp|anna", *DPO])
        assert cut.exit_code != 0
        assert sealed in on_disk()
        assert "leads to nobody" in run("resolve", lunch, caller, *DANA, code=1)
        reading.execute("COMMIT")
        run("forget", lunch, caller if again == "hash" else again, *DPO, code=1)
        assert sealed not in on_disk()


def on_disk() -> bytes:
    """Every byte of the files of the log, as long as somebody has it open."""
    return b"".join(file.read_bytes() for file in Path().glob("audit.db*"))
