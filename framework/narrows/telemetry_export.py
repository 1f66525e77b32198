"""Providers that send traces and metrics to a collector by OTLP over HTTP, or let metrics be read by Prometheus.

They need the extra `telemetry`. Headers, certificates and timeouts of the exporter come from the
`OTEL_EXPORTER_OTLP_…` variables, as everywhere.
"""

from __future__ import annotations

from uuid import uuid4

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

from narrows.settings import TelemetrySettings
from narrows.telemetry_scrape import Reader, Scrape


class Export:
    """The providers of one application, and where they send to or are read; whoever makes it closes it.

    Without a collector nobody would keep a trace, and so none is made: `tracers` is None.
    """

    def __init__(self, settings: TelemetrySettings) -> None:
        self._settings = settings
        self._reader = None if settings.prometheus is None else Reader()
        self._scrape: Scrape | None = None
        # Workers of one service are told apart by their instance, or one would overwrite the sums of another.
        named = {"service.name": settings.service_name or "narrows", "service.instance.id": str(uuid4())}
        resource = Resource.create(named)
        readers: list[MetricReader] = [] if self._reader is None else [self._reader]
        self.tracers: TracerProvider | None = None
        if settings.otlp_endpoint is not None:
            endpoint = settings.otlp_endpoint.rstrip("/")
            readers.append(PeriodicExportingMetricReader(OTLPMetricExporter(endpoint=f"{endpoint}/v1/metrics")))
            self.tracers = TracerProvider(sampler(settings.sample_ratio), resource)
            self.tracers.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces")))
        self.meters = MeterProvider(readers, resource=resource)

    def listen(self) -> None:
        """Listen for whoever reads the metrics, if the settings say where. Raises `SettingsError`."""
        if self._reader is not None and self._settings.prometheus is not None:
            self._scrape = Scrape(self._reader, self._settings.prometheus, self._settings.prometheus_ports)

    def close(self) -> None:
        """Send what is left, and end everything."""
        if self._scrape is not None:
            self._scrape.close()
        if self.tracers is not None:
            self.tracers.shutdown()
        self.meters.shutdown()


def sampler(ratio: float) -> ParentBased:
    """Sample a part of the traces; the flag of a client, who is not trusted, neither adds a trace nor hides one."""
    part = TraceIdRatioBased(ratio)
    return ParentBased(part, remote_parent_sampled=part, remote_parent_not_sampled=part)
