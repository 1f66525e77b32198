"""The watching process with real serving processes."""

import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time

import httpx
import pytest

from narrows.devkit.dev import run as running
from narrows.devkit.dev.orders import Run
from narrows.devkit.dev.supervise import Child, Supervisor
from narrows.devkit.dev.watch import Watch
from tests.unit.cli.lunch import write_lunch

PATIENCE_S = 60


class Watching(threading.Thread):
    """The watching process as a thread: what it says is a queue, and a fault of its own makes it end."""

    def __init__(self, folder, target, *, reload=True):
        super().__init__()
        self.listener = socket.create_server(("127.0.0.1", 0))
        port = self.listener.getsockname()[1]
        self.run_of = Run.begin(target, None, port=port, descriptor=self.listener.fileno(), folder=str(folder))
        self.said, self.opened, self.code = queue.Queue(), [], None
        self.watch = Watch([folder]) if reload else None
        self.supervisor = Supervisor(self.run_of, self.watch, self.said.put, self.opened.append)
        self.ending = False

    def run(self):
        try:
            self.code = self.supervisor.run()
        except RuntimeError:
            assert self.ending

    def until(self, text):
        """Wait until it says something, and give that."""
        while True:
            lines = "\n".join(self.said.get(timeout=PATIENCE_S))
            if text in lines:
                return lines

    def end(self):
        """Interrupt it as Ctrl-C would."""
        self.ending = True

        def interrupted():
            raise RuntimeError

        if self.watch is not None:
            self.watch.changed = interrupted
        self.join(PATIENCE_S)
        self.listener.close()

    def child(self):
        """The process id of what serves."""
        return self.supervisor._current._process.pid


@pytest.fixture
def watching(in_a_folder, monkeypatch):
    """Starts a watching process, and ends it."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path for path in sys.path if path))
    started = []

    def start(target, **how):
        started.append(Watching(in_a_folder, target, **how))
        started[-1].start()
        return started[-1]

    yield start
    for one in started:
        one.end()
        assert not one.is_alive()


def alive(process_id):
    """Whether a process runs."""
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_change_is_served_and_a_refused_start_waits_for_the_next_one(watching, in_a_folder):
    """Edit, break, mend: each is told, the port stays, and nothing runs on afterwards."""
    write_lunch(in_a_folder, "watched_lunch")
    app = in_a_folder / "watched_lunch.py"
    one = watching("watched_lunch:bff")
    assert one.run_of.link in one.until("ready in")
    assert one.opened == [one.run_of.link]
    first = one.child()
    whole = app.read_text()

    app.write_text(whole.replace("What there is.", "What there is today."))
    assert "watched_lunch.py changed" in one.until("changed")
    one.until("serving again after")
    assert "What there is today." in httpx.get(f"{one.run_of.origin}/openapi.json").text
    assert not alive(first)

    app.write_text(whole.replace('rate="30/minute"', ""))
    assert "rate-missing" in one.until("The start is refused")
    assert httpx.get(f"{one.run_of.origin}/health").status_code == 503

    app.write_text(whole)
    one.until("serving again after")
    assert httpx.get(f"{one.run_of.origin}/health").status_code == 200
    second = one.child()
    one.end()
    assert not alive(second)


def test_a_serving_process_that_dies_is_told_and_replaced_at_a_change(watching, in_a_folder):
    """Whatever a BFF does to its process, the watching one goes on."""
    write_lunch(in_a_folder, "dying_lunch")
    one = watching("dying_lunch:bff")
    one.until("ready in")
    os.kill(one.child(), signal.SIGKILL)
    assert f"ended with {-signal.SIGKILL}" in one.until("ended with")
    looks, look = threading.Semaphore(0), one.watch.changed
    one.watch.changed = lambda: looks.release() or look()
    for _ in range(3):
        assert looks.acquire(timeout=PATIENCE_S)
    fresh = in_a_folder / ".fresh"
    fresh.mkdir()
    for number in range(4):
        (fresh / f"more_{number}.py").write_text("")
    fresh.rename(in_a_folder / "more")
    assert "more_0.py, more_1.py, more_2.py …" in one.until("changed")
    one.until("serving again after")


def test_without_reload_it_ends_with_the_serving_process(watching, in_a_folder):
    """There is nothing to wait for, and the exit code is passed on."""
    write_lunch(in_a_folder, "single_lunch")
    one = watching("single_lunch:bff", reload=False)
    one.until("ready in")
    assert one.supervisor._spare is None
    os.kill(one.child(), signal.SIGKILL)
    one.join(PATIENCE_S)
    assert one.code == -signal.SIGKILL


def test_a_child_that_does_not_end_is_ended_by_force(in_a_folder, monkeypatch):
    """Nothing is left behind, even if it ignores what it is told."""
    stubborn = "import os, signal, sys, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    stubborn += 'os.write(int(sys.argv[1]), b\'{"what": "ready"}\\n\')\nwhile True: time.sleep(60)'
    monkeypatch.setattr("narrows.devkit.dev.supervise._CHILD", [sys.executable, "-c", stubborn])
    monkeypatch.setattr("narrows.devkit.dev.supervise._STOP_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        child = Child(listener.fileno())
        assert [told.what for told in child.heard(PATIENCE_S)] == ["ready"]
        assert child.heard(0) == []
        child.stop()
    assert child.exit_code() == -signal.SIGKILL


def test_when_the_watching_process_is_killed_the_serving_one_ends(in_a_folder):
    """Even then no process is left: its orders end, and so does it."""
    write_lunch(in_a_folder, "orphan_lunch")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    script = "from narrows.cli import main; main()"
    command = [sys.executable, "-c", script, "dev", "orphan_lunch:bff", "--port", "0", "--no-reload"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:  # noqa: S603 - ours
        said = ""
        while "ready in" not in said:
            line = process.stdout.readline()
            assert line, said
            said += line
        origin = said.partition("open")[2].split()[0].partition("/dev/")[0]
        assert httpx.get(f"{origin}/health").status_code == 200
        process.kill()
        deadline = time.monotonic() + PATIENCE_S
        while is_served(origin):
            assert time.monotonic() < deadline


def is_served(origin):
    """Whether anybody still answers."""
    try:
        httpx.get(f"{origin}/health", timeout=1)
    except httpx.HTTPError:
        return False
    return True


def test_serve_opens_a_socket_and_a_folder_for_its_run(in_a_folder, monkeypatch, capsys):
    """What it watches is the package and the settings; with --open the browser gets the link."""
    write_lunch(in_a_folder, "opened_lunch")
    seen = []

    class Noted:
        """Stands in for the supervisor, and looks at what it is given."""

        def __init__(self, run, watch, say, opened):
            seen.append((run, watch, opened))
            say(["said"])

        def run(self):
            return 7

    monkeypatch.setattr(running, "Supervisor", Noted)
    assert running.serve("opened_lunch:bff", "narrows.toml", port=0, reload=True, open_browser=True) == 7
    assert running.serve("absent_lunch:bff", None, port=0, reload=False, open_browser=False) == 7
    (run, watch, opened), (_, none, nothing) = seen
    assert run.port > 0
    assert watch._places == {in_a_folder, in_a_folder / "narrows.toml"}
    assert opened.__module__ == "webbrowser"
    assert (none, nothing("x")) == (None, None)
    assert running._watched("absent_lunch:bff", None) == []
    assert capsys.readouterr().out == "narrows dev opened_lunch:bff\nsaid\nnarrows dev absent_lunch:bff\nsaid\n"


def test_files_that_go_on_changing_do_not_hold_up_the_start(in_a_folder):
    """What was saved together starts one process; what never rests starts one too."""
    shown = iter([[in_a_folder / "b.py"], [in_a_folder / "a.py"], []] + [[in_a_folder / "c.py"]] * 20)

    class Restless:
        """A watch that is told what changed."""

        def changed(self):
            return next(shown)

    run = Run.begin("lunch:bff", None, port=1, descriptor=0, folder=str(in_a_folder))
    supervisor = Supervisor(run, Restless(), print)
    assert supervisor._changes(Restless()) == [in_a_folder / "a.py", in_a_folder / "b.py"]
    assert supervisor._changes(Restless()) == [in_a_folder / "c.py"]
