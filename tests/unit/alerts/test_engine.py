import msgspec

from narrows.alerts.engine import Engine
from narrows.alerts.state import State
from narrows.settings import AlertSettings
from narrows.settings.alerting import AlertRules, EndpointSettings, SpikeSettings
from tests.unit.alerts.traffic import DAY, FACTS, MONDAY, Traffic, leaf, settings

WEEKS_2 = MONDAY + 14 * DAY


def a_spike(traffic, at=WEEKS_2 + 3 * 3600, **over):
    """Many calls in the night."""
    return [alert for alert in traffic.calls(at, 100, 10, **over) if alert.rule == "spike"]


def test_the_same_is_told_again_after_the_quiet_time():
    """And with how often it was found meanwhile."""
    traffic = Traffic()
    traffic.days(14)
    (first,) = a_spike(traffic)
    assert a_spike(traffic, WEEKS_2 + 5 * 3600) == []
    (again,) = a_spike(traffic, WEEKS_2 + 20 * 3600)
    assert (first.again, again.again) == (0, 39 + 40)


def test_alerts_have_ids_that_a_replay_gives_again():
    """The id is made of the record and the rule, and two alerts have two."""
    ids = []
    for _ in range(2):
        traffic = Traffic()
        traffic.days(14)
        ids.append([alert.id for alert in [*a_spike(traffic), *a_spike(traffic, WEEKS_2 + DAY + 3 * 3600)]])
    assert ids[0] == ids[1]
    assert len(set(ids[0])) == 2


def test_a_restart_goes_on():
    """With what was kept after each record, another process tells the same."""
    traffic = Traffic()
    traffic.days(14)
    expected = a_spike(traffic)
    other = Traffic()
    other.days(14)
    other.restart()
    told = []
    for one in range(100):
        told += [alert for alert in other.call(WEEKS_2 + 3 * 3600 + one * 10) if alert.rule == "spike"]
        other.restart()
    assert told == expected


def test_a_rule_that_is_ignored():
    """It tells nothing."""
    traffic = Traffic(settings(spike=SpikeSettings(then="ignore")))
    traffic.days(14)
    assert a_spike(traffic) == []


def test_what_follows_is_that_of_the_rule():
    """The alert carries it, for whoever acts on it."""
    traffic = Traffic(settings(spike=SpikeSettings(then="suspend")))
    traffic.days(14)
    assert a_spike(traffic)[0].then == "suspend"


def test_what_is_learned_in_silence_is_not_told():
    """The past of a log that is looked at for the first time teaches, and alarms nobody."""
    traffic = Traffic()
    traffic.engine.state.silent = 10_000
    traffic.days(14)
    assert a_spike(traffic) == []
    traffic.engine.state.silent = 0
    assert len(a_spike(traffic, WEEKS_2 + DAY)) == 1


def test_another_bff_of_the_same_log_is_not_looked_at():
    """Nor does it count for anything."""
    traffic = Traffic()
    assert traffic.call(MONDAY, bff="other") == []
    assert traffic.engine.state.connectors == {}
    assert traffic.engine.state.cursor == 1


def test_memory_is_bounded():
    """The connector that was not seen for the longest is forgotten, and since when is remembered."""
    engine = Engine(FACTS, AlertSettings(connectors=2), State())
    for index, name in enumerate(["a", "b", "a", "c"]):
        engine.feed(index, leaf(MONDAY + index, connector=name))
    assert list(engine.state.connectors) == ["a", "c"]
    assert (engine.state.first, engine.state.forgot) == (MONDAY, MONDAY + 3)


def test_networks_are_bounded():
    """Somebody with many networks fills no memory."""
    traffic = Traffic()
    for one in range(400):
        traffic.call(MONDAY + 60 * one, connector=None, status=401, peer=f"10.{one % 250}.{one}.1")
    assert len(traffic.engine.state.networks) == 256


def test_an_alert_names_no_person():
    """None of its fields holds what the record says of the caller, its address or its arguments."""
    traffic = Traffic(AlertSettings(rules=AlertRules(new_endpoint=EndpointSettings())))
    traffic.days(14)
    told = traffic.call(
        WEEKS_2, endpoint="shop.b", peer="203.0.113.9", caller="c" * 32, actors=["someone"], domain="team:7",
        arguments={"team_id": 7777}, rule="member in team:7",
    )  # fmt: skip
    assert len(told) == 2
    written = msgspec.json.encode(told)
    for secret in (b"203.0.113.9", b"c" * 32, b"someone", b"team:7", b"7777"):
        assert secret not in written
