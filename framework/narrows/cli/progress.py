"""What a long command is doing, for a person who waits at a terminal; nowhere else."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TextIO


class Progress:
    """One line on standard error that is written over, and gone at the end."""

    def __init__(self, total: int, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._total = total
        self._done = 0
        self._shown = self._stream.isatty()

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._write("")

    def step(self, what: str) -> None:
        """Say what is done now: one of `total`."""
        self._done += 1
        self._write(f"[{self._done}/{self._total}] {what} …")

    def _write(self, text: str) -> None:
        if self._shown:
            self._stream.write(f"\r\x1b[K{text}")
            self._stream.flush()
