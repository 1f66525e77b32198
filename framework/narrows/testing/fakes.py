"""Fakes to test a BFF with: a clock, a network inside the process, and a client; nothing leaves the process.

```python
network = Network({"people.test": people_app, "issuer.test": authority.app})
around = Surroundings(dial=network.dial, now=clock, write_record=records.write)
async with serving(narrows.app(bff, settings, around)) as client:
    answer = await client.get("/teams/7/dining-suggestions", headers=bearer(token))
```
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
import msgspec

_START = 1_764_000_000.0


class Clock:
    """A clock that stands until it is moved. Seconds since 1970."""

    def __init__(self, start: float = _START) -> None:
        self._now = start

    def __call__(self) -> float:
        """The time now, as `Surroundings.now` wants it."""
        return self._now

    def move(self, seconds: float) -> None:
        """Let `seconds` pass at once."""
        self._now += seconds


class Network:
    """Hosts inside the process: each is an ASGI application or an httpx transport; any other host cannot be reached.

    `sent` keeps every request as it was sent, for tests that look at the traffic; `traffic` is all of it as bytes.
    """

    def __init__(self, hosts: Mapping[str, Any]) -> None:
        self._hosts: dict[str, httpx.AsyncBaseTransport] = {}
        self.sent: list[httpx.Request] = []
        self.add(hosts)

    def add(self, hosts: Mapping[str, Any]) -> None:
        """Put more hosts into it, such as those that are themselves made with it."""
        self._hosts |= {name: _transport(host) for name, host in hosts.items()}

    def dial(self, ca: str | None = None) -> httpx.AsyncBaseTransport:  # noqa: ARG002 - as the protocol has it
        """Make a transport, as `Surroundings.dial` wants it."""
        return _Dialled(self)

    def to(self, host: str) -> list[httpx.Request]:
        """The requests that one host was sent."""
        return [request for request in self.sent if request.url.netloc.decode() == host]

    def traffic(self) -> bytes:
        """Every request as bytes, its line, headers and body: what a secret must not be found in."""
        return b"\n".join(map(_written, self.sent))

    async def handle(self, request: httpx.Request) -> httpx.Response:
        """Bring one request to its host. Raises `httpx.ConnectError` for a host that is not here."""
        await request.aread()
        self.sent.append(_copy(request))
        host = self._hosts.get(request.url.netloc.decode())
        if host is None:
            raise httpx.ConnectError("there is no such host on this network")
        return await host.handle_async_request(request)


class _Dialled(httpx.AsyncBaseTransport):
    """One transport into a network."""

    def __init__(self, network: Network) -> None:
        self._network = network

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await self._network.handle(request)


def _transport(host: Any) -> httpx.AsyncBaseTransport:
    if isinstance(host, httpx.AsyncBaseTransport):
        return host
    return httpx.ASGITransport(app=host, raise_app_exceptions=False)


def _copy(request: httpx.Request) -> httpx.Request:
    """A request as it was sent: what telemetry hides and restores later does not reach the copy."""
    return httpx.Request(request.method, request.url, headers=request.headers.raw, content=request.content)


def _written(request: httpx.Request) -> bytes:
    line = b"%b %b HTTP/1.1" % (request.method.encode(), request.url.raw_path)
    return b"\r\n".join([line, *(b"%b: %b" % header for header in request.headers.raw), b"", request.content])


class Records:
    """Keeps what is recorded of calls."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []

    def write(self, line: bytes) -> None:
        """Keep one line, as `Surroundings.write_record` wants it."""
        self.lines.append(line)

    def all(self) -> list[dict[str, Any]]:
        """The records, oldest first: of calls, and of what happened in them and beside them."""
        return [msgspec.json.decode(line) for line in self.lines]

    def calls(self) -> list[dict[str, Any]]:
        """The records of calls, oldest first."""
        return [record for record in self.all() if record["event"] == "call"]


def bearer(token: str) -> dict[str, str]:
    """The header that carries a token."""
    return {"Authorization": f"Bearer {token}"}


@asynccontextmanager
async def serving(app: Any, base_url: str = "https://bff.test") -> AsyncIterator[httpx.AsyncClient]:
    """Run an application's lifespan, and give a client that calls it in-process."""
    async with running(app):
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=base_url) as client:
            yield client


@asynccontextmanager
async def running(app: Any) -> AsyncIterator[None]:
    """Run the lifespan of an ASGI application. Raises `RuntimeError` with its message when it refuses to start."""
    lifespan = _Lifespan(app)
    await lifespan.reach("startup")
    try:
        yield
    finally:
        await lifespan.reach("shutdown")
        await lifespan.task


class _Lifespan:
    """The lifespan of one application, in a task of its own as a server runs it."""

    def __init__(self, app: Any) -> None:
        self._orders: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._said: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
        self.task: asyncio.Future[Any] = asyncio.ensure_future(app(scope, self._orders.get, self._said.put))

    async def reach(self, phase: str) -> None:
        """Order one phase, and wait for what the application says to it."""
        await self._orders.put({"type": f"lifespan.{phase}"})
        said = asyncio.create_task(self._said.get())
        await asyncio.wait((said, self.task), return_when=asyncio.FIRST_COMPLETED)
        message = said.result() if said.done() else {}
        if message.get("type") != f"lifespan.{phase}.complete":
            said.cancel()
            self.task.cancel()
            # Its own error, if it also raises one, is that of the message.
            await asyncio.gather(said, self.task, return_exceptions=True)
            raise RuntimeError(message.get("message") or f"the application ended during {phase}")
