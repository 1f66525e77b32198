"""Client spans: the httpx instrumentation's own transport wrapper, between a layer that hides and one that restores.

    hide ── instrumentation ── restore ── the transport itself

*Hide* gives the instrumentation a URL whose path is the operation's template, from `extensions["narrows.template"]`
(without one: `/`), and that has no query and no user, because it writes the whole URL into `url.full`. *Restore* puts
the true URL back and writes `traceparent` and `tracestate` itself: the instrumentation asks the propagator of the whole
process, which by default also sends baggage. Errors pass the instrumentation without their text, for it records the
text, and that of a malformed header repeats the header.

Traps of opentelemetry-instrumentation-httpx 0.66, each held by a test:
- The names of attributes are chosen from `OTEL_SEMCONV_STABILITY_OPT_IN` once per process, when the first of all
  instrumentations is made, and the default are the old ones. To set the variable would change the whole process, so
  the mode of this one wrapper is set; it is a private attribute, as are the tracer and the histograms that follow it.
- `OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_CLIENT_REQUEST=.*` writes `Authorization` into spans; it is switched off.
"""

from __future__ import annotations

from functools import lru_cache

import httpx
from opentelemetry.instrumentation._semconv import _get_schema_url, _StabilityMode
from opentelemetry.instrumentation.httpx import AsyncOpenTelemetryTransport, RequestInfo
from opentelemetry.instrumentation.httpx.version import __version__
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import Span, TracerProvider
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

TEMPLATE = "narrows.template"

_TRUE = "narrows.url"
_SCOPE = "opentelemetry.instrumentation.httpx"
_PROPAGATED = frozenset({b"baggage", b"traceparent", b"tracestate"})
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
_W3C = TraceContextTextMapPropagator()


def trace_transport(
    inner: httpx.AsyncBaseTransport, tracer_provider: TracerProvider, meter_provider: MeterProvider
) -> httpx.AsyncBaseTransport:
    """Wrap a transport; each request through it is a client span, a child of the current one."""
    wrapper = AsyncOpenTelemetryTransport(_Restore(inner), tracer_provider, meter_provider, request_hook=_name)
    schema = _get_schema_url(_StabilityMode.HTTP)
    wrapper._sem_conv_opt_in_mode = _StabilityMode.HTTP
    wrapper._tracer = tracer_provider.get_tracer(_SCOPE, __version__, schema)
    wrapper._duration_histogram_old = None
    wrapper._duration_histogram_new = meter_provider.get_meter(_SCOPE, __version__, schema).create_histogram(
        "http.client.request.duration",
        unit="s",
        description="Duration of HTTP client requests.",
        explicit_bucket_boundaries_advisory=_BUCKETS,
    )
    wrapper._captured_request_headers = []
    wrapper._captured_response_headers = []
    return _Hide(wrapper)


async def _name(span: Span, request: RequestInfo) -> None:
    """Name the span after the template, which stands in `url.full` as it was declared."""
    template = (request.extensions or {}).get(TEMPLATE)
    if template is not None and isinstance(request.url, httpx.URL):
        origin = f"{request.url.scheme}://{request.url.netloc.decode('ascii')}"
        span.update_name(f"{request.method.decode('ascii')} {template}")
        span.set_attributes({"url.template": template, "url.full": origin + template})


class _Hide(httpx.AsyncBaseTransport):
    """Takes the URL out of a request's way, and gives back the error as it was."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url, headers = request.url, request.headers
        request.extensions[_TRUE] = (url, headers)
        request.url = _hidden(url.scheme, url.host, url.port, request.extensions.get(TEMPLATE, "/"))
        fault: Exception
        try:
            return await self._inner.handle_async_request(request)
        except _Blank as blank:
            fault = blank.fault
        finally:
            request.url, request.headers = url, headers
        raise fault

    async def aclose(self) -> None:
        await self._inner.aclose()


class _Restore(httpx.AsyncBaseTransport):
    """Puts the URL and the headers back as they were, adds this span's context and hides the text of errors."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        request.url, headers = request.extensions.pop(_TRUE)
        carrier: dict[str, str] = {}
        _W3C.inject(carrier)
        kept = [field for field in headers.raw if field[0].lower() not in _PROPAGATED]
        added = [(name.encode("ascii"), value.encode("ascii")) for name, value in carrier.items()]
        request.headers = httpx.Headers([*kept, *added])
        try:
            return await self._inner.handle_async_request(request)
        except Exception as error:  # whatever it is, its text must not reach the span; the caller gets it whole
            raise _blank(type(error))(error) from None

    async def aclose(self) -> None:
        await self._inner.aclose()


class _Blank(Exception):
    """Stands for an error whose text is not to be recorded; it has no text of its own."""

    def __init__(self, fault: Exception) -> None:
        super().__init__()
        self.fault = fault


def _blank(kind: type[Exception]) -> type[_Blank]:
    """Make the stand-in for one kind of error, with its name, because the name becomes `error.type`."""
    return type(kind.__name__, (_Blank,), {"__module__": kind.__module__, "__qualname__": kind.__qualname__})


@lru_cache(maxsize=1024)
def _hidden(scheme: str, host: str, port: int | None, template: str) -> httpx.URL:
    """Make the URL that may be seen; there are as many as operations."""
    return httpx.URL(scheme=scheme, host=host, port=port, path=template)
