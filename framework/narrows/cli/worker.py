"""One worker of `narrows run --workers N`: it serves on a socket with others, and ends with its supervisor."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import click

from narrows.cli.server import Server
from narrows.cli.workers import BACKLOG

if TYPE_CHECKING:
    from collections.abc import Callable

BEAT_S = 1.0


class Leash:
    """The tie to the supervisor: a sign of life each second, and `gone` is called when nobody holds the other end."""

    def __init__(self, end: socket.socket, gone: Callable[[], object]) -> None:
        end.setblocking(False)
        self._end = end
        self._gone = gone
        self._timer: asyncio.TimerHandle | None = None

    def take(self) -> None:
        """Begin, within the event loop of the server."""
        asyncio.get_running_loop().add_reader(self._end, self._lost)
        self._beat()

    def release(self) -> None:
        """End; a second time does nothing."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            asyncio.get_running_loop().remove_reader(self._end)
            self._end.close()

    def _beat(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(BEAT_S, self._beat)
        try:
            self._end.send(b".")
        except BlockingIOError:
            return  # a supervisor that does not listen just now has enough to read
        except OSError:
            self._lost()

    def _lost(self) -> None:
        """The supervisor never says anything: what can be read is the end."""
        self.release()
        self._gone()


class WorkerServer(Server):
    """Serves one application beside other workers."""

    leash: Leash

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to listen, and show it to the supervisor."""
        # Of many connections that come at once each worker takes one at a time, so that all have some to do. asyncio
        # sets the queue of the socket to the same number, which is put right below.
        self.config.backlog = 1
        await super().startup(sockets)
        for listener in sockets or ():
            listener.listen(BACKLOG)
        self.leash.take()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End what was begun; the supervisor sees the end of the process."""
        await super().shutdown(sockets)
        self.leash.release()

    def tell(self) -> None:
        """The supervisor says where all serve."""

    def serve_on(self, handed: str) -> None:
        """Serve on the socket that was handed over, until INT, TERM or the end of the supervisor."""
        listener, end = (socket.socket(fileno=number) for number in _numbers(handed))
        with listener, end:
            self.leash = Leash(end, self._end)
            self.run(sockets=[listener])

    def _end(self) -> None:
        self.should_exit = True


def _numbers(handed: str) -> tuple[int, int]:
    """Read `FD,FD`. Raises `click.UsageError`."""
    listener, _, end = handed.partition(",")
    if not (listener.isdecimal() and end.isdecimal()):
        raise click.UsageError("--worker is for the workers of `narrows run --workers` alone.")
    return int(listener), int(end)
