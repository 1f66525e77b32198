"""Budgets as they are written, in whole units, over periods of the calendar."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrows.declare.budget import MOST, Budget, as_strict, end_of, millionths, shown, start_of
from narrows.declare.types import Money


@pytest.mark.parametrize(
    ("text", "read", "told"),
    [
        ("5.00 EUR/day", Budget(5_000_000, "EUR", "day"), "5.00 EUR/day"),
        ("0.5 EUR/week per caller", Budget(500_000, "EUR", "week", "caller"), "0.50 EUR/week per caller"),
        ("0.000001 JPY/month", Budget(1, "JPY", "month"), "0.000001 JPY/month"),
        ("1000000 EUR/day", Budget(10**12, "EUR", "day"), "1000000.00 EUR/day"),
    ],
)
def test_a_budget_is_read_and_told(text, read, told):
    """In millionths of its currency, exactly."""
    assert Budget.parse(text) == read
    assert str(read) == told


@pytest.mark.parametrize(
    ("text", "read", "told"),
    [
        ("20 MB/day", Budget(20_000_000, "bytes", "day"), "20 MB/day"),
        ("1500 kB/day", Budget(1_500_000, "bytes", "day"), "1500 kB/day"),
        ("7 bytes/week", Budget(7, "bytes", "week"), "7 bytes/week"),
        ("5000 records/month per caller", Budget(5000, "records", "month", "caller"), "5000 records/month per caller"),
    ],
)
def test_a_volume_is_read_and_told(text, read, told):
    """In bytes or records."""
    assert Budget.volume(text) == read
    assert str(read) == told


@pytest.mark.parametrize(
    "text",
    [
        "5 EUR",
        "5 EUR/hour",
        "-1 EUR/day",
        "1e3 EUR/day",
        "NaN EUR/day",
        "1000001 EUR/day",
        "0.0000001 EUR/day",
        "5 EUR/day per connector",
        "5 EUR/day ",
        "5 MB/day",
        "\u0665 EUR/day",
    ],
)
def test_what_is_no_budget_is_refused(text):
    """Too fine, too large, negative, or of another form."""
    with pytest.raises(ValueError, match=r"'|finer"):
        Budget.parse(text)


@pytest.mark.parametrize(
    "text", ["20 MB", "0 MB/day", "-5 MB/day", "1.5 MB/day", "20 MiB/day", "9007200 GB/day", "5 EUR/day"]
)
def test_what_is_no_volume_is_refused(text):
    """The same for volumes."""
    with pytest.raises(ValueError, match="'"):
        Budget.volume(text)


def test_a_tenants_budget_is_one_for_all():
    """Per caller it would be that of a connector."""
    assert Budget.parse("5 EUR/day", "tenant").per == Budget.volume("5 MB/day", "tenant").per == "tenant"
    for read, text in ((Budget.parse, "5 EUR/day per caller"), (Budget.volume, "5 MB/day per caller")):
        with pytest.raises(ValueError, match="one for all"):
            read(text, "tenant")


def test_amounts_are_shown_exactly():
    """Also none, and less than none."""
    assert [shown(n, "bytes") for n in (0, 1_000_001, 2_000_000_000)] == ["0 bytes", "1000001 bytes", "2 GB"]
    assert [shown(n, "EUR") for n in (0, -50_000, MOST)] == ["0.00 EUR", "-0.05 EUR", "9007199254.740991 EUR"]


@given(st.decimals(min_value=0, max_value=1_000_000, places=6))
def test_money_is_reckoned_without_rounding(amount):
    """There and back again."""
    assert Decimal(millionths(Money(amount, "EUR"))) == amount * 10**6


@given(st.integers(0, 4_102_444_799), st.sampled_from(["day", "week", "month"]))
def test_every_moment_lies_in_one_period(at, period):
    """Which begins at midnight in UTC, a week on Monday, a month on its first, and ends where the next begins."""
    start = start_of(period, at)
    begins, end = datetime.fromtimestamp(start, UTC), end_of(period, start)
    assert start <= at < end
    assert (begins.hour, begins.minute, begins.second) == (0, 0, 0)
    assert start_of(period, end) == end
    assert start_of(period, end - 1) == start
    assert {"day": True, "week": begins.weekday() == 0, "month": begins.day == 1}[period]
    assert end - start <= timedelta(days=31).total_seconds()


def test_a_week_is_not_as_strict_in_a_month():
    """Two months share a week, so a month's budget can be spent twice in it; a day lies whole in either."""
    day, week, month = (Budget(5, "EUR", period) for period in ("day", "week", "month"))
    assert as_strict(week, day)
    assert as_strict(month, day)
    assert not as_strict(month, week)
    assert not as_strict(day, week)
