"""A small BFF that answers GraphQL, in a folder of its own, and the records of who asked for its documents."""

import asyncio
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from narrows.audit.events import Event
from narrows.audit.record import Record
from narrows.cli import main
from narrows.cli.audit_opened import opened_log
from tests.unit.cli.lunch import KEY, write_lunch

SOUP = "query Soup($size: Int!) {\n  lunch { name }\n  served(size: $size)\n}\n"
MORE = '''
from typing import Annotated
from msgspec import Meta
from narrows.declare.types import Input

class Order(Input):
    name: Annotated[str, Meta(max_length=9)]
    size: Annotated[int, Meta(ge=1, le=9)] = 1

@bff.read("/served", roles={{"member"}}, scope="lunch:read", uses=[], rate="30/minute")
async def served(size: Annotated[int, Meta(ge=1, le=9)]) -> Annotated[int, Meta(ge=0, le=9)]:
    """How much of it there is."""
    return size

@bff.write("/orders", roles={{"member"}}, scope="lunch:read", uses=[], rate="30/minute")
async def order(order: Order) -> Lunch:
    """Order some."""
    return Lunch(name=order.name)

bff.graphql()
{documents}
'''
DECLARED = 'bff.document("{name}", {more}roles={{"member"}}, scope="lunch:read", rate="30/minute")'


def write_graphql(folder: Path, name: str, monkeypatch: Any, **documents: str) -> str:
    """Write the module `name`, whose audit log is a file, and its documents; its target."""
    monkeypatch.setenv("LUNCH_KEY", KEY)
    lines = "\n".join(DECLARED.format(name=document, more="") for document in documents)
    settings = write_lunch(folder, name, more=MORE.format(documents=lines))
    kept = '\n[stores]\naudit = "sqlite:audit.db"\nkey = { env = "LUNCH_KEY" }\n'
    settings.write_text(settings.read_text(encoding="utf-8") + kept, encoding="utf-8")
    (folder / "queries").mkdir()
    for document, text in documents.items():
        (folder / "queries" / f"{document}.graphql").write_bytes(text.encode())
    return f"{name}:bff"


def keep(target: str, *records: Record | Event) -> None:
    """Put records down in its log, as a serving process does."""

    async def kept() -> None:
        async with opened_log(target, None) as opened:
            for record in records:
                await opened.log.keep(record)

    asyncio.run(kept())


def call(endpoint: str, connector: str | None = "page", **over: Any) -> Record:
    """The record of a call."""
    fields = {
        "time": "2026-11-25T10:00:00.000Z",
        "trace_id": "0" * 32,
        "endpoint": endpoint,
        "bff": "lunch",
        "mode": "live",
        "way": "graphql",
        "method": "GET",
        "status": 200,
        "outcome": "ok",
        "duration_ms": 1.0,
        "connector": connector,
        "connector_version": "1.0+1" if connector else None,
    }
    return Record(**{**fields, **over})


def run(*arguments: Any, code: int = 0) -> str:
    """Run `narrows graphql`, which must end with this exit code; what it prints."""
    result = CliRunner().invoke(main, ["graphql", *map(str, arguments)])
    assert result.exit_code == code, (result.output, result.exception)
    return result.stdout if code != 2 else result.stderr
