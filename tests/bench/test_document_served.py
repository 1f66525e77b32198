"""What a document costs a real server beside the endpoint that does the same by hand, with real clients (wrk)."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from statistics import median
from urllib.parse import quote

import pytest

from tests.bench.dining import TEAM
from tests.interop.fleet import until
from tests.interop.servers import free_port, is_open

ROOT = Path(__file__).parents[2]
BOUND = 1.3
ROUNDS, SECONDS = 7, 1
TICKS = os.sysconf("SC_CLK_TCK")


class Server:
    """The process that serves, and its clients."""

    def __init__(self, folder: Path) -> None:
        self._port = free_port()
        command = [sys.executable, "-m", "tests.bench.dining_process", str(self._port)]
        environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'framework'}{os.pathsep}{ROOT}"}
        self._log = (folder / "log").open("wb")
        self._process = subprocess.Popen(  # noqa: S603 # our own command
            command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log
        )
        self._token = self._process.stdout.readline().decode().strip()
        until(lambda: is_open(self._port) or self._process.poll() is not None, "the server")
        assert self._process.poll() is None, (folder / "log").read_text()

    def close(self) -> None:
        """End it in order."""
        self._process.communicate(timeout=30)
        self._log.close()

    def processor_s(self) -> float:
        """Seconds of the processor that it has taken so far."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def load(self, path: str) -> float:
        """Ask for a second over two connections; microseconds of the processor for each answer."""
        before = self.processor_s()
        wrk = shutil.which("wrk")
        command = [wrk, "-t1", "-c2", f"-d{SECONDS}s", "-H", f"Authorization: Bearer {self._token}"]
        url = f"http://127.0.0.1:{self._port}{path}"
        done = subprocess.run([*command, url], capture_output=True, text=True, check=True, timeout=60)  # noqa: S603 # on loopback
        assert "Non-2xx" not in done.stdout, done.stdout
        answers = int(re.search(r"(\d+) requests in", done.stdout)[1])
        return (self.processor_s() - before) / answers * 1e6


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """One server for all shapes."""
    one = Server(tmp_path_factory.mktemp("served"))
    yield one
    one.close()


@pytest.mark.parametrize(("name", "size"), [("few", 1), ("many", 20), ("joined", 20)])
def test_a_served_document_costs_little_more(server, name, size):
    """Of the processor of the server, all of its work counted, at most 1.3 times as much as by hand."""
    variables = quote(json.dumps({"team_id": TEAM, "size": size}))
    paths = f"/by-hand/{name}/{TEAM}?size={size}", f"/graphql/{name}?variables={variables}"
    for path in paths:
        server.load(path)
    pairs = [[server.load(path) for path in paths] for _ in range(ROUNDS)]
    ratio = median(document / hand for hand, document in pairs)
    hand, document = (median(taken) for taken in zip(*pairs, strict=True))
    print(f"\n{name} {size}, served: by hand {hand:.0f} µs, document {document:.0f} µs, ratio {ratio:.2f}")
    assert ratio <= BOUND
