"""Cases 67 and 69 through the whole application: trace context, what objects print, and a sink that fails."""

from __future__ import annotations

import asyncio
import base64
import gc
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from narrows.settings import Secret
from tests.abuse.attack import Instead, ask, sent_tokens, to_upstreams
from tests.flow.world import world

BOOKINGS = "/teams/7/bookings"
KEY = base64.b64encode(b"CANARY-KEY-0123456789-CANARY-KEY").decode()
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


def tracers() -> tuple[TracerProvider, InMemorySpanExporter]:
    """A provider whose spans stay in memory."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return provider, exporter


BAD_PARENTS: list[list[tuple[str, str]]] = [
    [("traceparent", PARENT), ("traceparent", PARENT)],
    [("traceparent", PARENT.upper())],
    [("traceparent", f"{PARENT}, {PARENT}")],
    [("traceparent", "00-" + "0" * 32 + "-00f067aa0ba902b7-01")],
    [("traceparent", "ff" + PARENT[2:])],
    [("traceparent", PARENT + "-canary")],
    [("traceparent", "canary")],
    [("x-b3-traceid", TRACE), ("b3", f"{TRACE}-00f067aa0ba902b7-1")],
]


@pytest.mark.parametrize("traced", [True, False])
async def test_case_67_a_bad_parent_and_baggage_stay_outside(traced: bool) -> None:
    """A context that does not hold starts a new trace; baggage and bad state reach no upstream, span or record."""
    provider, exporter = tracers()
    around = {"tracer_provider": provider} if traced else {}
    extra = [
        ("tracestate", "vendor=canary,vendor=canary"),
        ("baggage", "user=canary"),
        ("baggage", "k=" + "v" * 20_000),
    ]
    async with world(around=around) as w:
        for headers in BAD_PARENTS:
            w.clock.move(61)
            denied = await ask(w.app, "/teams/8/bookings", token=w.token(), headers=[*headers, *extra])
            assert denied.status == 403
            assert TRACE.encode() not in denied.body
            assert (await ask(w.app, BOOKINGS, token=w.token(), headers=[*headers, *extra])).status == 200
        assert {record["trace_id"] for record in w.records.calls()}.isdisjoint({TRACE, "0" * 32})
        for request in to_upstreams(w):
            assert {"baggage", "tracestate", "b3", "x-b3-traceid"}.isdisjoint(request.headers)
            assert ("traceparent" in request.headers) is traced
        everything = b"".join(w.records.lines).decode() + "".join(
            span.to_json() for span in exporter.get_finished_spans()
        )
        assert "canary" not in everything
        assert TRACE not in everything


async def test_case_67_a_megabyte_of_baggage_is_refused() -> None:
    """Headers have a cap behind every server: 413, and nothing is read of them."""
    async with world() as w:
        got = await ask(w.app, BOOKINGS, token=w.token(), headers=[("baggage", "k=" + "v" * 1_000_000)])
        assert (got.status, got.kind) == (413, "content-too-large")
        assert to_upstreams(w) == []


# --- secrets --------------------------------------------------------------------------------------------------------


def shown(thing: Any) -> str:
    """How a thing prints."""
    try:
        return repr(thing)
    except Exception as error:
        return type(error).__name__


async def test_case_69_nothing_of_ours_prints_a_secret() -> None:
    """Whatever object of the framework a crash report prints in mid-call, it shows no token and no secret."""
    arrived, go = asyncio.Event(), asyncio.Event()

    async def held(_: bytes) -> Any:
        arrived.set()
        await go.wait()

    async with world(stores={"key": Secret(KEY)}) as w:
        token = w.token()
        assert (await ask(w.app, "/rehearse/teams/7/bookings", token=token)).status == 200
        w.network.add({"tables.test": Instead(w.upstreams["tables"], BOOKINGS, held)})
        calling = asyncio.create_task(ask(w.app, BOOKINGS, token=token))
        await arrived.wait()
        ours = [thing for thing in gc.get_objects() if str(type(thing).__module__).startswith("narrows.")]
        text = "\n".join(shown(thing) for thing in ours)
        go.set()
        assert (await calling).status == 200
        assert {"Call", "Raw", "Credential", "Settings", "Plan"} <= {type(thing).__name__ for thing in ours}
        basic = base64.b64encode(b"where2eat-bff:bff-secret").decode()
        for secret in (token, *sent_tokens(w), "bff-secret", KEY, basic):
            assert secret not in text


async def test_case_69_a_record_that_cannot_be_written_ends_in_a_plain_refusal() -> None:
    """When the audit's sink fails, no success is told, and the error of the sink is nobody's to read."""

    def full(_: bytes) -> None:
        raise OSError(28, "CANARY: no space left", "/var/CANARY")

    async with world(around={"write_record": full}) as w:
        for target, token in (
            (BOOKINGS, w.token()),
            (BOOKINGS, None),
            ("/nowhere", None),
            ("/health", None),
            ("//", None),
        ):
            got = await ask(w.app, target, token=token)
            assert got.status >= 400, target
            assert b"CANARY" not in got.body
            assert b"Traceback" not in got.body
