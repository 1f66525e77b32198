"""One trace runs from the client through the BFF to the upstreams, and holds nothing of what was said."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from narrows.testing import bearer
from tests.abuse.attack import sent_tokens
from tests.flow.world import World, world

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
NEW = {"place_id": "node-268056325", "starts_at": "2025-12-24T12:00:00Z", "seats": 4, "note": "canary-note"}


@asynccontextmanager
async def traced() -> AsyncIterator[tuple[World, InMemorySpanExporter]]:
    """The world with one exporter that sees every span of it."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    services = dict.fromkeys(("people", "places", "tables"), provider)
    async with world(around={"tracer_provider": provider}, tracers=services) as made:
        exporter.clear()
        yield made, exporter


async def call(made: World, method: str, path: str, token: str | None = None, **how: object) -> httpx.Response:
    """One request that comes with a trace of its own."""
    headers = {**bearer(token or made.token()), "traceparent": f"00-{TRACE}-{PARENT}-01"}
    return await made.client.request(method, path, headers=headers, **how)  # type: ignore[arg-type] # passed on


def told(span: ReadableSpan) -> str:
    """Everything that a span tells beside its ids."""
    parts = [span.name, dict(span.attributes or {}), span.status.description]
    parts += [(event.name, dict(event.attributes or {})) for event in span.events]
    return json.dumps(parts, default=str)


async def test_all_spans_are_of_the_clients_trace() -> None:
    """BFF and both upstreams are in the client's trace, each span below the one that caused it."""
    async with traced() as (made, exporter):
        assert (await call(made, "GET", "/teams/7/dining-suggestions")).status_code == 200
        spans = exporter.get_finished_spans()
        assert {format(span.context.trace_id, "032x") for span in spans} == {TRACE}
        by_id = {span.context.span_id: span for span in spans}
        (entry,) = [span for span in spans if span.parent and span.parent.span_id not in by_id]
        assert format(entry.parent.span_id, "016x") == PARENT
        assert entry.name == "GET /teams/{team_id}/dining-suggestions"
        for name in ("GET /teams/{team_id}", "GET /places"):
            server = next(span for span in spans if span.name == name and span.kind == SpanKind.SERVER)
            client = by_id[server.parent.span_id]
            assert client.kind == SpanKind.CLIENT
            operation = by_id[client.parent.span_id]
            assert operation.name in ("People.team", "Places.nearby")
            assert by_id[operation.parent.span_id] is entry
        assert {one["trace_id"] for one in made.upstreams["people"].state.received} == {TRACE}
        assert made.records.calls()[-1]["trace_id"] == TRACE


@pytest.mark.parametrize("base", ["", "/rehearse", "/sandbox"])
async def test_no_span_holds_a_value_an_id_or_a_token(base: str) -> None:
    """Names and attributes are templates and keyed hashes: no query, id, subject, body or token is in any."""
    async with traced() as (made, exporter):
        token = made.token()
        open_at = "2025-12-24T12:34:56Z"
        await call(made, "GET", f"{base}/teams/7/dining-suggestions?open_at={open_at}&limit=13", token)
        await call(made, "GET", f"{base}/teams/8123/bookings", token)
        await call(made, "GET", f"{base}/teams/canary-path/bookings?canary-query=1", token)
        await call(made, "GET", f"{base}/canary-nowhere", token)
        booked = await call(made, "POST", f"{base}/teams/7/bookings", token, json=NEW)
        await call(made, "DELETE", f"{base}/bookings/{booked.json()['id']}", token)
        everything = "\n".join(map(told, exporter.get_finished_spans()))
        assert "GET /teams/{team_id}/bookings" in everything
        secret = [token, *sent_tokens(made), open_at, "12%3A34", "12:34", "limit=13", "canary", "8123", "/teams/7"]
        secret += ["team:7", booked.json()["id"], NEW["place_id"], "anna", "Anna", "37840", "47.803"]
        assert [value for value in secret if str(value) in everything] == []


async def test_spans_tell_who_and_by_which_rule() -> None:
    """The entry span holds tenant, connector, mode, the rule as it is declared, and a hash for the caller."""
    async with traced() as (made, exporter):
        await call(made, "GET", "/rehearse/teams/7/bookings")
        entry = next(span for span in exporter.get_finished_spans() if span.name == "GET /teams/{team_id}/bookings")
        attributes = dict(exporter.get_finished_spans()[-1].attributes or {})
        assert entry.kind == SpanKind.SERVER
        assert attributes["narrows.tenant"] == "example"
        assert attributes["narrows.connector"] == "copilot"
        assert attributes["narrows.mode"] == "rehearse"
        assert str(attributes["narrows.rule"]).startswith("role:member in team:{team_id}")
        assert attributes["narrows.caller"] == made.records.calls()[-1]["caller"]
