import pytest

from narrows.settings.alerting import DriftSettings
from tests.unit.alerts.traffic import DAY, MONDAY, Traffic, settings

LOW = settings(drift=DriftSettings(floor_bytes=1000, floor_records=1000))


@pytest.mark.parametrize("what", ["bytes", "records"])
def test_data_that_leave_slowly(what):
    """Two thirds more each day are told within two weeks, although no single day is unusual."""
    name = {"bytes": "size", "records": "records"}[what]
    traffic = Traffic(LOW)
    traffic.days(28, **{"size": 0, name: 1000})
    alerts = traffic.days(14, MONDAY + 28 * DAY, **{"size": 0, name: 1700})
    (alert,) = alerts
    assert (alert.rule, alert.thing) == ("drift", what)
    assert alert.what == f"more {what} than usual, day after day"
    assert alert.observed == f"68000 {what} on the last day, 12 spreads above the usual together"
    assert alert.usual == f"40000 {what}, spread 6000, over 19 days of its kind, the last 7 left out"
    assert (alert.limit, alert.since) == ("10 spreads together", "2026-02-02T00:00:00.000Z")
    assert alert.time.startswith("2026-02-09T09:")


def test_growth_is_no_drift():
    """Some percent more each week become usual."""
    traffic = Traffic(LOW)
    for week in range(12):
        assert traffic.days(7, MONDAY + 7 * week * DAY, size=1000 + 30 * week) == []


def test_a_new_level_is_told_once():
    """A release that answers with more is told, and then the usual is learned anew."""
    traffic = Traffic(LOW)
    traffic.days(28)
    alerts = traffic.days(84, MONDAY + 28 * DAY, size=1700)
    assert [alert.rule for alert in alerts] == ["drift"]


def test_small_amounts_are_nothing():
    """Below the floor a day adds nothing."""
    traffic = Traffic()
    traffic.days(28, size=100)
    assert traffic.days(28, MONDAY + 28 * DAY, size=300) == []


def test_a_day_below_the_usual_takes_away():
    """What goes up and down again is not added up for ever."""
    traffic = Traffic(LOW)
    traffic.days(28)
    for week in range(8):
        assert traffic.days(1, MONDAY + (28 + 7 * week) * DAY, size=1700) == []
        assert traffic.days(6, MONDAY + (29 + 7 * week) * DAY) == []
