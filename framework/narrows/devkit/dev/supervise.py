"""The watching process of `narrows dev`: it holds socket and secrets, and starts the serving one anew.

A second serving process always waits, its heavy modules imported, so that a reload costs what the BFF's own files cost.
Both hang on a pipe from here: when this process ends, however it ends, they do.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import IO, cast

import msgspec

from narrows.devkit.dev.orders import Orders, Run, Told
from narrows.devkit.dev.watch import Watch

LOOK_S = 0.25

_STOP_S = 3.0
_REST_S = 0.05
_RESTLESS = 10
_CHILD = [sys.executable, "-m", "narrows.devkit.dev.child"]


class Child:
    """A serving process, and the lines that it tells."""

    def __init__(self, descriptor: int) -> None:
        reading, writing = os.pipe()
        self._told = reading
        self._rest = b""
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        # A session of its own: Ctrl-C reaches the watching process alone, which then ends this one in order.
        self._process = subprocess.Popen(  # noqa: S603 # our own module
            [*_CHILD, str(writing)],
            stdin=subprocess.PIPE,
            pass_fds=(descriptor, writing),
            env=environment,
            start_new_session=True,
        )
        os.close(writing)
        self._stdin = cast("IO[bytes]", self._process.stdin)  # it is there: a pipe was asked for

    def order(self, orders: Orders) -> None:
        """Let it serve."""
        with suppress(BrokenPipeError):  # it has died meanwhile, which is seen at the next turn
            self._stdin.write(msgspec.json.encode(orders) + b"\n")
            self._stdin.flush()

    def heard(self, wait_s: float) -> list[Told]:
        """What it told meanwhile; waits for the first of it, but no longer than `wait_s` seconds."""
        if not select.select([self._told], [], [], wait_s)[0]:
            return []
        self._rest += os.read(self._told, 65_536)
        *lines, self._rest = self._rest.split(b"\n")
        return [msgspec.json.decode(line, type=Told) for line in lines]

    def exit_code(self) -> int | None:
        """How it ended, if it has."""
        return self._process.poll()

    def stop(self) -> None:
        """End it, by force if it does not end by itself."""
        with suppress(BrokenPipeError):
            self._stdin.close()
        self._process.terminate()
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._told)


class Supervisor:
    """Keeps one child serving, and another one waiting when there may be reloads."""

    def __init__(
        self,
        run: Run,
        watch: Watch | None,
        say: Callable[[Iterable[str]], None],
        opened: Callable[[str], object] = lambda _: None,
    ) -> None:
        self._run = run
        self._watch = watch
        self._say = say
        self._opened = opened
        self._generation = 0
        self._since = 0.0
        self._current: Child | None = None
        self._spare: Child | None = None

    def run(self) -> int:
        """Serve until this process is interrupted; without reload also until the serving one ends, with its code."""
        try:
            self._start()
            while True:
                code = self._turn()
                if code is not None:
                    return code
        finally:
            self.close()

    def close(self) -> None:
        """End both children."""
        for child in (self._current, self._spare):
            if child is not None:
                child.stop()
        self._current = self._spare = None

    def _turn(self) -> int | None:
        """Listen a moment, and look for changes; gives the exit code where nothing is left to wait for."""
        child = self._current
        if child is None:
            time.sleep(LOOK_S)
        else:
            self._hear(child.heard(LOOK_S))
            code = child.exit_code()
            if code is not None:
                self._hear(child.heard(0))
                self._current = None
                child.stop()
                if self._watch is None:
                    return code
                self._say([f"The serving process ended with {code}; waiting for a change …"])
        changed = self._changes(self._watch) if self._watch else []
        if changed:
            self._reload(changed)
        return None

    def _changes(self, watch: Watch) -> list[Path]:
        """What changed, once it has come to rest: who saves several files wants one start, not one for each."""
        found = set(watch.changed())
        more = bool(found)
        for _ in range(_RESTLESS):
            if not more:
                break
            time.sleep(_REST_S)
            after = watch.changed()
            found, more = found | set(after), bool(after)
        return sorted(found)

    def _reload(self, changed: list[Path]) -> None:
        names = ", ".join(path.name for path in changed[:3]) + (" …" if len(changed) > 3 else "")
        self._say(["", f"{names} changed: starting anew"])
        if self._current is not None:
            self._current.stop()
            self._current = None
        self._start()

    def _start(self) -> None:
        self._since = time.monotonic()
        self._generation += 1
        self._current = self._spare or Child(self._run.descriptor)
        self._spare = None
        self._current.order(Orders(run=self._run, generation=self._generation))

    def _hear(self, told: list[Told]) -> None:
        for one in told:
            if one.what == "step":
                if self._generation == 1:
                    self._say([f"  {one.text} …"])
                continue
            self._prepare_next([Path(name) for name in one.watch])
            spent = time.monotonic() - self._since
            if one.what == "refused":
                self._say(["", *one.facts])
            elif self._generation == 1:
                self._opened(self._run.link)
                self._say(["", *one.facts, "", f"  ready in {spent:.1f} s"])
            else:
                self._say([f"  serving again after {spent * 1000:.0f} ms"])

    def _prepare_next(self, places: list[Path]) -> None:
        """Watch what the settings name too, and let another process wait."""
        if self._watch is not None:
            self._watch.add(places)
            self._spare = Child(self._run.descriptor)
