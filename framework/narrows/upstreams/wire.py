"""The way to one upstream: a live one, and one that has no way to send a write."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Protocol

import httpx

from narrows.errors import OperationRefused
from narrows.settings import UpstreamSettings
from narrows.transport import Failure, Fetched, fetch
from narrows.upstreams.breaker import Breaker
from narrows.upstreams.sendable import Sendable


class Wire(Protocol):
    """Sends the requests of one upstream."""

    async def send(self, sendable: Sendable, request: httpx.Request, deadline_s: float) -> Fetched:
        """Send one request; raises `Failure`."""
        ...


class BreakerOpen(Failure):
    """The peer is left alone for `wait_s` more seconds; nothing was sent."""

    def __init__(self, wait_s: int) -> None:
        super().__init__("open", sent=False)
        self.wait_s = wait_s


class LiveWire:
    """Sends reads and writes. A read without a price is tried once more; what costs or writes only if it never left."""

    def __init__(self, transport: httpx.AsyncBaseTransport, settings: UpstreamSettings, breaker: Breaker) -> None:
        self._transport = transport
        self._settings = settings
        self._breaker = breaker

    async def send(self, sendable: Sendable, request: httpx.Request, deadline_s: float) -> Fetched:
        """Send one request within the deadline, both attempts together. Raises `Failure`."""
        if not self._breaker.allow():
            raise BreakerOpen(max(1, self._breaker.wait_s()))
        try:
            answer = await self._attempt(sendable, request, deadline_s)
        except Failure:
            self._breaker.failed()
            raise
        except BaseException:
            # A cancelled call says nothing of the upstream, but a probe must not stay open for ever.
            self._breaker.released()
            raise
        if answer.status >= 500:
            self._breaker.failed()
        else:
            self._breaker.succeeded()
        return answer

    async def _attempt(self, sendable: Sendable, request: httpx.Request, deadline_s: float) -> Fetched:
        clock = asyncio.get_running_loop().time
        until = clock() + deadline_s
        try:
            return await self._once(request, deadline_s)
        except Failure as failure:
            # What was sent may be on a bill: one that costs is never sent twice for one price.
            free_read = sendable.operation.kind == "read" and sendable.price is None
            harmless = not failure.sent or (free_read and failure.kind == "network")
            if not harmless or clock() >= until:
                raise
        return await self._once(request, until - clock())

    async def _once(self, request: httpx.Request, deadline_s: float) -> Fetched:
        return await fetch(self._transport, request, deadline_s=deadline_s, max_bytes=self._settings.answer_bytes)


class ReadWire:
    """Sends reads only, judged by the operation's kind: what a rehearsal is given instead of a `LiveWire`."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    async def send(self, sendable: Sendable, request: httpx.Request, deadline_s: float) -> Fetched:
        """Send a read; a write has no way out."""
        if sendable.operation.kind != "read":
            raise OperationRefused(f"{sendable.operation.id} is a write, and there is no way to send it in a rehearsal")
        return await self._wire.send(sendable, request, deadline_s)


Wires = Mapping[str, Wire]
Clock = Callable[[], float]
