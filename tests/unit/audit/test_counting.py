"""What is put down is counted, and how long the disk takes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from narrows.audit.counting import count_commit, count_record
from narrows.audit.events import Event
from narrows.audit.writer import Writer
from narrows.errors import Unavailable
from narrows.settings import Settings
from narrows.stores.memory_audit import MemoryAuditStore
from narrows.telemetry import Telemetry
from narrows.testing import Clock
from tests.unit.audit.logs import SIGNER, make_leaf

Read = dict[str, list[tuple[dict[str, Any], float]]]


class Counted:
    """Telemetry, and what it counted."""

    def __init__(self) -> None:
        self._reader = InMemoryMetricReader()
        self.meters = MeterProvider([self._reader], shutdown_on_exit=False)
        self.telemetry = Telemetry.build(Settings(public_url="https://bff.test"), meter_provider=self.meters)

    def read(self) -> Read:
        data = self._reader.get_metrics_data()
        return {
            metric.name: [(dict(p.attributes or {}), getattr(p, "value", getattr(p, "sum", 0))) for p in
                          metric.data.data_points]
            for scope in (data.resource_metrics[0].scope_metrics if data else [])
            for metric in scope.metrics
        }  # fmt: skip


@pytest.fixture
def counted() -> Iterator[Counted]:
    """Telemetry of one test."""
    made = Counted()
    yield made
    made.meters.shutdown()


def event(kind: Any, what: str, **more: Any) -> Event:
    """Something that happened."""
    return Event(time="2027-01-01T00:00:00.000Z", event=kind, what=what, bff="lunch", **more)


def test_each_kind_of_event_is_counted_where_it_belongs(counted: Counted) -> None:
    """Budgets and changes of connectors have metrics of their own; all are counted as records."""
    whose = {"tenant": "acme", "connector": "copilot"}
    count_record(counted.telemetry, event("budget", "soft", rule="5 EUR/day", endpoint="lunch.book", **whose))
    count_record(counted.telemetry, event("connector", "suspended", **whose))
    count_record(counted.telemetry, event("grant", "made", **whose))

    read = counted.read()
    assert {labels["narrows.event"]: number for labels, number in read.pop("narrows.audit.records")} == {
        "budget": 1, "connector": 1, "grant": 1,
    }  # fmt: skip
    assert read == {
        "narrows.budget.events": [
            ({"narrows.endpoint": "lunch.book", "narrows.tenant": "acme", "narrows.connector": "copilot",
              "narrows.rule": "5 EUR/day", "narrows.event": "soft"}, 1),
        ],
        "narrows.connector.changes": [({"narrows.event": "suspended"}, 1)],
    }  # fmt: skip


def test_an_attempt_to_write_is_measured(counted: Counted) -> None:
    """One that failed has no duration, and what waits is what waits after the last one."""
    count_commit(counted.telemetry, 0.5, 3, 7)
    count_commit(counted.telemetry, None, 2, 9)

    assert counted.read() == {
        "narrows.audit.queue": [({}, 9)],
        "narrows.audit.commit.size": [({"narrows.outcome": "ok"}, 3), ({"narrows.outcome": "failed"}, 2)],
        "narrows.audit.commit.duration": [({}, 0.5)],
    }


class Failing(MemoryAuditStore):
    """A store that can be taken away."""

    away = False

    async def append(self, *what: Any) -> bool:
        if self.away:
            raise OSError("the disk is full")
        return await super().append(*what)


async def test_the_writer_tells_each_attempt() -> None:
    """Seconds, records, and what still waits; without seconds it failed, and waits until it can be written."""
    clock, told, store = Clock(), [], Failing()

    async def sleep(_: float) -> None:
        store.away = False
        await asyncio.sleep(0)

    writer = Writer(store, SIGNER, steady=clock, sleep=sleep, heard=lambda *attempt: told.append(attempt))
    await writer.start()
    await writer.keep(make_leaf(0))
    store.away = True
    writer.put(make_leaf(1))
    writer.put(make_leaf(2))
    with pytest.raises(Unavailable):
        await writer.flush()
    for _ in range(9):
        await asyncio.sleep(0)
    await writer.close()
    assert told == [(0.0, 1, 0), (None, 2, 2), (0.0, 2, 0)]
