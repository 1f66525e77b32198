"""Case 67: a doubled or bad trace context starts a new trace, and baggage never comes in nor goes out."""

from __future__ import annotations

import httpx
import pytest
from opentelemetry import baggage, context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from narrows.settings import Settings
from narrows.telemetry import Telemetry

TRACE = b"4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = b"00-" + TRACE + b"-00f067aa0ba902b7-01"
BAGGAGE = [(b"baggage", b"session=canary"), (b"baggage", b"k=" + b"v" * 1_000_000)]


async def send(headers: list[tuple[bytes, bytes]]) -> tuple[str, httpx.Headers, str]:
    """Let a call with these headers send one request; give its trace id, what the upstream got, and all spans."""
    exporter = InMemorySpanExporter()
    tracers = TracerProvider(shutdown_on_exit=False)
    tracers.add_span_processor(SimpleSpanProcessor(exporter))
    telemetry = Telemetry.build(Settings(public_url="https://bff.test"), tracer_provider=tracers)
    got: list[httpx.Headers] = []

    def upstream(request: httpx.Request) -> httpx.Response:
        got.append(request.headers)
        return httpx.Response(200)

    span = telemetry.start_call("GET", headers)
    transport = telemetry.client_transport(httpx.MockTransport(upstream))
    with span.child("People.team"):
        await transport.handle_async_request(httpx.Request("GET", "https://people.test/teams/7"))
    span.end(200, None)
    return span.trace_id, got[0], "".join(one.to_json() for one in exporter.get_finished_spans())


@pytest.mark.parametrize(
    "headers",
    [
        [(b"traceparent", PARENT), (b"traceparent", PARENT)],
        [(b"traceparent", PARENT), (b"traceparent", PARENT[:-1] + b"0")],
        [(b"traceparent", PARENT + b"," + PARENT)],
        [(b"traceparent", PARENT.upper())],
        [(b"traceparent", b"ff" + PARENT[2:])],
        [(b"traceparent", b"00-" + b"0" * 32 + PARENT[35:])],
        [(b"traceparent", PARENT + b"-canary")],
        [(b"tracestate", b"vendor=canary")],
    ],
)
async def test_case_67_bad_parent_starts_a_new_trace(headers: list[tuple[bytes, bytes]]) -> None:
    """A parent that is not exactly one sound one counts as none, and its state goes nowhere."""
    trace_id, sent, spans = await send([*headers, (b"tracestate", b"vendor=canary"), *BAGGAGE])

    assert trace_id.encode() != TRACE
    assert sent["traceparent"].split("-")[1] == trace_id
    assert "tracestate" not in sent
    assert "baggage" not in sent
    assert "canary" not in spans + str(sent)


@pytest.mark.parametrize(
    "state", [b"Vendor=canary", b"a=1,a=canary", b"a=canary\x00", b"a=" + b"c" * 600, b"a=canary,,=", b"canary"]
)
async def test_case_67_bad_state_is_dropped_beside_a_sound_parent(state: bytes) -> None:
    """A bad tracestate costs only itself."""
    trace_id, sent, spans = await send([(b"traceparent", PARENT), (b"tracestate", state), *BAGGAGE])

    assert trace_id.encode() == TRACE
    assert sent["traceparent"].split("-")[1] == trace_id
    assert "tracestate" not in sent
    assert "baggage" not in sent
    assert "canary" not in spans + str(sent)


async def test_case_67_sound_context_goes_on_without_baggage() -> None:
    """What holds is carried on to the upstream, and still no baggage."""
    trace_id, sent, spans = await send([(b"traceparent", PARENT), (b"tracestate", b"vendor=1"), *BAGGAGE])

    assert trace_id.encode() == TRACE
    assert sent["tracestate"] == "vendor=1"
    assert "baggage" not in sent
    assert "canary" not in spans + str(sent)


async def test_case_67_baggage_of_the_process_stays_there() -> None:
    """Baggage that another part of the process read from the request does not go upstream either."""
    token = context.attach(baggage.set_baggage("session", "canary"))
    try:
        _, sent, spans = await send([(b"traceparent", PARENT)])
    finally:
        context.detach(token)

    assert "baggage" not in sent
    assert "canary" not in spans + str(sent)
