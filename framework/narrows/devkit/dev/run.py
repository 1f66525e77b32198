"""`narrows dev` from its command line on: the socket, the folder of this run, what is watched."""

from __future__ import annotations

import socket
import sys
import tempfile
import webbrowser
from collections.abc import Iterable
from pathlib import Path

from narrows.cli.saying import harmless
from narrows.devkit.dev.orders import HOST, Run
from narrows.devkit.dev.running import announced
from narrows.devkit.dev.supervise import Supervisor
from narrows.devkit.dev.watch import Watch, package_of


def serve(target: str, settings: str | None, *, port: int, reload: bool, open_browser: bool) -> int:
    """Serve until Ctrl-C, which is a `KeyboardInterrupt`. Raises `OSError` when the port is taken.

    Gives the exit code of the serving process, which ends by itself only without reload.
    """
    say([f"narrows dev {target}"])
    with tempfile.TemporaryDirectory(prefix="narrows-dev-") as folder, socket.create_server((HOST, port)) as listener:
        run = Run.begin(target, settings, port=listener.getsockname()[1], descriptor=listener.fileno(), folder=folder)
        opened = webbrowser.open if open_browser else lambda _: None
        with announced(run.port, run.link):
            return Supervisor(run, Watch(_watched(target, settings)) if reload else None, say, opened).run()


def say(lines: Iterable[str]) -> None:
    """Write lines for the person, at once."""
    for line in lines:
        sys.stdout.write(f"{harmless(line)}\n")
    sys.stdout.flush()


def _watched(target: str, settings: str | None) -> list[Path]:
    package = package_of(target, Path.cwd())
    named = [Path(settings)] if settings else []
    return [*([package] if package else []), *named]
