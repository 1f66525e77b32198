"""Pinned examples: what the sandbox answers an operation with, in place of made-up data."""

from __future__ import annotations

from typing import Any


class Example:
    """An answer of an operation, pinned for the sandbox: `Example({"id": 7, "name": "Lunch"}, team_id=7)`.

    `answer` is what the upstream could send: plain data as in JSON, or a value of the declared type. It is narrowed as
    an upstream's answer is, and one that does not hold is refused at start. `arguments` say for which arguments it
    stands, by their names; of a body, the fields that are named must be equal. Without any it stands for all others.
    """

    __slots__ = ("answer", "arguments")

    def __init__(self, answer: Any, /, **arguments: Any) -> None:
        self.answer = answer
        self.arguments = arguments

    def __repr__(self) -> str:
        return f"Example({', '.join(['…', *self.arguments])})"
