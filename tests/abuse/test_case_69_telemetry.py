"""Case 69 over all that operators look at: no canary is in metrics, traces, logs, rules or dashboards."""

from __future__ import annotations

import io
import logging
from pathlib import Path

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.exposition import generate_latest

from narrows.audit.diagnostics import install_json_logging
from narrows.sdk.dashboard import grafana_dashboard
from narrows.sdk.rules import prometheus_rules
from narrows.settings.absent import secrets_of
from narrows.telemetry_scrape import Families, Reader
from narrows.testing import bearer
from tests.abuse.attack import to_upstreams
from tests.abuse.test_case_68_69_caches_secrets import CANARY, HOST, STORE_KEY, everything
from tests.abuse.victim import Host, attacked

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


async def test_case_69_no_canary_is_in_what_operators_look_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Secrets, tokens, subjects, and all that upstreams and clients said stay out of everything that is exported."""
    monkeypatch.setenv("CANARY_VARIABLE", CANARY)
    spans, tracers, reader = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False), Reader()
    tracers.add_span_processor(SimpleSpanProcessor(spans))
    meters = MeterProvider([reader], shutdown_on_exit=False)
    registry = CollectorRegistry()
    registry.register(Families(reader))
    (tmp_path / "key").write_text(STORE_KEY, encoding="utf-8")
    said, host = io.StringIO(), Host()
    over = {
        "stores": {"key": {"file": "key"}},
        "base": str(tmp_path),
        "upstreams": {"depot": {"url": f"https://{HOST}"}},
    }
    around = {"tracer_provider": tracers, "meter_provider": meters}
    narrows = logging.getLogger("narrows")
    before = narrows.level, narrows.propagate
    async with attacked(hosts={HOST: host}, around=around, **over) as (world, _):
        plan = world.app.plan
        handler = install_json_logging(said, secrets=list(secrets_of(plan.settings)), level=logging.DEBUG)
        try:
            await everything(world, host)
            hostile = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01", "baggage": f"secret={CANARY}"}
            await world.client.get(f"/items/1?{CANARY}={CANARY}", headers=bearer(world.token()) | hostile)
            logging.getLogger("narrows.test").error("%s %r", *list(secrets_of(plan.settings))[:2])
        finally:
            narrows.removeHandler(handler)
            narrows.setLevel(before[0])
            narrows.propagate = before[1]
        tokens = {request.headers["authorization"].split(" ")[1] for request in to_upstreams(world)}
        told = {
            "metrics": generate_latest(registry).decode(),
            "traces": "".join(span.to_json() for span in spans.get_finished_spans()),
            "logs": said.getvalue(),
            "rules": prometheus_rules(plan),
            "dashboard": grafana_dashboard(plan),
        }
        secret = [CANARY, STORE_KEY, "bff-secret", "canary-in-an-exception", "anna", "/items/1", *tokens]
        secret.append(world.token().rpartition(".")[0])
    meters.shutdown()
    tracers.shutdown()
    assert "narrows_calls_total{" in told["metrics"]
    assert f'trace_id="{TRACE}"' in told["metrics"]
    assert "Secret(***)" in told["logs"]
    assert all(len(text) > 500 for text in told.values())
    for where, text in told.items():
        # Spans tell which host was called, and this one has the canary in its name.
        shown = text.replace(HOST, "")
        assert [value for value in secret if value in shown] == [], where
