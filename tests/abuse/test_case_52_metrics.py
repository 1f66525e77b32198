"""Case 52, at the listener for Prometheus: who sends slowly takes no threads without end, and fills no log."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from narrows import telemetry_scrape
from tests.unit.test_telemetry_scrape import get, scraped, use


@contextmanager
def half_sent(port: int) -> Iterator[socket.socket]:
    """A connection over which a part of a request was sent."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as made:
        made.sendall(b"GET /met")
        yield made


def test_case_52_slow_senders_take_few_threads_and_no_log(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond a number they are closed at once, and when they have gone Prometheus is answered."""
    monkeypatch.setattr(telemetry_scrape, "_AT_ONCE", 4)
    with scraped() as (telemetry, scrape), ExitStack() as kept:
        use(telemetry)
        port = scrape._server.server_port
        slow = [kept.enter_context(half_sent(port)) for _ in range(4)]
        with half_sent(port) as more:
            assert gone(more)
        for one in slow:
            one.shutdown(socket.SHUT_RDWR)
        # A client that is gone before its thread has seen it may still be counted for a moment.
        answers = (answered(scrape.url) for _ in range(1000))
        assert next(status for status in answers if status) == 200
    assert "Traceback" not in capfd.readouterr().err


def test_case_52_a_request_that_never_ends_is_cut(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often something comes: the whole of it has a time."""
    monkeypatch.setattr(telemetry_scrape, "_LONGEST_S", 0.01)
    monkeypatch.setattr(telemetry_scrape._Quiet, "timeout", 60.0)
    with scraped() as (_, scrape), half_sent(scrape._server.server_port) as one:
        assert gone(one)
    assert "Traceback" not in capfd.readouterr().err


def gone(connection: socket.socket) -> bool:
    """Whether the other side ends it without a word."""
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True


def answered(url: str) -> int:
    """The status of an answer, or 0 for none."""
    try:
        return get(url)[0]
    except OSError:
        return 0
