"""Every metric of Narrows: its name, its unit and the labels that it may carry, as closed lists.

Each label has few values: what is declared, what is registered, or one of a few words. Nothing that a client chooses
is among them. Names and units follow OpenTelemetry's conventions; `prometheus` gives a name as Prometheus shows it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

Kind = Literal["counter", "histogram", "gauge"]

OPEN = frozenset({"narrows.tenant", "narrows.connector", "narrows.rule"})
"""Labels whose values are registered at run time, and so become `other` when there are too many."""

OTHER = "other"
SERIES = 800
"""The most series of one metric; what comes later is counted under `other`. The SDK would drop from 2000 on."""

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
_SHORT_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Metric(NamedTuple):
    """One metric: labels as they are exported, and for a histogram the upper bounds of its buckets."""

    kind: Kind
    unit: str
    description: str
    labels: tuple[str, ...]
    buckets: tuple[float, ...] = ()


def _of(kind: Kind, unit: str, description: str, *labels: str, buckets: tuple[float, ...] = ()) -> Metric:
    """A metric whose labels are Narrows' own."""
    return Metric(kind, unit, description, tuple(f"narrows.{label}" for label in labels), buckets)


METRICS: Mapping[str, Metric] = {
    "narrows.info": _of("gauge", "", "1 as long as a process serves a BFF.", "bff", "version"),
    # --- calls
    "http.server.request.duration": Metric(
        "histogram",
        "s",
        "Duration of HTTP server requests.",
        ("http.request.method", "http.response.status_code", "http.route", "url.scheme", "error.type"),
        _SECONDS,
    ),
    "narrows.calls": _of(
        "counter", "{call}", "Calls, by how they ended.", "endpoint", "mode", "tenant", "connector", "outcome"
    ),
    "narrows.call.duration": _of(
        "histogram",
        "s",
        "Duration of calls.",
        *("endpoint", "mode", "tenant", "connector", "outcome"),
        buckets=_SECONDS,
    ),
    "narrows.problems": _of("counter", "{call}", "Calls that ended in a problem.", "endpoint", "problem"),
    "narrows.slo.calls": _of(
        "counter", "{call}", "Live calls that count for an objective, good or bad.", "endpoint", "verdict"
    ),
    "narrows.answer.size": _of(
        "counter", "By", "Bytes of the answers that went out.", "endpoint", "mode", "tenant", "connector"
    ),
    "narrows.price": _of(
        "counter",
        "{amount}",
        "Price of the operations that were sent, by currency.",
        *("endpoint", "mode", "tenant", "connector", "currency"),
    ),
    "narrows.rehearsals": _of("counter", "{rehearsal}", "Rehearsals that were kept.", "endpoint", "mode"),
    # --- upstreams
    "narrows.upstream.duration": Metric(
        "histogram",
        "s",
        "Duration of operations, token exchange and reading of the answer included.",
        ("narrows.operation", "error.type"),
        _SECONDS,
    ),
    "narrows.upstream.size": _of("counter", "By", "Bytes of the answers of upstreams.", "operation"),
    "narrows.narrowed.size": _of(
        "counter", "By", "Bytes that upstreams sent and the answer left out.", "endpoint", "mode"
    ),
    "narrows.narrowed.fields": _of("counter", "{field}", "Names of fields that rehearsals saw left out.", "endpoint"),
    "narrows.exchanges": _of("counter", "{exchange}", "Looks for a token for an upstream.", "event"),
    "narrows.effects": _of("counter", "{effect}", "Upstream writes.", "operation", "mode"),
    # --- limits and budgets
    "narrows.limit.breaches": _of(
        "counter",
        "{call}",
        "Calls that a rate, a quota or a bucket of attempts refused.",
        *("endpoint", "tenant", "connector", "rule", "event"),
    ),
    "narrows.budget.events": _of(
        "counter",
        "{event}",
        "Budgets whose threshold was crossed (soft), or that stopped a call (hard).",
        *("endpoint", "tenant", "connector", "rule", "event"),
    ),
    "narrows.budget.used": _of(
        "gauge", "1", "The part of a budget that is used up, from 0 to 1.", "tenant", "connector", "rule"
    ),
    "narrows.store.away": _of(
        "counter", "{request}", "Requests to a store that could not be had, and what was done.", "store", "event"
    ),
    # --- audit
    "narrows.audit.records": _of("counter", "{record}", "Records that were put down.", "event"),
    "narrows.audit.queue": _of("gauge", "{record}", "Records that wait for the disk."),
    "narrows.audit.commit.duration": _of(
        "histogram", "s", "Duration of one commit of the audit log.", buckets=_SHORT_SECONDS
    ),
    "narrows.audit.commit.size": _of("counter", "{record}", "Records of commits that succeeded or failed.", "outcome"),
    # --- alerts
    "narrows.alerts": _of("counter", "{alert}", "Alerts that were raised.", "alert", "endpoint", "tenant", "connector"),
    "narrows.reactions": _of("counter", "{reaction}", "What alerts did to connectors.", "event", "tenant", "connector"),
    "narrows.webhooks": _of("counter", "{delivery}", "Deliveries of webhooks, by what came of them.", "event"),
    # --- connectors
    "narrows.connector.changes": _of("counter", "{change}", "Changes of connectors.", "event"),
}

UNITS = {"s": "seconds", "By": "bytes"}


def prometheus(name: str) -> str:
    """A metric's name as Prometheus shows it; of a histogram, without `_bucket`, `_sum` and `_count`.

    OpenTelemetry's rule: dots become underscores, the unit and for counters `total` are added.
    """
    metric = METRICS[name]
    parts = [label(name)]
    if metric.unit in UNITS:
        parts.append(UNITS[metric.unit])
    if metric.kind == "counter":
        parts.append("total")
    return "_".join(parts)


def label(name: str) -> str:
    """A label's name as Prometheus shows it."""
    return name.replace(".", "_")
