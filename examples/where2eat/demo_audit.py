"""The chapter about the audit log: it answers who did what, and tells that one byte of it was changed."""

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from . import world
from .demo_walk import Walk
from .evidence import spans

_TARGET = "bffs.where2eat.app:bff"
_READER = "dana@example.com"


class _Ended(NamedTuple):
    """How a command ended, and what it printed."""

    code: int | None
    text: str


async def who_did_what(walk: Walk, root: Path) -> None:
    """What an operator asks of the log, by the command that an operator has."""
    story, log = walk.story, Log(walk, root)
    story.chapter("An operator asks the audit log who made the copilot's booking")
    trace = next(span.trace_id for span in spans(walk.folder) if span.file == "copilot" and span.parent_id is None)
    asked = ["--effect", "Tables.book", "--mode", "live", "--trace", trace]
    found = [json.loads(line) for line in (await log.run("search", *asked, "--format", "json")).text.splitlines()]
    record: dict[str, Any] = found[0] if len(found) == 1 else {}
    story.claim("narrows audit search finds one record of it, by the trace that the copilot began", bool(record), found)
    for line in (await log.run("search", *asked)).text.splitlines():
        story.note(line)
    _check_record(walk, record)
    await _who_is_it(walk, log, str(record.get("caller")))
    await _is_it_whole(walk, log, int(record.get("index", -1)))


def _check_record(walk: Walk, record: dict[str, Any]) -> None:
    """Every part of the question has its answer in the record."""
    got = record.get
    story = walk.story
    story.claim("on whose behalf: somebody who stands there as a hash", len(str(got("caller"))) == 32, record)
    named = (got("connector"), got("tenant"), got("peer"))
    story.claim("with which program, whose it is, from where", named == ("copilot", "example", "127.0.0.1"), record)
    did = (got("endpoint"), got("effects"), got("outcome"), got("status"), got("price"))
    wanted = ("where2eat.book_table", ["Tables.book"], "ok", 201, "0.05 EUR")
    story.claim("what, with what result, at what cost", did == wanted, record)


async def _who_is_it(walk: Walk, log: "Log", caller: str) -> None:
    story = walk.story
    denied = await log.run("resolve", caller, "--by", "kiosk@example.com")
    story.claim(
        "somebody who is not in audit.readers may not learn who it was",
        denied.code == 2 and "emil" not in denied.text,
        denied.text,
    )
    told = await log.run("resolve", caller, "--by", _READER, "--reason", "the demonstration")
    story.claim(f"Dana, who is, reads: {told.text.strip()}", told.text.strip() == "corp|emil", told.text)
    lines = (await log.run("search", "--event", "audit", "--caller", caller, "--format", "json")).text.splitlines()
    asked = [(it["what"], it["by"]) for it in map(json.loads, lines)]
    both = asked == [("refused", "kiosk@example.com"), ("resolve", _READER)]
    story.claim("that both have asked stands in the log too", both, asked)


async def _is_it_whole(walk: Walk, log: "Log", index: int) -> None:
    story = walk.story
    whole = await log.run("verify")
    story.claim(f"narrows audit verify says: {whole.text.strip()}", whole.code == 0, whole.text)
    await log.run("export", "--output", str(walk.folder / "audit.jsonl"))
    copy = walk.folder / "changed.db"
    _change_one_byte(walk.folder / "audit.db", copy, index)
    changed = await log.run("verify", NARROWS_STORES__AUDIT=f"sqlite:{copy}")
    names = changed.code == 1 and f"First bad record: {index}:" in changed.text
    story.claim(
        f"of a copy in which one byte of record {index} was changed: {changed.text.strip()}", names, changed.text
    )


def _change_one_byte(log: Path, copy: Path, index: int) -> None:
    """Copy the file of the log, and change what the booking cost."""
    with closing(sqlite3.connect(log)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
        [[leaf]] = target.execute("SELECT leaf FROM leaves WHERE place = ?", [index]).fetchall()
        target.execute("UPDATE leaves SET leaf = ? WHERE place = ?", [leaf.replace(b"0.05 EUR", b"0.04 EUR"), index])
        target.commit()


class Log:
    """Runs `narrows audit` on the log of the world that runs."""

    def __init__(self, walk: Walk, root: Path) -> None:
        self._root = root
        addresses = walk.addresses
        upstreams = {"people": addresses.people, "places": addresses.places, "tables": addresses.tables}
        self._variables = world.variables(addresses.origin, upstreams, walk.secret, folder=walk.folder)

    async def run(self, command: str, *arguments: str, **more: str) -> _Ended:
        """Run one command to its end."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "narrows.cli", "audit", command, _TARGET, *arguments),
            cwd=self._root,
            env={**os.environ, **self._variables, **more},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        text = (await process.communicate())[0].decode()
        return _Ended(process.returncode, text)
