"""Workers are kept: one that dies or is stuck is started again, a start that is refused ends all, and so does TERM."""

import asyncio
import logging
import os
import queue
import re
import runpy
import signal
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from logging.handlers import QueueHandler
from pathlib import Path

import httpx
import pytest
import uvicorn
from click.testing import CliRunner

from narrows.checks.workers import _BROKEN, port_refusals, worker_refusals
from narrows.cli import main, workers
from narrows.cli.run import MOST_WORKERS
from narrows.cli.worker import BEAT_S, Leash
from narrows.cli.workers import Supervisor, WorkerProcess, bind
from narrows.settings import Settings, StoreSettings, TelemetrySettings
from narrows.stores.opening import _KINDS
from tests.unit.cli.lunch import KEY, write_lunch

PATIENCE_S = 30
SHARED = """
[stores]
key = {{ env = "LUNCH_KEY" }}
redis = {{ env = "LUNCH_REDIS" }}
{stores}
"""


class FakeWorker:
    """A worker whose life a test decides."""

    def __init__(self, pid, obeys=True):
        self.pid = pid
        self.obeys = obeys
        self.beats = asyncio.Queue()
        self.signals = []
        self._ended = asyncio.get_running_loop().create_future()

    async def beat(self):
        return await self.beats.get()

    async def ended(self):
        return await asyncio.shield(self._ended)

    def send(self, number):
        self.signals.append(number)
        if number == signal.SIGKILL or self.obeys:
            self.die(-number)

    def lives(self):
        self.beats.put_nowait(True)

    def die(self, code):
        self.beats.put_nowait(False)
        if not self._ended.done():
            self._ended.set_result(code)


class Kept:
    """A supervisor with fake workers; pauses last no time and are noted."""

    def __init__(self, count=2, obeys=True, **how):
        self.started = asyncio.Queue()
        self.all = []
        self.pauses = []
        self.served = 0
        self.obeys = obeys
        self.now = 0.0
        how = {"grace_s": 5.0, "sleep": self.pause, "steady": lambda: self.now, **how}
        self.supervisor = Supervisor(self.start, count, **how)
        self.running = asyncio.create_task(self.supervisor.run(self.serving))

    async def start(self):
        worker = FakeWorker(len(self.all) + 1, self.obeys)
        self.all.append(worker)
        self.started.put_nowait(worker)
        return worker

    async def pause(self, seconds):
        self.pauses.append(seconds)

    def serving(self):
        self.served += 1

    async def next(self):
        return await asyncio.wait_for(self.started.get(), PATIENCE_S)

    async def stop(self):
        self.supervisor.stop()
        return await asyncio.wait_for(self.running, PATIENCE_S)


async def test_the_first_starts_alone_and_its_refusal_ends_all():
    """The reasons are told once, and the exit code is the worker's."""
    kept = Kept(count=4)
    (await kept.next()).die(2)
    assert await asyncio.wait_for(kept.running, PATIENCE_S) == 2
    assert (len(kept.all), kept.served) == (1, 0)


async def test_a_first_worker_that_ends_well_without_serving_is_a_failure_too():
    """Nothing serves, so the exit code is not 0."""
    kept = Kept()
    (await kept.next()).die(0)
    assert await asyncio.wait_for(kept.running, PATIENCE_S) == 1


async def test_the_others_follow_and_all_end_in_order():
    """TERM reaches every worker, and the end is a clean one."""
    kept = Kept(count=3)
    first = await kept.next()
    assert kept.started.empty()
    first.lives()
    await kept.next()
    await kept.next()
    assert await kept.stop() == 0
    assert [worker.signals for worker in kept.all] == [[signal.SIGTERM]] * 3
    assert kept.served == 1


async def test_a_stop_before_anything_serves_ends_the_first():
    """Whoever stops it while it starts does not wait."""
    kept = Kept()
    first = await kept.next()
    assert await kept.stop() == 0
    assert first.signals == [signal.SIGTERM]
    early = Kept()
    early.supervisor.stop()
    await asyncio.wait_for(early.running, PATIENCE_S)


async def test_one_that_dies_is_started_again(caplog):
    """At once if it has lived for a while, after a growing pause if not."""
    kept = Kept(count=1)
    worker = await kept.next()
    for _ in range(3):
        worker.lives()
    kept.now = 60.0
    worker.die(-9)
    for _ in range(8):
        (await kept.next()).die(3)
    last = await kept.next()
    kept.now += 60.0
    last.die(-15)
    await kept.next()
    assert kept.pauses == [0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 0.0]
    assert "worker 1 ended (signal SIGKILL), and another takes its place in 0 s" in caplog.text
    assert "worker 2 ended (exit code 3), and another takes its place in 0.5 s" in caplog.text
    await kept.stop()


async def test_one_that_is_stuck_is_killed_and_replaced(caplog):
    """Its loop gives no sign of life, so nobody is answered by it."""
    kept = Kept(count=1, stuck_s=0.01, obeys=False)
    worker = await kept.next()
    worker.lives()
    await kept.next()
    assert signal.SIGKILL in worker.signals
    assert "worker 1 gave no sign of life for 0.01 s" in caplog.text
    kept.supervisor.stop()
    await kept.stop()


async def test_those_that_do_not_end_are_killed_after_the_grace():
    """And at once when they are told a second time."""
    kept = Kept(count=1, obeys=False, grace_s=0.01)
    worker = await kept.next()
    worker.lives()
    assert await kept.stop() == 0
    assert worker.signals == [signal.SIGTERM, signal.SIGKILL]
    again = Kept(count=1, obeys=False, grace_s=PATIENCE_S)
    (await again.next()).lives()
    again.supervisor.stop()
    await asyncio.wait({again.running}, timeout=0)
    assert await again.stop() == 0


async def test_a_process_is_a_worker():
    """It gets both sockets, its signs of life arrive, and so does its end."""
    script = "import os, sys, signal; os.write(int(sys.argv[-1].split(',')[1]), b'.'); signal.pause()"
    with bind("127.0.0.1", 0) as listener:
        worker = await WorkerProcess.start([sys.executable, "-c", script], listener)
        assert await worker.beat()
        worker.send(signal.SIGKILL)
        assert await asyncio.wait_for(worker.ended(), PATIENCE_S) == -9
        assert not await worker.beat()
        worker.send(signal.SIGKILL)


async def test_a_lost_connection_is_the_end_of_the_signs():
    """A worker that was killed may reset it."""

    class Reset:
        async def read(self, count):
            raise ConnectionResetError

    worker = WorkerProcess.__new__(WorkerProcess)
    worker._reader = Reset()
    assert not await worker.beat()


async def test_a_leash_shows_life_and_tells_of_the_end():
    """Once at once and then each second; without a supervisor the server ends."""
    ours, theirs = socket.socketpair()
    gone = asyncio.Event()
    leash = Leash(theirs, gone.set)
    leash.take()
    assert ours.recv(9) == b"."
    leash._beat()
    assert ours.recv(9) == b"."
    ours.close()
    await asyncio.wait_for(gone.wait(), PATIENCE_S)
    leash.release()
    assert theirs.fileno() == -1
    assert BEAT_S * 3 < workers.STUCK_S


async def test_a_leash_survives_a_supervisor_that_does_not_read():
    """What cannot be sent now is not needed; what can never be sent is the end."""
    ours, theirs = socket.socketpair()
    gone = []
    leash = Leash(theirs, lambda: gone.append(1))
    leash.take()
    try:
        while True:
            theirs.send(b"x" * 65536)
    except BlockingIOError:
        leash._beat()
    assert gone == []
    theirs.shutdown(socket.SHUT_RDWR)
    leash._beat()
    assert gone == [1]
    ours.close()


def test_a_worker_serves_on_the_socket_it_got(tmp_path, monkeypatch):
    """It takes one connection at a time from a queue that stays long, says nothing, and ends with its supervisor."""
    write_lunch(tmp_path, "lunch_worker")
    backlogs = []
    startup = uvicorn.Server.startup

    async def noted(self, sockets=None):
        backlogs.append(self.config.backlog)
        await startup(self, sockets)

    monkeypatch.setattr(uvicorn.Server, "startup", noted)
    ours, theirs = socket.socketpair()
    ours.settimeout(PATIENCE_S)
    with bind("127.0.0.1", 0) as listener, ThreadPoolExecutor() as threads:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/health"

        def call():
            with ours:
                assert ours.recv(1) == b"."
                return httpx.get(url, headers={"Host": "lunch"}).json()

        calling = threads.submit(call)
        handed = f"{os.dup(listener.fileno())},{theirs.detach()}"
        result = CliRunner().invoke(main, ["run", "lunch_worker:bff", "--worker", handed])
        assert calling.result(PATIENCE_S) == {"status": "ok"}
    assert (result.exit_code, backlogs) == (0, [1])
    assert "serves on" not in result.stderr


def test_the_sockets_of_a_worker_are_two_numbers(tmp_path):
    """Nobody but a supervisor starts one."""
    write_lunch(tmp_path, "lunch_handed")
    result = CliRunner().invoke(main, ["run", "lunch_handed:bff", "--worker", "3"])
    assert result.exit_code == 2
    assert "for the workers" in result.stderr


def settings(**stores):
    """Settings with these stores."""
    return Settings(public_url="https://bff.test", environment="development", stores=StoreSettings(**stores))


def test_no_store_that_a_promise_depends_on_may_be_in_memory():
    """Each is named with what would break and what to set; tokens may be kept by each worker for itself."""
    found = worker_refusals(settings())
    assert {refusal.subject for refusal in found} == {f"stores.{field}" for field in _KINDS if field != "tokens"}
    assert {refusal.code for refusal in found} == {"workers-memory"}
    (commits,) = [refusal for refusal in found if refusal.subject == "stores.commits"]
    assert "a receipt could be spent" in commits.rule
    assert commits.remedy.startswith('set stores.commits to "sqlite:commits.db"')
    shared = {field: f"{kinds[1]}:" + ("x.db" if kinds[1] == "sqlite" else "") for field, kinds in _KINDS.items()}
    assert worker_refusals(settings(**shared)) == []
    assert {field for field in _KINDS if field != "tokens"} <= _BROKEN.keys()


def test_workers_are_refused_before_anything_listens(tmp_path):
    """All reasons at once, exit code 2; the same for an application that has read its settings."""
    write_lunch(tmp_path, "lunch_alone", more="\nfrom narrows import app\napplication = app(bff)\n")
    for target in ("lunch_alone:bff", "lunch_alone:application"):
        result = CliRunner().invoke(main, ["run", target, "--workers", "2"])
        assert result.exit_code == 2
        assert result.stderr.count("[workers-memory]") == len(_KINDS) - 1
    assert CliRunner().invoke(main, ["run", target, "--workers", str(MOST_WORKERS + 1)]).exit_code == 2


def shared_lunch(folder, name, monkeypatch, **how):
    """A BFF whose stores workers can share; the Redis of its limits is away, and is not needed for its health."""
    monkeypatch.setenv("LUNCH_KEY", KEY)
    monkeypatch.setenv("LUNCH_REDIS", "redis://127.0.0.1:9/0")
    path = write_lunch(folder, name, **how)
    lines = [
        f'{field} = "sqlite:{field}.db"' if "sqlite" in kinds else f'{field} = "{kinds[1]}:"'
        for field, kinds in _KINDS.items()
    ]
    path.write_text(path.read_text() + SHARED.format(stores="\n".join(lines)))
    return path


def test_a_port_that_is_taken_is_told(tmp_path, monkeypatch):
    """With the setting and the remedy."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        shared_lunch(tmp_path, "lunch_busy", monkeypatch, port=taken.getsockname()[1])
        result = CliRunner().invoke(main, ["run", "lunch_busy:bff", "--workers", "2"])
    assert result.exit_code == 2
    assert "serving.port: 127.0.0.1 port" in result.stderr


def test_what_the_first_worker_refuses_is_told_once(tmp_path, monkeypatch, capfd):
    """No other is started, and its exit code is that of the command."""
    shared_lunch(tmp_path, "lunch_issued", monkeypatch, issuer="http://issuer.test")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    result = CliRunner().invoke(main, ["run", "lunch_issued:bff", "--workers", "3"])
    assert result.exit_code == 2
    assert capfd.readouterr().err.count("[issuer-insecure]") == 1


class Watching(threading.Thread):
    """Waits until workers serve, kills one, waits for the one that takes its place, and stops them all."""

    def __init__(self):
        super().__init__()
        self.said = queue.Queue()
        self.handler = QueueHandler(self.said)
        self.lines = []
        self.statuses = []
        self.commands = []
        logging.getLogger("narrows.cli").addHandler(self.handler)

    def run(self):
        try:
            self.watch()
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    def watch(self):
        url = self.hear("serves on").removesuffix(" with 2 workers").rpartition(" ")[2]
        self.ask(url)
        workers = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
        self.commands = [Path(f"/proc/{worker}/cmdline").read_text() for worker in workers]
        os.kill(int(workers[0]), signal.SIGKILL)
        self.hear(f"worker {workers[0]} ended (signal SIGKILL), and another takes its place")
        self.ask(url)

    def hear(self, text):
        while True:
            line = self.said.get(timeout=PATIENCE_S).getMessage()
            if text in line:
                return line

    def ask(self, url):
        self.statuses.append(httpx.get(f"{url}/health", headers={"Host": "lunch"}).status_code)


def test_workers_serve_and_outlive_one_that_is_killed(tmp_path, monkeypatch):
    """The one that died is replaced, TERM ends all, and no secret stands on a command line."""
    shared_lunch(tmp_path, "lunch_many", monkeypatch)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    watching = Watching()
    watching.start()
    result = CliRunner().invoke(main, ["run", "lunch_many:bff", "--workers", "2", "--settings", "narrows.toml"])
    watching.join(PATIENCE_S)
    logging.getLogger("narrows.cli").removeHandler(watching.handler)
    assert (result.exit_code, watching.statuses) == (0, [200, 200])
    assert watching.commands
    assert not [command for command in watching.commands if KEY in command]


class Scraping(Watching):
    """Reads the metrics of each worker, kills one, and reads those of the one that takes its place."""

    def __init__(self, port):
        super().__init__()
        self.port = port

    def watch(self):
        self.hear("serves on")
        self.read()
        (worker, *_) = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
        os.kill(int(worker), signal.SIGKILL)
        self.hear("another takes its place")
        self.read()

    def read(self):
        for port in (self.port, self.port + 1):
            until = time.monotonic() + PATIENCE_S
            while time.monotonic() < until:
                try:
                    metrics = httpx.get(f"http://127.0.0.1:{port}/metrics").text
                except httpx.TransportError:
                    continue  # that worker is not there yet
                self.statuses.append(re.findall('service_instance_id="([^"]+)"', metrics)[0])
                break


def test_each_worker_has_metrics_at_a_port_of_its_own(tmp_path, monkeypatch):
    """So has the one that takes the place of another: two ports, and never the same process behind both."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    path = shared_lunch(tmp_path, "lunch_measured", monkeypatch)
    metrics = f'\n[telemetry]\nprometheus = "127.0.0.1:{port}"\nprometheus_ports = 2\n'
    path.write_text(path.read_text() + metrics)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    scraping = Scraping(port)
    scraping.start()
    result = CliRunner().invoke(main, ["run", "lunch_measured:bff", "--workers", "2", "--settings", "narrows.toml"])
    scraping.join(PATIENCE_S)
    logging.getLogger("narrows.cli").removeHandler(scraping.handler)
    assert result.exit_code == 0
    first, second, after, beside = scraping.statuses
    assert first != second
    assert after != beside
    assert len({first, second, after, beside}) == 3


def test_too_few_ports_for_metrics_are_refused():
    """A worker without a port could not start, and would be started again for ever."""
    telemetry = TelemetrySettings(prometheus="127.0.0.1:9464", prometheus_ports=2)
    read = Settings(public_url="https://bff.test", telemetry=telemetry)
    assert port_refusals(read, 2) == []
    assert port_refusals(Settings(public_url="https://bff.test"), 9) == []
    (refused,) = port_refusals(read, 3)
    assert (refused.code, refused.subject) == ("workers-ports", "telemetry.prometheus_ports")
    assert "3 or more" in refused.remedy


def test_the_command_is_a_module_too(monkeypatch):
    """Workers are started by the interpreter that runs the supervisor."""
    monkeypatch.setattr(sys, "argv", ["narrows", "--version"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("narrows.cli", run_name="__main__")
    assert ended.value.code == 0
