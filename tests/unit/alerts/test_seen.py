import pytest

from narrows.alerts.seen import network_of, read
from narrows.audit.canonical import leaf_of
from narrows.audit.events import Event
from narrows.audit.line import document_of
from narrows.audit.record import Record
from tests.unit.alerts.traffic import MONDAY, leaf

RECORD = Record(
    time="2026-01-05T00:00:00.250Z", trace_id="t" * 32, endpoint="shop.a", bff="shop", mode="live", way="rest",
    method="GET", status=429, outcome="refused", connector="app", peer="::1", duration_ms=1.0,
)  # fmt: skip


def test_a_record_is_read_as_the_log_writes_it():
    """The names of its fields are those of the audit record, and what it leaves out is nothing."""
    seen = read(leaf_of(document_of(RECORD)))
    assert (seen.at, seen.endpoint, seen.connector, seen.tenant) == (MONDAY + 0.25, "shop.a", "app", None)
    assert (seen.status, seen.refused, seen.outcome, seen.peer, seen.trace_id) == (
        429,
        True,
        "refused",
        "::1",
        "t" * 32,
    )


@pytest.mark.parametrize(
    "other",
    [
        leaf_of(document_of(Event(time="2026-01-05T00:00:00.000Z", event="alert", what="spike"))),
        leaf(MONDAY, mode="sandbox"),
        leaf(MONDAY, status="200"),
        leaf(MONDAY, time="now"),
        b"no JSON",
    ],
    ids=["an event", "the sandbox", "another form", "another time", "another language"],
)
def test_what_is_no_call_is_let_be(other):
    """Alerts do not feed on alerts, and nothing in the sandbox is real."""
    assert read(other) is None


@pytest.mark.parametrize(
    ("peer", "network"),
    [
        ("198.51.100.7", "198.51.100.0/24"),
        ("2001:db8:1:2::3", "2001:db8:1::/48"),
        ("fe80::1%eth0", "fe80::/48"),
        ("::ffff:198.51.100.7", "198.51.100.0/24"),
        ("testclient", "testclient"),
        ("", ""),
    ],
)
def test_networks(peer, network):
    """An address is told as the network that it is in, so that it names nobody."""
    assert network_of(peer) == network
