"""The text of a policy as tokens and statements: enough to judge its form, and no evaluation."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

_TOKEN = re.compile(
    r"""(?P<space>\s+|\#[^\n]*)
    |(?P<text>"(?:\\.|[^"\\\n])*"|`[^`]*`)
    |(?P<number>[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<sign>:=|==|!=|<=|>=|[-+*/%&|<>=.,:;(){}\[\]])
    |(?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_OPEN, _CLOSE = frozenset("([{"), frozenset(")]}")


class Token(NamedTuple):
    """One token: its kind (`text`, `number`, `name`, `sign`, `other`), how it is written, where, and how deep."""

    kind: str
    text: str
    line: int
    start: int
    depth: int

    @property
    def end(self) -> int:
        """Where it ends in the text."""
        return self.start + len(self.text)


Statement = Sequence[Token]


def tokens(text: str) -> Iterator[Token]:
    """Every token but space and comments; a bracket stands at the depth outside it."""
    depth, line = 0, 1
    for found in _TOKEN.finditer(text):
        kind, written = str(found.lastgroup), found[0]
        if kind != "space":
            depth -= written in _CLOSE
            yield Token(kind, written, line, found.start(), depth)
            depth += written in _OPEN
        line += written.count("\n")


def statements(text: str) -> list[Statement]:
    """The statements of a module: each begins on a line of its own, outside all brackets."""
    listed: list[list[Token]] = []
    for token in tokens(text):
        before = listed[-1][-1] if listed else None
        if before is None or (token.depth <= 0 and token.line > before.line and token.text not in _CLOSE):
            listed.append([])
        listed[-1].append(token)
    return [*listed]


def names_of(statement: Statement) -> Iterator[tuple[int, Token]]:
    """Every name that stands alone or begins a reference, with its index: not `b` in `a.b`."""
    for index, token in enumerate(statement):
        if token.kind == "name" and not (index and statement[index - 1].text == "."):
            yield index, token


def reference(statement: Statement, index: int) -> tuple[str, int]:
    """The dotted name that begins at an index, and the index behind it: `object.get`."""
    parts = [statement[index].text]
    index += 1
    while index + 1 < len(statement) and statement[index].text == "." and statement[index + 1].kind == "name":
        parts.append(statement[index + 1].text)
        index += 2
    return ".".join(parts), index


def written(statement: Statement) -> str:
    """A statement in one line, tokens apart."""
    return " ".join(token.text for token in statement)
