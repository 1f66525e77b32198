"""One trace from the copilot over the BFF to its upstreams, as a real OpenTelemetry Collector receives it."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.interop.hostile import ROOT
from tests.interop.servers import Server

COLLECTOR = ROOT / "build" / "peers" / "otelcol"
NOTE = "canary-note-7f3a"
PATIENCE_S = 60
CONFIG = """
receivers: {{otlp: {{protocols: {{http: {{endpoint: "127.0.0.1:{port}"}}}}}}}}
processors: {{batch: {{timeout: 100ms}}}}
exporters: {{debug: {{verbosity: detailed, use_internal_logger: false, output_paths: [stdout]}}}}
service:
  telemetry: {{metrics: {{level: none}}, logs: {{level: warn}}}}
  pipelines:
    traces: {{receivers: [otlp], processors: [batch], exporters: [debug]}}
    metrics: {{receivers: [otlp], processors: [batch], exporters: [debug]}}
"""


class Collector(Server):
    """The Collector; what it receives it writes down whole."""

    def __init__(self, folder: Path) -> None:
        assert COLLECTOR.exists(), "otelcol is missing: `.ci/setup-otelcol` builds it, and `make interop` calls that"
        super().__init__("otelcol", folder, lambda _: (COLLECTOR, "--config", folder / "config.yaml"))
        (folder / "config.yaml").write_text(CONFIG.format(port=self.port), encoding="utf-8")

    @property
    def url(self) -> str:
        """Where it takes OTLP."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def received(self) -> str:
        """Everything so far."""
        return self.log.read_text(encoding="utf-8")


class Span:
    """One span as the Collector tells it."""

    def __init__(self, service: str, text: str) -> None:
        def told(name: str) -> str:
            return re.search(rf"^    {name} *: (.*)$", text, re.MULTILINE)[1].strip()

        self.service, self.text = service, text
        self.name, self.kind = told("Name"), told("Kind")
        self.trace, self.id, self.parent = told("Trace ID"), told("ID"), told("Parent ID")


def spans(received: str) -> list[Span]:
    """The spans of all programs."""
    found = []
    for resource in received.split("ResourceSpans #")[1:]:
        service = re.search(r"service\.name: Str\(([^)]*)\)", resource)[1]
        found += [Span(service, text) for text in re.split(r"^Span #\d+$", resource, flags=re.MULTILINE)[1:]]
    return found


def run(command, environment, **more):
    """One program of ours."""
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, **more)  # noqa: S603 # ours


@pytest.fixture(scope="module")
def told(tmp_path_factory) -> tuple[str, str]:
    """What the Collector received, and the token that the copilot had, after one walk to a rehearsed booking."""
    collector = Collector(tmp_path_factory.mktemp("otelcol"))
    collector.start()
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'framework'}{os.pathsep}{ROOT}"}
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    here = [sys.executable, "-m"]
    world = [*here, "examples.where2eat.dev", "--json", "--port", str(port), "--collector", collector.url]
    try:
        with run([*world, "--folder", str(tmp_path_factory.mktemp("world"))], environment) as served:
            try:
                origin = json.loads(served.stdout.readline())["origin"]
                walk = [
                    *here,
                    "examples.where2eat.copilot",
                    "--server",
                    origin,
                    "--as",
                    "anna",
                    "--spans",
                    collector.url,
                ]
                with run([*walk, "--print-token"], environment) as printing:
                    token = printing.communicate(timeout=PATIENCE_S)[0].strip()
                with run([*walk, "--note", NOTE], environment, stdin=subprocess.DEVNULL) as copilot:
                    printed = copilot.communicate(timeout=PATIENCE_S)[0]
                assert "Nothing was booked." in printed, printed
            finally:
                served.send_signal(signal.SIGTERM)
        # All programs have ended and sent what they had; the Collector hands it on a moment later.
        until = time.monotonic() + PATIENCE_S
        while "narrows.calls" not in collector.received and time.monotonic() < until:
            time.sleep(0.05)
    finally:
        collector.stop()
    return collector.received, token


def test_one_trace_leads_from_the_copilot_to_the_upstreams(told):
    """Every hop has the one before for its parent, and all of it is one trace."""
    found = spans(told[0])
    by_id = {span.id: span for span in found}
    (root,) = [span for span in found if span.name == "copilot lunch"]
    assert root.parent == ""
    for service, name in (("people", "GET /teams/{team_id}"), ("places", "GET /places")):
        span = next(
            one for one in found
            if one.service == f"where2eat-{service}" and one.name == name and one.trace == root.trace
        )  # fmt: skip
        way = [span]
        while way[-1].parent:
            way.append(by_id[way[-1].parent])
        assert [(one.service, one.kind) for one in way] == [
            (f"where2eat-{service}", "Server"),
            ("narrows", "Client"),
            ("narrows", "Internal"),
            ("narrows", "Server"),
            ("where2eat-copilot", "Client"),
            ("where2eat-copilot", "Internal"),
        ]
        assert {one.trace for one in way} == {root.trace}
        assert [one.name for one in way[1:4]] == [
            name,
            {"people": "People.team", "places": "Places.nearby"}[service],
            "GET /teams/{team_id}/dining-suggestions",
        ]


def test_the_rehearsal_is_of_the_same_trace_and_sends_no_write(told):
    """The booking that is rehearsed is below the copilot too, and no upstream got a write."""
    found = spans(told[0])
    (root,) = [span for span in found if span.name == "copilot lunch"]
    (rehearsed,) = [one for one in found if one.service == "narrows" and one.name == "POST /teams/{team_id}/bookings"]
    assert rehearsed.trace == root.trace
    assert "narrows.mode: Str(rehearse)" in rehearsed.text
    assert not [span for span in found if span.service == "where2eat-tables" and span.name.startswith("POST")]


def test_metrics_arrive_beside_the_traces(told):
    """With the same names, and with exemplars that lead to a trace that arrived."""
    received, _ = told
    for name in ("narrows.calls", "narrows.call.duration", "narrows.exchanges", "narrows.slo.calls"):
        assert f"Name: {name}\n" in received
    exemplars = set(re.findall(r"^Exemplar #\d+\n\s+-> Trace ID: ([0-9a-f]{32})$", received, re.MULTILINE))
    assert exemplars & {span.trace for span in spans(received)}


def test_nothing_of_what_was_said_is_in_it(told):
    """No token, id, query, note, name or host of a person, in no span and no metric."""
    received, token = told
    assert token.count(".") == 2
    secret = [token, token.rpartition(".")[2], NOTE, "eyJ", "anna", "Anna", "open_at", "/teams/7", "team:7", "lat="]
    assert [value for value in secret if value in received] == []
