"""The metrics themselves: closed lists of names and labels, a bounded number of series, little to do for a call.

To add to a counter of the OpenTelemetry SDK takes about seven times as long as it does here, and a call adds to a dozen
(`tests/bench/test_telemetry_cost.py`). Counters and gauges are therefore kept here, and the SDK asks for them when it
collects. Histograms are the SDK's own: their exemplars lead from a bucket to a trace.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from typing import Any
from weakref import WeakKeyDictionary

from opentelemetry.context import Context
from opentelemetry.metrics import CallbackOptions, Meter, MeterProvider, Observation

from narrows.telemetry_names import METRICS, OPEN, OTHER, SERIES, Metric

Value = str | bool | int | float
Labels = Mapping[str, Value | None]
_PLAIN = (str, int, float)


class _Series:
    """The series of one metric, by their labels: each known set stays what it is, a new one beyond the cap is `other`.

    Without a meter it only checks, and keeps nothing.
    """

    def __init__(self, name: str, metric: Metric) -> None:
        self._name = name
        self._labels = metric.labels
        self._cells: dict[tuple[Value | None, ...], Cell] = {}
        self._known: dict[tuple[Value | None, ...], Cell] = {}
        self._checked: set[tuple[object, ...]] = set()
        # Stores count from threads of their own.
        self._lock = threading.Lock()

    def put(self, value: float, labels: Labels, context: Context | None) -> None:  # noqa: ARG002 - as the others
        """Check, and no more; labels of the same names and kinds of values once."""
        form = (*labels, *map(type, labels.values()))
        if form not in self._checked:
            check(self._name, _full(labels))
            self._checked.add(form)

    def _cell(self, labels: Labels) -> Cell:
        """The cell for some labels. Names and values stand in one flat key, because to build it is most of the work."""
        key = (*labels, *labels.values())
        return self._known.get(key) or self._look(key, labels)

    def _look(self, key: tuple[Value | None, ...], labels: Labels) -> Cell:
        """The cell of labels that are not known by their key: they are checked, and a set that is new is bounded."""
        named = _full(labels)
        check(self._name, named)
        values = tuple(named.get(name) for name in self._labels)
        bounded = values if values in self._cells else self._bounded(values)
        cell = self._cells.get(bounded)
        if cell is None:
            cell = self._cells[bounded] = Cell(
                {n: v for n, v in zip(self._labels, bounded, strict=True) if v is not None}
            )
        # What became `other` is not remembered: there is no end of it.
        if bounded == values and len(self._known) < 4 * SERIES:
            self._known[key] = cell
        return cell

    def _bounded(self, values: tuple[Value | None, ...]) -> tuple[Value | None, ...]:
        """New values as they are; from `SERIES` on the open ones are `other`, and from twice that on all of them."""
        if len(self._cells) < SERIES:
            return values
        every = len(self._cells) >= 2 * SERIES
        pairs = list(zip(self._labels, values, strict=True))
        bounded = tuple(OTHER if value is not None and name in OPEN else value for name, value in pairs)
        if every and bounded not in self._cells:
            return tuple(None if value is None else OTHER for value in values)
        return bounded


class Cell:
    """One series: its labels as they are exported, and for a counter or a gauge its number."""

    __slots__ = ("exported", "number")

    def __init__(self, exported: dict[str, Value]) -> None:
        self.exported = exported
        self.number: float | None = None


class _Sums(_Series):
    """A counter: sums that are read when somebody collects."""

    def put(self, value: float, labels: Labels, context: Context | None) -> None:  # noqa: ARG002 - no exemplars here
        """Add a number."""
        with self._lock:
            cell = self._cell(labels)
            cell.number = value if cell.number is None else cell.number + value

    def observe(self, _: CallbackOptions) -> Iterable[Observation]:
        """All that was put, for whoever collects."""
        with self._lock:
            return [Observation(cell.number or 0, cell.exported) for cell in self._cells.values()]


class _Last(_Sums):
    """A gauge: the last number of each series."""

    def put(self, value: float, labels: Labels, context: Context | None) -> None:  # noqa: ARG002 - no exemplars here
        """Set the number."""
        with self._lock:
            self._cell(labels).number = value


class _Histogram(_Series):
    """A histogram of the SDK; `context` leads its exemplars to a trace."""

    def __init__(self, name: str, metric: Metric, meter: Meter) -> None:
        super().__init__(name, metric)
        self._record = meter.create_histogram(
            name,
            unit=metric.unit,
            description=metric.description,
            explicit_bucket_boundaries_advisory=list(metric.buckets),
        ).record

    def put(self, value: float, labels: Labels, context: Context | None) -> None:
        """Record one value."""
        with self._lock:
            exported = self._cell(labels).exported
        self._record(value, exported, context=context)


class Metrics:
    """All metrics of one application, ready to be counted; without a meter it only checks names and labels."""

    def __init__(self, meter: Meter | None) -> None:
        self._series = {name: _make(meter, name, metric) for name, metric in METRICS.items()}

    @classmethod
    def of(cls, provider: MeterProvider, scope: str) -> Metrics:
        """The metrics of a provider: the SDK asks the first who made a counter alone, so two applications share it."""
        known = _OF_PROVIDER.get(provider)
        if known is None:
            known = _OF_PROVIDER[provider] = cls(provider.get_meter(scope))
        return known

    def put(self, name: str, value: float, labels: Labels, context: Context | None = None) -> None:
        """Add to a counter, set a gauge, or record into a histogram; a label whose value is None is left out.

        A label's name may lack its `narrows.`. Raises `ValueError` for a metric or a label that is not in the list, and
        never shows a value.
        """
        series = self._series.get(name)
        if series is None:
            check(name, labels)
        else:
            series.put(value, labels, context)


_OF_PROVIDER: WeakKeyDictionary[MeterProvider, Metrics] = WeakKeyDictionary()
_ALLOWED = {name: frozenset(metric.labels) for name, metric in METRICS.items()}


def check(name: str, labels: Mapping[str, Any]) -> None:
    """Let a listed metric with listed labels through. Raises `ValueError` for any other."""
    allowed = _ALLOWED.get(name)
    if allowed is None:
        raise ValueError(f"{name!r} is not a metric of Narrows; the list is narrows.telemetry_names.METRICS")
    if not labels.keys() <= allowed:
        unknown = ", ".join(sorted(labels.keys() - allowed))
        raise ValueError(f"{name!r} has no label {unknown}; it has: {', '.join(METRICS[name].labels) or 'none'}")
    for key, value in labels.items():
        if value is not None and not isinstance(value, _PLAIN):
            raise ValueError(f"the label {key!r} takes text or a number, not {type(value).__qualname__}")


def _full(labels: Labels) -> Labels:
    """Labels by their whole names."""
    return {key if "." in key else f"narrows.{key}": value for key, value in labels.items()}


def _make(meter: Meter | None, name: str, metric: Metric) -> _Series:
    """One metric, made known to the SDK."""
    if meter is None:
        return _Series(name, metric)
    if metric.kind == "histogram":
        return _Histogram(name, metric, meter)
    sums = _Sums(name, metric) if metric.kind == "counter" else _Last(name, metric)
    make = meter.create_observable_counter if metric.kind == "counter" else meter.create_observable_gauge
    make(name, [sums.observe], unit=metric.unit, description=metric.description)
    return sums
