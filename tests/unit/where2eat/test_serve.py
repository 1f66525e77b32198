import contextlib
import json
import logging
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from examples.where2eat.serve import JsonLines

ROOT = Path(__file__).parents[3]
TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def real_issuer(issuer):
    """The issuer of the tests, listening on loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            answer = issuer.answer(httpx.Request("GET", f"{issuer.url}{self.path}"))
            self.send_response(answer.status_code)
            self.send_header("content-length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        def log_message(self, *args):
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        issuer.url = f"http://127.0.0.1:{server.server_port}"
        issuer.now = time.time
        yield issuer
        server.shutdown()
        thread.join()


@contextlib.contextmanager
def running(*arguments):
    """A service as a process; gives what it announced, and stops it afterwards."""
    command = [sys.executable, "-m", "examples.where2eat.serve", *map(str, arguments)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own module
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()
            process.wait(timeout=10)


@pytest.mark.parametrize(
    ("name", "path", "scope"),
    [
        ("people", "/teams/7", "profiles:read"),
        ("places", "/places/node-266071059", "places:read"),
        ("tables", "/teams/7/bookings", "bookings:read"),
    ],
)
def test_a_service_runs_as_a_process(real_issuer, tmp_path, name, path, scope):
    """Each service announces where it listens, serves with a real token, and keeps its log and spans in files."""
    log, spans, database = tmp_path / "log", tmp_path / "spans", tmp_path / "db"
    options = ("--issuer", real_issuer.url, "--log", log, "--spans", spans, "--database", database)
    token = real_issuer.token(f"{name}-api", scope)
    with running(name, *options) as announced:
        headers = {"authorization": f"Bearer {token}", "traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
        answer = httpx.get(announced["url"] + path, headers=headers, trust_env=False)
        refused = httpx.get(announced["url"] + path, trust_env=False)
    assert announced == {"ready": name, "url": announced["url"]}
    assert announced["url"].startswith("http://127.0.0.1:")
    assert (answer.status_code, refused.status_code) == (200, 401)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    requests = [line for line in lines if line["message"] == "request"]
    assert [(line["status"], line["trace_id"] == TRACE) for line in requests] == [(200, True), (401, False)]
    assert token not in log.read_text()
    kept = [json.loads(line) for line in spans.read_text().splitlines()]
    assert kept[0]["context"]["trace_id"] == f"0x{TRACE}"
    assert kept[0]["resource"]["attributes"]["service.name"] == f"where2eat-{name}"
    assert database.exists() == (name == "tables")


def test_an_unknown_service_does_not_start():
    """There are three services, and each needs an issuer."""
    for arguments in (["weather", "--issuer", "https://issuer.test"], ["people"]):
        command = [sys.executable, "-m", "examples.where2eat.serve", *arguments]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)  # noqa: S603 - our own module
        assert done.returncode == 2
        assert done.stdout == b""


def test_the_log_names_a_fault_by_its_type():
    """What an exception says may hold anything, so that only its type is logged."""
    try:
        raise ValueError("token=abc")
    except ValueError:
        record = logging.LogRecord("a", logging.ERROR, __file__, 1, "fault", (), sys.exc_info())
    line = json.loads(JsonLines("people").format(record))
    assert (line["service"], line["level"], line["message"], line["error"]) == (
        "people",
        "ERROR",
        "fault",
        "ValueError",
    )
    assert "abc" not in str(line)
