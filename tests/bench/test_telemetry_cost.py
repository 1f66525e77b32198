"""What metrics cost a call: an addition is a small part of the SDK's own, and stays so with many series."""

import timeit

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from narrows.settings import read_settings
from narrows.telemetry import Telemetry
from narrows.telemetry_names import SERIES

TIMES, ROUNDS = 5000, 7
LABELS = {"endpoint": "lunch.book", "mode": "live", "tenant": "acme", "connector": "copilot", "outcome": "ok"}


def microseconds(do) -> float:
    """The best of some rounds: what it takes when nobody else has the processor."""
    return min(timeit.repeat(do, number=TIMES, repeat=ROUNDS)) / TIMES * 1e6


@pytest.fixture
def measured():
    """Telemetry with metrics, and the SDK's own counter beside it."""
    meters = MeterProvider([InMemoryMetricReader()], shutdown_on_exit=False)
    settings = read_settings({"public_url": "https://bff.test"}, environ={})
    yield Telemetry.build(settings, meter_provider=meters), meters.get_meter("plain").create_counter("plain")
    meters.shutdown()


def test_an_addition_is_a_part_of_the_sdks(measured):
    """Labels checked, bounded and summed within a third of what the SDK takes to add."""
    telemetry, counter = measured
    named = {f"narrows.{key}": value for key, value in LABELS.items()}
    ours, theirs = (
        microseconds(lambda: telemetry.count("narrows.calls", **LABELS)),
        microseconds(lambda: counter.add(1, named)),
    )
    print(f"\nours {ours:.2f} µs, the SDK's {theirs:.2f} µs")
    assert ours < theirs / 3


def test_an_addition_stays_cheap_with_many_series(measured):
    """With all series taken, it takes as long as before; one more, which becomes `other`, less than the SDK takes."""
    telemetry, counter = measured
    named = {f"narrows.{key}": value for key, value in LABELS.items()}
    few = microseconds(lambda: telemetry.count("narrows.calls", **LABELS))
    for number in range(2 * SERIES):
        telemetry.count("narrows.calls", **{**LABELS, "connector": f"n{number}"})
    many = microseconds(lambda: telemetry.count("narrows.calls", **LABELS))
    other = microseconds(lambda: telemetry.count("narrows.calls", **{**LABELS, "connector": "n9999"}))
    theirs = microseconds(lambda: counter.add(1, named))
    print(f"\nfew {few:.2f} µs, many {many:.2f} µs, other {other:.2f} µs, the SDK's {theirs:.2f} µs")
    assert many < few * 2
    assert other < theirs


def test_the_metrics_of_a_whole_call(measured):
    """All that the end of a call records stays below a tenth of a millisecond."""
    telemetry, _ = measured
    telemetry.expect("lunch.book", 0.3)

    def one():
        span = telemetry.start_call("POST", [])
        for key, value in LABELS.items():
            span.set(f"narrows.{key}", value)
        span.end(200, None)

    took = microseconds(one)
    print(f"\n{took:.1f} µs")
    assert took < 100
