"""`narrows usage`: what is used and what is left of every budget and volume, exactly."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import click

from narrows.cli.saying import say
from narrows.cli.target import SETTINGS_HELP, load_bff

if TYPE_CHECKING:
    from narrows.call import Caller, Connector
    from narrows.pipeline.accounts import Held
    from narrows.settings import Settings
    from narrows.stores.budgets import Standing
    from narrows.stores.servers import Servers

_COLUMNS = ("of", "name", "budget", "used", "remaining", "renews_at")


@click.command("usage", short_help="Show what is left of budgets and volumes.")
@click.argument("target")
@click.argument("connector", required=False)
@click.option("--caller", nargs=2, metavar="ISSUER SUBJECT", help="Whose own budgets are shown too.")
@click.option("--settings", type=click.Path(dir_okay=False), help=SETTINGS_HELP)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(
    target: str, connector: str | None, caller: tuple[str, str] | None, settings: str | None, form: str
) -> None:
    """Show what is used and left of the budgets and volumes of TARGET (module:attribute), or of one CONNECTOR of it.

    What a call on its way has reserved counts as used. Budgets of callers are shown for the one that you name.

    \b
    Examples:
      narrows usage bffs.where2eat.app:bff
      narrows usage bffs.where2eat.app:bff copilot --caller corp anna --format json
    """
    from narrows.settings import load_settings

    bff = load_bff(target)
    read = load_settings(settings or bff.folder / "narrows.toml")
    if caller and caller[0] not in read.issuers:
        raise click.UsageError(
            f"There is no issuer {caller[0]!r} in the settings. There is: {', '.join(read.issuers)}."
        )
    rows = asyncio.run(_rows(bff.name, read, connector, caller))
    if form == "json":
        import msgspec

        say(msgspec.json.format(msgspec.json.encode(rows), indent=2).decode())
    else:
        _tell(rows)


async def _rows(
    bff: str, settings: Settings, only: str | None, who: tuple[str, str] | None
) -> list[dict[str, str | None]]:
    """Every budget with its standing, each shared one once. Raises `SettingsError`, `UsageError`."""
    from narrows.errors import SettingsError, Unavailable
    from narrows.stores.servers import Servers

    if settings.stores.budgets == "memory:":
        raise SettingsError(
            "stores.budgets: what is counted in memory is that of one running process, and cannot be reached from "
            'here. Remedy: set stores.budgets = "sqlite:budgets.db" and stores.key.'
        )
    servers = Servers(settings.stores)
    try:
        found = await _held(bff, settings, servers, only, who)
        return await _standing(settings, servers, found, who)
    except Unavailable as away:
        raise SettingsError(
            f"{away} Remedy: see whether what [stores] names for it is there, and whether its URL is right."
        ) from away
    finally:
        await servers.close()


async def _held(
    bff: str, settings: Settings, servers: Servers, only: str | None, who: tuple[str, str] | None
) -> list[tuple[Connector, Held]]:
    """Every budget of the connectors that are shown, each shared one once. Raises `UsageError` for an unknown one."""
    from narrows.pipeline.accounts import Accounts
    from narrows.stores.sealing import Sealer, master_key

    programs = await _programs(settings, servers)
    if only is not None and only not in {one.id for one in programs}:
        raise click.UsageError(f"There is no connector {only!r}. There are: {', '.join(one.id for one in programs)}.")
    accounts = Accounts(bff, settings, Sealer(master_key(settings.stores.key), purpose="budgets").digest)
    found = {
        held.account.name: (one, held)
        for one in programs
        if only in (None, one.id)
        for held in accounts.all(one, _caller(who))
    }
    return list(found.values())


async def _standing(
    settings: Settings, servers: Servers, found: list[tuple[Connector, Held]], who: tuple[str, str] | None
) -> list[dict[str, str | None]]:
    """A row for each budget, in the order in which they are read."""
    from narrows.stores.opening import open_budgets

    store = open_budgets(settings, time.time, servers)
    try:
        await servers.prepare()
        standing = await store.standing([held.account for _, held in found])
    finally:
        await store.close()
    rows = [_row(one, held, _caller(who), at) for (one, held), at in zip(found, standing, strict=True)]
    return sorted(rows, key=lambda row: tuple(str(row[name]) for name in ("of", "name", "budget")))


def _caller(who: tuple[str, str] | None) -> Caller | None:
    from narrows.call import Caller

    return Caller(issuer=who[0], subject=who[1], kind="person") if who else None


async def _programs(settings: Settings, servers: Servers) -> list[Connector]:
    """The connectors of the registry, with the budgets of their records."""
    from narrows.identity.connectors import configured, of_entry
    from narrows.stores.opening import open_connectors

    registry = open_connectors(settings, servers)
    try:
        await servers.prepare()
        _, entries = await registry.all()
    finally:
        await registry.close()
    now = time.time()
    return [*configured(settings), *(of_entry(entry, now) for entry in entries if entry.state != "revoked")]


def _row(connector: Connector, held: Held, caller: Caller | None, standing: Standing) -> dict[str, str | None]:
    from narrows.declare.budget import shown
    from narrows.pipeline.accounts import moment

    budget = held.budget
    return {
        "of": budget.per,
        "name": connector.tenant if budget.per == "tenant" else connector.id,
        "caller": caller.subject if caller and budget.per == "caller" else None,
        "budget": str(budget),
        "used": shown(standing.used, budget.unit),
        "remaining": shown(max(0, budget.amount - standing.used), budget.unit),
        "renews_at": moment(standing.renews),
    }


def _tell(rows: list[dict[str, Any]]) -> None:
    """One budget a line."""
    if not rows:
        say(
            "Nothing that is registered has a budget or a volume. Write them into connectors/*.toml, and let "
            "`narrows connector apply` register that: docs/guide/budgets.md."
        )
        return
    lines = [{name: name.upper().replace("_", " ") for name in _COLUMNS}, *rows]
    widths = [max(len(str(line[name])) for line in lines) for name in _COLUMNS]
    for line in lines:
        say("  ".join(str(line[name]).ljust(width) for name, width in zip(_COLUMNS, widths, strict=True)).rstrip())
