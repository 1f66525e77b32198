"""Rates as a team writes them: `30/minute`, `1000/day per tenant`, `5 concurrent per connector`."""

from __future__ import annotations

import re
from typing import Literal, cast

import msgspec

Per = Literal["caller", "connector", "tenant", "endpoint"]

_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
_UNITS = {seconds: unit for unit, seconds in _SECONDS.items()}
_RATE = re.compile(
    r"([1-9][0-9]{0,8})(?:/(second|minute|hour|day)| concurrent)(?: per (caller|connector|tenant|endpoint))?"
)


class Rate(msgspec.Struct, frozen=True):
    """At most `amount` calls in `seconds`, or at once when `seconds` is 0.

    Counted for each caller (default), connector or tenant, or for the endpoint, whoever calls it.
    """

    amount: int
    seconds: int
    per: Per = "caller"

    @classmethod
    def parse(cls, text: str) -> Rate:
        """Read `30/minute per connector` or `5 concurrent`. Raises ValueError with the form that is wanted."""
        match = _RATE.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is not a rate such as '30/minute', '1000/day per tenant' or '5 concurrent'")
        amount, unit, per = match.groups()
        return cls(int(amount), _SECONDS[unit] if unit else 0, cast("Per", per or "caller"))

    @classmethod
    def parse_for(cls, text: str, *allowed: Per) -> Rate:
        """Read a rate that counts for the first of `allowed` unless it names another of them. Raises ValueError."""
        rate = cls.parse(text if " per " in text else f"{text} per {allowed[0]}")
        if rate.per not in allowed:
            raise ValueError(f"{text!r} counts per {rate.per}, and here a rate counts per {' or '.join(allowed)}")
        return rate

    @property
    def is_concurrent(self) -> bool:
        """Whether it counts the calls that are under way, and not those of a time."""
        return self.seconds == 0

    def __str__(self) -> str:
        counted = " concurrent" if self.is_concurrent else f"/{_UNITS[self.seconds]}"
        return f"{self.amount}{counted} per {self.per}"
