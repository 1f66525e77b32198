"""Code as text, laid out as ruff lays it out: on one line where it fits, else one part a line with a comma behind.

A part is an identifier that `names` made, a number, or a literal made here; nothing else of a document gets in.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeAlias

import msgspec

WIDTH = 120
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PIECE = 76


class Group(msgspec.Struct, frozen=True):
    """Parts between brackets, such as the arguments of a call. `before` and `after` stand outside them."""

    before: str
    parts: tuple[Code, ...]
    after: str


class Words(msgspec.Struct, frozen=True):
    """A long text: one literal where it fits, else several literals below each other."""

    text: str


Code: TypeAlias = str | Group | Words


def literal(text: str) -> str:
    """A text as a literal of Python: printable ASCII stands as it is, and all else is escaped."""
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(one: str) -> str:
    if " " <= one <= "~" and one not in '"\\':
        return one
    code = ord(one)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def named(name: str, value: Code) -> Code:
    """A keyword argument, or a member of a dictionary when the name is a literal already."""
    joint = f"{name}=" if _IDENTIFIER.fullmatch(name) else f"{name}: "
    if isinstance(value, Group):
        return Group(joint + value.before, value.parts, value.after)
    return joint + flat(value)


def call(function: str, *parts: Code) -> Group:
    """A call."""
    return Group(f"{function}(", parts, ")")


def index(kind: str, *parts: Code) -> Group:
    """A type with its arguments."""
    return Group(f"{kind}[", parts, "]")


def flat(code: Code) -> str:
    """The code on one line."""
    match code:
        case Group(before=before, parts=parts, after=after):
            return before + ", ".join(map(flat, parts)) + after
        case Words(text=text):
            return literal(text)
    return code


def laid(code: Code, indent: int = 0, before: str = "", after: str = "") -> str:
    """The code with what stands before and after it on its line."""
    pad = " " * indent
    line = f"{pad}{before}{flat(code)}{after}"
    if isinstance(code, str) or len(line) <= WIDTH:
        return line
    if isinstance(code, Words):
        return "\n".join(f"{pad}{piece}" for piece in _pieces(code.text)) + after
    inner = []
    for part in code.parts:
        comma = "" if isinstance(part, Words) and len(code.parts) == 1 and indent + 6 + len(flat(part)) > WIDTH else ","
        inner.append(laid(part, indent + 4, "", comma))
    return "\n".join([f"{pad}{before}{code.before}", *inner, f"{pad}{code.after}{after}"])


def _pieces(text: str) -> list[str]:
    """A long text as literals, each short enough for a line of its own."""
    found, piece = [], ""
    for word in re.findall(r"\S*\s*", text):
        while len(flat(literal(piece + word))) > _PIECE and (piece or len(literal(word)) > _PIECE):
            if not piece:
                piece, word = word[: _PIECE // 2], word[_PIECE // 2 :]
            found.append(literal(piece))
            piece = ""
        piece += word
    return [*found, literal(piece)] if piece else found


def sorted_names(names: Sequence[str]) -> list[str]:
    """Imported names as ruff sorts them: constants, classes, functions, each without regard to case."""

    def key(name: str) -> tuple[int, list[tuple[int, int | str]], str]:
        rank = 0 if name.isupper() and len(name) > 1 else 1 if name[0].isupper() else 2
        parts = re.findall(r"[0-9]+|[^0-9]+", name.lower())
        return rank, [(0, int(part)) if part.isdecimal() else (1, part) for part in parts], name

    return sorted(set(names), key=key)


def imported(module: str, names: Sequence[str]) -> str:
    """An import of names; nothing when there are none."""
    ordered = sorted_names(names)
    if not ordered:
        return ""
    line = f"from {module} import {', '.join(ordered)}"
    if len(line) <= WIDTH:
        return line + "\n"
    return "\n".join([f"from {module} import (", *(f"    {name}," for name in ordered), ")\n"])
