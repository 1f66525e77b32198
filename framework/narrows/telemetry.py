"""Traces and metrics of calls: one server span a call, one child span an operation, few and bounded names.

The metrics are listed in `telemetry_names`. Only the API of OpenTelemetry is needed. Providers are passed in or built
here for `telemetry.otlp_endpoint`; nothing of the process is set or patched. Names follow the stable HTTP conventions,
but for `url.path` and `url.query`, which hold ids: `http.route` stands in their place. Attributes outside `ATTRIBUTES`
are refused, so that no value slips in.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from time import perf_counter
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self
from urllib.parse import urlsplit

from opentelemetry import context as contexts
from opentelemetry.context import Context
from opentelemetry.metrics import MeterProvider, NoOpMeterProvider
from opentelemetry.trace import (
    NonRecordingSpan,
    NoOpTracerProvider,
    Span,
    SpanKind,
    Status,
    StatusCode,
    Tracer,
    TracerProvider,
    format_span_id,
    format_trace_id,
    set_span_in_context,
)

from narrows.errors import Problem, SettingsError
from narrows.settings import Settings, TelemetrySettings
from narrows.telemetry_metrics import Metrics, Value
from narrows.tracecontext import Headers, remote_parent, remote_trace_id

if TYPE_CHECKING:
    from contextvars import Token

    import httpx

    from narrows.telemetry_export import Export

ExchangeEvent = Literal["cached", "shared", "made", "joined", "refused", "failed", "away", "foreign"]

ATTRIBUTES = frozenset({
    "error.type",
    "http.request.method",
    "http.response.status_code",
    "http.route",
    "narrows.bff",
    "narrows.caller",
    "narrows.connector",
    "narrows.connector.version",
    "narrows.effects",
    "narrows.endpoint",
    "narrows.mode",
    "narrows.operation",
    "narrows.outcome",
    "narrows.price",
    "narrows.problem",
    "narrows.purpose",
    "narrows.rule",
    "narrows.tenant",
    "narrows.way",
    "server.address",
    "server.port",
    "url.scheme",
})  # fmt: skip

UNMATCHED = "unmatched"

_SCOPE = "narrows"
_PLAIN = (str, int, float)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY"})
_OTHER = "_OTHER"
_COUNTED = ("narrows.mode", "narrows.tenant", "narrows.connector")
_NOTHING = Metrics(None)
_ERROR = Status(StatusCode.ERROR)
# The empty context on purpose: whatever another tracer of this process left in the current one, such as baggage read
# from a header, does not come along.
_EMPTY = Context()


def _check(key: str, value: Value) -> None:
    """Let a listed key with a plain value through. Raises `ValueError` for any other, and never shows the value."""
    if key not in ATTRIBUTES:
        raise ValueError(f"{key!r} is not an attribute of Narrows; the list is narrows.telemetry.ATTRIBUTES")
    if not isinstance(value, _PLAIN):
        raise ValueError(f"the attribute {key!r} takes text or a number, not {type(value).__qualname__}")


class OperationSpan:
    """The span of one operation, as a context manager; this one, without telemetry, knows its name and its call."""

    __slots__ = ("_call", "operation")

    def __init__(self, operation: str, call: CallSpan) -> None:
        self.operation = operation
        self._call = call

    def answered(self, size: int) -> None:
        """Note the bytes of an answer of the upstream."""
        self._call.received += size

    def set(self, key: str, value: Value) -> None:
        """Note an attribute. Raises `ValueError` for a key that is not in `ATTRIBUTES`."""
        _check(key, value)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        return None


class CallSpan:
    """What telemetry knows of one call; this one, without telemetry, holds no more than its attributes.

    `trace_id` has 32 hexadecimal digits, `span_id` 16, or is None without a span; `received` are the bytes that
    upstreams answered with.
    """

    __slots__ = ("received", "span_id", "trace_id")

    def __init__(self, trace_id: str, span_id: str | None = None) -> None:
        self.trace_id = trace_id
        self.span_id = span_id
        self.received = 0

    @property
    def context(self) -> Context:
        """The context to attach so that spans begun within become children of this one."""
        return _EMPTY

    def name(self, method: str, template: str) -> None:
        """Name the span after the endpoint's method and path template, once they are known."""

    def set(self, key: str, value: Value) -> None:
        """Note an attribute. Raises `ValueError` for a key that is not in `ATTRIBUTES`."""
        _check(key, value)

    def child(self, operation: str) -> OperationSpan:
        """Make the span of one operation, such as `Tables.book`; client spans made within become its children."""
        return OperationSpan(operation, self)

    def measure(self, name: str, value: float, **labels: Value | None) -> None:
        """Count or record for this call, as `Telemetry.count` and `record` do."""
        _NOTHING.put(name, value, labels)

    def end(self, status: int, problem_type: str | None) -> None:
        """End the span with the status sent and the `type` of the problem, if one was; a second time does nothing."""


class _Instruments:
    """The tracer, the metrics and what is the same for all calls."""

    def __init__(self, tracer: Tracer, metrics: Metrics, server: dict[str, Value], clock: Callable[[], float]) -> None:
        self.tracer = tracer
        self.metrics = metrics
        self.server = server
        self.clock = clock
        self.objectives: dict[str, float | None] = {}


class _LiveOperation(OperationSpan):
    """The span of one operation, current while it runs."""

    __slots__ = ("_context", "_instruments", "_span", "_started", "_token")

    def __init__(self, instruments: _Instruments, call: CallSpan, operation: str) -> None:
        super().__init__(operation, call)
        parent = call.context
        self._instruments = instruments
        self._started = instruments.clock()
        self._span = instruments.tracer.start_span(operation, parent, attributes={"narrows.operation": operation})
        self._context = set_span_in_context(self._span, parent)
        self._token: Token[Context]

    def set(self, key: str, value: Value) -> None:
        _check(key, value)
        self._span.set_attribute(key, value)

    def answered(self, size: int) -> None:
        super().answered(size)
        self._instruments.metrics.put("narrows.upstream.size", size, {"narrows.operation": self.operation})

    def __enter__(self) -> Self:
        self._token = contexts.attach(self._context)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        contexts.detach(self._token)
        counted: dict[str, Value] = {"narrows.operation": self.operation}
        if error is not None:
            counted["error.type"] = self._fail(error)
        self._span.end()
        took = self._instruments.clock() - self._started
        self._instruments.metrics.put("narrows.upstream.duration", took, counted, self._context)

    def _fail(self, error: BaseException) -> str:
        """Note the kind of an error, never its text; a declared refusal of the upstream is no fault."""
        kind = error.type if isinstance(error, Problem) else type(error).__qualname__
        self._span.set_attribute("error.type", kind)
        if not isinstance(error, Problem) or error.status >= 500:
            self._span.set_status(_ERROR)
        return kind


class _LiveCall(CallSpan):
    """The server span of one call. Attributes are collected and set once, because each setting takes a lock."""

    __slots__ = ("_attributes", "_context", "_instruments", "_method", "_span", "_started")

    def __init__(self, instruments: _Instruments, span: Span, method: str, trace_id: str) -> None:
        own = span.get_span_context()
        # Without a tracer the span is the caller's, or none.
        super().__init__(trace_id, format_span_id(own.span_id) if own.span_id and not own.is_remote else None)
        self._instruments: _Instruments | None = instruments
        self._span = span
        self._method = method
        self._started = instruments.clock()
        self._context = set_span_in_context(span, _EMPTY)
        self._attributes: dict[str, Value] = {}

    @property
    def context(self) -> Context:
        return self._context

    def name(self, method: str, template: str) -> None:
        self._attributes["http.route"] = template
        self._span.update_name(f"{_span_method(method)} {template}")

    def set(self, key: str, value: Value) -> None:
        _check(key, value)
        self._attributes[key] = value

    def child(self, operation: str) -> OperationSpan:
        if self._instruments is None:
            return OperationSpan(operation, self)
        return _LiveOperation(self._instruments, self, operation)

    def measure(self, name: str, value: float, **labels: Value | None) -> None:
        if self._instruments is None:
            super().measure(name, value, **labels)
        else:
            self._instruments.metrics.put(name, value, labels)

    def end(self, status: int, problem_type: str | None) -> None:
        instruments, self._instruments = self._instruments, None
        if instruments is None:
            return
        attributes = self._attributes
        attributes["http.response.status_code"] = status
        if problem_type is not None:
            attributes["narrows.problem"] = problem_type
        if status >= 500:
            attributes["error.type"] = problem_type or str(status)
            self._span.set_status(_ERROR)
        self._span.set_attributes(attributes)
        self._span.end()
        self._measure(instruments, status)

    def _measure(self, instruments: _Instruments, status: int) -> None:
        """Record the metrics; each attribute has few values, all of them declared or registered."""
        known = self._attributes
        request: dict[str, Value] = {
            "http.request.method": self._method,
            "http.response.status_code": status,
            "http.route": known.get("http.route", UNMATCHED),
            "url.scheme": instruments.server["url.scheme"],
        }
        if "error.type" in known:
            request["error.type"] = known["error.type"]
        put, took = instruments.metrics.put, instruments.clock() - self._started
        put("http.server.request.duration", took, request, self._context)
        call: dict[str, Value | None] = {key: known.get(key) for key in _COUNTED}
        call["narrows.endpoint"] = known.get("narrows.endpoint", UNMATCHED)
        call["narrows.outcome"] = known.get("narrows.outcome") or _outcome(status)
        put("narrows.calls", 1, call)
        put("narrows.call.duration", took, call, self._context)
        if "narrows.problem" in known:
            endpoint_and_problem = {
                key: call.get(key, known.get(key)) for key in ("narrows.endpoint", "narrows.problem")
            }
            put("narrows.problems", 1, endpoint_and_problem)
        self._judge(instruments, took)

    def _judge(self, instruments: _Instruments, took: float) -> None:
        """Count a live call as good or bad, where its endpoint has an objective; see `narrows.declare.slo`."""
        endpoint, mode = (self._attributes.get(key) for key in ("narrows.endpoint", "narrows.mode"))
        if mode != "live" or endpoint not in instruments.objectives:
            return
        under = instruments.objectives[str(endpoint)]
        verdict = _verdict(str(self._attributes.get("narrows.outcome")), under is not None and took > under)
        if verdict is not None:
            instruments.metrics.put("narrows.slo.calls", 1, {"narrows.endpoint": endpoint, "narrows.verdict": verdict})


class Telemetry:
    """Makes the spans and metrics of one application; without providers it makes none."""

    def __init__(
        self,
        instruments: _Instruments | None,
        providers: tuple[TracerProvider, MeterProvider],
        *,
        random: Callable[[int], bytes],
        export: Export | None = None,
    ) -> None:
        self._instruments = instruments
        self._metrics = Metrics(None) if instruments is None else instruments.metrics
        self._providers = providers
        self._random = random
        self._export = export

    @classmethod
    def build(
        cls,
        settings: Settings,
        *,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
        clock: Callable[[], float] = perf_counter,
        random: Callable[[int], bytes] = os.urandom,
    ) -> Telemetry:
        """Use the providers given, else export as `telemetry.otlp_endpoint` and `prometheus` say, else do nothing.

        `clock` gives seconds, `random(n)` n bytes for trace ids where no tracer makes them. Raises `SettingsError`
        when the endpoint is no plain URL or the extra `telemetry` is not installed.
        """
        export: Export | None = None
        if tracer_provider is None and meter_provider is None:
            export = _export(settings.telemetry)
            if export is None:
                return cls(None, (NoOpTracerProvider(), NoOpMeterProvider()), random=random)
            tracer_provider, meter_provider = export.tracers, export.meters
        tracers, meters = tracer_provider or NoOpTracerProvider(), meter_provider or NoOpMeterProvider()
        public = urlsplit(settings.public_url)
        server: dict[str, Value] = {"url.scheme": public.scheme, "server.address": public.hostname or ""}
        metrics = Metrics.of(meters, _SCOPE)
        instruments = _Instruments(tracers.get_tracer(_SCOPE), metrics, server, clock)
        return cls(instruments, (tracers, meters), random=random, export=export)

    def start_call(self, method: str, headers: Headers) -> CallSpan:
        """Begin the span of a call; its parent is the caller's span if the headers hold a sound one."""
        if self._instruments is None:
            return CallSpan(remote_trace_id(headers) or self._random(16).hex())
        parent = remote_parent(headers)
        above = _EMPTY if parent is None else set_span_in_context(NonRecordingSpan(parent), _EMPTY)
        known = method if method in _METHODS else _OTHER
        attributes = {"http.request.method": known, **self._instruments.server}
        span = self._instruments.tracer.start_span(_span_method(method), above, SpanKind.SERVER, attributes)
        number = span.get_span_context().trace_id
        trace_id = format_trace_id(number) if number else self._random(16).hex()
        return _LiveCall(self._instruments, span, known, trace_id)

    def silent(self) -> CallSpan:
        """A span that is not recorded, for what no client asked for."""
        return CallSpan(self._random(16).hex())

    def client_transport(self, inner: httpx.AsyncBaseTransport) -> httpx.AsyncBaseTransport:
        """Wrap a transport so that each request is a client span; see `narrows.telemetry_client` for what it hides."""
        if self._instruments is None:
            return inner
        from narrows.telemetry_client import trace_transport  # the instrumentation is slow to import, and not always on

        return trace_transport(inner, *self._providers)

    def exchange(self, event: ExchangeEvent) -> None:
        """Count one look for an upstream token: found in the cache, made, joined to one in flight, refused, failed.

        `shared`: found where processes share them; `away`, `foreign`: that place was away, or held something foreign.
        """
        self.count("narrows.exchanges", event=event)

    def effect(self, operation: str, mode: str) -> None:
        """Count one upstream write that was sent, or that a rehearsal noted instead."""
        self.count("narrows.effects", operation=operation, mode=mode)

    def count(self, name: str, amount: float = 1, /, **labels: Value | None) -> None:
        """Add to a counter of `narrows.telemetry_names.METRICS`; `tenant="acme"` is its label `narrows.tenant`.

        A label that is None is left out. Raises `ValueError` for what is not in the list, and never shows a value.
        """
        self._metrics.put(name, amount, labels)

    def record(self, name: str, value: float, /, **labels: Value | None) -> None:
        """Record a value into a histogram, or set a gauge, of the same list, by the same rules as `count`."""
        self.count(name, value, **labels)

    def expect(self, endpoint: str, under_s: float | None) -> None:
        """Judge the live calls of an endpoint by an objective: answered, and within `under_s` seconds if that is said.

        Both of its series begin with nothing here, because Prometheus does not see a series that begins with one grow.
        """
        if self._instruments is not None:
            self._instruments.objectives[endpoint] = under_s
            for verdict in ("good", "bad"):
                self.count("narrows.slo.calls", 0, endpoint=endpoint, verdict=verdict)

    def start(self) -> None:
        """Listen for whoever reads the metrics, if the settings say where. Raises `SettingsError`."""
        if self._export is not None:
            self._export.listen()

    async def close(self) -> None:
        """Send what is left and shut down the providers that were built here; those passed in stay open."""
        export, self._export = self._export, None
        if export is not None:
            await asyncio.to_thread(export.close)


def _span_method(method: str) -> str:
    """The method as it stands in a span's name: `HTTP` for one that HTTP does not know."""
    return method if method in _METHODS else "HTTP"


def _outcome(status: int) -> str:
    """How a call ended that settled no outcome of its own."""
    if status < 400:
        return "ok"
    return "failed" if status >= 500 else "refused"


def _verdict(outcome: str, slow: bool) -> str | None:
    """Whether a call was good or bad by its objective; None for one that does not count."""
    if outcome == "failed" or (slow and outcome in ("ok", "cancelled")):
        return "bad"
    return "good" if outcome == "ok" else None


def _export(settings: TelemetrySettings) -> Export | None:
    """What sends or shows telemetry, as the settings say; it needs the SDK, which is an extra."""
    endpoint = settings.otlp_endpoint
    if endpoint is None and settings.prometheus is None:
        return None
    url = urlsplit("http://none" if endpoint is None else endpoint)
    if url.scheme not in {"http", "https"} or not url.hostname or url.username or url.query or url.fragment:
        raise SettingsError(
            "telemetry.otlp_endpoint must be an http(s) URL without user, query or fragment. Remedy: give the base URL "
            "of the collector, such as http://127.0.0.1:4318, and credentials in OTEL_EXPORTER_OTLP_HEADERS."
        )
    try:
        from narrows.telemetry_export import Export
    except ImportError:
        raise SettingsError(
            "telemetry.otlp_endpoint and telemetry.prometheus need the OpenTelemetry SDK and its exporters, which are "
            "not installed. Remedy: pip install narrows[telemetry], or remove the keys."
        ) from None
    return Export(settings)
