"""The metrics themselves: closed lists of names and labels, a bounded number of series, little to do for a call.

To add to a counter of the OpenTelemetry SDK takes about eight microseconds. Counters and gauges are therefore summed
here, in well under one, and the SDK asks for the sums when it collects. Histograms are the SDK's own: their exemplars
lead from a bucket to a trace.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol
from weakref import WeakKeyDictionary

from opentelemetry.context import Context
from opentelemetry.metrics import CallbackOptions, Meter, MeterProvider, Observation

from narrows.telemetry_names import METRICS, OPEN, OTHER, SERIES, Metric

Value = str | bool | int | float
Labels = Mapping[str, Value | None]
_PLAIN = (str, int, float)


class _Series(Protocol):
    """Takes the numbers of one metric."""

    def put(self, value: float, labels: Labels, context: Context | None) -> None: ...


class _Bounded:
    """The sets of labels of one metric: each known set stays what it is, a new one beyond the cap becomes `other`."""

    def __init__(self, metric: Metric) -> None:
        self._names = metric.labels
        self._sets: dict[tuple[Value | None, ...], dict[str, Value]] = {}

    def of(self, labels: Labels) -> tuple[tuple[Value | None, ...], dict[str, Value]]:
        """The key of a set of labels, and the set that is exported for it."""
        key = tuple([labels.get(name) for name in self._names])
        known = self._sets.get(key)
        if known is not None:
            return key, known
        return self._new(key)

    def _new(self, key: tuple[Value | None, ...]) -> tuple[tuple[Value | None, ...], dict[str, Value]]:
        """A set that was not seen: its open labels become `other` from `SERIES` on, all of them from twice that on."""
        if len(self._sets) >= SERIES:
            every = len(self._sets) >= 2 * SERIES
            pairs = zip(self._names, key, strict=True)
            key = tuple(OTHER if value is not None and (every or name in OPEN) else value for name, value in pairs)
            if key in self._sets:
                return key, self._sets[key]
        exported = {name: value for name, value in zip(self._names, key, strict=True) if value is not None}
        self._sets[key] = exported
        return key, exported


class _Sums:
    """A counter or a gauge: sums, or last values, that are read when somebody collects."""

    def __init__(self, metric: Metric) -> None:
        self._bounded = _Bounded(metric)
        self._sets: dict[tuple[Value | None, ...], tuple[dict[str, Value], float]] = {}
        self._adds = metric.kind == "counter"
        # Stores count from threads of their own.
        self._lock = threading.Lock()

    def put(self, value: float, labels: Labels, context: Context | None) -> None:  # noqa: ARG002 - no exemplars here
        """Add a number to a counter, or set a gauge."""
        with self._lock:
            key, exported = self._bounded.of(labels)
            before = self._sets.get(key)
            self._sets[key] = (exported, value + before[1] if before and self._adds else value)

    def observe(self, _: CallbackOptions) -> Iterable[Observation]:
        """All that was put, for whoever collects."""
        with self._lock:
            return [Observation(value, exported) for exported, value in self._sets.values()]


class _Histogram:
    """A histogram of the SDK; `context` leads its exemplars to a trace."""

    def __init__(self, meter: Meter, name: str, metric: Metric) -> None:
        self._bounded = _Bounded(metric)
        self._lock = threading.Lock()
        self._record = meter.create_histogram(
            name,
            unit=metric.unit,
            description=metric.description,
            explicit_bucket_boundaries_advisory=list(metric.buckets),
        ).record

    def put(self, value: float, labels: Labels, context: Context | None) -> None:
        """Record one value."""
        with self._lock:
            _, exported = self._bounded.of(labels)
        self._record(value, exported, context=context)


class Metrics:
    """All metrics of one application, ready to be counted; without a meter it only checks names and labels."""

    def __init__(self, meter: Meter | None) -> None:
        made = {} if meter is None else {name: _make(meter, name, metric) for name, metric in METRICS.items()}
        self._put: Mapping[str, Callable[[float, Labels, Context | None], None]] = {
            name: series.put for name, series in made.items()
        }

    @classmethod
    def of(cls, provider: MeterProvider, scope: str) -> Metrics:
        """The metrics of a provider: the SDK asks the first who made a counter alone, so two applications share it."""
        known = _OF_PROVIDER.get(provider)
        if known is None:
            known = _OF_PROVIDER[provider] = cls(provider.get_meter(scope))
        return known

    def put(self, name: str, value: float, labels: Labels, context: Context | None = None) -> None:
        """Add to a counter, set a gauge, or record into a histogram; a label whose value is None is left out.

        Raises `ValueError` for a metric or a label that is not in the list, and never shows a value.
        """
        check(name, labels)
        put = self._put.get(name)
        if put is not None:
            put(value, labels, context)


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


def _make(meter: Meter, name: str, metric: Metric) -> _Series:
    """One metric, made known to the SDK."""
    if metric.kind == "histogram":
        return _Histogram(meter, name, metric)
    sums = _Sums(metric)
    make = meter.create_observable_counter if metric.kind == "counter" else meter.create_observable_gauge
    make(name, [sums.observe], unit=metric.unit, description=metric.description)
    return sums
