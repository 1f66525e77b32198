"""Telemetry of one application: who makes its spans and metrics, and where they go.

The spans are in `telemetry_spans`, the metrics are listed in `telemetry_names`. Only the API of OpenTelemetry is
needed. Providers are passed in or built here for `telemetry.otlp_endpoint` and `telemetry.prometheus`; nothing of the
process is set or patched.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from time import perf_counter
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from opentelemetry.metrics import MeterProvider, NoOpMeterProvider
from opentelemetry.trace import (
    NonRecordingSpan,
    NoOpTracerProvider,
    SpanKind,
    TracerProvider,
    format_trace_id,
    set_span_in_context,
)

from narrows.errors import SettingsError
from narrows.settings import Settings, TelemetrySettings
from narrows.telemetry_metrics import Metrics, Value
from narrows.telemetry_spans import EMPTY, METHODS, OTHER_METHOD, CallSpan, Instruments, live_call, span_method
from narrows.tracecontext import Headers, remote_parent, remote_trace_id

if TYPE_CHECKING:
    import httpx

    from narrows.telemetry_export import Export

__all__ = ["CallSpan", "ExchangeEvent", "Telemetry"]

ExchangeEvent = Literal["cached", "shared", "made", "joined", "refused", "failed", "away", "foreign"]

_SCOPE = "narrows"


class Telemetry:
    """Makes the spans and metrics of one application; without providers it makes none."""

    def __init__(
        self,
        instruments: Instruments | None,
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
        instruments = Instruments(tracers.get_tracer(_SCOPE), metrics, server, clock)
        return cls(instruments, (tracers, meters), random=random, export=export)

    def start_call(self, method: str, headers: Headers) -> CallSpan:
        """Begin the span of a call; its parent is the caller's span if the headers hold a sound one."""
        if self._instruments is None:
            return CallSpan(remote_trace_id(headers) or self._random(16).hex())
        parent = remote_parent(headers)
        above = EMPTY if parent is None else set_span_in_context(NonRecordingSpan(parent), EMPTY)
        known = method if method in METHODS else OTHER_METHOD
        attributes = {"http.request.method": known, **self._instruments.server}
        span = self._instruments.tracer.start_span(span_method(method), above, SpanKind.SERVER, attributes)
        number = span.get_span_context().trace_id
        trace_id = format_trace_id(number) if number else self._random(16).hex()
        return live_call(self._instruments, span, known, trace_id)

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
