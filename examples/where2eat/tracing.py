"""One server span per request (OpenTelemetry HTTP conventions), child of the caller's W3C trace context."""

from typing import Any

from litestar.types import ASGIApp, Message, Receive, Scope, Send
from opentelemetry import context
from opentelemetry.trace import NoOpTracerProvider, Span, SpanKind, Status, StatusCode, TracerProvider, use_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
_propagator = TraceContextTextMapPropagator()


def _carrier(scope: Any) -> dict[str, str]:
    """The two headers of W3C Trace Context, and no other."""
    names = (b"traceparent", b"tracestate")
    return {name.decode(): value.decode("latin-1") for name, value in scope["headers"] if name in names}


def _name(span: Span, scope: Any) -> None:
    """Name the span by method and path template, known only once the request was routed; never by the path itself."""
    method = scope["method"] if scope["method"] in _METHODS else "_OTHER"
    template = scope.get("path_template")
    span.set_attribute("http.request.method", method)
    if template:
        span.set_attribute("http.route", template)
    span.update_name(f"{method} {template}" if template else method)


class Traced:
    """ASGI application that runs `app` inside a server span of `provider`; without a provider it only passes on."""

    def __init__(self, app: ASGIApp, provider: TracerProvider | None) -> None:
        self._app = app
        self._tracer = (provider or NoOpTracerProvider()).get_tracer("examples.where2eat")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run one request in its span."""
        parent = _propagator.extract(_carrier(scope), context.Context())
        span = self._tracer.start_span("HTTP", context=parent, kind=SpanKind.SERVER)

        async def watch(message: Message) -> None:
            if message["type"] == "http.response.start":
                span.set_attribute("http.response.status_code", message["status"])
                if message["status"] >= 500:
                    span.set_status(Status(StatusCode.ERROR))
            await send(message)

        with use_span(span, end_on_exit=True, record_exception=False):
            try:
                await self._app(scope, receive, watch)
            finally:
                _name(span, scope)
