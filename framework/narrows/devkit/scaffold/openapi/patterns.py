"""Patterns: only those are kept that are proven to be matched in linear time, and they are written anew.

The proof is conservative. A pattern is anchored at its beginning, or has no open repetition. It is read into a tree
(no look-around, no reference, no group that can be empty inside a repetition), and at every place the characters that
may come next must lead to one place alone (it is deterministic in the sense of Glushkov). Then a backtracking matcher
never has two ways to read one text.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from narrows.checks.linear import MOST_REPEATED, NotProven, Proof, nodes, parse
from narrows.upstreams.synthetic import CannotMake, Generator

_LONGEST = 300
# Python's own signs for these take more than ECMA's, and take none away that is ASCII.
_WRITTEN = {"\\d": "[0-9]", "\\w": "[A-Za-z0-9_]"}
_FOREIGN = re.compile(r"\\(?:[1-9]|[AZbBkpPuxcGQE0]|U)|\(\?(?!:)|\[\^?\]|\[\[|&&|--|~~|\|\|")


def proven(pattern: object) -> str:
    """The pattern for Python, if it is proven to be safe. Raises `NotProven`."""
    if not isinstance(pattern, str) or not pattern.isascii() or not pattern.isprintable() or len(pattern) > _LONGEST:
        raise NotProven("it is no short pattern of plain characters")
    if _FOREIGN.search(pattern.replace("\\\\", "")):
        raise NotProven("it uses a form that is not read alike everywhere")
    try:
        tree = parse(pattern)
    except (re.error, RecursionError, OverflowError, ValueError):
        raise NotProven("it cannot be read") from None
    anchored = str(tree[0][0]) == "AT" if len(tree) else False
    if not anchored and _is_open(tree):
        raise NotProven("it may begin anywhere and repeat without an end")
    Proof().sequence(list(tree))
    return _written(pattern)


@lru_cache(maxsize=4096)
def can_be_made(kind: Any) -> bool:
    """Whether the sandbox finds values of a type with a (proven) pattern."""
    try:
        Generator.build(kind)
    except CannotMake:
        return False
    return True


def _is_open(tree: Any) -> bool:
    return any(kind.endswith("REPEAT") and value[1] > MOST_REPEATED for kind, value in nodes(tree))


def _written(pattern: str) -> str:
    """Write ECMA's signs so that Python reads them alike: `\\d` is ASCII, and `$` is the end and nothing before it."""
    made, inside, index = [], False, 0
    while index < len(pattern):
        one = pattern[index : index + 2] if pattern[index] == "\\" else pattern[index]
        if one in ("\\D", "\\W"):
            raise NotProven("it uses a form that is not read alike everywhere")
        if one == "[" and not inside:
            inside = True
        elif one == "]":
            inside = False
        plain = _WRITTEN.get(one, one)
        made.append(plain[1:-1] if inside and one in _WRITTEN else "(?!\\n)$" if one == "$" and not inside else plain)
        index += len(one)
    return "".join(made)
