"""Numbers of a schema and their bounds, in the words of every dialect."""

from __future__ import annotations

import math
from typing import Any

import msgspec

from narrows.devkit.scaffold.openapi.gaps import Gap, below
from narrows.devkit.scaffold.openapi.kinds import Kind, Loose, Real, Whole
from narrows.devkit.scaffold.openapi.words import INT64, Parts, number_of


def whole_of(parts: Parts) -> Kind:
    """A whole number with the bounds that all parts allow. Raises `Gap` where nothing lies between them."""
    low, high = _bounds(parts)
    multiples = [value for part in parts if (value := number_of(part.get("multipleOf"))) is not None]
    whole = Whole(_int64(low, math.ceil), _int64(high, math.floor))
    if whole.low is not None and whole.high is not None and whole.low > whole.high:
        raise Gap("no number lies between its bounds", parts[0].pointer)
    if not multiples or multiples == [1]:
        return whole
    multiple = multiples[0]
    if len(multiples) == 1 and multiple == int(multiple) and 0 < multiple <= INT64:
        return msgspec.structs.replace(whole, multiple=int(multiple))
    return Loose(whole, "what it is a multiple of is not kept", below(parts[0].pointer, "multipleOf"))


def real_of(parts: Parts) -> Kind:
    """The same of any number."""
    low, high = _reals(parts, "minimum", "exclusiveMinimum", max), _reals(parts, "maximum", "exclusiveMaximum", min)
    real = Real(low[0], high[0], low[1], high[1])
    lowest = real.above if real.low is None else real.low
    highest = real.under if real.high is None else real.high
    if (
        lowest is not None
        and highest is not None
        and (lowest > highest or (lowest == highest and None in (real.low, real.high)))
    ):
        raise Gap("no number lies between its bounds", parts[0].pointer)
    if any(part.get("multipleOf") is not None for part in parts):
        return Loose(real, "what it is a multiple of is not kept", below(parts[0].pointer, "multipleOf"))
    return real


def _int64(bound: float | None, rounded: Any) -> int | None:
    """A bound as msgspec takes it; none where it would be no bound."""
    if bound is None or not abs(bound) < 2**63:
        return None
    return int(rounded(bound))


def _reals(parts: Parts, word: str, strict: str, stricter: Any) -> tuple[float | None, float | None]:
    """The bound that is included and the one that is not; one of them at the most."""
    included, excluded = _bound(parts, word, strict)
    if not included or (excluded and stricter(*included, *excluded) in excluded):
        return None, stricter(excluded) if excluded else None
    return stricter(included), None


def _bound(parts: Parts, word: str, strict: str) -> tuple[list[float], list[float]]:
    """Bounds of every part; in 2.0 and 3.0 the strict word is a flag beside the bound, in 3.1 a bound of its own."""
    included: list[float] = []
    excluded: list[float] = []
    for part in parts:
        value, own = number_of(part.get(word)), part.get(strict)
        if value is not None:
            (excluded if own is True else included).append(value)
        if (bound := number_of(own)) is not None:
            excluded.append(bound)
    return included, excluded


def _bounds(parts: Parts) -> tuple[float | None, float | None]:
    """The bounds of a whole number, both included."""
    lows, above = _bound(parts, "minimum", "exclusiveMinimum")
    highs, under = _bound(parts, "maximum", "exclusiveMaximum")
    lows += [math.floor(value) + 1 for value in above]
    highs += [math.ceil(value) - 1 for value in under]
    return max(lows, default=None), min(highs, default=None)
