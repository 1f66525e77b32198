"""The serving process of `narrows dev`: it gets its orders by a line on stdin, and ends when stdin does.

It imports all that is heavy before it reads, so that a process that waits can take over at once after a change.
"""

from __future__ import annotations

import logging
import os
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import IO, TextIO

import msgspec
import uvicorn
from litestar import Litestar

from narrows.cli.saying import harmless
from narrows.devkit.dev.app import DevApplication
from narrows.devkit.dev.arrange import Reach
from narrows.devkit.dev.banner import banner, record_line, refused
from narrows.devkit.dev.faults import refusals_of
from narrows.devkit.dev.orders import Orders, Told
from narrows.devkit.dev.stage import Stage, set_stage
from narrows.devkit.dev.watch import package_of
from narrows.errors import Refusal
from narrows.surfaces.serving import Listening, listening, make_server

# How long, in whole seconds, a running call may hold up a reload.
_GRACE_S = 1
_LATE = ("narrows.telemetry_client", "narrows.devkit.dev.traces_export", "narrows.stores.sqlite")

Tell = Callable[[Told], None]


def warm() -> None:
    """Load what the libraries load late, so that it is there when the orders come."""
    Litestar([], openapi_config=None, logging_config=None, debug=False, pdb_on_exception=False)
    for name in _LATE:
        with suppress(ImportError):  # an extra that is not installed
            import_module(name)


def main(orders_from: TextIO, tell: Tell, print_line: Callable[[str], None], reach: Reach | None = None) -> None:
    """Serve what the first line orders, until the second or the end of the file."""
    line = orders_from.readline()
    if not line.strip():
        return
    orders = msgspec.json.decode(line, type=Orders)
    # A file that is saved twice within a second keeps its time in the cache, which would then be taken for fresh.
    sys.dont_write_bytecode = True
    stage, refusals = _stage(orders, tell, print_line, reach)
    server = _server(orders, stage, refusals, tell)
    ending = threading.Thread(target=_end_with, args=(orders_from, server), daemon=True)
    ending.start()
    server.run(sockets=[socket.socket(fileno=os.dup(orders.run.descriptor))])


def _stage(
    orders: Orders, tell: Tell, print_line: Callable[[str], None], reach: Reach | None
) -> tuple[Stage | None, list[Refusal]]:
    """Make the BFF ready; whatever its files raise while they are imported is a reason that is told."""

    def say(text: str) -> None:
        tell(Told(what="step", text=text))

    def write_record(line: bytes) -> None:
        print_line(record_line(line))

    try:
        return set_stage(orders, say, write_record, reach), []
    except (Exception, SystemExit) as fault:  # importing a file of the team runs whatever stands in it
        return None, refusals_of(fault, package_of(orders.run.target, Path.cwd()))


def _server(orders: Orders, stage: Stage | None, refusals: list[Refusal], tell: Tell) -> uvicorn.Server:
    def started(reasons: list[Refusal]) -> None:
        if reasons or stage is None:
            tell(Told(what="refused", facts=refused(reasons, orders.run.link), refusals=reasons))
        else:
            tell(Told(what="ready", facts=banner(stage), watch=[str(stage.bff.folder), *stage.arranged.watch]))

    app = DevApplication(orders.run, orders.generation, stage, refusals, started)
    how: Listening = listening(stage.arranged.settings) if stage is not None else {}
    how["grace_s"] = _GRACE_S
    server = make_server(app, **how)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    return server


def _end_with(orders_from: TextIO, server: uvicorn.Server) -> None:
    """End when the watching process has: it holds the other end of stdin."""
    orders_from.read()
    server.should_exit = True


def run() -> None:
    """Serve as a process: stdout is for the person, the file of argument 1 for the watching process."""
    warm()
    logging.basicConfig(level=logging.WARNING, format="  %(levelname)s %(name)s: %(message)s")
    with os.fdopen(int(sys.argv[1]), "wb", buffering=0) as out:
        main(
            sys.stdin,
            lambda told: _write(out, told),
            lambda line: print(harmless(line), flush=True),  # noqa: T201 # the person at the terminal reads along
        )


def _write(out: IO[bytes], told: Told) -> None:
    out.write(msgspec.json.encode(told) + b"\n")


if __name__ == "__main__":
    run()
