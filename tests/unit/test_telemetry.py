"""Spans and metrics of calls and of requests to upstreams."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from opentelemetry import baggage, context, propagate, trace
from opentelemetry.instrumentation._semconv import _OpenTelemetrySemanticConventionStability as Stability
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, Decision
from opentelemetry.trace import NoOpTracerProvider, SpanKind, StatusCode

from narrows.errors import InternalError, NotFound, SettingsError
from narrows.settings import Settings, read_settings
from narrows.telemetry import CallSpan, Telemetry
from narrows.telemetry_export import sampler
from narrows.telemetry_spans import ATTRIBUTES

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"
SOUND = [(b"traceparent", f"00-{TRACE}-{SPAN}-01".encode())]
SETTINGS = Settings(public_url="https://bff.test:8443")


def count_up() -> Callable[[], float]:
    """A clock that goes on by a quarter of a second each time it is asked."""
    ticks = iter(range(10_000))
    return lambda: next(ticks) / 4


class Seen:
    """Telemetry whose spans and metrics can be looked at."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.reader = InMemoryMetricReader()
        self.tracers = TracerProvider(shutdown_on_exit=False)
        self.tracers.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.meters = MeterProvider([self.reader], shutdown_on_exit=False)
        self.telemetry = Telemetry.build(
            SETTINGS, tracer_provider=self.tracers, meter_provider=self.meters, clock=count_up()
        )

    @property
    def spans(self) -> dict[str, ReadableSpan]:
        return {span.name: span for span in self.exporter.get_finished_spans()}

    @property
    def metrics(self) -> dict[str, list[tuple[dict[str, Any], Any]]]:
        """Each metric's points: attributes, and the sum (of a histogram: sum and count)."""
        data = self.reader.get_metrics_data()
        points: dict[str, list[tuple[dict[str, Any], Any]]] = {}
        for scope in data.resource_metrics[0].scope_metrics if data else []:
            for metric in scope.metrics:
                points[metric.name] = [
                    (dict(p.attributes), p.value if hasattr(p, "value") else (p.sum, p.count))
                    for p in metric.data.data_points
                ]
        return points


@pytest.fixture
def seen() -> Iterator[Seen]:
    """Telemetry with providers of the test."""
    world = Seen()
    yield world
    world.tracers.shutdown()
    world.meters.shutdown()


@contextmanager
def _within(values: context.Context) -> Iterator[None]:
    token = context.attach(values)
    try:
        yield
    finally:
        context.detach(token)


def test_call_becomes_a_server_span(seen: Seen) -> None:
    """A call is one server span under its template, with a parent, and without the path."""
    span = seen.telemetry.start_call("GET", SOUND)
    span.name("GET", "/teams/{team_id}/dining-suggestions")
    span.set("narrows.endpoint", "dining_suggestions")
    span.end(200, None)

    (one,) = seen.exporter.get_finished_spans()
    assert one.name == "GET /teams/{team_id}/dining-suggestions"
    assert one.kind is SpanKind.SERVER
    assert one.parent is not None
    assert f"{one.parent.span_id:016x}" == SPAN
    assert f"{one.context.trace_id:032x}" == span.trace_id == TRACE
    assert one.status.status_code is StatusCode.UNSET
    assert one.attributes == {
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "http.route": "/teams/{team_id}/dining-suggestions",
        "narrows.endpoint": "dining_suggestions",
        "server.address": "bff.test",
        "url.scheme": "https",
    }


def test_call_without_a_sound_parent_starts_a_trace(seen: Seen) -> None:
    """Two traceparents are none: a new trace begins, and what this process is in does not count."""
    with _within(baggage.set_baggage("secret", "canary", trace.set_span_in_context(trace.INVALID_SPAN))):
        span = seen.telemetry.start_call("GET", SOUND * 2)
    span.end(200, None)

    (one,) = seen.exporter.get_finished_spans()
    assert one.parent is None
    assert span.trace_id == f"{one.context.trace_id:032x}" != TRACE
    assert baggage.get_all(span.context) == {}


def test_metrics_of_a_call(seen: Seen) -> None:
    """A call is measured once, by names that are declared or registered."""
    span = seen.telemetry.start_call("POST", [])
    span.name("POST", "/bookings")
    for key, value in {
        "narrows.endpoint": "book",
        "narrows.mode": "rehearse",
        "narrows.tenant": "acme",
        "narrows.connector": "lunch",
        "narrows.caller": "ab" * 16,
        "narrows.outcome": "denied",
    }.items():
        span.set(key, value)
    span.end(403, "urn:narrows:problem:forbidden")
    span.end(500, None)

    assert len(seen.exporter.get_finished_spans()) == 1
    assert seen.spans["POST /bookings"].attributes["narrows.problem"] == "urn:narrows:problem:forbidden"
    assert "error.type" not in seen.spans["POST /bookings"].attributes
    labels = {
        "narrows.connector": "lunch",
        "narrows.endpoint": "book",
        "narrows.mode": "rehearse",
        "narrows.outcome": "denied",
        "narrows.tenant": "acme",
    }
    assert seen.metrics == {
        "http.server.request.duration": [
            (
                {
                    "http.request.method": "POST",
                    "http.response.status_code": 403,
                    "http.route": "/bookings",
                    "url.scheme": "https",
                },
                (0.25, 1),
            )
        ],
        "narrows.calls": [(labels, 1)],
        "narrows.call.duration": [(labels, (0.25, 1))],
        "narrows.problems": [
            ({"narrows.endpoint": "book", "narrows.problem": "urn:narrows:problem:forbidden"}, 1),
        ],
    }


@pytest.mark.parametrize(
    ("mode", "outcome", "status", "slow", "verdict"),
    [
        ("live", "ok", 200, False, "good"),
        ("live", "ok", 200, True, "bad"),
        ("live", "failed", 503, False, "bad"),
        ("live", "cancelled", 499, True, "bad"),
        ("live", "cancelled", 499, False, None),
        ("live", "denied", 403, True, None),
        ("live", "refused", 429, False, None),
        ("rehearse", "ok", 200, True, None),
        ("sandbox", "failed", 500, True, None),
    ],
)
def test_live_calls_are_judged_by_their_objective(
    seen: Seen, mode: str, outcome: str, status: int, slow: bool, verdict: str | None
) -> None:
    """Slow and failed are bad; what the client could have sent better, and what is not live, does not count."""
    seen.telemetry.expect("book", 0.2 if slow else 0.3)
    span = seen.telemetry.start_call("POST", [])
    for key, value in {"narrows.endpoint": "book", "narrows.mode": mode, "narrows.outcome": outcome}.items():
        span.set(key, value)
    span.end(status, None)

    counted = {labels["narrows.verdict"]: number for labels, number in seen.metrics["narrows.slo.calls"]}
    assert counted == {"good": 0, "bad": 0, **({verdict: 1} if verdict else {})}


def test_an_objective_without_a_time_counts_answers_alone(seen: Seen) -> None:
    """However long it took; and an endpoint without an objective is not judged."""
    seen.telemetry.expect("book", None)
    for endpoint in ("book", "other"):
        span = seen.telemetry.start_call("POST", [])
        span.set("narrows.endpoint", endpoint)
        span.set("narrows.mode", "live")
        span.set("narrows.outcome", "ok")
        span.end(200, None)

    labels = [({"narrows.endpoint": "book", "narrows.verdict": verdict}, n) for verdict, n in (("good", 1), ("bad", 0))]
    assert seen.metrics["narrows.slo.calls"] == labels


def test_exemplars_lead_from_a_bucket_to_a_trace(seen: Seen) -> None:
    """The histograms of calls and operations each hold the id of a trace that is kept."""
    span = seen.telemetry.start_call("GET", SOUND)
    with span.child("Tables.book"):
        pass
    span.end(200, None)
    data = seen.reader.get_metrics_data()
    assert data is not None
    exemplars = {
        metric.name: [format(one.trace_id or 0, "032x") for one in point.exemplars]
        for scope in data.resource_metrics[0].scope_metrics
        for metric in scope.metrics
        for point in metric.data.data_points
    }
    durations = ("http.server.request.duration", "narrows.call.duration", "narrows.upstream.duration")
    assert {name: exemplars[name] for name in durations} == {key: [TRACE] for key in durations}


def test_unmatched_calls_make_one_series(seen: Seen) -> None:
    """However many paths and methods a scanner makes up, one name stands for all of them."""
    for method in ("X-1", "X-2", "X-3"):
        seen.telemetry.start_call(method, []).end(404, "urn:narrows:problem:not-found")

    assert set(seen.spans) == {"HTTP"}
    assert seen.metrics["narrows.calls"] == [({"narrows.endpoint": "unmatched", "narrows.outcome": "refused"}, 3)]
    ((attributes, _),) = seen.metrics["http.server.request.duration"]
    assert attributes["http.route"] == "unmatched"
    assert attributes["http.request.method"] == "_OTHER"


@pytest.mark.parametrize(
    ("status", "problem", "kind", "outcome"),
    [
        (500, None, "500", "failed"),
        (502, "urn:narrows:problem:upstream-failed", "urn:narrows:problem:upstream-failed", "failed"),
        (200, None, None, "ok"),
    ],
)
def test_failed_call_is_an_error(seen: Seen, status: int, problem: str | None, kind: str | None, outcome: str) -> None:
    """Only from 500 on the server is at fault, and the kind of the fault is a declared one."""
    seen.telemetry.start_call("GET", []).end(status, problem)

    (one,) = seen.exporter.get_finished_spans()
    assert one.attributes.get("error.type") == kind
    assert one.status.status_code is (StatusCode.ERROR if kind else StatusCode.UNSET)
    assert one.status.description is None
    assert seen.metrics["http.server.request.duration"][0][0].get("error.type") == kind
    assert seen.metrics["narrows.calls"][0][0]["narrows.outcome"] == outcome


@pytest.mark.parametrize("live", [True, False])
@pytest.mark.parametrize("key", ["url.path", "url.query", "enduser.id", "narrows.token", ""])
def test_unlisted_attribute_is_refused(seen: Seen, live: bool, key: str) -> None:
    """An attribute that nobody allowed is refused, on calls and operations, with and without telemetry."""
    telemetry = seen.telemetry if live else Telemetry.build(SETTINGS)
    span = telemetry.start_call("GET", [])
    with pytest.raises(ValueError, match=r"telemetry_spans\.ATTRIBUTES") as raised:
        span.set(key, "canary")
    assert "canary" not in str(raised.value)
    with (
        span.child("Tables.book") as operation,
        pytest.raises(ValueError, match=r"telemetry_spans\.ATTRIBUTES"),
    ):
        operation.set(key, "canary")
    with pytest.raises(ValueError, match="not dict"):
        span.set("narrows.rule", {"a": "canary"})
    span.end(200, None)


def test_no_listed_attribute_holds_a_path() -> None:
    """What holds ids is not among the attributes."""
    assert not {key for key in ATTRIBUTES if key.startswith(("url.path", "url.query", "url.full", "client", "user"))}


def test_operations_are_children(seen: Seen) -> None:
    """Operations side by side are children of the call, and know only their own attributes."""

    async def run(span: CallSpan, name: str, both: asyncio.Barrier) -> None:
        with span.child(name) as operation:
            operation.set("server.address", "tables.test")
            await both.wait()
            assert trace.get_current_span().name == name

    async def main() -> None:
        span, both = seen.telemetry.start_call("GET", []), asyncio.Barrier(2)
        async with asyncio.TaskGroup() as group:
            group.create_task(run(span, "Tables.book", both))
            group.create_task(run(span, "People.team", both))
        span.end(200, None)

    asyncio.run(main())
    call, one, two = seen.spans["GET"], seen.spans["Tables.book"], seen.spans["People.team"]
    assert one.parent == two.parent == call.context
    assert one.kind is SpanKind.INTERNAL
    assert one.attributes == {"narrows.operation": "Tables.book", "server.address": "tables.test"}
    measured = [point[0]["narrows.operation"] for point in seen.metrics["narrows.upstream.duration"]]
    assert sorted(measured) == ["People.team", "Tables.book"]


@pytest.mark.parametrize(
    ("error", "kind", "status"),
    [
        (NotFound("canary"), "urn:narrows:problem:not-found", StatusCode.UNSET),
        (InternalError("canary"), "urn:narrows:problem:internal-error", StatusCode.ERROR),
        (RuntimeError("canary"), "RuntimeError", StatusCode.ERROR),
        (asyncio.CancelledError("canary"), "CancelledError", StatusCode.ERROR),
    ],
)
def test_failed_operation_tells_the_kind_alone(seen: Seen, error: BaseException, kind: str, status: StatusCode) -> None:
    """Of an error the span gets its kind, never its text; a declared refusal is no fault."""
    span = seen.telemetry.start_call("GET", [])
    with pytest.raises(type(error)), span.child("Tables.book"):
        raise error
    span.end(200, None)

    one = seen.spans["Tables.book"]
    assert one.attributes["error.type"] == kind
    assert one.status.status_code is status
    assert "canary" not in one.to_json()
    assert seen.metrics["narrows.upstream.duration"] == [
        ({"error.type": kind, "narrows.operation": "Tables.book"}, (0.25, 1))
    ]


def test_operation_after_the_end_makes_no_span(seen: Seen) -> None:
    """A call that has ended gets no more children."""
    span = seen.telemetry.start_call("GET", [])
    span.end(200, None)
    with span.child("Tables.book"):
        pass

    assert set(seen.spans) == {"GET"}


def test_a_call_counts_as_long_as_it_runs(seen: Seen) -> None:
    """By the same list; after its end it still refuses what is not in it, and counts nothing."""
    span = seen.telemetry.start_call("GET", [])
    span.measure("narrows.budget.used", 0.5, tenant="acme")
    span.end(200, None)
    span.measure("narrows.budget.used", 0.9, tenant="acme")
    for ended in (span, Telemetry.build(SETTINGS).start_call("GET", [])):
        with pytest.raises(ValueError, match="no label"):
            ended.measure("narrows.budget.used", 1, caller="canary")

    assert seen.metrics["narrows.budget.used"] == [({"narrows.tenant": "acme"}, 0.5)]


def test_counts_of_exchanges_and_effects(seen: Seen) -> None:
    """Exchanges are counted by what came of them, effects by operation and mode."""
    seen.telemetry.exchange("cached")
    seen.telemetry.exchange("cached")
    seen.telemetry.effect("Tables.book", "live")

    assert seen.metrics == {
        "narrows.exchanges": [({"narrows.event": "cached"}, 2)],
        "narrows.effects": [({"narrows.operation": "Tables.book", "narrows.mode": "live"}, 1)],
    }


def test_without_telemetry_there_is_still_a_trace_id() -> None:
    """Every problem carries a trace id: the caller's if it is sound, else a random one."""
    telemetry = Telemetry.build(SETTINGS, random=lambda n: b"\x0a" * n)

    assert telemetry.start_call("GET", []).trace_id == "0a" * 16
    assert telemetry.start_call("GET", SOUND).trace_id == TRACE
    assert telemetry.start_call("GET", SOUND * 2).trace_id == "0a" * 16
    assert len({Telemetry.build(SETTINGS).start_call("GET", []).trace_id for _ in range(9)}) == 9


async def test_without_telemetry_nothing_happens() -> None:
    """Without providers and endpoint all of it may be called, and does nothing."""
    telemetry = Telemetry.build(SETTINGS)
    inner = httpx.MockTransport(lambda _: httpx.Response(200))
    span = telemetry.start_call("GET", [])
    span.name("GET", "/teams/{team_id}")
    span.set("narrows.mode", "live")
    with span.child("Tables.book") as operation:
        operation.set("narrows.price", "0.05 EUR")
        operation.answered(7)
    span.end(200, None)
    telemetry.expect("book", 0.3)
    telemetry.exchange("made")
    telemetry.effect("Tables.book", "live")
    await telemetry.close()

    assert telemetry.client_transport(inner) is inner
    assert span.context == context.Context()
    assert operation.operation == "Tables.book"
    assert (span.received, span.span_id) == (7, None)


async def test_metrics_alone_still_have_a_trace_id() -> None:
    """With a meter alone the trace id is the caller's or a random one, and requests go out."""
    reader = InMemoryMetricReader()
    meters = MeterProvider([reader], shutdown_on_exit=False)
    telemetry = Telemetry.build(SETTINGS, meter_provider=meters, random=lambda n: b"\x0a" * n)

    assert telemetry.start_call("GET", []).trace_id == "0a" * 16
    assert telemetry.start_call("GET", SOUND).trace_id == TRACE
    transport = telemetry.client_transport(httpx.MockTransport(lambda _: httpx.Response(200)))
    assert (await transport.handle_async_request(httpx.Request("GET", "https://people.test/x"))).status_code == 200
    meters.shutdown()


async def test_call_that_is_not_sampled_still_counts() -> None:
    """Where the sampler drops a span, the trace id and the metrics remain."""
    world = Seen()
    tracers = TracerProvider(ALWAYS_OFF, shutdown_on_exit=False)
    telemetry = Telemetry.build(SETTINGS, tracer_provider=tracers, meter_provider=world.meters)
    span = telemetry.start_call("GET", SOUND)
    span.end(200, None)

    assert span.trace_id == TRACE
    assert world.metrics["narrows.calls"][0][1] == 1


async def test_passed_providers_stay_open(seen: Seen) -> None:
    """Closing leaves alone what others made."""
    await seen.telemetry.close()
    seen.telemetry.start_call("GET", []).end(200, None)

    assert set(seen.spans) == {"GET"}


def test_nothing_of_the_process_is_set(seen: Seen) -> None:
    """The providers and propagators of the process are what they were."""
    seen.telemetry.client_transport(httpx.MockTransport(lambda _: httpx.Response(200)))

    assert type(trace.get_tracer_provider()).__name__ == "ProxyTracerProvider"
    assert {"traceparent", "baggage"} <= propagate.get_global_textmap().fields
    assert httpx.AsyncHTTPTransport.handle_async_request.__module__ == "httpx._transports.default"


class Upstream:
    """An upstream that keeps a copy of what it gets, as the request changes back once it is answered."""

    def __init__(self, status: int = 200) -> None:
        self.requests: list[httpx.Request] = []
        self.status = status

    def __call__(self, request: httpx.Request) -> httpx.Response:
        seen = httpx.Request(request.method, request.url, headers=request.headers, extensions=request.extensions)
        self.requests.append(seen)
        return httpx.Response(self.status, headers={"x-canary": "canary"}, json={"name": "Ada"})


class Closing(httpx.MockTransport):
    """A transport that knows whether it was closed."""

    closed = False

    async def aclose(self) -> None:
        self.closed = True


def _book(template: str | None = "/bookings/{booking_id}") -> httpx.Request:
    return httpx.Request(
        "DELETE",
        "https://me:canary@tables.test:8443/bookings/canary-7?as=canary",
        headers={"Authorization": "Bearer canary", "baggage": "secret=canary"},
        extensions={"narrows.template": template} if template else None,
    )


async def test_request_is_a_client_span_under_its_template(seen: Seen) -> None:
    """A request's span has the new names and the template; neither id, query, user nor header is in it."""
    upstream = Upstream()
    transport = seen.telemetry.client_transport(httpx.MockTransport(upstream))
    span = seen.telemetry.start_call("DELETE", [])
    with span.child("Tables.cancel"):
        response = await transport.handle_async_request(_book())
    span.end(200, None)

    assert response.status_code == 200
    one = seen.spans["DELETE /bookings/{booking_id}"]
    assert one.kind is SpanKind.CLIENT
    assert one.parent == seen.spans["Tables.cancel"].context
    assert one.attributes == {
        "http.request.method": "DELETE",
        "http.response.status_code": 200,
        "network.peer.address": "tables.test",
        "network.peer.port": 8443,
        "network.protocol.version": "1.1",
        "server.address": "tables.test",
        "server.port": 8443,
        "url.full": "https://tables.test:8443/bookings/{booking_id}",
        "url.template": "/bookings/{booking_id}",
    }
    assert one.instrumentation_scope is not None
    assert one.instrumentation_scope.name == "opentelemetry.instrumentation.httpx"
    assert one.instrumentation_scope.schema_url == "https://opentelemetry.io/schemas/1.21.0"
    assert "canary" not in "".join(span.to_json() for span in seen.exporter.get_finished_spans())
    assert seen.metrics["http.client.request.duration"][0][0] == {
        "http.request.method": "DELETE",
        "http.response.status_code": 200,
        "network.protocol.version": "1.1",
        "server.address": "tables.test",
        "server.port": 8443,
    }
    assert "http.client.duration" not in seen.metrics


async def test_request_arrives_as_it_was(seen: Seen) -> None:
    """Below the instrumentation the request has its true URL and headers, this span's context, and no baggage."""
    upstream = Upstream()
    transport = seen.telemetry.client_transport(httpx.MockTransport(upstream))
    span = seen.telemetry.start_call("DELETE", [*SOUND, (b"tracestate", b"vendor=1")])
    request = _book()
    with _within(baggage.set_baggage("secret", "canary", span.context)):
        await transport.handle_async_request(request)
    span.end(200, None)

    (sent,) = upstream.requests
    assert str(sent.url) == str(_book().url)
    client = seen.spans["DELETE /bookings/{booking_id}"].context
    assert dict(sent.headers) == {
        "host": "tables.test:8443",
        "authorization": "Bearer canary",
        "traceparent": f"00-{TRACE}-{client.span_id:016x}-01",
        "tracestate": "vendor=1",
    }
    assert sent.extensions == {"narrows.template": "/bookings/{booking_id}"}
    assert (str(request.url), request.headers) == (str(_book().url), _book().headers)


async def test_request_without_a_template_shows_its_host_alone(seen: Seen) -> None:
    """A request that says no template, such as one to an issuer, is traced without its path."""
    upstream = Upstream(status=503)
    transport = seen.telemetry.client_transport(httpx.MockTransport(upstream))
    await transport.handle_async_request(_book(template=None))

    one = seen.spans["DELETE"]
    assert one.attributes["url.full"] == "https://tables.test:8443/"
    assert one.attributes["error.type"] == "503"
    assert one.status.status_code is StatusCode.ERROR
    assert "canary" not in one.to_json()


async def test_error_keeps_its_text_from_the_span(seen: Seen) -> None:
    """The text of an error may repeat a header: the caller gets the very error, the span its kind."""
    cause = ValueError("canary")
    fault = httpx.LocalProtocolError("Illegal header value b'Bearer canary'")
    fault.__cause__ = cause

    def refuse(request: httpx.Request) -> httpx.Response:
        raise fault

    transport = seen.telemetry.client_transport(httpx.MockTransport(refuse))
    with pytest.raises(httpx.LocalProtocolError) as raised:
        await transport.handle_async_request(_book())

    assert raised.value is fault
    assert raised.value.__cause__ is cause
    one = seen.spans["DELETE /bookings/{booking_id}"]
    assert one.attributes["error.type"] == "LocalProtocolError"
    assert one.events[0].attributes["exception.type"] == "httpx.LocalProtocolError"
    assert one.status.status_code is StatusCode.ERROR
    assert "canary" not in one.to_json()


async def test_cancelled_request_ends_its_span(seen: Seen) -> None:
    """A request whose deadline passes ends its span, and is itself again."""

    async def wait(request: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError

    transport = seen.telemetry.client_transport(httpx.MockTransport(wait))
    request = _book()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await transport.handle_async_request(request)

    assert "DELETE /bookings/{booking_id}" in seen.spans
    assert str(request.url) == str(_book().url)


async def test_suppressed_instrumentation_still_sends_the_true_request(seen: Seen) -> None:
    """Where another part of the process switches instrumentation off, the request is the same."""
    upstream = Upstream()
    transport = seen.telemetry.client_transport(httpx.MockTransport(upstream))
    with suppress_instrumentation():
        await transport.handle_async_request(_book())

    assert seen.spans == {}
    assert str(upstream.requests[0].url) == str(_book().url)
    assert "baggage" not in upstream.requests[0].headers


@pytest.mark.parametrize("mode", [None, "http", "http/dup"])
async def test_names_do_not_depend_on_the_process(
    seen: Seen, monkeypatch: pytest.MonkeyPatch, mode: str | None
) -> None:
    """Whatever names the process chose, and whatever headers it wants captured, the spans here are the same."""
    monkeypatch.setattr(Stability, "_initialized", False)
    monkeypatch.setattr(Stability, "_OTEL_SEMCONV_STABILITY_SIGNAL_MAPPING", {})
    if mode is not None:
        monkeypatch.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", mode)
    monkeypatch.setenv("OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_CLIENT_REQUEST", ".*")
    monkeypatch.setenv("OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_CLIENT_RESPONSE", ".*")
    transport = seen.telemetry.client_transport(httpx.MockTransport(Upstream()))
    await transport.handle_async_request(_book())

    one = seen.spans["DELETE /bookings/{booking_id}"]
    assert "http.request.method" in one.attributes
    assert not {key for key in one.attributes if key in {"http.method", "http.url"} or ".header." in key}
    assert set(seen.metrics) == {"http.client.request.duration"}
    assert len(seen.metrics["http.client.request.duration"]) == 1
    assert "canary" not in one.to_json()


async def test_closing_goes_through_to_the_transport(seen: Seen) -> None:
    """Closing the outermost layer closes the transport itself."""
    inner = Closing(Upstream())
    await seen.telemetry.client_transport(inner).aclose()

    assert inner.closed


class Collector:
    """A collector on this machine: answers every request with 200 and keeps path and body."""

    def __init__(self) -> None:
        self.got: list[tuple[str, bytes]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode("latin-1").split("\r\n")
                length = next(int(x.split(":")[1]) for x in lines if x.lower().startswith("content-length:"))
                self.got.append((lines[0].split()[1], await reader.readexactly(length)))
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()


@pytest.fixture
async def collector() -> AsyncIterator[tuple[Collector, str]]:
    """A collector and its URL."""
    it = Collector()
    server = await asyncio.start_server(it.serve, "127.0.0.1", 0)
    async with server:
        yield it, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.mark.parametrize("slash", ["", "/"])
async def test_endpoint_gets_traces_and_metrics_at_close(collector: tuple[Collector, str], slash: str) -> None:
    """With an endpoint in the settings, closing sends what is left, under the name of the service."""
    it, url = collector
    telemetry = Telemetry.build(_settings(url + slash, service_name="lunch"))
    telemetry.start()
    span = telemetry.start_call("GET", [])
    span.name("GET", "/teams/{team_id}")
    span.end(200, None)
    await telemetry.close()
    await telemetry.close()

    got = dict(it.got)
    assert set(got) == {"/v1/traces", "/v1/metrics"}
    assert b"GET /teams/{team_id}" in got["/v1/traces"]
    assert b"narrows.calls" in got["/v1/metrics"]
    assert all(b"lunch" in body for body in got.values())


async def test_a_collector_and_prometheus_get_the_same_numbers(collector: tuple[Collector, str]) -> None:
    """Both may be named: the sums are not divided between them, and the exemplars lead to traces that are sent."""
    it, url = collector
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    telemetry = Telemetry.build(_settings(url, prometheus=f"127.0.0.1:{port}"))
    telemetry.start()
    try:
        telemetry.start_call("GET", SOUND).end(200, None)
        headers = {"accept": "application/openmetrics-text; version=1.0.0"}
        scraped = [
            (await asyncio.to_thread(httpx.get, f"http://127.0.0.1:{port}/metrics", headers=headers)).text
            for _ in range(2)
        ]
    finally:
        await telemetry.close()
    for text in scraped:
        assert 'narrows_calls_total{narrows_endpoint="unmatched",narrows_outcome="ok"} 1.0' in text
    # What fell into a bucket since the last look: whoever looks keeps it.
    assert [f'trace_id="{TRACE}"' in text for text in scraped] == [True, False]
    assert b"narrows.calls" in dict(it.got)["/v1/metrics"]
    assert bytes.fromhex(TRACE) in dict(it.got)["/v1/traces"]


def _settings(endpoint: str, **more: Any) -> Settings:
    return read_settings(
        {"public_url": "https://bff.test", "telemetry": {"otlp_endpoint": endpoint, **more}}, environ={}
    )


@pytest.mark.parametrize(
    "endpoint",
    ["127.0.0.1:4318", "grpc://127.0.0.1:4317", "http://", "http://me:canary@c.test", "http://c.test?k=canary", ""],
)
def test_endpoint_must_be_a_plain_url(endpoint: str) -> None:
    """An endpoint that is none, or that holds a secret, is refused and not shown."""
    with pytest.raises(SettingsError, match=r"telemetry\.otlp_endpoint .* Remedy: ") as raised:
        Telemetry.build(_settings(endpoint))
    assert "canary" not in str(raised.value)


def test_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra the error says what to install."""
    monkeypatch.delitem(sys.modules, "narrows.telemetry_export")
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(SettingsError, match=r"pip install narrows\[telemetry\]"):
        Telemetry.build(_settings("http://127.0.0.1:4318"))


@pytest.mark.parametrize(
    ("over", "rule"),
    [
        ({"prometheus": "9464"}, "no address"),
        ({"prometheus": "127.0.0.1"}, "no address"),
        ({"prometheus": "127.0.0.1:0"}, "no address"),
        ({"prometheus": "127.0.0.1:9464/metrics"}, "no address"),
        ({"prometheus": "me:canary@127.0.0.1:9464"}, "no address"),
        ({"prometheus": "0.0.0.0:9464"}, "other machines"),
        ({"prometheus": "metrics.test:9464"}, "other machines"),
        ({"prometheus": "127.0.0.1:9464", "prometheus_ports": 0}, "prometheus_ports"),
    ],
)
def test_an_address_that_others_reach_must_be_declared(over: dict[str, Any], rule: str) -> None:
    """What is no address is refused, and so is a listener off loopback that nobody declared."""
    with pytest.raises(SettingsError, match=rule) as raised:
        read_settings({"public_url": "https://bff.test", "telemetry": over}, environ={})
    assert "telemetry.prometheus" in str(raised.value)
    assert "canary" not in str(raised.value)


@pytest.mark.parametrize(
    "over",
    [
        {"prometheus": "127.0.0.1:9464"},
        {"prometheus": "[::1]:9464"},
        {"prometheus": "localhost:9464"},
        {"prometheus": "0.0.0.0:9464", "prometheus_off_loopback": True},
    ],
)
def test_an_address_on_loopback_needs_no_more(over: dict[str, Any]) -> None:
    """Nor does one that was declared."""
    settings = read_settings({"public_url": "https://bff.test", "telemetry": over}, environ={})
    assert settings.telemetry.prometheus == over["prometheus"]


@pytest.mark.parametrize("flags", [0, 1])
@pytest.mark.parametrize(("ratio", "decision"), [(0.0, Decision.DROP), (1.0, Decision.RECORD_AND_SAMPLE)])
def test_flag_of_the_client_does_not_decide(flags: int, ratio: float, decision: Decision) -> None:
    """A client can neither hide its calls from the traces nor force them in."""
    parent = trace.SpanContext(int(TRACE, 16), int(SPAN, 16), True, trace.TraceFlags(flags))
    above = trace.set_span_in_context(trace.NonRecordingSpan(parent))

    assert sampler(ratio).should_sample(above, int(TRACE, 16), "GET").decision is decision


@pytest.mark.parametrize("ratio", [-0.1, 1.1])
def test_sample_ratio_is_a_part(ratio: float) -> None:
    """A ratio outside 0 to 1 is refused at start."""
    with pytest.raises(SettingsError, match="sample_ratio"):
        _settings("http://127.0.0.1:4318", sample_ratio=ratio)


def test_a_tracer_alone_is_enough() -> None:
    """Metrics may be left out."""
    telemetry = Telemetry.build(SETTINGS, tracer_provider=NoOpTracerProvider(), random=lambda n: b"\x0b" * n)
    span = telemetry.start_call("GET", [])
    span.end(200, None)

    assert span.trace_id == "0b" * 16
