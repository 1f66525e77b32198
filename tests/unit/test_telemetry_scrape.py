"""The listener from which Prometheus reads: names, exemplars, whom it answers, and which port it takes."""

from __future__ import annotations

import http.client
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from opentelemetry.sdk.metrics import AlwaysOnExemplarFilter, MeterProvider
from opentelemetry.sdk.trace import TracerProvider

from narrows.errors import SettingsError
from narrows.settings import TelemetrySettings, read_settings
from narrows.telemetry import Telemetry
from narrows.telemetry_names import METRICS, label, prometheus
from narrows.telemetry_scrape import Reader, Scrape

OPENMETRICS = {"Accept": "application/openmetrics-text; version=1.0.0"}
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SOUND = [(b"traceparent", f"00-{TRACE}-00f067aa0ba902b7-01".encode())]


def get(url: str, path: str = "/metrics", **headers: str) -> tuple[int, str]:
    """One request to the listener: status and text."""
    host = url.removeprefix("http://").partition("/")[0]
    connection = http.client.HTTPConnection(host, timeout=10)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    read = answer.status, answer.read().decode()
    connection.close()
    return read


@contextmanager
def scraped(address: str = "127.0.0.1:0") -> Iterator[tuple[Telemetry, Scrape]]:
    """Telemetry of a test, and the listener where its metrics are read."""
    reader, tracers = Reader(), TracerProvider(shutdown_on_exit=False)
    # As when OTEL_METRICS_EXEMPLAR_FILTER says so: what fell into a bucket outside of any trace is an exemplar too.
    meters = MeterProvider([reader], exemplar_filter=AlwaysOnExemplarFilter(), shutdown_on_exit=False)
    settings = read_settings({"public_url": "https://bff.test"}, environ={})
    scrape = Scrape(reader, address, 1)
    try:
        yield Telemetry.build(settings, tracer_provider=tracers, meter_provider=meters), scrape
    finally:
        scrape.close()
        meters.shutdown()
        tracers.shutdown()


def use(telemetry: Telemetry) -> None:
    """Put a number into every metric there is."""
    for name, metric in METRICS.items():
        if all(key.startswith("narrows.") for key in metric.labels) and "error.type" not in metric.labels:
            telemetry.record(name, 1, **{key.removeprefix("narrows."): "x" for key in metric.labels})
    span = telemetry.start_call("GET", SOUND)
    with span.child("Tables.book"):
        pass
    span.end(500, "urn:narrows:problem:internal-error")


def test_every_metric_is_shown_under_its_name_with_its_labels() -> None:
    """The names and labels that rules and dashboards are written with are those that Prometheus reads."""
    with scraped() as (telemetry, scrape):
        use(telemetry)
        status, text = get(scrape.url)
    assert status == 200
    shown: dict[str, set[str]] = {}
    for name, labels in re.findall(r"^(\w+)(?:\{(.*)\})? \S+$", text, re.MULTILINE):
        shown.setdefault(name, set()).update(re.findall(r"(\w+)=", labels))
    for name, metric in METRICS.items():
        series = [prometheus(name)]
        if metric.kind == "histogram":
            series = [f"{prometheus(name)}_{part}" for part in ("bucket", "sum", "count")]
        labels = {label(key) for key in metric.labels} - {"error_type"}
        for one in series:
            assert labels <= shown.get(one, {"(not shown)"}), one
    assert "target_info{" in text


def test_buckets_lead_to_traces() -> None:
    """Whoever asks for OpenMetrics reads the trace that fell into a bucket, and the plain text has none."""
    with scraped() as (telemetry, scrape):
        telemetry.start_call("GET", SOUND).end(200, None)
        telemetry.record("narrows.call.duration", 99, endpoint="x")  # within no trace
        _, text = get(scrape.url, **OPENMETRICS)
        _, plain = get(scrape.url)
    found = re.findall(r'^(\w+)_bucket\{.*le="([^"]+)".*\} 1\.0 # \{(.*)\} ', text, re.MULTILINE)
    assert {name for name, _, _ in found} == {"narrows_call_duration_seconds", "http_server_request_duration_seconds"}
    assert all(f'trace_id="{TRACE}"' in leads for _, _, leads in found)
    assert TRACE not in plain


@pytest.mark.parametrize(
    ("path", "host"),
    [
        ("/", "127.0.0.1"),
        ("/admin", "127.0.0.1"),
        ("/metrics", "evil.test"),
        ("/metrics", "127.0.0.1.evil.test"),
        ("/metrics", "["),
        ("/metrics", "me@127.0.0.1:9464@evil.test"),
    ],
)
def test_nothing_else_is_answered(path: str, host: str) -> None:
    """Another path is not there, and neither is anything for a page that reached loopback by a name of its own."""
    with scraped() as (telemetry, scrape):
        use(telemetry)
        status, text = get(scrape.url, path, Host=host)
        assert (status, text) == (404, "There is nothing but /metrics.\n")
        assert get(scrape.url, Host="localhost:9464")[0] == 200


def test_a_declared_listener_is_called_by_any_name(caplog: pytest.LogCaptureFixture) -> None:
    """Off loopback a scraper uses whatever name leads there; where it listens is told to the operators."""
    with caplog.at_level(logging.INFO, "narrows.telemetry"), scraped("0.0.0.0:0") as (_, scrape):
        assert get(scrape.url, Host="bff-7.cluster.test:9464")[0] == 200
    assert scrape.url in caplog.text


def test_each_worker_takes_a_port_of_its_own() -> None:
    """The first that is free; when all are taken, the start is refused and says what to raise."""
    with scraped() as (_, first):
        port = int(first.url.partition("127.0.0.1:")[2].partition("/")[0])
        second = Scrape(Reader(), f"127.0.0.1:{port}", 5)
        try:
            assert second.url != first.url
        finally:
            second.close()
        with pytest.raises(SettingsError, match=r"prometheus_ports"):
            Scrape(Reader(), f"127.0.0.1:{port}", 1)


def test_ipv6_is_listened_on() -> None:
    """An address in brackets is one of IPv6."""
    with scraped("[::1]:0") as (_, scrape):
        assert scrape.url.startswith("http://[::1]:")
        assert get(scrape.url)[0] == 200


async def test_the_settings_alone_make_it_listen() -> None:
    """From `start` on, and no longer than to `close`; without a collector no span is made that nobody would keep."""
    port = free_port()
    settings = read_settings(
        {"public_url": "https://bff.test", "telemetry": {"prometheus": f"127.0.0.1:{port}"}}, environ={}
    )
    telemetry = Telemetry.build(settings)
    url = f"http://127.0.0.1:{port}/metrics"
    try:
        with pytest.raises(ConnectionRefusedError):
            get(url)
        telemetry.start()
        span = telemetry.start_call("GET", SOUND)
        assert span.span_id is None
        span.end(200, None)
        _, text = get(url)
        assert 'narrows_calls_total{narrows_endpoint="unmatched"' in text
        assert 'service_name="narrows"' in text
    finally:
        await telemetry.close()
    with pytest.raises(ConnectionRefusedError):
        get(url)


def test_without_the_listener_nothing_is_listened_on() -> None:
    """An application that exports nothing, or to a collector alone, opens no port."""
    assert TelemetrySettings().prometheus is None
    Telemetry.build(read_settings({"public_url": "https://bff.test"}, environ={})).start()


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])
