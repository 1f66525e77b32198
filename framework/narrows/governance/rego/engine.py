"""Evaluates Rego with regopy, in a process of its own for each request.

regopy 1.5.2 ends the process that it runs in for some valid policies, and has no deadline. So the process is a child
with an empty environment, no files to write, and a limit on time: what it does not answer is not allowed.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

from narrows.errors import NarrowsError

INPUT_BYTES = 256 * 1024
DEADLINE_S = 5.0

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
        try:
            done = subprocess.run(  # noqa: S603 - this interpreter, our own text
                [sys.executable, "-I", "-c", _CHILD],
                input=request,
                capture_output=True,
                timeout=self._deadline_s,
                env={},
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise EngineFailed(f"the policy took longer than {self._deadline_s:g} s") from None
        if done.returncode != 0:
            raise EngineFailed(f"the engine ended with {_ending(done.returncode)}")
        return done.stdout


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
