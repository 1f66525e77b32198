"""The spans of OpenTelemetry, brought to the traces of the pages; needs the extra `telemetry`."""

from __future__ import annotations

from collections.abc import Sequence

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import SpanKind, StatusCode

from narrows.devkit.dev.traces import Bar, Kind, Traces

_KINDS: dict[SpanKind, Kind] = {SpanKind.SERVER: "call", SpanKind.CLIENT: "request"}


class _Exporter(SpanExporter):
    """Hands each span on as it ends."""

    def __init__(self, traces: Traces) -> None:
        self._traces = traces

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Note the spans."""
        for span in spans:
            context = span.get_span_context()
            bar = Bar(
                kind=_KINDS.get(span.kind, "operation"),
                name=span.name,
                start=span.start_time or 0,
                end=span.end_time or 0,
                failed=span.status.status_code is StatusCode.ERROR,
            )
            self._traces.add(f"{context.trace_id if context else 0:032x}", bar)
        return SpanExportResult.SUCCESS


def provider_for(traces: Traces) -> TracerProvider:
    """A provider whose spans end in the traces of the pages."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(_Exporter(traces)))
    return provider
