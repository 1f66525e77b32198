"""The types that a team writes: what comes in is strict and bounded, what comes from upstreams is narrow."""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

import msgspec
from msgspec import Meta

# Decimal also reads `1e-9`, `1_0` and the digits of other scripts, which nobody means in a price.
_AMOUNT = re.compile(r"[0-9]+(?:\.[0-9]+)?")

ID = {"narrows": "id"}
PREVIEW = {"narrows_preview": True}
"""Marks an argument of a write whose value a rehearsal may show: `Annotated[ShortText, Meta(extra=PREVIEW)]`."""


def hole(said: str) -> dict[str, str]:
    """Mark a place that nobody has filled yet: `Annotated[None, Meta(extra=hole("what is missing"))]`.

    A start that reaches it is refused (`hole-left`), so a type that a scaffold could not express is seen, not guessed.
    """
    return {"narrows_hole": said}


class Input(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What clients send: unknown and duplicate keys are refused, and every string and list must have a bound."""


class Narrow(msgspec.Struct, kw_only=True):
    """What upstreams send and endpoints answer: only the named fields are decoded, the rest never becomes an object."""


# `(?!\n)$` because Python's `$` also matches before a last line break; ECMA 262, which OpenAPI means, reads it alike.
Id = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_-]+(?!\n)$", extra=ID)]
"""An object id in text; a value of this type must be bound by `within`, `given` or `inside`."""

NumberId = Annotated[int, Meta(ge=1, le=2**53 - 1, extra=ID)]
"""An object id as a number (no larger than JSON numbers hold exactly)."""

ShortText = Annotated[str, Meta(min_length=1, max_length=100)]
"""A name or a title: 1 to 100 characters."""

LongText = Annotated[str, Meta(max_length=2000)]
"""A note: up to 2,000 characters."""

PageSize = Annotated[int, Meta(ge=1, le=50)]
"""How many items at the most: 1 to 50."""

Count = Annotated[int, Meta(ge=0, le=1_000_000)]
"""A small whole number: 0 to 1,000,000."""

Latitude = Annotated[float, Meta(ge=-90, le=90)]
"""Degrees north (WGS 84)."""

Longitude = Annotated[float, Meta(ge=-180, le=180)]
"""Degrees east (WGS 84)."""

Moment = Annotated[datetime, Meta(tz=True)]
"""A point in time with its offset (RFC 3339)."""

Currency = Annotated[str, Meta(pattern=r"^[A-Z]{3}(?!\n)$", min_length=3, max_length=3)]
"""A currency by ISO 4217."""


class Money(msgspec.Struct, frozen=True, order=True):
    """An exact amount of one currency."""

    amount: Decimal
    currency: Currency

    @classmethod
    def parse(cls, text: str) -> Money:
        """Read `0.05 EUR`. Raises ValueError for anything but a finite amount of at least 0 and an ISO 4217 code."""
        amount_text, _, currency = text.partition(" ")
        try:
            amount = Decimal(amount_text)
        except InvalidOperation:
            raise ValueError(f"{text!r} is not a price such as '0.05 EUR'") from None
        if not amount.is_finite() or not 0 <= amount <= 1_000_000:
            raise ValueError(f"{text!r} is not an amount from 0 to 1,000,000")
        if not _AMOUNT.fullmatch(amount_text):
            raise ValueError(f"{text!r} is not a price such as '0.05 EUR'")
        if len(currency) != 3 or not (currency.isascii() and currency.isupper()):
            raise ValueError(f"{text!r} names no currency by ISO 4217, such as 'EUR'")
        return cls(amount, currency)

    def __add__(self, other: Money) -> Money:
        if other.currency != self.currency:
            raise ValueError("prices in two currencies cannot be added")
        return Money(self.amount + other.amount, self.currency)

    def __sub__(self, other: Money) -> Money:
        if other.currency != self.currency:
            raise ValueError("prices in two currencies cannot be subtracted")
        return Money(self.amount - other.amount, self.currency)

    def __mul__(self, times: int) -> Money:
        return Money(self.amount * times, self.currency)

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}"


def is_id(metadata: Any) -> bool:
    """Tell whether a type as `msgspec.inspect` describes it is marked as an object id."""
    return isinstance(metadata, msgspec.inspect.Metadata) and (metadata.extra or {}).get("narrows") == "id"
