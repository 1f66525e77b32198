"""Four workers of `narrows run` before real servers, the world that they call, and the load that is put on them."""

import base64
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import uvicorn

from narrows.declare.connectors import ConnectorRecord, Written
from narrows.devkit.authority import Api, Authority, Client, Person
from narrows.governance.connectors import Governor, Operator
from narrows.governance.rotation import rotate
from narrows.settings import load_settings
from narrows.stores.opening import open_audit, open_connectors
from narrows.stores.servers import Servers
from tests.interop.loaded import TEMPLATE, bff
from tests.interop.servers import PostgresPeer, RedisPeer, free_port, is_open

ROOT = Path(__file__).parents[2]
WORKERS, CONNECTIONS = 4, 8
START_S, WAIT_S = 60.0, 30.0
KEY = base64.b64encode(bytes(range(32))).decode()
_DATABASES = itertools.count(1)

_SETTINGS = """
environment = "development"
public_url = "http://127.0.0.1:{port}"

[serving]
port = {port}

[issuers.corp]
url = "{world}/as"
audience = "loaded-api"

[issuers.corp.client]
id = "loaded-bff"
secret = {{ env = "LOADED_SECRET" }}

[[issuers.corp.roles]]
claim = "staff"
role = "member"
domain = "bff:loaded"

[upstreams.things]
url = "{world}/up"
audience = "things-api"

[limits]
attempts = "100000000/minute"

[governance]
approvers = ["dana@example.com"]

[stores]
rehearsals = "postgres:"
commits = "postgres:"
connectors = "postgres:"
audit = "postgres:"
limits = "redis:"
budgets = "redis:"
tokens = "redis:"
redis = {{ env = "LOADED_REDIS" }}
postgres = {{ env = "LOADED_POSTGRES" }}
key = {{ env = "LOADED_KEY" }}
"""

# Each thread has one connection, so that it stops after exactly so many answers, and none is left half-way.
_SCRIPT = """
wrk.method = "{method}"
wrk.headers["Authorization"] = "Bearer {token}"
local threads = {{}}
function setup(thread) table.insert(threads, thread) end
function init(arguments) most = {most}; total = 0; statuses = {{}}; workers = {{}} end
function response(status, headers, body)
  total = total + 1
  statuses[tostring(status)] = (statuses[tostring(status)] or 0) + 1
  local worker = body:match('"worker":(%d+)')
  if worker then workers[worker] = (workers[worker] or 0) + 1 end
  if most > 0 and total >= most then wrk.thread:stop() end
end
local function tell(name)
  local sums = {{}}
  for _, thread in ipairs(threads) do
    for key, count in pairs(thread:get(name)) do sums[key] = (sums[key] or 0) + count end
  end
  local parts = {{}}
  for key, count in pairs(sums) do table.insert(parts, string.format('"%s":%d', key, count)) end
  return '{{' .. table.concat(parts, ",") .. '}}'
end
function done(summary, latency, requests)
  print(string.format('{{"statuses":%s,"workers":%s,"seconds":%f}}', tell("statuses"), tell("workers"),
    summary.duration / 1e6))
end
"""


class Load(NamedTuple):
    """What clients read: how many answers of each status, and of each worker."""

    statuses: Counter[str]
    workers: Counter[str]
    seconds: float


class World:
    """The issuer and the upstream on one origin; it counts what reaches the upstream."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.reached: Counter[str] = Counter()
        self.authority = Authority(
            f"{self.url}/as",
            people=[Person("anna", "anna", {"staff": ["member"]}, "lunch-anna")],
            clients=[
                Client("loader", kind="desktop", redirect_uris=["http://127.0.0.1/"], scopes={"things:use"},
                       audiences=["loaded-api"]),
                Client("loaded-bff", secret="loaded-secret", kind="service", grants={"token_exchange"},
                       audience="loaded-api", audiences=["things-api"], scopes={"things:read", "things:write"},
                       may_exchange_to={"things-api": {"things:read", "things:write"}}),
            ],
            apis=[Api("loaded-api", {"things:use": "Use it"}),
                  Api("things-api", {"things:read": "Read", "things:write": "Write"})],
            algorithm="ES256",
            lifetime=3600,
            log=lambda _: None,
        )  # fmt: skip
        self._server = uvicorn.Server(
            uvicorn.Config(self, port=self.port, log_config=None, lifespan="off", timeout_keep_alive=300)
        )
        self._thread = threading.Thread(target=self._server.run)

    def start(self) -> None:
        """Serve it from a thread."""
        self._thread.start()
        until(lambda: is_open(self.port), "the world")

    def stop(self) -> None:
        """End it."""
        self._server.should_exit = True
        self._thread.join()

    def token(self) -> str:
        """Anna's, for the BFF."""
        return self.authority.issue("anna", "loader", "loaded-api", "things:use", staff=["member"])

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer for one of the two."""
        if not scope["path"].startswith("/up/"):
            await self.authority.app(scope, receive, send)
            return
        self.reached[scope["path"].removeprefix("/up/")] += 1
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b'{"id":"one"}'})


class Fleet:
    """The workers of one test: a schema and a database of their own, and a program with these budgets."""

    def __init__(self, folder: Path, redis: RedisPeer, postgres: PostgresPeer, budgets: tuple[str, ...] = ()) -> None:
        self.world = World()
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.settings = folder / "narrows.toml"
        self.settings.write_text(_SETTINGS.format(port=self.port, world=self.world.url))
        self._folder = folder
        self._budgets = budgets
        redis_url = redis.url.removesuffix("/0") + f"/{next(_DATABASES) % 16}"
        self.environment = {
            "LOADED_SECRET": "loaded-secret",
            "LOADED_KEY": KEY,
            "LOADED_REDIS": redis_url,
            "LOADED_POSTGRES": postgres.place(),
            "PYTHONPATH": f"{ROOT / 'framework'}{os.pathsep}{ROOT}",
        }
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Start the world, register the program, and start the workers."""
        self.world.start()
        await self._register()
        command = [sys.executable, "-m", "narrows.cli", "run", "tests.interop.loaded:bff"]
        command += ["--settings", str(self.settings), "--workers", str(WORKERS)]
        with self.log.open("wb") as log, (self._folder / "records").open("wb") as records:
            environment = {**os.environ, **self.environment}
            self._process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=records, stderr=log)  # noqa: ASYNC220, S603 # our own command
        until(lambda: "serves on" in self.said() or self._process.poll() is not None, "the workers", START_S)
        assert self._process.poll() is None, self.said()
        # The others start when the first serves.
        until(lambda: self.said().count(' serves"') == WORKERS, "all workers", START_S)

    def stop(self) -> int | None:
        """End the workers in order; a second time does nothing. Answers the exit code."""
        process, self._process = self._process, None
        if process is None:
            return None
        process.terminate()
        return process.wait(WAIT_S)

    def close(self) -> None:
        """End everything."""
        self.stop()
        self.world.stop()

    @property
    def log(self) -> Path:
        """The diagnostics of all workers."""
        return self._folder / "log"

    def said(self) -> str:
        """The diagnostics so far."""
        return self.log.read_text(errors="replace")

    def workers(self) -> list[int]:
        """The processes that serve now."""
        assert self._process is not None
        pid = self._process.pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def kill_one(self) -> int:
        """End one worker without a word."""
        pid = self.workers()[0]
        os.kill(pid, signal.SIGKILL)
        return pid

    def load(
        self,
        path: str,
        *,
        each: int = 0,
        seconds: int = 12,
        method: str = "GET",
        token: str = "",
        meanwhile: Any = None,
    ) -> Load:
        """Ask with wrk over as many connections as threads: for `seconds`, or `each` times on every one within them."""
        script = self._folder / f"load-{path.strip('/')}.lua"
        script.write_text(_SCRIPT.format(method=method, token=token or self.world.token(), most=each))
        wrk = shutil.which("wrk")
        assert wrk is not None
        command = [wrk, f"-t{CONNECTIONS}", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "20s", "-s", str(script)]
        with subprocess.Popen([*command, self.url + path], stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 # bounded, on loopback
            if meanwhile is not None:
                meanwhile()
            said, _ = process.communicate(timeout=seconds + WAIT_S)
        found = json.loads(said.strip().splitlines()[-1])
        return Load(Counter(found["statuses"]), Counter(found["workers"]), found["seconds"])

    def narrows(self, *arguments: str) -> str:
        """A command of ours on the same settings; what it prints."""
        command = [sys.executable, "-m", "narrows.cli", *arguments, "--settings", str(self.settings)]
        environment = {**os.environ, **self.environment}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=WAIT_S)  # noqa: S603 # our own command
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def spent(self) -> str:
        """What is used of the budget of the program."""
        rows = json.loads(self.narrows("usage", "tests.interop.loaded:bff", "loader", "--format", "json"))
        (row,) = [row for row in rows if "EUR" in row["budget"]]
        return row["used"]

    async def records(self) -> list[dict[str, Any]]:
        """Every leaf of the audit log, in its order."""
        read = load_settings(self.settings, self.environment)
        servers = Servers(read.stores)
        store = open_audit(read, servers)
        try:
            return [msgspec.json.decode(leaf) for leaf in await store.leaves(0, (await store.head()).size)]
        finally:
            await store.close()
            await servers.close()

    async def _register(self) -> None:
        fields = {
            "id": "loader", "version": "1.0", "issuer": "corp", "client_id": "loader", "tenant": "example",
            "owner": "olga", "contact": "conny", "kind": "service", "purpose": "Load it", "template": TEMPLATE,
            "endpoints": [endpoint.id for endpoint in bff.endpoints], "scopes": ["things:use"],
            "rates": ["100000000/minute"], "price_ceiling": "0.05 EUR", "budgets": self._budgets, "sensitive": True,
        }  # fmt: skip
        read = load_settings(self.settings, self.environment)
        servers = Servers(read.stores)
        store = open_connectors(read, servers)
        await servers.prepare()
        governor = Governor(bff, read, store, now=time.time)
        record = msgspec.convert(fields, ConnectorRecord)
        await governor.apply([Written(record, Path("loader.toml"))], Operator(name="carla"))
        await rotate(governor, "loader", Operator(name="carla"), now=time.time)
        for _ in ("trial", "live"):
            await governor.approve("loader", Operator(name="dana@example.com"))
        await store.close()
        await servers.close()


def until(holds: Callable[[], bool], what: str, patience_s: float = WAIT_S) -> None:
    """Wait for another process."""
    end = time.monotonic() + patience_s
    while not holds():
        assert time.monotonic() < end, f"{what}: not within {patience_s:g} s"
        time.sleep(0.05)
