"""Numbers that are numbers: no NaN, no infinity, and no exponent that fills the memory once it is written out.

JSON cannot spell the first two, but texts can: a query (`?lat=nan`), and an exact decimal, which may come as text.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import msgspec

from narrows.pipeline.fields import escape

_MAGNITUDE = 64


def is_finite(value: Any) -> bool:
    """Whether a number, or each in a list, is finite and of a magnitude that can be written out; all else is."""
    match value:
        case float():
            return math.isfinite(value)
        case Decimal():
            return value.is_finite() and abs(value.adjusted()) <= _MAGNITUDE
        case list() | tuple() | set() | frozenset():
            return all(map(is_finite, value))
    return True


def odd_decimals(value: Any, pointer: str) -> Iterator[str]:
    """Where decimals of a typed value are not finite, as JSON pointers."""
    yield from _walk(msgspec.to_builtins(value, builtin_types=(Decimal,), str_keys=True), pointer)


def _walk(value: Any, pointer: str) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _walk(inner, f"{pointer}/{escape(str(key))}")
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from _walk(inner, f"{pointer}/{index}")
    elif not is_finite(value):
        yield pointer
