"""The statistics that the rules go by: medians and their deviations, which one bad day does not move."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

# The median absolute deviation of a normal distribution is this part of its standard deviation.
_SCALE = 1.4826
# Days vary by so much of themselves even where the few that are known happen to be alike.
_LEAST_SPREAD = 0.15


class Usual(NamedTuple):
    """What is usual: the median of `days` values, and how far they spread around it."""

    middle: float
    spread: float
    days: int

    def limit(self, floor: float, factor: float, spreads: float) -> float:
        """Where the unusual begins: past the floor, past so many times the middle, and past so many spreads."""
        return max(floor, factor * self.middle, self.middle + spreads * self.spread)

    def told(self, unit: str) -> str:
        """In words: `12 calls, spread 4, over 15 days`."""
        return f"{amount(self.middle)} {unit}, spread {amount(self.spread)}, over {self.days} days"


def usual(values: Sequence[float], *, counts: bool) -> Usual:
    """The median of values and their spread; nothing is usual of no values.

    Of counts, the spread is at least that of chance (the root of the middle); of amounts, a part of the middle.
    """
    if not values:
        return Usual(0.0, 0.0, 0)
    middle = median(values)
    deviation = _SCALE * median([abs(value - middle) for value in values])
    least = math.sqrt(middle) if counts else _LEAST_SPREAD * middle
    return Usual(middle, max(deviation, least), len(values))


def unusual_from(pace: float, chance: float) -> int:
    """The least number of events in a day that comes by `chance` at the most, at a pace of so many a day (Poisson)."""
    number, term = 0, math.exp(-pace)
    above = 1.0 - term
    # `above` is the chance of more than `number`; the terms fall fast from the pace on.
    while above > chance and number < 1000:
        number += 1
        term *= pace / number
        above -= term
    return number + 1


def amount(value: float) -> str:
    """A number for people: three digits at the most behind a point, none behind a large one."""
    return f"{value:.0f}" if value >= 10 or value == int(value) else f"{value:.1f}"
