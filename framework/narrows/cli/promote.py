"""`narrows promote`: what differs between two environments of a BFF, and what stands in the way."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from narrows.cli.saying import one_line, say
from narrows.cli.target import SETTINGS_HELP, load_bff

if TYPE_CHECKING:
    from narrows.cli.promoting import Promotion

_ENVIRONMENTS = ("development", "staging", "production")
_MARKS = {"added": "+", "removed": "-", "changed": "~"}


@click.command("promote", short_help="Show what differs between two environments of a BFF.")
@click.argument("target")
@click.option("--from", "before", type=click.Choice(_ENVIRONMENTS), required=True, help="Where it runs now.")
@click.option("--to", "after", type=click.Choice(_ENVIRONMENTS), required=True, help="Where it is to run.")
@click.option("--settings", type=click.Path(dir_okay=False, path_type=Path), help=SETTINGS_HELP)
@click.option(
    "--baseline",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The contract that clients of the second environment have now, as `narrows openapi` printed it.",
)
@click.option("--registry", is_flag=True, help="Compare the registries of connectors too, which takes their keys.")
@click.option("--format", "form", type=click.Choice(("text", "json")), default="text", show_default=True)
def command(
    target: str,
    before: str,
    after: str,
    settings: Path | None,
    baseline: Path | None,
    registry: bool,
    form: str,
) -> None:
    """Show what differs between two environments of TARGET (module:attribute): settings, endpoints and connectors.

    Nothing is changed, sent or started, and no secret is read but the keys that --registry takes: of a secret it tells
    only that it differs. It ends with 1 if something stands in the way: a refusal of `narrows check` in the second
    environment, or an endpoint that clients of the baseline would lose.

    \b
    Examples:
      narrows promote bffs.where2eat.app:bff --from staging --to production
      narrows promote bffs.where2eat.app:bff --from staging --to production --baseline contract.json --format json
    """
    from narrows.cli.promoting import promotion

    if before == after:
        raise click.UsageError("--from and --to name one environment. Name two, as in --from staging --to production")
    bff = load_bff(target)
    try:
        file = settings or bff.folder / "narrows.toml"
        found = promotion(bff, file, before, after, baseline=baseline, registry=registry)
    except ValueError as error:
        raise click.UsageError(f"--baseline {baseline} is no OpenAPI document: {error}") from None
    say(_json(found) if form == "json" else _text(found))
    sys.exit(1 if found.blocked else 0)


def _json(found: Promotion) -> str:
    import msgspec

    return json.dumps({**msgspec.to_builtins(found), "blocked": found.blocked}, indent=2)


def _text(found: Promotion) -> str:
    """One part after the other; a part without difference says so."""
    endpoints = [
        f"{_MARKS[change.change]} {change.method} {one_line(change.path)}"
        f"{' (clients lose it)' if change.breaking else ''}"
        for change in found.endpoints
    ]
    settings = [
        f"{one_line(change.key)}: differs (secret)"
        if change.secret
        else f"{one_line(change.key)}: {change.before or 'unset'} → {change.after or 'unset'}"
        for change in found.settings
    ]
    connectors = [
        f"{change.connector}: {change.before or 'absent'} → {change.after or 'absent'}"
        f"{', another record' if change.record_differs and change.before and change.after else ''}"
        for change in found.connectors
    ]
    refusals = [
        f"{one_line(r.where)}: {one_line(r.subject)}: {one_line(r.rule)} [{r.code}]\n      remedy: {one_line(r.remedy)}"
        for r in found.refusals
    ]
    parts = {
        "Settings": settings,
        "Endpoints": endpoints,
        "Connectors": connectors,
        f"Refused in {found.after}": refusals,
        "Notes": list(found.notes),
    }
    lines = [f"{found.bff} {found.version}: {found.before} → {found.after}"]
    for title, listed in parts.items():
        lines += [f"\n{title}:", *(f"  {line}" for line in listed or ["none"])]
    lines.append(f"\n{'Something stands in the way.' if found.blocked else 'Nothing stands in the way.'}")
    return "\n".join(lines)
