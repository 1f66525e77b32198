"""`narrows run`: serve a BFF."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from narrows.cli.target import SETTINGS_HELP, load

if TYPE_CHECKING:
    from narrows.cli.server import Server


@click.command("run", short_help="Serve a BFF.")
@click.argument("target")
@click.option("--settings", type=click.Path(dir_okay=False), help=SETTINGS_HELP)
def command(target: str, settings: str | None) -> None:
    """Serve TARGET (module:attribute, a Bff or an application) until INT or TERM.

    Audit records go to standard output and diagnostics to standard error, both as lines of JSON. When the start is
    refused, every reason is printed and the exit code is 2.

    \b
    Examples:
      narrows run bffs.where2eat.app:bff
      NARROWS_ENVIRONMENT=staging narrows run bffs.where2eat.app:bff --settings /etc/where2eat/narrows.toml
    """
    from narrows.cli.server import Server

    _serve(Server.of(load(target, settings), sys.stderr))


def _serve(server: Server) -> None:
    """Serve until a signal; Ctrl-C is how a person ends it, and no failure."""
    try:
        server.run()
    except KeyboardInterrupt:
        return
    except SystemExit:
        if server.application.refused is None:
            raise
        raise server.application.refused from None
