import io
import os
import queue
import runpy
import socket
import sys
import threading

import httpx
import msgspec
import pytest

from narrows.devkit.dev import child
from narrows.devkit.dev.orders import Orders, Run, Told
from tests.unit.cli.lunch import write_lunch
from tests.unit.devkit.dev.trial import NOTHING_THERE

PATIENCE_S = 60


class Serving(threading.Thread):
    """The serving process as a thread, with its orders on a pipe."""

    def __init__(self, folder, target):
        super().__init__()
        self.listener = socket.create_server(("127.0.0.1", 0))
        port = self.listener.getsockname()[1]
        self.run_of = Run.begin(target, None, port=port, descriptor=self.listener.fileno(), folder=str(folder))
        self.told, self.lines = queue.Queue(), []
        reading, self._writing = os.pipe()
        self._orders = os.fdopen(reading)
        os.write(self._writing, msgspec.json.encode(Orders(run=self.run_of, generation=1)) + b"\n")

    def run(self):
        with self._orders:
            child.main(self._orders, self.told.put, self.lines.append, NOTHING_THERE)

    def until(self, what):
        """What it tells, up to that."""
        found = []
        while not found or found[-1].what != what:
            found.append(self.told.get(timeout=PATIENCE_S))
        return found

    def end(self):
        """What the watching process does when it ends."""
        os.close(self._writing)
        self.join(PATIENCE_S)
        self.listener.close()


@pytest.fixture
def serving(in_a_folder):
    """Starts what serves, and ends it."""
    started = []

    def start(target):
        started.append(Serving(in_a_folder, target))
        started[-1].start()
        return started[-1]

    yield start
    for one in started:
        one.end()
        assert not one.is_alive()


def test_it_serves_what_it_was_ordered_until_its_orders_end(serving, in_a_folder):
    """It tells each step and the facts of the banner, serves, writes a line for each call, and ends with the pipe."""
    write_lunch(in_a_folder, "served_lunch")
    one = serving("served_lunch:bff")
    *steps, ready = one.until("ready")
    assert [step.text for step in steps] == [
        "importing served_lunch:bff", "looking for issuers and upstreams", "making the plan",
    ]  # fmt: skip
    assert any(one.run_of.link in line for line in ready.facts)
    assert str(in_a_folder) in ready.watch
    assert httpx.get(f"{one.run_of.origin}/health").json() == {"status": "ok"}
    assert one.lines == [f"  200 live     GET    narrows./health  {one.lines[0].split()[-2]} ms"]


def test_a_file_that_cannot_be_imported_is_told_and_shown(serving, in_a_folder):
    """The pages serve, and name the line."""
    (in_a_folder / "broken_lunch.py").write_text("import narrows\nboom\n")
    one = serving("broken_lunch:bff")
    refused = one.until("refused")[-1]
    [reason] = refused.refusals
    assert (reason.where, reason.rule) == (f"{in_a_folder}/broken_lunch.py:2", "NameError: name 'boom' is not defined")
    link = httpx.get(one.run_of.link)
    cookie = link.headers["set-cookie"].partition(";")[0]
    state = httpx.get(f"{one.run_of.origin}/dev/api/state", headers={"cookie": cookie}).json()
    assert state["refusals"][0]["where"] == reason.where


def test_a_target_that_is_not_there_says_what_is(serving, in_a_folder):
    """A typing error in the target is a reason like any other."""
    write_lunch(in_a_folder, "misnamed_lunch")
    [reason] = serving("misnamed_lunch:bf").until("refused")[-1].refusals
    assert "There is: bff" in reason.rule


def test_without_orders_it_ends():
    """When the watching process ends before it needs this one, nothing is left behind."""
    told = []
    child.main(io.StringIO(""), told.append, print)
    assert told == []


def test_as_a_process_it_tells_by_the_file_that_it_is_given(in_a_folder, monkeypatch):
    """Its heavy modules are loaded before it asks for orders."""
    reading, writing = os.pipe()
    monkeypatch.setattr(sys, "argv", ["child", str(writing)])
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    with pytest.warns(RuntimeWarning, match="found in sys.modules"):
        runpy.run_module("narrows.devkit.dev.child", run_name="__main__")
    assert os.read(reading, 10) == b""
    os.close(reading)
    out = io.BytesIO()
    child._write(out, Told(what="ready"))
    assert msgspec.json.decode(out.getvalue(), type=Told) == Told(what="ready")


def test_as_a_process_it_prints_and_tells(in_a_folder, monkeypatch, capsys):
    """Lines for the person go to stdout, those for the watching process to the pipe."""
    reading, writing = os.pipe()
    monkeypatch.setattr(sys, "argv", ["child", str(writing)])

    def main(orders_from, tell, print_line):
        print_line("  200 live")
        tell(Told(what="step", text="x"))

    monkeypatch.setattr(child, "main", main)
    child.run()
    assert capsys.readouterr().out == "  200 live\n"
    assert msgspec.json.decode(os.read(reading, 4096), type=Told).text == "x"
    os.close(reading)
