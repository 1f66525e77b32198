"""Budgets as they are written: `5.00 EUR/day`, `20 MB/day`, `5000 records/week`; each is the most of one period.

Inside, every amount is a whole number of its unit, so that sums are exact: millionths of a currency, bytes, records.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Literal, cast

import msgspec

from narrows.declare.types import Money

Period = Literal["day", "week", "month"]
Holder = Literal["tenant", "connector", "caller"]

MOST = 2**53 - 1
"""The largest amount: a store that reckons in floating point still holds it exactly."""

_DAY_S = 86_400
_PLACES = 6
_MONEY = re.compile(r"(\S+ [A-Z]{3})/(day|week|month)( per caller)?")
_VOLUME = re.compile(r"([1-9][0-9]{0,8}) (records|bytes|kB|MB|GB)/(day|week|month)( per caller)?")
_BYTES = {"bytes": 1, "kB": 1_000, "MB": 1_000_000, "GB": 1_000_000_000}


class Budget(msgspec.Struct, frozen=True):
    """The most that may be used in a period by a tenant, a connector, or each caller of a connector.

    `amount` counts in `unit`: `bytes`, `records`, or millionths of the currency that `unit` names. Periods are those of
    the calendar, in UTC: a week begins on Monday.
    """

    amount: int
    unit: str
    period: Period
    per: Holder = "connector"

    @classmethod
    def parse(cls, text: str, shared: Holder = "connector") -> Budget:
        """Read `5.00 EUR/day` or `0.50 EUR/day per caller`; all of it is of `shared` unless it says `per caller`.

        Raises ValueError with the form that is wanted.
        """
        match = _MONEY.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is not a budget such as '5.00 EUR/day' (day, week or month)")
        money = Money.parse(match[1])
        return cls(millionths(money), money.currency, cast("Period", match[2]), _holder(text, match[3], shared))

    @classmethod
    def volume(cls, text: str, shared: Holder = "connector") -> Budget:
        """Read `20 MB/day` or `5000 records/day per caller`. Raises ValueError with the form that is wanted."""
        match = _VOLUME.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is not a volume such as '20 MB/day' or '5000 records/day' (bytes, kB, MB, GB)")
        count = int(match[1]) * _BYTES.get(match[2], 1)
        if count > MOST:
            raise ValueError(f"{text!r} is more than {MOST} bytes, and limits nothing")
        unit = "records" if match[2] == "records" else "bytes"
        return cls(count, unit, cast("Period", match[3]), _holder(text, match[4], shared))

    def __str__(self) -> str:
        return f"{shown(self.amount, self.unit)}/{self.period}" + (
            f" per {self.per}" if self.per != "connector" else ""
        )


def _holder(text: str, per_caller: str | None, shared: Holder) -> Holder:
    if per_caller and shared == "tenant":
        raise ValueError(f"{text!r} counts for each caller, and a tenant's budget is one for all")
    return "caller" if per_caller else shared


def millionths(money: Money) -> int:
    """An amount of money in millionths. Raises ValueError for one that is finer than that."""
    scaled = money.amount.scaleb(_PLACES)
    if scaled != scaled.to_integral_value():
        raise ValueError(f"{money} is finer than a millionth, and could not be reckoned exactly")
    return int(scaled)


def shown(amount: int, unit: str) -> str:
    """An amount for people, exactly: `0.05 EUR`, `20 MB`, `1234 bytes`, `1 records`."""
    if unit == "bytes":
        name = next(name for name, size in reversed(_BYTES.items()) if amount % size == 0 and (amount or size == 1))
        return f"{amount // _BYTES[name]} {name}"
    if unit == "records":
        return f"{amount} records"
    whole, rest = divmod(abs(amount), 10**_PLACES)
    decimals = f"{rest:0{_PLACES}d}".rstrip("0").ljust(2, "0")
    return f"{'-' if amount < 0 else ''}{whole}.{decimals} {unit}"


def start_of(period: Period, at: float) -> int:
    """The first second (since 1970) of the period in which a moment lies."""
    day = int(at // _DAY_S)
    if period == "week":
        day -= (day + 3) % 7  # 1 January 1970 was a Thursday
    elif period == "month":
        day -= datetime.fromtimestamp(day * _DAY_S, UTC).day - 1
    return day * _DAY_S


def end_of(period: Period, start: int) -> int:
    """The first second after the period that begins at `start`."""
    longest = {"day": 1, "week": 7, "month": 31}[period]
    return start_of(period, start + longest * _DAY_S)


def as_strict(new: Budget, old: Budget) -> bool:
    """Whether what the new one lets through, the old one lets through too.

    What holds for all callers holds for each. A day lies whole in its week and its month, a week not in its month.
    """
    longer = new.period == old.period or old.period == "day"
    return new.unit == old.unit and new.amount <= old.amount and longer and new.per in (old.per, "connector")
