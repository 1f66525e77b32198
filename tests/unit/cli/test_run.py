"""`narrows run`: it serves, says where, and refuses in words."""

import io
import json
import logging
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
from logging.handlers import QueueHandler

import httpx
import pytest
from click.testing import CliRunner

from narrows.cli import main
from narrows.cli.run import _serve
from narrows.cli.server import Server, Watched, url_of
from narrows.cli.target import load
from narrows.settings import Secret, read_settings
from narrows.settings.absent import secrets_of
from tests.unit.cli.lunch import write_lunch
from tests.unit.surfaces.test_serving_protocol import make_certificate

PATIENCE_S = 30


def run(*arguments):
    """Run the command within this process."""
    return CliRunner().invoke(main, ["run", *arguments])


class Caller(threading.Thread):
    """Waits until the server says where it serves, asks for its health, and presses Ctrl-C."""

    def __init__(self):
        super().__init__()
        self.said = queue.Queue()
        self.status = 0
        self.url = ""
        self.handler = QueueHandler(self.said)
        logging.getLogger("narrows.cli").addHandler(self.handler)

    def run(self):
        self.url = self.said.get(timeout=PATIENCE_S).getMessage().rpartition(" ")[2]
        self.status = httpx.get(f"{self.url}/health", headers={"Host": "lunch"}).status_code
        # The answer has proved that the server's own handler of the signal is in place.
        os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture
def caller():
    """A caller from the side, which ends the server."""
    made = Caller()
    yield made
    logging.getLogger("narrows.cli").removeHandler(made.handler)


def test_it_serves_until_a_person_ends_it(tmp_path, caller):
    """Port 0 takes a free port, the log says which, and Ctrl-C is a clean end."""
    write_lunch(tmp_path, "lunch_served")
    caller.start()
    result = run("lunch_served:bff")
    caller.join(PATIENCE_S)
    assert (result.exit_code, caller.status) == (0, 200)
    (announced,) = [json.loads(line) for line in result.stderr.splitlines() if '"narrows.cli"' in line]
    assert announced["message"] == f"lunch 1.0.0 serves on {caller.url}"
    assert announced["level"] == "info"


def test_ctrl_c_while_it_runs_is_no_failure():
    """Wherever in the server it is pressed, a person who ends the command reads no stack."""

    def pressed():
        raise KeyboardInterrupt

    assert _serve(None, pressed) is None


def test_a_declaration_that_is_refused_is_listed_in_words(tmp_path):
    """Exit code 2, each reason with code and remedy, no stack."""
    write_lunch(tmp_path, "lunch_refused", more='bare = Bff("bare")\n')
    result = run("lunch_refused:bare")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("narrows: 7 declaration(s) are not safe to start:\n")
    assert "Traceback" not in result.stderr


def test_an_issuer_that_must_not_be_believed_is_refused_in_words_too(tmp_path):
    """What is found out only while starting is told in the same way."""
    write_lunch(tmp_path, "lunch_issuer", issuer="http://issuer.test")
    result = run("lunch_issuer:bff")
    assert result.exit_code == 2
    assert "issuers.corp: its url is not a plain https URL [issuer-insecure]" in result.stderr
    assert "Traceback" not in result.stderr
    assert "startup failed" not in result.stderr


def test_settings_that_do_not_hold_are_refused(tmp_path):
    """An unknown key is named."""
    settings = write_lunch(tmp_path, "lunch_settings")
    settings.write_text('public_url = "http://127.0.0.1:8000"\npubic = true\n', encoding="utf-8")
    result = run("lunch_settings:bff")
    assert result.exit_code == 2
    assert "unknown field `pubic`" in result.stderr


def test_a_port_that_is_taken_ends_the_start(tmp_path):
    """It is no refusal: exit code 3, and the log says why as JSON."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        write_lunch(tmp_path, "lunch_taken", port=taken.getsockname()[1])
        result = run("lunch_taken:bff")
    assert result.exit_code == 3
    (line,) = [json.loads(line) for line in result.stderr.splitlines() if "uvicorn" in line]
    assert "address already in use" in line["message"]


def test_a_fault_at_start_is_logged_without_secrets(tmp_path, monkeypatch):
    """A fault of ours is not told as a refusal; its stack is there, and what the settings keep secret is not."""
    monkeypatch.setenv("LUNCH_KEY", "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LTEyMzQ=")
    settings = write_lunch(tmp_path, "lunch_fault", more=FAULT)
    with settings.open("a", encoding="utf-8") as file:
        file.write('[stores]\nkey = { env = "LUNCH_KEY" }\n')
    result = run("lunch_fault:application")
    assert result.exit_code == 3
    lines = [json.loads(line) for line in result.stderr.splitlines()]
    assert any(line.get("error") == "RuntimeError: no key *** here" for line in lines)
    assert "c2VjcmV0" not in result.stderr


FAULT = """
import os
from narrows import app, load_settings
application = app(bff, load_settings("narrows.toml"))

async def start():
    raise RuntimeError(f"no key {os.environ['LUNCH_KEY']} here")

application.plan.start = start
"""


def test_what_the_export_of_telemetry_says_is_json_too(tmp_path):
    """A collector that is away is told as everything else is: one line, no token in it, and nothing on the root."""
    write_lunch(tmp_path, "lunch_exported")
    said = io.StringIO()
    Server.of(load("lunch_exported:bff", None), said)
    log = logging.getLogger("opentelemetry.exporter.otlp")
    log.warning("cannot reach the collector with Bearer abcdefghijk")
    log.info("not of interest")
    (line,) = [json.loads(one) for one in said.getvalue().splitlines()]
    assert (line["level"], line["logger"]) == ("warning", "opentelemetry.exporter.otlp")
    assert line["message"] == "cannot reach the collector with ***"


def test_every_secret_of_the_settings_is_known_to_the_log():
    """A secret at any depth is masked: of a client in a table of issuers, of the stores."""
    settings = read_settings(
        {
            "public_url": "https://bff.test",
            "stores": {"key": Secret("one")},
            "issuers": {
                "corp": {"url": "https://as.test", "audience": "a", "client": {"id": "b", "secret": Secret("two")}}
            },
        },
        environ={},
    )
    assert {secret.reveal() for secret in secrets_of(settings)} == {"one", "two"}


@pytest.mark.parametrize(
    ("host", "port", "tls", "wanted"),
    [
        ("127.0.0.1", 80, False, "http://127.0.0.1:80"),
        ("::1", 80, False, "http://[::1]:80"),
        ("10.0.0.1", 443, True, "https://10.0.0.1:443"),
    ],
)
def test_where_it_serves_is_a_url(host, port, tls, wanted, tmp_path):
    """The line in the log can be clicked, also with TLS and IPv6."""
    settings = write_lunch(tmp_path, f"lunch_url_{port}_{len(host)}")
    if tls:
        certificate, key = make_certificate(tmp_path)
        text = settings.read_text().replace("port = 0", f'tls_certificate = "{certificate}"\ntls_key = "{key}"')
        settings.write_text(text)
    server = Server.of(load(f"lunch_url_{port}_{len(host)}:bff", None), sys.stderr)
    assert url_of(host, port, tls=server._tls) == wanted


async def test_requests_pass_the_watch_untouched(tmp_path):
    """What stands around the application concerns its start alone."""
    write_lunch(tmp_path, "lunch_watched")
    watched = Watched(load("lunch_watched:bff", None))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(watched), base_url="http://lunch") as client:
        assert (await client.get("/health")).json() == {"status": "ok"}


def test_a_live_run_never_imports_the_devkit(tmp_path):
    """The embedded authorization server has no place in production, so its code is not even loaded."""
    write_lunch(tmp_path, "lunch_live", more=TELL)
    script = "from narrows.cli import main; main(['run', 'lunch_live:bff'])"
    with subprocess.Popen(  # noqa: S603 - our own text
        [sys.executable, "-c", script], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        announced = next(line for line in process.stderr if "serves on" in line)
        url = json.loads(announced)["message"].rpartition(" ")[2]
        answer = httpx.get(f"{url}/lunch", headers={"Host": "lunch"})
        process.send_signal(signal.SIGINT)
        told, _ = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, answer.status_code) == (0, 401)
    imported = told.rpartition("imported:")[2].split()
    assert "narrows.pipeline" in imported
    assert [name for name in imported if name.startswith(("narrows.devkit", "narrows.testing"))] == []


TELL = """
import atexit, sys
atexit.register(lambda: print("imported:", *sorted(name for name in sys.modules if name.startswith("narrows"))))
"""
