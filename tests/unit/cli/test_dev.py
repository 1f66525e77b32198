"""`narrows dev`: its options, how it ends, and what it says when it cannot begin."""

import signal
import socket

import pytest
from click.testing import CliRunner

from narrows.cli import main
from narrows.cli.dev import _ended


def dev(*arguments):
    """Run the command within this process."""
    return CliRunner().invoke(main, ["dev", *arguments])


@pytest.fixture(autouse=True)
def with_its_signal():
    """The command takes over the signal that ends it."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def serving(monkeypatch, serve):
    """Put something else in the place of what serves."""
    monkeypatch.setattr("narrows.devkit.dev.run.serve", serve)


def test_its_options_reach_what_serves(monkeypatch):
    """And the exit code of the serving process is the command's own."""
    given = []

    def serve(target, settings, **how):
        given.append((target, settings, how))
        return 3

    serving(monkeypatch, serve)
    result = dev("lunch:bff", "--port", "0", "--settings", "a.toml", "--no-reload", "--open")
    assert result.exit_code == 3
    assert dev("lunch:bff").exit_code == 3
    assert given == [
        ("lunch:bff", "a.toml", {"port": 0, "reload": False, "open_browser": True}),
        ("lunch:bff", None, {"port": 8000, "reload": True, "open_browser": False}),
    ]


def test_ctrl_c_is_no_failure(monkeypatch):
    """It is how a person ends it; TERM ends it in order too."""

    def serve(*_, **__):
        raise KeyboardInterrupt

    serving(monkeypatch, serve)
    result = dev("lunch:bff")
    assert (result.exit_code, "Ended." in result.stderr) == (0, True)
    with pytest.raises(SystemExit):
        _ended()


def test_a_taken_port_is_told_with_a_remedy():
    """Instead of a stack."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = dev("lunch:bff", "--port", str(taken.getsockname()[1]))
    assert result.exit_code == 1
    assert "Address already in use" in result.stderr
    assert "--port 8001" in result.stderr
