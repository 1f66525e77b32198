"""Whatever stands in a log, in whatever order of time: nothing breaks, nothing grows, and a restart changes nothing."""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from narrows.alerts.engine import Engine
from narrows.alerts.state import NETWORKS, ORIGINS, State, decode, encode
from narrows.settings import AlertSettings
from narrows.settings.alerting import AlertRules, DriftSettings, RefusalSettings, SpikeSettings, VolumeSettings
from tests.unit.alerts.traffic import DAY, FACTS, MONDAY, leaf

# Everything is unusual soon, so that every rule has something to say.
TOUCHY = AlertSettings(
    learn_days=1,
    connectors=3,
    rules=AlertRules(
        spike=SpikeSettings(floor=1, factor=1.0, spreads=1.0, quiet_s=60),
        refusals=RefusalSettings(floor=1, share=0.01, factor=1.0, unknown_floor=1, quiet_s=60),
        volume=VolumeSettings(floor_bytes=1, floor_records=1, factor=1.0, spreads=1.0, quiet_s=60),
        drift=DriftSettings(sum=1.0, floor_bytes=1, floor_records=1, quiet_s=60),
    ),
)
RECORDS = st.fixed_dictionaries(
    {
        "connector": st.sampled_from([None, "a", "b", "c", "d"]),
        "connector_version": st.sampled_from(["1+1", "1+2"]),
        "endpoint": st.sampled_from(["shop.a", "shop.b", "narrows./x", ""]),
        "status": st.sampled_from([200, 401, 403, 429, 503]),
        "outcome": st.sampled_from(["ok", "denied", "failed"]),
        "peer": st.one_of(st.ip_addresses().map(str), st.sampled_from(["", "unix:", "::1%lo", "256.1.1.1"])),
        "size": st.integers(0, 10**9),
        "records": st.integers(0, 10**6),
        "event": st.sampled_from(["call", "call", "call", "alert", "budget"]),
    }
)
# Mostly forward by minutes or days, now and then back, and far.
STEPS = st.sampled_from(
    [1.0, 1.0, 30.0, 3600.0, DAY, DAY, 3.0 * DAY, -30.0, -3600.0, -2.0 * DAY, 400.0 * DAY, -400.0 * DAY]
)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(STEPS, RECORDS), min_size=1, max_size=120), st.data())
def test_any_log(steps, data):
    """Judged in one go, or by a process that is restarted in the middle, it tells the same."""
    at, leaves = MONDAY, []
    for step, record in steps:
        at = max(0.0, at + step)
        leaves.append(leaf(at, **record))
    whole = told(leaves, restart=None)
    assert told(leaves, restart=data.draw(st.integers(0, len(leaves)))) == whole
    assert len({alert.id for alert in whole}) == len(whole)


def told(leaves, restart):
    """What an engine tells of a log, and that it keeps within its bounds."""
    engine = Engine(FACTS._replace(deprecated={"shop.b": MONDAY}), TOUCHY, State())
    alerts = []
    for index, one in enumerate(leaves):
        if index == restart:
            engine = Engine(FACTS._replace(deprecated={"shop.b": MONDAY}), TOUCHY, decode(encode(engine.state)))
        alerts += engine.feed(index, one)
    state = engine.state
    assert state.cursor == len(leaves)
    assert len(state.connectors) <= 3
    assert len(state.networks) <= NETWORKS
    assert all(len(one.history) <= 28 and len(one.origins) <= ORIGINS for one in state.connectors.values())
    assert msgspec.json.decode(msgspec.json.encode(alerts))[:1] == msgspec.to_builtins(alerts)[:1]
    return alerts
