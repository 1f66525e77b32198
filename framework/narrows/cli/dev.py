"""`narrows dev`: serve a BFF to try it, with made-up people and upstreams, pages, and reload on change."""

from __future__ import annotations

import signal
import sys
from typing import NoReturn

import click

from narrows.cli.saying import say
from narrows.cli.target import SETTINGS_HELP


@click.command("dev", short_help="Try a BFF: made-up people and upstreams, a page for each endpoint, reload.")
@click.argument("target")
@click.option("--settings", type=click.Path(dir_okay=False), help=SETTINGS_HELP)
@click.option("--port", type=click.IntRange(0, 65_535), default=8000, show_default=True, help="0 takes a free one.")
@click.option("--no-reload", is_flag=True, help="Do not start anew when a file changes.")
@click.option("--open", "open_browser", is_flag=True, help="Open the pages in a browser.")
def command(target: str, settings: str | None, port: int, no_reload: bool, open_browser: bool) -> None:
    """Serve TARGET (module:attribute) on this machine alone, for development, until Ctrl-C.

    People are made from its declarations and sign in at an embedded authorization server; upstreams that are not
    configured are made up from the declared types. A start that is refused says why, and waits for a change.

    \b
    Examples:
      narrows dev bffs.where2eat.app:bff
      narrows dev bffs.where2eat.app:bff --port 0 --open
    """
    from narrows.devkit.dev.run import serve

    signal.signal(signal.SIGTERM, _ended)
    try:
        code = serve(target, settings, port=port, reload=not no_reload, open_browser=open_browser)
    except KeyboardInterrupt:
        say("\nEnded.", err=True)
        return
    except OSError as error:
        remedy = "If the port is taken, end what listens there, or choose another: --port 8001"
        raise click.ClickException(f"{error.strerror or error}. {remedy}") from None
    sys.exit(code)


def _ended(*_: object) -> NoReturn:
    """Leave by an exception, so that the serving processes are ended too."""
    raise SystemExit(0)
