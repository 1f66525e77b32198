"""A listener of its own from which Prometheus reads the metrics; needs the extra `telemetry`.

Families and text are those of opentelemetry-exporter-prometheus and prometheus-client. The exporter leaves exemplars
out; they are added here, and shown to whoever asks for OpenMetrics, as Prometheus does.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from socket import AF_INET, AF_INET6, SHUT_RDWR, socket
from socketserver import ThreadingMixIn
from threading import Lock, Semaphore, Thread, Timer
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics.export import Histogram, HistogramDataPoint, MetricsData
from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.core import Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar, Sample

from narrows.errors import SettingsError
from narrows.settings import is_loopback
from narrows.telemetry_names import UNITS, label

PATH = "/metrics"

_SLOW_S = 5.0
_LONGEST_S = 10.0
_AT_ONCE = 16
"""So many connections have a thread: more than all who scrape one process."""
_Buckets = Mapping[str, Exemplar]
_Series = tuple[str, frozenset[tuple[str, str]]]
_log = logging.getLogger("narrows.telemetry")


class Reader(PrometheusMetricReader):
    """The exporter's reader; it remembers the exemplars of the last collection, by bucket."""

    def __init__(self) -> None:
        self.plain = CollectorRegistry()
        self.seen: dict[_Series, _Buckets] = {}
        super().__init__(scope_info_enabled=False, registry=self.plain)

    def _receive_metrics(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any) -> None:
        """Take what was collected; the name of this method is the SDK's."""
        self.seen = dict(_exemplars(metrics_data))
        super()._receive_metrics(metrics_data, timeout_millis, **kwargs)


class Families(Collector):
    """The families of a reader, each bucket with the last trace that fell into it."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._lock = Lock()

    def collect(self) -> Iterable[Metric]:
        """Collect anew. One at a time, because a reader remembers one collection."""
        with self._lock:
            families = list(self._reader.plain.collect())
            seen = self._reader.seen
        for family in families:
            if family.type == "histogram":
                family.samples = [_with_exemplar(family.name, sample, seen) for sample in family.samples]
        return families


def _exemplars(data: MetricsData) -> Iterator[tuple[_Series, _Buckets]]:
    """The exemplars of every histogram, by the upper bound of their bucket as Prometheus writes it."""
    for metric in (m for r in data.resource_metrics for scope in r.scope_metrics for m in scope.metrics):
        if isinstance(metric.data, Histogram):
            name = f"{label(metric.name)}_{UNITS.get(metric.unit or '', '')}".rstrip("_")
            for point in metric.data.data_points:
                labels = {label(key): str(value) for key, value in (point.attributes or {}).items()}
                yield (name, frozenset(labels.items())), _by_bucket(point)


def _by_bucket(point: HistogramDataPoint) -> _Buckets:
    """The last exemplar of each bucket; one without a trace leads nowhere."""
    found: dict[str, Exemplar] = {}
    for one in sorted(point.exemplars, key=lambda one: one.time_unix_nano):
        if one.trace_id and one.span_id:
            bound = next((str(upper) for upper in point.explicit_bounds if one.value <= upper), "+Inf")
            leads = {"trace_id": f"{one.trace_id:032x}", "span_id": f"{one.span_id:016x}"}
            found[bound] = Exemplar(leads, one.value, one.time_unix_nano / 1e9)
    return found


def _with_exemplar(family: str, sample: Sample, seen: Mapping[_Series, _Buckets]) -> Sample:
    """A bucket with its exemplar; labels that the exporter filled up with nothing are none."""
    labels = frozenset((key, value) for key, value in sample.labels.items() if key != "le" and value)
    exemplar = seen.get((family, labels), {}).get(sample.labels.get("le", ""))
    return sample if exemplar is None else sample._replace(exemplar=exemplar)


class _Quiet(WSGIRequestHandler):
    """Writes no log, and waits for nobody longer than a few seconds."""

    timeout = _SLOW_S

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the library's
        """Say nothing: what is asked here is always the same."""


class _Threads(ThreadingMixIn, WSGIServer):
    """A thread for each request, of which there are few at a time: one scrape waits for nobody who sends slowly."""

    daemon_threads = True

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._room = Semaphore(_AT_ONCE)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Begin it, or close what would be one too many."""
        if self._room.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """End it in time, however slowly it is sent."""
        late = Timer(_LONGEST_S, _cut, (request,))
        late.daemon = True
        late.start()
        try:
            super().process_request_thread(request, client_address)
        finally:
            late.cancel()
            self._room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that was slow or went away: the library would print a whole stack for each."""


def _cut(request: socket) -> None:
    """Let nobody wait for this connection any more."""
    with suppress(OSError):  # it has ended meanwhile
        request.shutdown(SHUT_RDWR)


class Scrape:
    """Serves the metrics at `http://<address>/metrics` from a thread of its own.

    `address` is `host:port`. With `ports` more than one, the first that is free from there on is taken: each worker has
    metrics of its own. Raises `SettingsError` when none is.
    """

    def __init__(self, reader: Reader, address: str, ports: int) -> None:
        registry = CollectorRegistry()
        registry.register(Families(reader))
        host, _, port = address.rpartition(":")
        own = is_loopback(f"http://{address}")
        app = _only(make_wsgi_app(registry), own)
        self._server = _bind(host.strip("[]"), int(port), ports, app)
        self.url = f"http://{host}:{self._server.server_port}{PATH}"
        self._thread = Thread(target=self._server.serve_forever, name="narrows-metrics", daemon=True)
        self._thread.start()
        _log.info("metrics can be read at %s", self.url)

    def close(self) -> None:
        """Stop to listen."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _bind(host: str, port: int, ports: int, app: Callable[..., Any]) -> WSGIServer:
    kind = type("_Server", (_Threads,), {"address_family": AF_INET6 if ":" in host else AF_INET})
    for number in range(port, port + ports):
        try:
            return make_server(host, number, app, kind, _Quiet)
        except OSError:
            continue
    raise SettingsError(
        f"telemetry.prometheus: none of the {ports} port(s) from {port} on can be listened on. Remedy: name another, "
        "or raise telemetry.prometheus_ports to the number of workers."
    )


def _only(app: Callable[..., Any], own: bool) -> Callable[..., Any]:
    """Answer one path alone; on loopback to nobody who was led here by a name, as the page of a browser may be."""

    def serve(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] != PATH or (own and not _is_own(environ.get("HTTP_HOST", ""))):
            start_response("404 Not Found", [("Content-Type", "text/plain")])
            return [b"There is nothing but /metrics.\n"]
        served: Iterable[bytes] = app(environ, start_response)
        return served

    return serve


def _is_own(host: str) -> bool:
    try:
        return not host or is_loopback(f"http://{host}")
    except ValueError:  # no host at all, such as `[`
        return False
