"""The spans of a call and of its operations: named by templates, with few attributes, all of them listed.

Names follow the stable HTTP conventions, but for `url.path` and `url.query`, which hold ids: `http.route` stands in
their place. Attributes outside `ATTRIBUTES` are refused, so that no value slips in.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from opentelemetry import context as contexts
from opentelemetry.context import Context
from opentelemetry.trace import Span, Status, StatusCode, Tracer, format_span_id, set_span_in_context

from narrows.errors import Problem
from narrows.telemetry_metrics import Metrics, Value

if TYPE_CHECKING:
    from contextvars import Token

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
    "narrows.fields",
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

_PLAIN = (str, int, float)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY"})
OTHER_METHOD = "_OTHER"
_COUNTED = ("narrows.mode", "narrows.tenant", "narrows.connector")
_NOTHING = Metrics(None)
_ERROR = Status(StatusCode.ERROR)
# The empty context on purpose: whatever another tracer of this process left in the current one, such as baggage read
# from a header, does not come along.
EMPTY = Context()


def _check(key: str, value: Value) -> None:
    """Let a listed key with a plain value through. Raises `ValueError` for any other, and never shows the value."""
    if key not in ATTRIBUTES:
        raise ValueError(f"{key!r} is not an attribute of Narrows; the list is narrows.telemetry_spans.ATTRIBUTES")
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
        return EMPTY

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


class Instruments:
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

    def __init__(self, instruments: Instruments, call: CallSpan, operation: str) -> None:
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

    def __init__(self, instruments: Instruments, span: Span, method: str, trace_id: str) -> None:
        own = span.get_span_context()
        # Without a tracer the span is the caller's, or none.
        super().__init__(trace_id, format_span_id(own.span_id) if own.span_id and not own.is_remote else None)
        self._instruments: Instruments | None = instruments
        self._span = span
        self._method = method
        self._started = instruments.clock()
        self._context = set_span_in_context(span, EMPTY)
        self._attributes: dict[str, Value] = {}

    @property
    def context(self) -> Context:
        return self._context

    def name(self, method: str, template: str) -> None:
        self._attributes["http.route"] = template
        self._span.update_name(f"{span_method(method)} {template}")

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

    def _measure(self, instruments: Instruments, status: int) -> None:
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

    def _judge(self, instruments: Instruments, took: float) -> None:
        """Count a live call as good or bad, where its endpoint has an objective; see `narrows.declare.slo`."""
        endpoint, mode = (self._attributes.get(key) for key in ("narrows.endpoint", "narrows.mode"))
        if mode != "live" or endpoint not in instruments.objectives:
            return
        under = instruments.objectives[str(endpoint)]
        verdict = _verdict(str(self._attributes.get("narrows.outcome")), under is not None and took > under)
        if verdict is not None:
            instruments.metrics.put("narrows.slo.calls", 1, {"narrows.endpoint": endpoint, "narrows.verdict": verdict})


def live_call(instruments: Instruments, span: Span, method: str, trace_id: str) -> CallSpan:
    """What telemetry knows of a call whose span has begun."""
    return _LiveCall(instruments, span, method, trace_id)


def span_method(method: str) -> str:
    """The method as it stands in a span's name: `HTTP` for one that HTTP does not know."""
    return method if method in METHODS else "HTTP"


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
