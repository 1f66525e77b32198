"""Rates as a team writes them: `30/minute`, `1000/day per tenant`."""

from __future__ import annotations

import re
from typing import Literal, cast

import msgspec

Per = Literal["caller", "connector", "tenant"]

_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
_RATE = re.compile(r"([1-9][0-9]{0,8})/(second|minute|hour|day)(?: per (caller|connector|tenant))?")


class Rate(msgspec.Struct, frozen=True):
    """At most `amount` calls in `seconds`, counted for each caller (default), connector or tenant."""

    amount: int
    seconds: int
    per: Per = "caller"

    @classmethod
    def parse(cls, text: str) -> Rate:
        """Read `30/minute per connector`. Raises ValueError with the form that is wanted."""
        match = _RATE.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is not a rate such as '30/minute' or '1000/day per tenant'")
        amount, unit, per = match.groups()
        return cls(int(amount), _SECONDS[unit], cast("Per", per or "caller"))

    def __str__(self) -> str:
        unit = next(name for name, seconds in _SECONDS.items() if seconds == self.seconds)
        return f"{self.amount}/{unit} per {self.per}"
