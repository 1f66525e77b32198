"""JSON as strict as a guard needs it: UTF-8 without BOM, no key twice, no NaN, no depth or number without bound.

msgspec decodes typed values fast, but takes a key twice (the last wins), and a deep nesting ends in a RecursionError.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from narrows.errors import FieldError, MalformedRequest
from narrows.pipeline.fields import escape

_DIGITS = 64
# A text that never ends is one text up to the end: else each of its quotes would be looked at as the start of another.
_TEXT = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
_BRACKET = re.compile(rb"[][{}]")


class _TwiceError(Exception):
    """A key stands twice in an object."""


class _Twice(dict[str, Any]):
    """An object in which keys stand more than once."""

    keys_twice: tuple[str, ...] = ()


def parse(body: bytes, depth: int, found: list[FieldError], pointer: str = "/body") -> Any:
    """Parse a body to plain values; keys that stand twice are added to `found`. Raises `MalformedRequest`.

    `pointer` says what the body is.
    """
    _check_depth(body, depth, pointer)
    try:
        text = body.decode("utf-8")
        try:
            plain = _once.decode(text)
        except _TwiceError:
            plain = _twice_too.decode(text)
            places = _twice(plain, pointer)
            found += [FieldError(place, "The key stands twice.", "Send each key once.") for place in places]
        _check_surrogates(body, plain)
    except (ValueError, RecursionError):
        raise _malformed(pointer, "is not valid JSON in UTF-8 (RFC 8259).") from None
    return plain


def _malformed(pointer: str, rule: str) -> MalformedRequest:
    if pointer == "/body":
        return MalformedRequest(f"The body {rule}")
    remedy = 'Send a JSON object there, with its names and texts in double quotes, as in {"limit": 5}.'
    return MalformedRequest(f"What stands at {pointer} {rule}", remedy=remedy)


def _check_depth(body: bytes, depth: int, pointer: str) -> None:
    """Few brackets cannot nest deep; only a body with many is counted with care."""
    if body.count(b"[") + body.count(b"{") <= depth:
        return
    level = 0
    for bracket in _BRACKET.finditer(_TEXT.sub(b"", body)):
        level += 1 if bracket[0] in b"[{" else -1
        if level > depth:
            raise _malformed(pointer, f"nests deeper than {depth} levels.")


def _check_surrogates(body: bytes, plain: Any) -> None:
    r"""A lone surrogate, which only an escape such as \ud800 can bring, is no Unicode text. Raises `ValueError`."""
    if b"\\u" in body:
        json.dumps(plain, ensure_ascii=False).encode("utf-8")


def _twice(plain: Any, pointer: str) -> Iterator[str]:
    """Where keys stand twice, as JSON pointers."""
    inner = plain.items() if isinstance(plain, dict) else enumerate(plain) if isinstance(plain, list) else ()
    if isinstance(plain, _Twice):
        yield from (f"{pointer}/{escape(name)}" for name in plain.keys_twice)
    for key, value in inner:
        yield from _twice(value, f"{pointer}/{escape(str(key))}")


def _int(digits: str) -> int:
    if len(digits) > _DIGITS:
        raise ValueError("too many digits")
    return int(digits)


def _float(digits: str) -> float:
    if len(digits) > _DIGITS or math.isinf(number := float(digits)):
        raise ValueError("out of range")
    return number


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _with_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = _Twice(pairs)
    made.keys_twice = tuple(name for name, times in Counter(name for name, _ in pairs).items() if times > 1)
    return made


def _without_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise _TwiceError
    return made


def _decoder(make: Callable[[list[tuple[str, Any]]], dict[str, Any]]) -> json.JSONDecoder:
    return json.JSONDecoder(object_pairs_hook=make, parse_int=_int, parse_float=_float, parse_constant=_constant)


# Made once: to make a decoder takes longer than to read what most requests send.
_once, _twice_too = _decoder(_without_twice), _decoder(_with_twice)
