"""Several workers behind one socket: each is started, watched, and started again when it dies or gives no sign of life.

A worker is this very command in a process of its own, which gets the listening socket and one end of a pair of sockets:
through it the worker shows that it lives, and learns when its supervisor does not. No secret stands on a command line.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

_log = logging.getLogger("narrows.cli")

BACKLOG = 2048
STUCK_S = 30.0
"""For how long a worker may give no sign of life; it gives one each second."""
_CALM_S = 10.0
"""A worker that lived for so long is started again at once."""
_PAUSE_S, _LONGEST_S = 0.5, 30.0


class Worker(Protocol):
    """One worker, as its supervisor sees it."""

    pid: int

    async def beat(self) -> bool:
        """Wait for the next sign of life; False when there will be none."""
        ...

    async def ended(self) -> int:
        """Wait for its end, and tell its exit code."""
        ...

    def send(self, number: signal.Signals) -> None:
        """Send a signal; one that has ended gets none."""
        ...


class Supervisor:
    """Keeps `count` workers alive until it is stopped.

    `start` starts one. Those that are still there `grace_s` after they were told to end are killed. `steady` gives
    seconds of a clock that nobody sets.
    """

    def __init__(
        self,
        start: Callable[[], Awaitable[Worker]],
        count: int,
        *,
        grace_s: float,
        stuck_s: float = STUCK_S,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._start = start
        self._count = count
        self._grace_s = grace_s
        self._stuck_s = stuck_s
        self._sleep = sleep
        self._steady = steady
        self._alive: dict[Worker, float] = {}
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Tell all to end what they have begun, and to end; a second time ends them at once."""
        if self._stopping.is_set():
            self._send(signal.SIGKILL)
        self._stopping.set()

    async def run(self, serving: Callable[[], object]) -> int:
        """Run until stopped; `serving` is called when the first worker serves. Answers the exit code.

        The first starts alone: when its start is refused, there is no other, and its exit code is the answer.
        """
        keeping = asyncio.create_task(self._keep_all(serving))
        stopping = asyncio.create_task(self._stopping.wait())
        await asyncio.wait((keeping, stopping), return_when=asyncio.FIRST_COMPLETED)
        code = keeping.result() if keeping.done() else 0
        for task in (keeping, stopping):
            task.cancel()
        await asyncio.gather(keeping, stopping, return_exceptions=True)
        await self._end()
        return code

    async def _keep_all(self, serving: Callable[[], object]) -> int:
        first = await self._begin()
        if not await first.beat():
            del self._alive[first]
            return await first.ended() or 1
        serving()
        return max(await asyncio.gather(self._keep(first), *(self._keep(None) for _ in range(self._count - 1))))

    async def _keep(self, worker: Worker | None) -> int:
        """Keep one worker alive, until cancelled; while they die soon after their start, the pauses grow."""
        pause = 0.0
        while True:
            worker = worker or await self._begin()
            code = await self._watch(worker)
            lived = self._steady() - self._alive.pop(worker)
            pause = 0.0 if lived >= _CALM_S else min(_LONGEST_S, 2 * pause or _PAUSE_S)
            _log.error("worker %d ended (%s), and another takes its place in %g s", worker.pid, _said(code), pause)
            worker = None
            await self._sleep(pause)

    async def _begin(self) -> Worker:
        worker = await self._start()
        self._alive[worker] = self._steady()
        return worker

    async def _watch(self, worker: Worker) -> int:
        """Wait for the end of a worker, and bring it about if it is stuck."""
        loop = asyncio.get_running_loop()
        serves = False
        try:
            async with asyncio.timeout(self._stuck_s) as limit:
                while await worker.beat():
                    if not serves:
                        serves = True
                        _log.info("worker %d serves", worker.pid)
                    limit.reschedule(loop.time() + self._stuck_s)
        except TimeoutError:
            _log.error("worker %d gave no sign of life for %g s", worker.pid, self._stuck_s)
            worker.send(signal.SIGKILL)
        return await worker.ended()

    async def _end(self) -> None:
        self._send(signal.SIGTERM)
        ends = asyncio.gather(*(worker.ended() for worker in self._alive))
        await asyncio.wait({ends}, timeout=self._grace_s)
        if not ends.done():
            self._send(signal.SIGKILL)
        await ends

    def _send(self, number: signal.Signals) -> None:
        for worker in self._alive:
            worker.send(number)


class WorkerProcess:
    """A worker in a process of its own."""

    def __init__(
        self, process: asyncio.subprocess.Process, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.pid = process.pid
        self._process = process
        self._reader = reader
        self._writer = writer

    @classmethod
    async def start(cls, command: Sequence[str], listener: socket.socket) -> WorkerProcess:
        """Start `command` with the listening socket; `--worker FD,FD` is added to it."""
        ours, theirs = socket.socketpair()
        with theirs:
            handed = (listener.fileno(), theirs.fileno())
            # A session of its own: Ctrl-C reaches the supervisor alone, which then ends the workers in order.
            process = await asyncio.create_subprocess_exec(
                *command, "--worker", ",".join(map(str, handed)), pass_fds=handed, start_new_session=True
            )
        return cls(process, *await asyncio.open_connection(sock=ours))

    async def beat(self) -> bool:
        """Wait for the next sign of life."""
        try:
            return bool(await self._reader.read(64))
        except ConnectionError:
            return False

    async def ended(self) -> int:
        """Wait for its end."""
        code = await self._process.wait()
        self._writer.close()
        return code

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        if self._process.returncode is None:
            self._process.send_signal(number)


def bind(host: str, port: int) -> socket.socket:
    """The socket that all workers share. Raises `OSError`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=BACKLOG)


def run_workers(command: Sequence[str], count: int, listener: socket.socket, serving: Callable[[], object]) -> int:
    """Run the workers of one command until INT or TERM; answers the exit code."""

    async def running() -> int:
        supervisor = Supervisor(lambda: WorkerProcess.start(command, listener), count, grace_s=_GRACE_S)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, supervisor.stop)
        return await supervisor.run(serving)

    return asyncio.run(running())


_GRACE_S = 15.0
"""uvicorn gives running calls ten seconds, and then closes what is open."""


def this_command(target: str, settings: str | None) -> list[str]:
    """The command of one worker of `narrows run TARGET`."""
    more = [] if settings is None else ["--settings", settings]
    return [sys.executable, "-m", "narrows.cli", "run", target, *more]


def _said(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
