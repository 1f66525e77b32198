"""The metrics: closed lists, a bounded number of series, and names that Prometheus shows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from narrows.settings import Secret, Settings
from narrows.telemetry import Telemetry
from narrows.telemetry_names import METRICS, OPEN, SERIES, label, prometheus

SETTINGS = Settings(public_url="https://bff.test:8443")


class Measured:
    """Telemetry with metrics alone, which can be read."""

    def __init__(self) -> None:
        self.reader = InMemoryMetricReader()
        self.meters = MeterProvider([self.reader], shutdown_on_exit=False)
        self.telemetry = Telemetry.build(SETTINGS, meter_provider=self.meters)

    def points(self) -> dict[str, list[tuple[dict[str, Any], Any]]]:
        """Each metric's points: labels, and the number (of a histogram: how many)."""
        data = self.reader.get_metrics_data()
        return {
            metric.name: [
                (dict(point.attributes), point.value if hasattr(point, "value") else point.count)
                for point in metric.data.data_points
            ]
            for scope in (data.resource_metrics[0].scope_metrics if data else [])
            for metric in scope.metrics
        }


@pytest.fixture
def measured() -> Iterator[Measured]:
    """Telemetry whose metrics can be looked at."""
    world = Measured()
    yield world
    world.meters.shutdown()


def short(name: str) -> str:
    """A label as `count` takes it."""
    return name.removeprefix("narrows.")


def test_counters_add_and_gauges_keep_the_last(measured: Measured) -> None:
    """A counter sums what is counted, a gauge tells the last value, a histogram takes each."""
    for amount in (2, 3):
        measured.telemetry.count("narrows.limit.breaches", amount, tenant="acme", rule="5/minute per caller")
        measured.telemetry.record("narrows.audit.queue", amount)
        measured.telemetry.record("narrows.audit.commit.duration", amount / 1000)

    assert measured.points() == {
        "narrows.limit.breaches": [({"narrows.tenant": "acme", "narrows.rule": "5/minute per caller"}, 5)],
        "narrows.audit.queue": [({}, 3)],
        "narrows.audit.commit.duration": [({}, 2)],
    }


def test_a_label_without_a_value_is_left_out(measured: Measured) -> None:
    """What is not known, such as the connector of a call that nobody signed, makes no label."""
    measured.telemetry.count("narrows.alerts", alert="refusals", connector=None)

    assert measured.points() == {"narrows.alerts": [({"narrows.alert": "refusals"}, 1)]}


@pytest.mark.parametrize("live", [True, False])
def test_what_is_not_in_the_list_is_refused(measured: Measured, live: bool) -> None:
    """A metric, a label or a kind of value that nobody listed is refused, with and without telemetry, unseen."""
    telemetry = measured.telemetry if live else Telemetry.build(SETTINGS)
    with pytest.raises(ValueError, match=r"telemetry_names\.METRICS"):
        telemetry.count("narrows.canaries")
    with pytest.raises(ValueError, match=r"no label narrows\.caller") as raised:
        telemetry.count("narrows.alerts", caller="canary")
    assert "canary" not in str(raised.value)
    with pytest.raises(ValueError, match="not Secret") as raised:
        telemetry.count("narrows.alerts", alert=Secret("canary"))  # type: ignore[arg-type] # what is tested
    assert "canary" not in str(raised.value)
    with pytest.raises(ValueError, match="it has: none"):
        telemetry.record("narrows.audit.queue", 1, tenant="acme")
    assert measured.points() == {}


@pytest.mark.parametrize("name", sorted(name for name, metric in METRICS.items() if OPEN & set(metric.labels)))
def test_the_number_of_series_is_bounded(measured: Measured, name: str) -> None:
    """However many tenants, connectors and rules there are, what is too many is one series, and nothing is lost."""
    metric = METRICS[name]
    fixed = {short(key): "x" for key in metric.labels if key not in OPEN}
    opened = [short(key) for key in metric.labels if key in OPEN]
    many = SERIES + 50
    for number in range(many):
        measured.telemetry.record(name, 1, **fixed, **dict.fromkeys(opened, f"n{number}"))
    measured.telemetry.record(name, 1, **fixed, **dict.fromkeys(opened, "n0"))
    measured.telemetry.record(name, 1, **fixed, **dict.fromkeys(opened, f"n{many}"))

    points = {point[0][f"narrows.{opened[0]}"]: (point[0], point[1]) for point in measured.points()[name]}
    assert len(points) == SERIES + 1
    labels, other = points["other"]
    assert labels == {**{f"narrows.{key}": value for key, value in fixed.items()}, **labels}
    assert {labels[f"narrows.{key}"] for key in opened} == {"other"}
    if metric.kind != "gauge":
        assert other == 51
        assert points["n0"][1] == 2


def test_even_labels_that_are_declared_are_bounded(measured: Measured) -> None:
    """Should a label that is thought to have few values have many, it is cut off too, before the SDK does it."""
    for number in range(3 * SERIES):
        measured.telemetry.count("narrows.effects", operation=f"Tables.o{number}", mode="live")

    points = measured.points()["narrows.effects"]
    assert len(points) == 2 * SERIES + 1 < 2000
    assert points[-1] == ({"narrows.operation": "other", "narrows.mode": "other"}, SERIES)


def test_names_as_prometheus_shows_them() -> None:
    """Dots become underscores; the unit and, for counters, `total` are added."""
    assert prometheus("narrows.calls") == "narrows_calls_total"
    assert prometheus("narrows.call.duration") == "narrows_call_duration_seconds"
    assert prometheus("narrows.answer.size") == "narrows_answer_size_bytes_total"
    assert prometheus("narrows.budget.used") == "narrows_budget_used"
    assert prometheus("narrows.audit.queue") == "narrows_audit_queue"
    assert label("http.route") == "http_route"


def test_no_label_holds_what_a_client_chooses() -> None:
    """Neither caller, address, path nor query can be a label."""
    labels = {key for metric in METRICS.values() for key in metric.labels}
    assert not {key for key in labels if any(word in key for word in ("caller", "path", "query", "peer", "client"))}
