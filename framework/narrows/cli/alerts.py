"""`narrows alerts`: what the audit log of a BFF would have told."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from narrows.cli.audit_opened import beginning, shared, with_log
from narrows.cli.saying import one_line, say

if TYPE_CHECKING:
    from narrows.alerts.alert import Alert
    from narrows.cli.audit_opened import Opened

_RULES = ("spike", "refusals", "new_endpoint", "new_origin", "volume", "drift", "budget", "deprecated", "unused")


@click.command("alerts", short_help="Show what is unusual in the audit log.")
@shared
@click.option("--since", callback=beginning, help="Show those from then on: a time in UTC, or its beginning.")
@click.option("--rule", "rules", type=click.Choice(_RULES), multiple=True, help="Show those of this rule alone.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(target: str, settings: str | None, since: str | None, rules: tuple[str, ...], form: str) -> None:
    """Judge the audit log of TARGET (module:attribute) from its beginning, and show every alert.

    What would have been told is shown, by the rules that the settings hold now; nothing is sent, and no connector is
    changed. The log must not be in memory.

    \b
    Examples:
      narrows alerts bffs.where2eat.app:bff --since 2026-11-01
      narrows alerts bffs.where2eat.app:bff --rule spike --format json
    """

    def wanted(alert: Alert) -> bool:
        return alert.time >= (since or "") and (not rules or alert.rule in rules)

    found = [alert for alert in with_log(target, settings, _judge) if wanted(alert)]
    if form == "json":
        _tell_json(found)
        return
    for alert in found:
        _tell(alert)
    counted = f"{len(found)} alert{'' if len(found) == 1 else 's'}{f' since {since} (UTC)' if since else ''}"
    say(f"{counted}. This was a replay: nothing was sent or changed.")


async def _judge(opened: Opened) -> list[Alert]:
    """Every alert of a log, with what is unused of the registry."""
    from narrows.alerts.arranging import facts_of
    from narrows.alerts.replay import replay
    from narrows.cli.progress import Progress
    from narrows.stores.opening import open_connectors
    from narrows.stores.servers import Servers

    settings = opened.settings
    servers = Servers(settings.stores)
    registry = open_connectors(settings, servers)
    try:
        await servers.prepare()
        _, entries = await registry.all()
        facts, now = facts_of(opened.bff), time.time()
        with Progress((await opened.store.head()).size // 1000 + 1) as progress:

            def read(done: int) -> None:
                progress.step(f"{done} records are judged")

            return [one async for one in replay(opened.store, facts, settings.alerts, entries, now, read)]
    finally:
        await registry.close()
        await servers.close()


def _tell(alert: Alert) -> None:
    """One alert for a person."""
    of = f"{alert.connector} of {alert.tenant}" if alert.connector else "nobody known"
    then = f" → {alert.then}" if alert.then != "tell" else ""
    say(f"{alert.time}  {alert.rule}  {one_line(of)}{then}")
    lines: dict[str, Any] = {
        "": alert.what,
        "seen": alert.observed,
        "usual": alert.usual,
        "limit": alert.limit,
        "since": alert.since,
        "do": alert.remedy,
    }
    if alert.trace_id:
        lines["record"] = f"{alert.index}, trace {alert.trace_id}"
    for name, text in lines.items():
        say(f"  {f'{name}: ' if name else ''}{one_line(text)}")
    if alert.again:
        say(f"  found {alert.again} times more since it was last told")


def _tell_json(found: list[Alert]) -> None:
    import msgspec

    say(msgspec.json.format(msgspec.json.encode(found), indent=2))
