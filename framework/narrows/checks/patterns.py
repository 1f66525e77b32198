"""Patterns of types: none that a text can make try for ever, while all other calls wait (case 54)."""

from __future__ import annotations

import re
from typing import Any

from narrows.checks.linear import NotProven, Proof, nodes, parse

# Up to these, even the worst pattern is done at once: what is tried doubles with each character.
_FEW_CHARACTERS = 16
_FEW_TIMES = 3


def is_slow(pattern: str, max_length: int | None) -> bool:
    """Whether a text of this length may be read in so many ways that it takes for ever to see that none fits.

    That takes a repetition in a repetition, or a choice in one; it may stand there if each text is read in one way.
    """
    if max_length is not None and max_length <= _FEW_CHARACTERS:
        return False
    tree = parse(pattern)
    folded = bool(tree.state.flags & re.IGNORECASE)
    repeats = [value for kind, value in nodes(tree) if kind.endswith("_REPEAT") and value[1] > _FEW_TIMES]
    return any(_branches(body) and (folded or not _is_proven(low, high, body)) for low, high, body in repeats)


def _branches(tree: Any) -> bool:
    return any(kind == "BRANCH" or (kind.endswith("_REPEAT") and value[0] != value[1]) for kind, value in nodes(tree))


def _is_proven(low: int, high: int, body: Any) -> bool:
    try:
        Proof().repeat(low, high, body)
    except NotProven:
        return False
    return True
