"""`narrows run`: serve a BFF."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from narrows.cli.target import SETTINGS_HELP, load

if TYPE_CHECKING:
    from collections.abc import Callable

    from narrows.cli.server import Server

MOST_WORKERS = 64


@click.command("run", short_help="Serve a BFF.")
@click.argument("target")
@click.option("--settings", type=click.Path(dir_okay=False), help=SETTINGS_HELP)
@click.option(
    "--workers",
    type=click.IntRange(1, MOST_WORKERS),
    default=1,
    show_default=True,
    help="Processes that share the port and the stores; no store may then be in memory.",
)
@click.option("--worker", hidden=True, help="The sockets that a worker gets from its supervisor.")
def command(target: str, settings: str | None, workers: int, worker: str | None) -> None:
    """Serve TARGET (module:attribute, a Bff or an application) until INT or TERM.

    Audit records go to standard output and diagnostics to standard error, both as lines of JSON. When the start is
    refused, every reason is printed and the exit code is 2. A worker that dies is started again.

    \b
    Examples:
      narrows run bffs.where2eat.app:bff
      narrows run bffs.where2eat.app:bff --workers 4
      NARROWS_ENVIRONMENT=staging narrows run bffs.where2eat.app:bff --settings /etc/where2eat/narrows.toml
    """
    if worker is not None:
        _work(target, settings, worker)
    elif workers > 1:
        _supervise(target, settings, workers)
    else:
        from narrows.cli.server import Server

        server = Server.of(load(target, settings), sys.stderr)
        _serve(server, server.run)


def _work(target: str, settings: str | None, handed: str) -> None:
    from narrows.cli.worker import WorkerServer

    server = WorkerServer.of(load(target, settings), sys.stderr)
    _serve(server, lambda: server.serve_on(handed))


def _supervise(target: str, settings: str | None, count: int) -> None:
    """Bind the port, and keep workers on it; what only a worker can find out is told by the first of them."""
    from narrows.cli.serving_workers import serve_workers

    sys.exit(serve_workers(target, settings, count, sys.stderr))


def _serve(server: Server, run: Callable[[], object]) -> None:
    """Serve until a signal; Ctrl-C is how a person ends it, and no failure."""
    try:
        run()
    except KeyboardInterrupt:
        return
    except SystemExit:
        if server.application.refused is None:
            raise
        raise server.application.refused from None
