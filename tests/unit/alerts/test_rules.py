"""Each rule: what it tells, in which words, and what it lets be."""

import pytest

from narrows.audit.canonical import leaf_of
from narrows.audit.events import Event
from narrows.audit.line import document_of
from narrows.settings.alerting import BudgetSettings, RefusalSettings, SpikeSettings, VolumeSettings
from tests.unit.alerts.traffic import DAY, FACTS, MONDAY, Traffic, settings

WEEKS_2 = MONDAY + 14 * DAY


def told(alerts, rule):
    """The alerts of one rule."""
    return [alert for alert in alerts if alert.rule == rule]


def test_ordinary_weeks_are_silent():
    """A connector that does what it always does is told of by no rule."""
    assert Traffic().days(42) == []


def test_a_spike_is_explained():
    """An alert says what, how much, against which baseline, since when, and what to do."""
    traffic = Traffic()
    traffic.days(14)
    (alert,) = traffic.calls(WEEKS_2 + 9 * 3600, 200, 10)
    assert alert.rule == "spike"
    assert alert.what == "more calls than usual in the hour from 09:00 UTC"
    assert alert.observed == "71 calls in this hour so far"
    assert alert.usual == "20 calls, spread 4.5, over 10 days on working days at this hour"
    assert alert.limit == "70 calls an hour"
    assert alert.since == "2026-01-19T09:00:00.000Z"
    assert "narrows connector suspend" in alert.remedy
    assert (alert.connector, alert.tenant, alert.connector_version) == ("app", "example", "1+1")
    assert (alert.index, alert.trace_id) == (traffic.index - 200 + 70, "t" * 32)


def test_a_spike_at_night_is_seen_at_less():
    """The measure is the hour of the day, so that at night less is unusual."""
    traffic = Traffic()
    traffic.days(14, calls=50)
    (alert,) = traffic.calls(WEEKS_2 + 3 * 3600, 61, 10)
    assert (alert.limit, alert.usual) == (
        "60 calls an hour",
        "0 calls, spread 0, over 10 days on working days at this hour",
    )


def test_a_weekend_has_its_own_measure():
    """What is usual on a working day is unusual on a Saturday, once weekends are known."""
    traffic = Traffic()
    for week in range(3):
        traffic.days(5, MONDAY + 7 * week * DAY, calls=50)
        for day in (5, 6):
            traffic.calls(MONDAY + (7 * week + day) * DAY + 9 * 3600, 15, 60)
    (alert,) = traffic.calls(MONDAY + (21 + 5) * DAY + 9 * 3600, 100, 10)
    assert "at weekends at this hour" in alert.usual
    assert alert.limit == "60 calls an hour"


def test_what_comes_every_monday_is_usual_on_mondays():
    """A job of each Monday is not told on a Monday, once two are known; on a Tuesday it is."""
    traffic = Traffic()
    for week in range(2):
        traffic.calls(MONDAY + 7 * week * DAY + 2 * 3600, 200, 10)
        traffic.days(7, MONDAY + 7 * week * DAY)
    assert traffic.calls(WEEKS_2 + 2 * 3600, 200, 10) == []
    assert len(told(traffic.calls(WEEKS_2 + DAY + 2 * 3600, 200, 10), "spike")) == 1


def test_a_new_connector_is_learned_first():
    """Without days that are known nothing is unusual."""
    traffic = Traffic()
    traffic.days(6)
    assert traffic.calls(MONDAY + 7 * DAY, 1000, 3, size=1_000_000) == []


def test_holidays_teach_nothing():
    """After two weeks of holidays, ordinary life is no spike."""
    traffic = Traffic(settings(spike=SpikeSettings(floor=1)))
    traffic.days(14)
    traffic.days(14, WEEKS_2, calls=1)
    assert traffic.days(5, WEEKS_2 + 14 * DAY) == []
    assert len(traffic.engine.state.connectors["app"].history) == 10 + 4


def test_a_quiet_month_becomes_usual():
    """Who stays quiet for longer than holidays last is measured by that."""
    traffic = Traffic()
    traffic.days(14)
    traffic.days(35, WEEKS_2, calls=2)
    history = traffic.engine.state.connectors["app"].history
    assert [day.calls for day in history].count(4) > 5


def test_refusals_of_a_connector():
    """A burst of denials is told, with its share of the calls."""
    traffic = Traffic()
    traffic.days(14)
    (alert,) = traffic.calls(WEEKS_2 + 11 * 3600, 30, 10, status=403, outcome="denied")
    assert alert.rule == "refusals"
    assert alert.observed == "21 of 21 calls within ten minutes"
    assert alert.usual == "0 refusals, spread 0, over 10 days at the peak of a day"
    assert (alert.limit, alert.since) == ("20 refusals in ten minutes", "2026-01-19T11:00:00.000Z")


def test_refusals_are_counted_within_ten_minutes():
    """As many over an hour are none."""
    traffic = Traffic()
    assert traffic.calls(MONDAY, 60, 60, status=429) == []


def test_few_refusals_among_many_calls_are_none():
    """A share below that of the rule is a busy program with some mistakes."""
    traffic = Traffic()
    alerts = [traffic.call(MONDAY + one, status=403 if one % 5 == 0 else 200) for one in range(300)]
    assert not any(alerts)


def test_a_connector_that_is_always_refused_is_measured_by_that():
    """Three times its usual peak is unusual, and not the floor."""
    traffic = Traffic(settings(refusals=RefusalSettings(floor=5)))
    for day in range(8):
        traffic.calls(MONDAY + day * DAY, 10, 10, status=429)
    (alert,) = traffic.calls(MONDAY + 8 * DAY, 40, 5, status=429)
    assert alert.limit == "30 refusals in ten minutes"


def test_credentials_tried_from_one_network():
    """Requests without a connector are counted by network, and no address is told."""
    traffic = Traffic()
    alerts = traffic.calls(MONDAY, 60, 2, connector=None, status=401)
    (alert,) = alerts
    assert alert.what == "a burst of refusals without a connector from 198.51.100.0/24"
    assert (alert.connector, alert.then, alert.observed) == (None, "tell", "41 calls within ten minutes")


def test_credentials_tried_from_many_networks():
    """All together are told where none of the networks is."""
    traffic = Traffic()
    alerts = [
        a for one in range(100) for a in traffic.call(MONDAY + one, connector=None, status=401, peer=f"10.0.{one}.1")
    ]
    (alert,) = alerts
    assert alert.what == "a burst of refusals without a connector from many networks"
    assert alert.observed == "81 calls within ten minutes"


def test_everybody_has_a_usual_peak():
    """Where scanners call every day, three times their peak is unusual."""
    traffic = Traffic()
    for day in range(6):
        for one in range(70):
            traffic.call(MONDAY + day * DAY + one, connector=None, status=401, peer=f"10.{day}.{one}.1")
    alerts = [
        a
        for one in range(250)
        for a in traffic.call(MONDAY + 6 * DAY + one, connector=None, status=401, peer=f"10.9.{one}.1")
    ]
    (alert,) = alerts
    assert (alert.observed, alert.limit) == ("211 calls within ten minutes", "210 refusals in ten minutes")


def test_anonymous_answers_are_not_refusals():
    """What is public is asked for by anybody."""
    assert Traffic().calls(MONDAY, 500, 1, connector=None) == []


def test_the_first_use_of_an_endpoint():
    """It is told once, of a connector that is known in its version."""
    traffic = Traffic()
    traffic.days(14)
    alerts = traffic.calls(WEEKS_2 + 9 * 3600, 3, endpoint="shop.b")
    (alert,) = alerts
    assert (alert.rule, alert.thing, alert.what) == ("new_endpoint", "shop.b", "the first use of shop.b")
    assert alert.usual == "1 other endpoints, in this version for 14 days"


@pytest.mark.parametrize(
    "over",
    [
        {"endpoint": "shop.b", "connector_version": "1+2"},
        {"endpoint": "shop.b", "outcome": "denied", "status": 403},
        {"endpoint": "narrows./openapi.json"},
    ],
    ids=["after its record changed", "refused", "one of Narrows' own"],
)
def test_what_is_no_first_use(over):
    """A new version is expected to use what is new; what was refused was not used."""
    traffic = Traffic()
    traffic.days(14)
    assert traffic.call(WEEKS_2 + 9 * 3600, **over) == []


def test_a_new_origin():
    """A connector that was always called from one network is told when it comes from another."""
    traffic = Traffic()
    traffic.days(14)
    (alert,) = traffic.calls(WEEKS_2 + 9 * 3600, 2, peer="203.0.113.9")
    assert (alert.rule, alert.what) == ("new_origin", "calls from 203.0.113.0/24, where it was not seen before")
    assert (alert.observed, alert.usual) == ("1 new networks today", "0 new networks in 7 days")


def test_who_travels_has_new_origins():
    """For a connector that comes from somewhere new each day, one more is nothing, and many are."""
    traffic = Traffic()
    for day in range(14):
        traffic.calls(MONDAY + day * DAY + 9 * 3600, 20, 60, peer=f"10.{day}.0.1")
    assert traffic.call(WEEKS_2, peer="203.0.113.9") == []
    alerts = [a for one in range(10) for a in traffic.call(WEEKS_2 + one, peer=f"203.0.{one}.9")]
    (alert,) = alerts
    assert (alert.usual, alert.limit) == ("11 new networks in 11 days", "4 new networks in a day")


def test_an_origin_without_an_address_is_none():
    """A transport that has no peer tells nothing of where it is."""
    traffic = Traffic()
    traffic.days(14, peer="")
    assert traffic.call(WEEKS_2, peer="") == []


@pytest.mark.parametrize("what", ["bytes", "records"])
def test_a_day_of_much_data(what):
    """Much more than on other days is told, and of which kind."""
    traffic = Traffic(settings(volume=VolumeSettings(floor_bytes=1000, floor_records=1000)))
    size = {"bytes": {"size": 1000}, "records": {"size": 0, "records": 1000}}[what]
    traffic.days(14, **size)
    (alert,) = traffic.calls(WEEKS_2 + 9 * 3600, 60, 60, **{key: value * 5 for key, value in size.items()})
    assert (alert.rule, alert.thing) == ("volume", what)
    assert alert.observed == f"145000 {what} in this day so far"
    assert alert.usual == f"40000 {what}, spread 6000, over 10 days on working days"
    assert alert.limit == f"140000 {what} a day"


@pytest.mark.parametrize(
    ("what", "connector", "said"),
    [
        ("soft", "app", "its budget is nearly used up"),
        ("hard", "app", "its budget stopped a call"),
        ("hard", None, "the budget of example stopped a call"),
    ],
)
def test_budgets(what, connector, said):
    """What the budgets put down is told as an alert too, and nothing is learned from it."""
    event = Event(
        time="2026-01-05T00:00:00.000Z", event="budget", what=what, bff="shop", tenant="example", connector=connector,
        rule="5.00 EUR/day", amount="4.05 EUR",
    )  # fmt: skip
    traffic = Traffic(settings(budget=BudgetSettings(then="suspend")))
    (alert,) = traffic.feed(leaf_of(document_of(event)))
    assert (alert.rule, alert.what, alert.observed) == ("budget", said, "4.05 EUR in this period so far")
    assert (alert.limit, alert.tenant, alert.then) == ("5.00 EUR/day", "example", "suspend" if connector else "tell")
    assert traffic.feed(leaf_of(document_of(event))) == []
    assert traffic.engine.state.connectors == {}


def test_deprecated_endpoints():
    """A call to an endpoint that is declared deprecated is told once in the quiet time."""
    traffic = Traffic(facts=FACTS._replace(deprecated={"shop.a": MONDAY - 4 * DAY}))
    (alert,) = traffic.calls(MONDAY, 50, 60)
    assert (alert.rule, alert.what) == ("deprecated", "calls to shop.a, which is deprecated since 2026-01-01")
    (again,) = traffic.calls(MONDAY + 7 * DAY, 2)
    assert again.again == 49


def test_what_will_be_deprecated_is_not_yet():
    """Before its day a call is as good as any."""
    traffic = Traffic(facts=FACTS._replace(deprecated={"shop.a": MONDAY + DAY}))
    assert traffic.call(MONDAY) == []
