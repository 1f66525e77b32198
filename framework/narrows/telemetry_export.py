"""Providers that send traces and metrics to a collector by OTLP over HTTP; needs the extra `telemetry`.

Headers, certificates and timeouts of the exporter come from the `OTEL_EXPORTER_OTLP_…` variables, as everywhere.
"""

from __future__ import annotations

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased


def otlp_providers(endpoint: str, service_name: str, sample_ratio: float) -> tuple[TracerProvider, MeterProvider]:
    """Build both providers for a collector's base URL; the caller shuts them down."""
    resource = Resource.create({"service.name": service_name})
    reader = PeriodicExportingMetricReader(OTLPMetricExporter(endpoint=f"{endpoint}/v1/metrics"))
    meters = MeterProvider([reader], resource=resource)
    tracers = TracerProvider(sampler(sample_ratio), resource)
    tracers.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces")))
    return tracers, meters


def sampler(ratio: float) -> ParentBased:
    """Sample a part of the traces; the flag of a client, who is not trusted, neither adds a trace nor hides one."""
    part = TraceIdRatioBased(ratio)
    return ParentBased(part, remote_parent_sampled=part, remote_parent_not_sampled=part)
