"""`narrows connector`: the registry of a BFF's connectors, as its operators see and change it."""

from __future__ import annotations

import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from narrows.cli.connector_registry import changing, files, governing, operator, shared
from narrows.cli.connector_reviews import deny, grant, reviews
from narrows.cli.connector_shown import (
    summary,
    tell_changed,
    tell_differences,
    tell_json,
    tell_sheet,
    tell_table,
    whole,
)

if TYPE_CHECKING:
    from narrows.governance.connectors import Governor
    from narrows.stores.registry import Registered

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


@click.group("connector", short_help="Register, approve, suspend and rotate the programs that call.")
def command() -> None:
    """Work on the registry of the connectors of a BFF.

    Their records are the files connectors/*.toml beside the file that declares the Bff. The registry is the store that
    `stores.connectors` of the settings names; it must be a file. Exit codes: 0 done, 1 something differs (diff alone),
    2 refused or wrong usage.
    """


for _one in (reviews, grant, deny):
    command.add_command(_one)


@command.command("diff", short_help="Show what apply would change; exit code 1 if anything.")
@shared
def diff(target: str, settings: str | None, form: str) -> None:
    """Show what applying the files of TARGET (module:attribute) would change, field by field.

    WIDENING marks what lets a connector do more than was approved: it will be a draft again.

    \b
    Examples:
      narrows connector diff bffs.where2eat.app:bff
    """
    found = governing(target, settings, lambda governor: governor.diff(files(governor)))
    tell_differences(found, form)
    sys.exit(1 if any(one.kind != "same" for one in found) else 0)


@command.command("apply", short_help="Put the files into the registry.")
@changing
def apply(target: str, settings: str | None, form: str, by: str) -> None:
    """Put the records of the files of TARGET (module:attribute) into the registry.

    New and widened connectors are drafts until they are approved. If one file does not hold, none is applied.

    \b
    Examples:
      narrows connector apply bffs.where2eat.app:bff --by lena@example.com
    """
    tell_differences(governing(target, settings, lambda governor: governor.apply(files(governor), operator(by))), form)


@command.command("list", short_help="List the connectors and their states.")
@shared
def listed(target: str, settings: str | None, form: str) -> None:
    """List the connectors of TARGET (module:attribute), with the states that hold now.

    \b
    Examples:
      narrows connector list bffs.where2eat.app:bff --format json
    """

    async def read(governor: Governor) -> list[dict[str, Any]]:
        _, entries = await governor.store.all()
        return [summary(governor, entry) for entry in entries]

    tell_table(governing(target, settings, read), form)


@command.command("show", short_help="Show one connector: record, approval, credentials, history.")
@shared
@click.argument("name")
@click.option("--jwks", "only_jwks", is_flag=True, help="Only its public keys, as an authorization server takes them.")
def show(target: str, name: str, settings: str | None, form: str, only_jwks: bool) -> None:
    """Show the connector NAME of TARGET (module:attribute). Secrets are not kept, so none is shown.

    \b
    Examples:
      narrows connector show bffs.where2eat.app:bff copilot
    """
    from narrows.governance.rotation import jwks
    from narrows.stores.registry import holding

    async def read(governor: Governor) -> dict[str, Any]:
        entry = await governor.find(name)
        if only_jwks:
            return jwks(holding(entry, time.time()))
        return whole(governor, entry, await governor.store.history(name))

    found = governing(target, settings, read)
    if only_jwks or form == "json":
        tell_json(found)
    else:
        tell_sheet(found)


@command.command("approve", short_help="Take a draft to trial, or a trial to live.")
@changing
@click.argument("name")
@click.option("--digest", help="The digest, or its beginning, of the record that you have looked at.")
def approve(target: str, name: str, settings: str | None, form: str, by: str, digest: str | None) -> None:
    """Approve the connector NAME of TARGET (module:attribute): draft → trial → live, one step at a time.

    You must stand in governance.approvers of the settings, and be neither its owner nor its contact. Your approval is
    of exactly this record: whatever widens it later makes it a draft again.

    \b
    Examples:
      narrows connector approve bffs.where2eat.app:bff copilot --by dana@example.com
    """
    _change(target, settings, form, lambda g: g.approve(name, operator(by), digest=digest or None), approving=True)


@command.command("suspend", short_help="Stop a connector within a second, until it is resumed.")
@changing
@click.argument("name")
@click.option("--reason", default="", help="Why; it is kept with the change.")
def suspend(target: str, name: str, settings: str | None, form: str, by: str, reason: str) -> None:
    """Suspend the connector NAME of TARGET (module:attribute); the next write of a running call is stopped too.

    \b
    Examples:
      narrows connector suspend bffs.where2eat.app:bff copilot --by lena@example.com --reason "it books twice"
    """
    _change(target, settings, form, lambda g: g.suspend(name, operator(by), reason))


@command.command("resume", short_help="Let a suspended connector go on.")
@changing
@click.argument("name")
def resume(target: str, name: str, settings: str | None, form: str, by: str) -> None:
    """Resume the connector NAME of TARGET (module:attribute) in the state before; only who may approve it may do so.

    \b
    Examples:
      narrows connector resume bffs.where2eat.app:bff copilot --by dana@example.com
    """
    _change(target, settings, form, lambda g: g.resume(name, operator(by)))


@command.command("revoke", short_help="End a connector for good.")
@changing
@click.argument("name")
@click.option("--reason", default="", help="Why; it is kept with the change.")
def revoke(target: str, name: str, settings: str | None, form: str, by: str, reason: str) -> None:
    """Revoke the connector NAME of TARGET (module:attribute). There is no way back; a new one needs another id.

    \b
    Examples:
      narrows connector revoke bffs.where2eat.app:bff copilot --by lena@example.com
    """
    _change(target, settings, form, lambda g: g.revoke(name, operator(by), reason))


@command.command("rotate", short_help="Give a connector a new secret or key.")
@changing
@click.argument("name")
@click.option(
    "--public-key", type=click.Path(exists=True, dir_okay=False), help="The owner's public key (JWK or PEM); no secret."
)
@click.option("--overlap", default="24h", show_default=True, help="How long the old ones still hold; at the most 7d.")
@click.option("--compromised", is_flag=True, help="End the old ones and every token issued so far, at once.")
def rotate(
    target: str,
    name: str,
    settings: str | None,
    form: str,
    by: str,
    public_key: str | None,
    overlap: str,
    compromised: bool,
) -> None:
    """Give the connector NAME of TARGET (module:attribute) a new credential.

    A new secret is printed once, and kept nowhere. The authorization server of the issuer must be told of it too; the
    embedded one reads it from the registry.

    \b
    Examples:
      narrows connector rotate bffs.where2eat.app:bff copilot --by lena@example.com --overlap 24h
    """
    from narrows.governance.rotation import rotate as give

    seconds = _seconds(overlap)
    key = Path(public_key).read_bytes() if public_key else None

    async def work(governor: Governor) -> dict[str, Any]:
        rotated = await give(
            governor,
            name,
            operator(by),
            now=time.time,
            public_key=key,
            overlap_s=seconds,
            compromised=compromised,
        )
        told = summary(governor, rotated.entry)
        return {**told, "secret": rotated.secret.reveal()} if rotated.secret else told

    tell_changed(governing(target, settings, work), form)


def _change(
    target: str,
    settings: str | None,
    form: str,
    change: Callable[[Governor], Awaitable[Registered]],
    *,
    approving: bool = False,
) -> None:
    """Change one connector, and tell what became of it."""

    async def work(governor: Governor) -> dict[str, Any]:
        return summary(governor, await change(governor))

    tell_changed(governing(target, settings, work), form, approving=approving)


def _seconds(text: str) -> float:
    """Read `24h`. Raises `click.BadParameter`."""
    number, unit = text[:-1], text[-1:]
    if unit not in _UNITS or not number.isascii() or not number.isdigit():
        raise click.BadParameter("write a number and s, m, h or d, as in 24h", param_hint="--overlap")
    return float(int(number) * _UNITS[unit])
