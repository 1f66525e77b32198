"""Objectives as a team writes them: `99.5% under 300ms`, `99.9%`."""

from __future__ import annotations

import re
from decimal import Decimal

import msgspec

_SLO = re.compile(r"([0-9]{2}(?:\.[0-9]{1,3})?)%(?: under ([1-9][0-9]{0,4})(ms|s))?")
_LEAST = Decimal(50)
_FORM = "99.9%' or '99.5% under 300ms"


class Slo(msgspec.Struct, frozen=True):
    """The part of an endpoint's live calls that is to be good, from 0.5 to below 1, over 28 days.

    Good is a call that was answered, and within `under_s` seconds where that is said. One that failed (5xx) is bad, and
    so is one whose client went away after that time. What was refused or denied does not count: the client could have
    sent better, and neither a scanner nor a wrong token makes a service look better or worse.
    """

    objective: Decimal
    under_s: float | None = None

    @classmethod
    def parse(cls, text: str) -> Slo:
        """Read `99.5% under 300ms`. Raises ValueError with the form that is wanted."""
        match = _SLO.fullmatch(text)
        if match is None or Decimal(match[1]) < _LEAST:
            raise ValueError(f"{text!r} is not an objective such as '{_FORM}'; it is from 50% to 99.999%")
        percent, amount, unit = match.groups()
        under = None if amount is None else int(amount) / (1000 if unit == "ms" else 1)
        return cls(Decimal(percent) / 100, under)

    @property
    def budget(self) -> Decimal:
        """The part of the calls that may be bad: 0.005 for 99.5%."""
        return 1 - self.objective

    def __str__(self) -> str:
        percent = f"{(self.objective * 100).normalize():f}%"
        return percent if self.under_s is None else f"{percent} under {round(self.under_s * 1000)}ms"
