"""Evaluates Rego with regopy, in a process of its own for each request.

regopy 1.5.2 ends the process that it runs in for some valid policies, and has no deadline. So the process is a child
with an empty environment, no files to write, and limits on time and memory: what it does not answer is not allowed. The
memory is watched from here, for regopy reserves far more than it uses, and no limit of the process lets it begin.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec

from narrows.errors import NarrowsError

INPUT_BYTES = 256 * 1024
DEADLINE_S = 5.0
MEMORY_BYTES = 512 * 1024 * 1024

_LOOK_S = 0.05

# Standard output is the answer's alone, whatever the engine prints.
_CHILD = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
out = os.fdopen(os.dup(1), "wb")
os.dup2(2, 1)
from narrows.governance.rego.child import serve
serve(sys.stdin.buffer, out)
"""


class EngineFailed(NarrowsError):
    """The engine gave no answer: it did not compile, crashed, took too long, or its input is too large."""


class Undefined(msgspec.Struct, frozen=True):
    """A rule without a value."""


class Failed(msgspec.Struct, frozen=True):
    """A rule that ended in an error."""

    reason: str


UNDEFINED = Undefined()


class Engine(Protocol):
    """Evaluates entry points (`narrows/data_export/allow`) of some modules over some inputs."""

    def __call__(
        self, modules: Mapping[str, str], entrypoints: Sequence[str], inputs: Sequence[Any]
    ) -> list[list[Any]]:
        """The value of each entry point for each input, or `Undefined` or `Failed`. Raises `EngineFailed`."""
        ...


class Regopy:
    """The engine: regopy in a child, which is killed after `deadline_s` seconds."""

    def __init__(self, deadline_s: float = DEADLINE_S) -> None:
        self._deadline_s = deadline_s

    def __call__(
        self, modules: Mapping[str, str], entrypoints: Sequence[str], inputs: Sequence[Any]
    ) -> list[list[Any]]:
        """Evaluate. Raises `EngineFailed`."""
        request = {"modules": dict(modules), "entrypoints": list(entrypoints), "inputs": list(inputs)}
        documents = [msgspec.json.encode(document) for document in inputs]
        if any(len(document) > INPUT_BYTES for document in documents):
            raise EngineFailed(f"the input has more than {INPUT_BYTES} bytes")
        answer = _answer(self._run(msgspec.json.encode(request)))
        return [[_value(told) for told in run] for run in answer]

    def _run(self, request: bytes) -> bytes:
        with subprocess.Popen(  # noqa: S603 - this interpreter, our own text
            [sys.executable, "-I", "-c", _CHILD],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={},
        ) as child:
            written = self._hear(child, request)
        if child.returncode != 0:
            raise EngineFailed(f"the engine ended with {_ending(child.returncode)}")
        return written

    def _hear(self, child: subprocess.Popen[bytes], request: bytes) -> bytes:
        """What the child writes until it ends; it is killed when it takes too long or too much."""
        ends = time.monotonic() + self._deadline_s
        sent: bytes | None = request
        while True:
            try:
                return child.communicate(sent, timeout=_LOOK_S)[0]
            except subprocess.TimeoutExpired:
                sent = None  # what was begun goes on
            much = _resident(child.pid) > MEMORY_BYTES
            if much or time.monotonic() >= ends:
                child.kill()
                child.communicate()
                took = f"took more than {MEMORY_BYTES} bytes" if much else f"took longer than {self._deadline_s:g} s"
                raise EngineFailed(f"the policy {took}")


def _resident(pid: int) -> int:
    """The bytes of memory that a process uses; 0 where the system does not tell, or when it has ended."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return 0
    return pages * resource.getpagesize()


def _ending(code: int) -> str:
    return f"signal {-code}; it cannot run this policy" if code < 0 else f"code {code}"


def _answer(written: bytes) -> list[list[dict[str, Any]]]:
    answer = json.loads(written)
    if "error" in answer:
        raise EngineFailed(f"it does not compile: {_first_line(answer['error'])}")
    runs: list[list[dict[str, Any]]] = answer["runs"]
    return runs


def _first_line(text: str) -> str:
    """The message within the engine's tree of an error: `(errormsg 12:Syntax error)`."""
    said = text.partition("(errormsg ")[2].partition(":")[2].partition(")")[0]
    return said or "the engine reads it as no Rego"


def _value(told: Mapping[str, Any]) -> Any:
    if "value" in told:
        return told["value"]
    return UNDEFINED if "undefined" in told else Failed(str(told["error"]))
