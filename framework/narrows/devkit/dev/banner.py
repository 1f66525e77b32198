"""What a person at the terminal reads: where it serves, who there is, what is made up; and a line for each call."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from narrows.devkit.dev.stage import Board, Stage
from narrows.errors import Refusal


def banner(stage: Stage) -> list[str]:
    """The lines of a start that came about."""
    board, run = stage.board(), stage.run
    page = [f"  its page     {run.origin}/"] if board.has_page else []
    return [
        f"{board.facts['name']} {board.facts['version']} serves on this machine only; Ctrl-C ends it.",
        "",
        f"  open         {run.link}",
        "               (the link holds the secret of this start: keep it to yourself)",
        *page,
        f"  the API      {run.origin}   also under /rehearse and /sandbox",
        "",
        *_section("upstreams", [f"{u.name:<12} {'real' if u.real else 'made up'}: {u.why}" for u in board.upstreams]),
        *_section("issuers", _issuers(board)),
        *_section("people", [_person(p.name, p.password, p.holds) for p in board.people]),
        *_section("programs", _programs(board)),
        *_section("stores", ["of this run alone, as are the records: narrows usage, audit and alerts see none of it"]),
    ]


def refused(refusals: Iterable[Refusal], link: str) -> list[str]:
    """The lines of a start that was refused."""
    listed = [line for refusal in refusals for line in str(refusal).splitlines()]
    return ["The start is refused:", "", *listed, "", f"  the same as a page: {link}", "  waiting for a change …"]


def _section(name: str, lines: list[str]) -> list[str]:
    first, rest = lines[:1] or ["none"], lines[1:]
    return [f"  {name:<12} {first[0]}", *(f"  {'':<12} {line}" for line in rest)]


def _issuers(board: Board) -> list[str]:
    embedded = [f"{name:<12} the embedded authorization server stands in" for name in board.issuers]
    return [*embedded, *(f"{name:<12} real: it answers" for name in board.kept_issuers)]


def _programs(board: Board) -> list[str]:
    width = max([12, *(len(program.name) for program in board.programs)])
    return [f"{program.name:<{width}} {program.kind}, {program.state}" for program in board.programs]


def _person(name: str, password: str, holds: list[str]) -> str:
    return f"{name:<12} {password:<26} {', '.join(holds) or 'holds no role'}"


class _Happened(msgspec.Struct, frozen=True):
    """What is shown of anything else than a call."""

    event: str = "call"
    what: str = ""
    rule: str | None = None


class _Record(msgspec.Struct, frozen=True, kw_only=True):
    """What is shown of the record of a call."""

    endpoint: str
    mode: str
    method: str
    status: int
    outcome: str
    duration_ms: float
    connector: str | None = None
    effects: list[str] = []
    trace_id: str = ""


def record_line(line: bytes) -> str:
    """One call, or what else happened, as one short line, made from its audit record."""
    happened = msgspec.json.decode(line, type=_Happened)
    if happened.event != "call":
        return f"  {happened.event} {happened.what}{f'  {happened.rule}' if happened.rule else ''}"
    record = msgspec.json.decode(line, type=_Record)
    effects = f"  effects: {', '.join(record.effects)}" if record.effects else ""
    what = record.endpoint or "no endpoint"
    return f"  {record.status} {record.mode:<8} {record.method:<6} {what}  {record.duration_ms:.0f} ms{effects}"
