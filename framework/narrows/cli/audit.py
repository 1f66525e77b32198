"""`narrows audit`: what happened, who did it, and whether the log of it is whole."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import click

from narrows.cli.audit_opened import Opened, beginning, shared, with_log
from narrows.cli.audit_persons import forget, hash_of, resolve
from narrows.cli.audit_proofs import checkpoint, export, prove, verify
from narrows.cli.audit_shown import tell_json, tell_line, tell_sheet
from narrows.cli.saying import say

if TYPE_CHECKING:
    from narrows.audit.search import Wanted

_PAUSE_S = 1.0
_EVENTS = ("call", "grant", "limit", "budget", "policy", "review", "connector", "alert", "session", "document", "audit")
_OUTCOMES = ("ok", "denied", "refused", "failed", "cancelled")


@click.group("audit", short_help="Search the audit log, verify it, and forget a person in it.")
def command() -> None:
    """Work on the audit log of a BFF: the store that `stores.audit` of the settings names; it must not be in memory.

    Exit codes: 0 done, 1 nothing was found, or the log is not whole; 2 refused or wrong usage.
    """


for _one in (resolve, forget, verify, export, prove, checkpoint):
    command.add_command(_one)


@command.command("tail", short_help="Show the newest records, a line each.")
@shared
@click.option("-n", "--lines", type=click.IntRange(0, 10_000), default=20, show_default=True, help="How many.")
@click.option("--follow", is_flag=True, help="Go on with what is added, until Ctrl-C.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def tail(target: str, settings: str | None, lines: int, follow: bool, form: str) -> None:
    """Show the newest records of TARGET (module:attribute), the oldest of them first.

    \b
    Examples:
      narrows audit tail bffs.where2eat.app:bff
      narrows audit tail bffs.where2eat.app:bff -n 0 --follow --format json
    """
    tell = tell_json if form == "json" else tell_line

    async def read(log: Opened) -> None:
        size = (await log.store.head()).size
        at = await _from(log, max(0, size - lines), tell)
        if follow:
            await watch(log, at, tell, asyncio.sleep)

    try:
        with_log(target, settings, read)
    except KeyboardInterrupt:
        if not follow:
            raise


async def watch(log: Opened, at: int, tell: Callable[..., None], pause: Callable[[float], Awaitable[None]]) -> None:
    """Tell what is added from an index on, for ever; it is looked for once a second."""
    while True:
        await pause(_PAUSE_S)
        at = await _from(log, at, tell)


async def _from(log: Opened, at: int, tell: Callable[..., None]) -> int:
    """Tell everything from an index on; the index behind it."""
    from narrows.audit.search import Wanted, search

    async for found in search(log.store, Wanted(), at):
        tell(found)
        at = found.index + 1
    return at


@command.command("search", short_help="Find records: who did what, when, from where, with which program.")
@shared
@click.option("--event", type=click.Choice(_EVENTS), help="What kind of record.")
@click.option("--connector", help="The id of a program.")
@click.option("--caller", help="The hash of a caller.")
@click.option("--person", help="A caller as issuer|subject, by the issuer's name in the settings; see --by.")
@click.option("--by", default="", help="Your name, which stands in audit.readers: for --person, and it is recorded.")
@click.option("--tenant", help="An organisation.")
@click.option("--endpoint", help="An endpoint, such as where2eat.book_table.")
@click.option("--effect", help="An operation that was done, or rehearsed, such as Tables.book.")
@click.option("--outcome", type=click.Choice(_OUTCOMES), help="How a call ended.")
@click.option("--mode", type=click.Choice(["live", "rehearse", "sandbox"]), help="Whether it was live.")
@click.option("--from", "peer", help="A source address.")
@click.option("--trace", "trace_id", help="A trace id, as a problem tells it.")
@click.option("--since", callback=beginning, help="A time in UTC, or its beginning: 2026-11-25T10.")
@click.option("--until", callback=beginning, help="A time in UTC before which it was.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="How many at the most.")
@click.option("--format", "form", type=click.Choice(["text", "line", "json"]), default="text", show_default=True)
def find(target: str, settings: str | None, limit: int, form: str, person: str | None, by: str, **said: Any) -> None:
    """Find records of TARGET (module:attribute) that say all of what is asked for, the oldest first.

    Each tells who did what, when, from where, with which program, on whose behalf, with what result and at what cost.
    A caller stands there as a hash. To search for a person needs a name in audit.readers, and is itself recorded.

    \b
    Examples:
      narrows audit search bffs.where2eat.app:bff --effect Tables.book --mode live
      narrows audit search bffs.where2eat.app:bff --connector copilot --outcome denied --since 2026-11-25
      narrows audit search bffs.where2eat.app:bff --person "corp|anna" --by dana@example.com
    """
    from narrows.audit.search import Wanted, search

    tell = {"text": tell_sheet, "line": tell_line, "json": tell_json}[form]

    async def read(log: Opened) -> tuple[int, bool]:
        caller = said["caller"] if person is None else await hash_of(log, person, by)
        wanted: Wanted = Wanted(**{**said, "caller": caller})
        told = 0
        async for found in search(log.store, wanted):
            if told == limit:
                return told, True
            tell(found)
            told += 1
        return told, False

    if person is not None and said["caller"] is not None:
        raise click.UsageError("--caller and --person are two ways to say whose. Give one of them.")
    told, more = with_log(target, settings, read)
    if not told:
        say("Nothing was found.", err=True)
        raise click.exceptions.Exit(1)
    if more:
        say(f"There is more than these {told}: narrow it, or give a higher --limit.", err=True)
