"""`narrows alerts`: what the audit log of a BFF would have told."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC
from typing import TYPE_CHECKING, Any

import click

from narrows.cli.saying import one_line, say
from narrows.cli.target import SETTINGS_HELP, load_bff

if TYPE_CHECKING:
    from datetime import datetime

    from narrows.alerts.alert import Alert

_RULES = ("spike", "refusals", "new_endpoint", "new_origin", "volume", "drift", "deprecated", "unused")
_MEMORY = (
    "stores.audit: a log in memory is that of one running process, and cannot be reached from here. "
    "Remedy: set `sqlite:audit.db`."
)


@click.command("alerts", short_help="Show what is unusual in the audit log.")
@click.argument("target")
@click.option("--settings", type=click.Path(dir_okay=False), help=SETTINGS_HELP)
@click.option("--since", type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"]), help="Show those from then on (UTC).")
@click.option("--rule", "rules", type=click.Choice(_RULES), multiple=True, help="Show those of this rule alone.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(target: str, settings: str | None, since: datetime | None, rules: tuple[str, ...], form: str) -> None:
    """Judge the audit log of TARGET (module:attribute) from its beginning, and show every alert.

    What would have been told is shown, by the rules that the settings hold now; nothing is sent, and no connector is
    changed. The log must not be in memory.

    \b
    Examples:
      narrows alerts bffs.where2eat.app:bff --since 2026-11-01
      narrows alerts bffs.where2eat.app:bff --rule spike --format json
    """
    begins = since.replace(tzinfo=UTC).strftime("%Y-%m-%dT%H:%M:%S") if since else ""

    def wanted(alert: Alert) -> bool:
        return alert.time >= begins and (not rules or alert.rule in rules)

    found = [alert for alert in asyncio.run(_judge(target, settings)) if wanted(alert)]
    if form == "json":
        _tell_json(found)
        return
    for alert in found:
        _tell(alert)
    say(f"{len(found)} alerts{f' since {begins}Z' if begins else ''}. This was a replay: nothing was sent or changed.")


async def _judge(target: str, settings: str | None) -> list[Alert]:
    """Every alert of a target's log. Raises `SettingsError`."""
    from narrows.alerts.arranging import facts_of
    from narrows.alerts.replay import replay
    from narrows.errors import SettingsError
    from narrows.settings import load_settings
    from narrows.stores.memory_audit import MemoryAuditStore
    from narrows.stores.opening import open_audit, open_connectors
    from narrows.stores.servers import Servers

    bff = load_bff(target)
    read = load_settings(settings or bff.folder / "narrows.toml")
    servers = Servers(read.stores)
    store, registry = open_audit(read), open_connectors(read, servers)
    try:
        if isinstance(store, MemoryAuditStore):
            raise SettingsError(_MEMORY)
        await servers.prepare()
        _, entries = await registry.all()
        return [one async for one in replay(store, facts_of(bff), read.alerts, entries, time.time())]
    finally:
        await store.close()
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
        "record": f"{alert.index}{f', trace {alert.trace_id}' if alert.trace_id else ''}",
    }
    for name, text in lines.items():
        say(f"  {f'{name}: ' if name else ''}{one_line(text)}")
    if alert.again:
        say(f"  found {alert.again} times more since it was last told")


def _tell_json(found: list[Alert]) -> None:
    import msgspec

    say(msgspec.json.format(msgspec.json.encode(found), indent=2))
