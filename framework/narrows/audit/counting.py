"""What the audit log keeps, counted: whatever is put down is in the metrics too, and needs no second place to count."""

from __future__ import annotations

from narrows.audit.decision import DecisionRecord
from narrows.audit.events import Event
from narrows.audit.record import Record
from narrows.telemetry import Telemetry


def count_record(telemetry: Telemetry, record: Record | Event | DecisionRecord) -> None:
    """Count one record; limits and alerts count what they stop or find themselves, also what is put down only once."""
    telemetry.count("narrows.audit.records", event=record.event)
    if not isinstance(record, Event):
        return
    whose = {"tenant": record.tenant, "connector": record.connector}
    if record.event == "budget":
        telemetry.count("narrows.budget.events", endpoint=record.endpoint, rule=record.rule, event=record.what, **whose)
    elif record.event == "connector":
        telemetry.count("narrows.connector.changes", event=record.what)


def count_commit(telemetry: Telemetry, took_s: float | None, records: int, waiting: int) -> None:
    """Count one attempt to write to the audit log; without a time it failed."""
    telemetry.record("narrows.audit.queue", waiting)
    outcome = "ok" if took_s is not None else "failed"
    telemetry.count("narrows.audit.commit.size", records, outcome=outcome)
    if took_s is not None:
        telemetry.record("narrows.audit.commit.duration", took_s)
