"""`narrows revoke`: let nothing hold any more that was issued to a person or a service until now."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import click

from narrows.cli.connector_registry import account
from narrows.cli.saying import one_line, say
from narrows.cli.target import SETTINGS_HELP, load_bff

if TYPE_CHECKING:
    from narrows.audit.events import Event
    from narrows.declare.bff import Bff
    from narrows.settings import Settings


@click.command("revoke", short_help="Revoke what was issued to somebody until now.")
@click.argument("target")
@click.argument("issuer")
@click.argument("subject")
@click.option("--settings", type=click.Path(dir_okay=False), help=SETTINGS_HELP)
@click.option("--by", required=True, help="Your name: it is recorded, as is the account that you work in.")
@click.option("--reason", default="", help="Why; it is recorded.")
def command(target: str, issuer: str, subject: str, settings: str | None, by: str, reason: str) -> None:
    """Refuse every token that ISSUER (its name in the settings) gave to SUBJECT (their `sub`) until now.

    Every process of TARGET (module:attribute) feels it within a second, also those that start later, and none uses a
    token for an upstream any more that it kept for them. A token that is issued later holds: lock the account first.

    \b
    Examples:
      narrows revoke bffs.where2eat.app:bff corp anna --by dana@example.com --reason "laptop stolen"
    """
    from narrows.settings import load_settings

    bff = load_bff(target)
    read = load_settings(settings or bff.folder / "narrows.toml")
    if issuer not in read.issuers:
        raise click.UsageError(f"There is no issuer {issuer!r} in the settings. There is: {', '.join(read.issuers)}.")
    if not by.strip():
        raise click.UsageError("Nobody is named who revokes. Remedy: --by NAME.")
    asyncio.run(_revoke(bff, read, (issuer, subject), (by.strip(), reason)))
    say(one_line(f"Revoked: what {issuer} issued to {subject} until now holds no more."))


async def _revoke(bff: Bff, settings: Settings, whom: tuple[str, str], why: tuple[str, str]) -> None:
    """First the revocation, which waits for nothing else, then its record."""
    at = time.time()
    await _put(settings, whom, at)
    await _record(bff, settings, whom, why, at)


async def _put(settings: Settings, whom: tuple[str, str], at: float) -> None:
    from narrows.errors import SettingsError, Unavailable
    from narrows.identity.revoking import KEPT_S
    from narrows.stores.opening import open_revoked
    from narrows.stores.revoked import Revocation
    from narrows.stores.servers import Servers

    if settings.stores.connectors == "memory:":
        raise SettingsError(
            "stores.connectors: what is revoked lies where the registry lies, and one in memory cannot be reached from "
            'here. Remedy: set stores.connectors = "sqlite:connectors.db" and stores.key.'
        )
    servers = Servers(settings.stores)
    store = open_revoked(settings, time.time, servers)
    try:
        await servers.prepare()
        await store.add(Revocation("subject", *whom, at, at + KEPT_S))
    except Unavailable as away:
        raise SettingsError(f"{away} Nothing was revoked. It lies in {settings.stores.connectors!r}.") from away
    finally:
        await store.close()
        await servers.close()


async def _record(bff: Bff, settings: Settings, whom: tuple[str, str], why: tuple[str, str], at: float) -> None:
    from narrows.cli.audit_opened import audit_of
    from narrows.errors import AuditRefused

    try:
        async with audit_of(bff, settings) as opened:
            if opened is None:
                say("This revocation is not in the audit log, which is in memory (stores.audit).", err=True)
                return
            await opened.log.start()
            named = await opened.persons.name(*whom)
            await opened.log.keep(_event(bff.name, named.hash, why, at))
    except Exception as fault:  # whatever the log raises: the revocation holds, and is not taken back by it
        raise AuditRefused(
            f"The revocation holds, but the audit log has no record of it ({type(fault).__name__}). "
            "Remedy: mend what `stores.audit` names, and revoke again."
        ) from None


def _event(bff: str, caller: str, why: tuple[str, str], at: float) -> Event:
    from narrows.audit.events import Event
    from narrows.audit.record import timestamp

    by, note = why
    return Event(
        time=timestamp(at),
        event="grant",
        what="revoked",
        bff=bff,
        caller=caller,
        by=by,
        account=account() or None,
        note=note,
    )
