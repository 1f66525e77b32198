import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrows.alerts.baseline import Usual, amount, unusual_from, usual


def test_nothing_is_usual_of_nothing():
    """Without values the floor alone is the limit."""
    assert usual([], counts=True) == Usual(0.0, 0.0, 0)
    assert usual([], counts=True).limit(60, 3, 6) == 60


def test_one_bad_day_moves_nothing():
    """The median and its deviations are within what the other days were, whatever one of them was."""
    found = usual([10, 12, 11, 9, 10, 11, 10, 12, 9, 1_000_000], counts=True)
    assert (found.middle, round(found.spread, 2), found.days) == (10.5, 3.24, 10)


def test_the_spread_is_never_nothing():
    """Days that happen to be alike vary by chance: counts by their root, amounts by a part of themselves."""
    assert usual([100] * 5, counts=True).spread == 10.0
    assert usual([100] * 5, counts=False).spread == 15.0


@given(st.lists(st.integers(0, 10**9), min_size=1), st.booleans())
def test_a_limit_is_above_what_is_usual(values, counts):
    """Whatever the days were, the usual itself is never unusual."""
    found = usual(values, counts=counts)
    assert found.limit(0, 1.0, 1.0) >= found.middle
    assert found.spread >= 0


@pytest.mark.parametrize("pace", [0.01, 0.1, 1.0, 7.5])
@pytest.mark.parametrize("chance", [0.5, 0.02, 0.001])
def test_the_chance_of_events(pace, chance):
    """The number found comes by less than the chance, and one less does not (Poisson, added up naively)."""

    def at_least(number):
        return 1 - sum(math.exp(-pace) * pace**k / math.factorial(k) for k in range(number))

    number = unusual_from(pace, chance)
    assert at_least(number) <= chance
    assert number == 1 or at_least(number - 1) > chance


def test_an_absurd_pace_ends():
    """The sum is bounded, whatever it is asked."""
    assert unusual_from(600.0, 1e-300) == 1001


@pytest.mark.parametrize(("value", "told"), [(0, "0"), (3.0, "3"), (4.47, "4.5"), (1234.5, "1234"), (20, "20")])
def test_numbers_for_people(value, told):
    """No more digits than say something."""
    assert amount(value) == told
