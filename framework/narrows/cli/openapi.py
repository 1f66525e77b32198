"""`narrows openapi`: the contract of a BFF, made from its declarations."""

from __future__ import annotations

import click

from narrows.cli.saying import say
from narrows.cli.target import SETTINGS_HELP, load_offline


@click.command("openapi", short_help="Print the OpenAPI document of a BFF.")
@click.argument("target")
@click.option("--settings", type=click.Path(dir_okay=False), help=SETTINGS_HELP)
def command(target: str, settings: str | None) -> None:
    """Print the OpenAPI document of TARGET (module:attribute).

    Nothing is served, no secret is read and no network is used; a start that would be refused is refused here too.

    \b
    Examples:
      narrows openapi bffs.where2eat.app:bff > contract.json
    """
    say(load_offline(target, settings).document)
