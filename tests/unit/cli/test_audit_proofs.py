"""`narrows audit verify|export|prove|checkpoint`: the log is whole, or the first bad record is named."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from narrows.cli import audit_proofs, main
from tests.unit.cli.test_audit import keep, lunch

__all__ = ["lunch"]

WHOLE = "Whole: 3 records, all of them signed.\n"


def run(*arguments: str, code: int = 0) -> str:
    """Run `narrows audit`, which must end with this exit code; what it says: of what is or is not so, else of why."""
    result = CliRunner().invoke(main, ["audit", *arguments])
    assert result.exit_code == code, (result.output, result.exception)
    return result.stdout if code == 0 else result.stdout + result.stderr


@pytest.fixture
def log(lunch: str) -> str:
    """The target of a log of three calls; beside it lies its public key."""
    keep(lunch, {}, {}, {})
    Path("audit.pub").write_text(run("checkpoint", lunch, "--key"), encoding="utf-8")
    return lunch


@contextmanager
def changing() -> Iterator[sqlite3.Connection]:
    """The file of the log, open to whoever can write it."""
    with sqlite3.connect("audit.db") as file:
        yield file
    file.close()


def change(index: int) -> None:
    """Change one byte of one record."""
    with changing() as file:
        [(leaf,)] = file.execute("SELECT leaf FROM leaves WHERE place = ?", (index,)).fetchall()
        file.execute("UPDATE leaves SET leaf = ? WHERE place = ?", (leaf.replace(b"201", b"200"), index))


def test_a_log_that_nobody_touched_is_whole(log: str) -> None:
    """By its settings, by a key, and with checkpoint and hashes that were kept."""
    Path("checkpoint.txt").write_text(run("checkpoint", log), encoding="utf-8")
    assert run("export", log, "--output", "hashes.jsonl", "--hashes") == "hashes.jsonl: 3 records\n"
    assert "copilot" not in Path("hashes.jsonl").read_text(encoding="utf-8")
    assert run("verify", log) == WHOLE
    assert (
        run("verify", log, "--key", "audit.pub", "--checkpoint", "checkpoint.txt", "--hashes", "hashes.jsonl") == WHOLE
    )


@pytest.mark.parametrize("index", [0, 1, 2])
def test_one_byte_that_was_changed_is_named(log: str, index: int) -> None:
    """In the log and in its export, exactly."""
    change(index)
    run("export", log, "--output", "audit.jsonl")
    for asked in ((log,), ("--export", "audit.jsonl", "--key", "audit.pub")):
        said = run("verify", *asked, code=1)
        assert said == f"NOT whole. First bad record: {index}: the record is not the one that was signed.\n"


def test_an_export_is_verified_without_the_log(log: str) -> None:
    """By the public key alone, in a file or as it is written; only its owner reads the export."""
    run("export", log, "--output", "audit.jsonl")
    assert os.stat("audit.jsonl").st_mode & 0o777 == 0o600
    Path("audit.db").unlink()
    key = Path("audit.pub").read_text(encoding="utf-8").strip()
    for given in ("audit.pub", key):
        assert run("verify", "--export", "audit.jsonl", "--key", given) == WHOLE
    lines = Path("audit.jsonl").read_bytes().splitlines(keepends=True)
    Path("cut.jsonl").write_bytes(b"".join(lines[:-2]))
    assert "First bad record: 2: the export is cut off here." in run(
        "verify", "--export", "cut.jsonl", "--key", "audit.pub", code=1
    )
    assert "cannot be made" in run("export", log, "--output", "cut.jsonl", code=2)


def test_a_log_that_was_put_back_is_found_by_a_checkpoint(log: str) -> None:
    """It is whole in itself: what was kept elsewhere tells."""
    older = Path("audit.db").read_bytes()
    keep(log, {}, {})
    Path("checkpoint.txt").write_text(run("checkpoint", log), encoding="utf-8")
    for more in Path().glob("audit.db-*"):
        more.unlink()
    Path("audit.db").write_bytes(older)
    assert run("verify", log) == WHOLE
    said = run("verify", log, "--checkpoint", "checkpoint.txt", code=1)
    assert "First bad record: 3: the log had 5 records when a checkpoint was kept: it is cut off." in said


def test_a_log_that_cannot_be_signed_any_more_is_looked_at(log: str) -> None:
    """Whoever changed hashes too, or what is signed, has not hidden anything."""
    with changing() as file:
        file.execute("UPDATE nodes SET digest = ? WHERE level = 0 AND place = 1", (bytes(32),))
        file.execute("UPDATE leaves SET leaf = ? WHERE place = 1", (b"{}",))
    said = run("verify", log, code=1)
    assert "NOT whole. First bad record: " in said


def test_what_is_broken_is_told_even_where_every_record_is_good(log: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log whose own head is wrong is not passed for whole."""
    from narrows.audit.signing import LogBroken

    async def broken(*_: Any) -> str:
        raise LogBroken("The first 2 records of the audit log are not what they were.")

    monkeypatch.setattr(audit_proofs, "_sign", broken)
    assert "The log is not whole. The first 2 records" in run("verify", log, code=1)


def test_one_record_is_proven_without_the_others(log: str) -> None:
    """Whoever has record, proof and key needs nothing else; another record does not pass for it."""
    Path("proof.txt").write_text(run("prove", log, "1", "--record", "record.json"), encoding="utf-8")
    assert b'"event":"call"' in Path("record.json").read_bytes()
    proof = ("verify", "--proof", "proof.txt", "--record", "record.json", "--key", "audit.pub")
    assert run(*proof) == "The record is in 127.0.0.1/lunch, among its first 3 records.\n"
    Path("record.json").write_bytes(b"{}")
    assert "does not lead" in run(*proof, code=1)
    assert "cannot be proven" in run("prove", log, "9", code=2)
    assert run("prove", log, "0").startswith("c2sp.org/tlog-proof@v1\nindex 0\n")


@pytest.mark.parametrize(
    "wrong",
    [
        (),
        ("TARGET", "--export", "audit.pub", "--key", "k"),
        ("--proof", "audit.pub", "--key", "k"),
        ("--export", "audit.pub", "--record", "audit.pub", "--key", "k"),
        ("--export", "audit.pub"),
    ],
)
def test_wrong_usage_says_what_is_right(log: str, wrong: tuple[str, ...]) -> None:
    """One thing is verified at a time, and an export never by a key that it brings itself."""
    asked = [log if part == "TARGET" else part for part in wrong]
    said = run("verify", *asked, code=2)
    assert "Give one of" in said or "--key is missing" in said


def test_a_long_work_tells_how_far_it_is(log: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """To a terminal, after so many records."""
    told: list[str] = []
    monkeypatch.setattr(audit_proofs, "_EACH", 2)
    monkeypatch.setattr("narrows.cli.progress.Progress.step", lambda _, what: told.append(what))
    run("export", log, "--output", "audit.jsonl")
    run("verify", log)
    run("verify", "--export", "audit.jsonl", "--key", "audit.pub")
    assert told[0] == "2 lines"
    assert told.count("2 records") >= 2


def test_what_was_signed_only_now_is_told(log: str) -> None:
    """To verify signs, too; so it says of which records no checkpoint knew before."""
    with changing() as file:
        [(note,)] = file.execute("SELECT value FROM kept WHERE name = 'checkpoint'").fetchall()
    keep(log, {}, {})
    with changing() as file:
        file.execute("UPDATE kept SET value = ? WHERE name = 'checkpoint'", (note,))
    told = CliRunner().invoke(main, ["audit", "verify", log])
    assert told.stdout == "Whole: 5 records, all of them signed.\n"
    assert told.stderr.startswith("The last 2 of them were signed only now: ")
    assert CliRunner().invoke(main, ["audit", "verify", log]).stderr == ""


def test_a_log_without_checkpoints_is_not_vouched_for(log: str) -> None:
    """Somebody took them away, and hashed what they wrote: to verify does not sign it."""
    with changing() as file:
        file.execute("DELETE FROM kept WHERE name LIKE 'checkpoint%'")
    for _ in range(2):
        assert "First bad record: 0 to 2, one of these: no checkpoint covers" in run("verify", log, code=1)


@pytest.mark.parametrize("note", [b"\xff\xfe", b"", b"example\n3\n"])
def test_a_checkpoint_that_somebody_made_unreadable_is_told(log: str, note: bytes) -> None:
    """The log is not whole, and nobody reads a stack."""
    with changing() as file:
        file.execute("UPDATE kept SET value = ? WHERE name = 'checkpoint'", (note,))
    assert "a checkpoint does not hold" in run("verify", log, code=1)
    assert "is not its own" in run("checkpoint", log, code=2)


def test_a_number_that_somebody_wrote_does_not_keep_a_verification_from_its_end(log: str) -> None:
    """The store says that there were a million million checkpoints."""
    with changing() as file:
        file.execute("UPDATE kept SET version = 1000000000000 WHERE name = 'checkpoint'")
    assert run("verify", log) == WHOLE


@pytest.mark.parametrize("how", ["empty", "cut", "records", "behind", "garbled"])
def test_hashes_that_are_no_whole_export_are_not_passed_for_held(log: str, how: str) -> None:
    """Whoever gives the wrong file learns it, and not that all is well."""
    run("export", log, "--output", "hashes.jsonl", "--hashes")
    first, hashes, *rest = Path("hashes.jsonl").read_bytes().splitlines(keepends=True)
    written = {
        "empty": b"",
        "cut": first + b"".join(rest),
        "records": hashes,
        "behind": first + hashes.replace(b'"start":0', b'"start":1'),
        "garbled": first + hashes.replace(b'"hashes":"', b'"hashes":"!'),
    }
    Path("kept.jsonl").write_bytes(written[how])
    assert "no whole export" in run("verify", log, "--hashes", "kept.jsonl", code=2)


@pytest.mark.parametrize("made", ["peaks = x''", "peaks = x'00'", "size = 1", "size = 1000000000000", "size = -1"])
def test_a_head_that_somebody_wrote_is_told(log: str, made: str) -> None:
    """It ends in a sentence, and nothing is signed over it."""
    with changing() as file:
        file.execute(f"UPDATE head SET {made}")
    said = run("verify", log, code=1)
    assert "not whole" in said.lower()
    result = CliRunner().invoke(main, ["audit", "checkpoint", log])
    assert result.exit_code == 2
    assert "Traceback" not in result.output + result.stderr
