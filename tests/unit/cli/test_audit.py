"""`narrows audit`: what happened is found, and who it was is told to those who may know it alone."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from narrows.audit.events import Event
from narrows.audit.record import Record
from narrows.cli import main
from narrows.cli.audit import watch
from narrows.cli.audit_opened import Opened, opened_log
from tests.unit.cli.lunch import KEY, write_lunch

STORES = """
[stores]
audit = "sqlite:audit.db"
key = { env = "LUNCH_KEY" }

[audit]
readers = ["dana@example.com"]
erasers = ["dpo@example.com"]
"""
DANA = ("--by", "Dana@example.com")
DPO = ("--by", "dpo@example.com")
CALL: dict[str, Any] = {
    "time": "2026-11-25T10:00:00.000Z",
    "trace_id": "t1",
    "endpoint": "lunch.book",
    "bff": "lunch",
    "mode": "live",
    "way": "rest",
    "method": "POST",
    "status": 201,
    "outcome": "ok",
    "tenant": "acme",
    "connector": "copilot",
    "connector_version": "1.0+2",
    "purpose": "Book lunch",
    "actors": ("lunch-bff", "lunch-copilot"),
    "rule": "role:member in team:7",
    "arguments": {"team_id": 7, "booking.seats": 4},
    "hidden": ("booking.note",),
    "effects": ("Tables.book",),
    "size": 212,
    "price": "0.05 EUR",
    "duration_ms": 12.5,
    "peer": "192.0.2.1",
    "receipt": "r-1",
}


@pytest.fixture
def lunch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: Any) -> str:
    """The target of a BFF with an audit log in a file."""
    monkeypatch.setenv("LUNCH_KEY", KEY)
    monkeypatch.chdir(tmp_path)
    name = f"audit_{abs(hash(request.node.name))}"
    settings = write_lunch(tmp_path, name)
    settings.write_text(settings.read_text(encoding="utf-8") + STORES, encoding="utf-8")
    return f"{name}:bff"


def run(*arguments: str, code: int = 0) -> str:
    """Run `narrows audit`, which must end with this exit code; what it says: of what went well, else of why not."""
    result = CliRunner().invoke(main, ["audit", *arguments])
    assert result.exit_code == code, (result.output, result.exception)
    return result.stdout if code == 0 else result.stderr


def told(*arguments: str) -> list[dict[str, Any]]:
    """The records that a command tells to a program."""
    return [json.loads(line) for line in run(*arguments, "--format", "json").splitlines()]


def keep(target: str, *records: dict[str, Any], caller: str | None = "anna") -> str:
    """Put calls into the log, of somebody; the hash under which they stand."""

    async def put() -> str:
        async with opened_log(target, None) as log:
            named = await log.persons.name("corp", caller) if caller else None
            for record in records:
                await log.log.keep(Record(**{**CALL, "caller": named.hash if named else None, **record}))
            return named.hash if named else ""

    return asyncio.run(put())


def test_a_document_tells_how_each_of_its_fields_was_decided(lunch: str) -> None:
    """A row each, in the order in which they were asked; one that no rule was reached for has none."""
    asked = {"endpoint": "lunch.menu", "outcome": "ok", "rule": "role:member in team:7", "domain": "team:7"}
    keep(lunch, {"fields": (asked, {"endpoint": "lunch.dish", "outcome": "cancelled"})})
    rows = run("search", lunch).splitlines()
    assert "    field 1   lunch.menu: ok, role:member in team:7" in rows
    assert "    field 2   lunch.dish: cancelled" in rows


def test_a_call_answers_who_did_what(lunch: str) -> None:
    """When, who and through whom, with which program, from where, with what result and at what cost: one a row."""
    caller = keep(lunch, {})
    assert run("search", lunch).splitlines() == [
        "0  2026-11-25T10:00:00.000Z  lunch.book: ok 201",
        f"    caller    {caller}, through lunch-bff, then lunch-copilot",
        "    program   copilot 1.0+2 of acme: Book lunch",
        "    from      192.0.2.1",
        "    arguments booking.seats=4, team_id=7; not shown: booking.note",
        "    rule      role:member in team:7",
        "    did       Tables.book",
        "    result    201",
        "    cost      0.05 EUR, 212 bytes, 12.5 ms",
        "    rehearsal with the receipt of r-1",
        "    trace     t1",
    ]


def test_what_did_not_happen_is_told_as_such(lunch: str) -> None:
    """A rehearsal did nothing; a refusal says by which problem; what led nowhere has no endpoint."""
    rehearsed = {"mode": "rehearse", "rehearsal": "r-2", "decision": "allow", "receipt": None, "price": None}
    nowhere = {"endpoint": "", "status": 404, "outcome": "refused", "problem": "urn:narrows:problem:not-found"}
    bare = {"connector": None, "actors": (), "arguments": {}, "hidden": (), "effects": (), "caller": None, "peer": ""}
    keep(lunch, rehearsed, {**nowhere, **bare}, {"mode": "rehearse", "effects": ()}, {"purpose": None, "tenant": None})
    first = run("search", lunch, "--mode", "rehearse", "--limit", "1")
    second = run("search", lunch, "--outcome", "refused")
    third = run("search", lunch, "--mode", "rehearse")
    fourth = run("search", lunch, "--mode", "live")
    assert "lunch.book (rehearse): ok 201" in first
    assert "did       nothing; it would have done Tables.book" in first
    assert "cost      no price, 212 bytes" in first
    assert "rehearsal r-2 allow" in first
    assert "POST, which led nowhere: refused 404" in second
    assert "caller    nobody" in second
    assert "result    404, urn:narrows:problem:not-found" in second
    assert "program" not in second
    assert third.count("did  ") == 1
    assert "program   copilot 1.0+2 of no tenant\n" in fourth


def test_records_are_found_by_what_they_say(lunch: str) -> None:
    """Each way to ask finds its own; nothing found is exit code 1, and more than the limit is told."""
    anna = keep(lunch, {}, {"connector": "page", "outcome": "denied", "status": 403})
    ben = keep(lunch, {"trace_id": "t9", "effects": ("Tables.cancel",), "time": "2026-11-26T10:00:00.000Z"}, caller="b")
    found = {
        ("--caller", anna): [0, 1],
        ("--connector", "page"): [1],
        ("--outcome", "denied"): [1],
        ("--effect", "Tables.cancel"): [2],
        ("--trace", "t9"): [2],
        ("--since", "2026-11-26"): [2],
        ("--until", "2026-11-26", "--endpoint", "lunch.book"): [0, 1],
        ("--event", "call", "--tenant", "acme", "--from", "192.0.2.1"): [0, 1, 2],
    }
    for asked, indexes in found.items():
        assert [one["index"] for one in told("search", lunch, *asked)] == indexes, asked
    assert told("search", lunch, "--caller", ben)[0]["effects"] == ["Tables.cancel"]
    assert run("search", lunch, "--connector", "stranger", code=1) == "Nothing was found.\n"
    result = CliRunner().invoke(main, ["audit", "search", lunch, "--limit", "2", "--format", "line"])
    assert len(result.stdout.splitlines()) == 2
    assert result.stderr == "There is more than these 2: narrow it, or give a higher --limit.\n"


def test_a_time_in_another_form_is_refused(lunch: str) -> None:
    """Rather than nothing found: an hour of another zone would look like a time in UTC."""
    keep(lunch, {"time": "2026-11-25T10:00:00.500Z"})
    for wrong in ("yesterday", "2026-11-25 10:00", "2026-11-25T10:00:00+01:00", "25.11.2026"):
        assert "write it in UTC" in run("search", lunch, "--since", wrong, code=2)
    for right in ("2026", "2026-11", "2026-11-25T10:00:00Z", "2026-11-25T10:00:00.500Z"):
        assert len(told("search", lunch, "--since", right)) == 1, right
    assert "Nothing" in run("search", lunch, "--until", "2026-11-25T10:00:00.500", code=1)


def test_the_newest_are_shown_a_line_each(lunch: str) -> None:
    """Calls and what is beside them, the oldest first."""
    caller = keep(lunch, {}, {"connector": None, "caller": None})
    assert run("tail", lunch).splitlines() == [
        f"0  2026-11-25T10:00:00.000Z  lunch.book: ok 201  {caller} with copilot",
        "1  2026-11-25T10:00:00.000Z  lunch.book: ok 201  nobody",
    ]
    assert [one["index"] for one in told("tail", lunch, "-n", "1")] == [1]
    assert run("tail", lunch, "-n", "0") == ""


def test_an_event_tells_who_acted_and_about_whom(lunch: str) -> None:
    """A line names the operator before the one that it is about, and of a token both caller and program."""
    caller = keep(lunch, {})
    run("resolve", lunch, caller, *DANA)
    run("resolve", lunch, caller, "--by", " ", code=2)
    told_lines = [line.split("  ")[2:] for line in run("tail", lunch, "-n", "2").splitlines()]
    assert told_lines == [
        ["audit resolve", f"Dana@example.com about {caller}"],
        ["audit refused", f"nobody about {caller}"],
    ]


def test_no_name_of_a_field_runs_into_its_value(lunch: str) -> None:
    """However long it is: what an event says stands in two columns."""
    event = Event(time=CALL["time"], event="grant", what="made", bff="lunch", connector_version="1.0+2", by="corp")

    async def put() -> None:
        async with opened_log(lunch, None) as log:
            await log.log.keep(event)

    asyncio.run(put())
    assert "    connector_version 1.0+2\n" in run("search", lunch)
    assert "    by                corp\n" in run("search", lunch)


def test_following_tells_what_is_added(lunch: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes is told once, in its order, until somebody stops it."""
    keep(lunch, {})
    seen: list[int] = []
    pauses: list[float] = []

    async def follow(log: Opened) -> None:
        async def pause(seconds: float) -> None:
            pauses.append(seconds)
            if len(pauses) == 3:
                raise KeyboardInterrupt
            await log.log.keep(Record(**CALL))

        await watch(log, 1, lambda found: seen.append(found.index), pause)

    async def opened() -> None:
        async with opened_log(lunch, None) as log:
            with pytest.raises(KeyboardInterrupt):
                await follow(log)

    asyncio.run(opened())
    assert (seen, pauses) == ([1, 2], [1.0] * 3)

    async def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("narrows.cli.audit.watch", stop)
    ended = CliRunner().invoke(main, ["audit", "tail", lunch, "--follow"])
    assert (ended.exit_code, ended.stderr) == (0, "")
    monkeypatch.setattr("narrows.cli.audit._from", stop)
    assert CliRunner().invoke(main, ["audit", "tail", lunch]).exit_code == 1


def test_no_text_of_a_record_moves_a_cursor(lunch: str) -> None:
    """Whoever put it there: an escape is shown as one, and no text begins a line."""
    evil = "\x1b[2J\u202egood\nbad"
    keep(lunch, {"purpose": evil, "peer": evil, "rule": evil, "endpoint": evil, "actors": (evil,), "problem": evil})
    for form in ("text", "line", "json"):
        shown = run("search", lunch, "--format", form)
        assert not {"\x1b", "\u202e"} & set(shown), form
        assert "\nbad" not in shown, form


# --- persons --------------------------------------------------------------------------------------------------------


def test_who_is_behind_a_hash_is_told_to_a_reader_and_recorded(lunch: str) -> None:
    """By whom, from which account and why; the record says whose, and no name."""
    caller = keep(lunch, {})
    assert run("resolve", lunch, caller, *DANA, "--reason", "case 7") == "corp|anna\n"
    [record] = told("search", lunch, "--event", "audit")
    assert (record["what"], record["by"], record["caller"], record["note"]) == (
        "resolve",
        "Dana@example.com",
        caller,
        "case 7",
    )
    assert "anna" not in json.dumps(record)
    shown = run("search", lunch, "--event", "audit")
    assert "audit resolve" in shown
    assert f"    caller    {caller}\n" in shown


@pytest.mark.parametrize("by", ["mallory@example.com", "dpo@example.com", " "])
def test_nobody_else_learns_it_and_the_attempt_is_recorded(lunch: str, by: str) -> None:
    """Who may erase may not read; whoever tries stands in the log."""
    caller = keep(lunch, {})
    for asked in (("resolve", lunch, caller), ("search", lunch, "--person", "corp|anna")):
        said = run(*asked, "--by", by, code=2)
        assert "audit.readers" in said
        assert "anna" not in said
    assert [one["what"] for one in told("search", lunch, "--event", "audit")] == ["refused", "refused"]


def test_the_calls_of_a_person_are_found_by_a_reader(lunch: str) -> None:
    """The search is recorded before it is made."""
    caller = keep(lunch, {})
    keep(lunch, {}, caller="ben")
    found = told("search", lunch, "--person", "corp|anna", *DANA)
    assert [(one["index"], one["event"]) for one in found] == [(0, "call"), (2, "audit")]
    assert found[1]["what"] == "search"
    assert {one["caller"] for one in found} == {caller}
    assert "not in this log" in run("search", lunch, "--person", "corp|nobody", *DANA, code=1)
    assert "issuer|subject" in run("search", lunch, "--person", "anna", *DANA, code=2)
    assert "two ways" in run("search", lunch, "--person", "corp|anna", "--caller", caller, *DANA, code=2)


@pytest.mark.parametrize("named", ["hash", "corp|anna"])
def test_a_person_is_forgotten_by_an_eraser(lunch: str, named: str) -> None:
    """Their records stay and lead to nobody; it is recorded before and after, and there is nothing left to do."""
    caller = keep(lunch, {})
    person = caller if named == "hash" else named
    assert "audit.erasers" in run("forget", lunch, person, *DANA, code=2)
    assert f"Forgotten: {caller} leads to nobody." in run("forget", lunch, person, *DPO)
    assert "leads to nobody" in run("resolve", lunch, caller, *DANA, code=1)
    assert "nobody to forget" in run("forget", lunch, person, *DPO, code=1)
    assert [one["index"] for one in told("search", lunch, "--caller", caller, "--event", "call")] == [0]
    words = [one["what"] for one in told("search", lunch, "--event", "audit")]
    assert words[:4] == ["refused", "forget", "forgotten", "resolve"]
    assert keep(lunch, {}) != caller


def test_a_log_in_memory_cannot_be_reached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told what helps."""
    monkeypatch.chdir(tmp_path)
    write_lunch(tmp_path, "audit_in_memory")
    assert "stores.audit: a log in memory" in run("tail", "audit_in_memory:bff", code=2)
