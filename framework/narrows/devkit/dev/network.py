"""The network of `narrows dev`: made-up upstreams and the embedded issuers are inside the process, all else is real."""

from __future__ import annotations

from typing import Any

import httpx

from narrows.devkit.dev.arrange import MADE_UP
from narrows.transport import Dial, dial


class Network:
    """Makes the transports; `made_up` answers for the upstreams that are not there, `issuers` for this origin."""

    def __init__(self, origin: str, made_up: httpx.AsyncBaseTransport, issuers: Any, real: Dial = dial) -> None:
        self._origin = httpx.URL(origin)
        self._made_up = made_up
        self._issuers = httpx.ASGITransport(app=issuers, raise_app_exceptions=False)
        self._real = real

    def dial(self, ca: str | None) -> httpx.AsyncBaseTransport:
        """Make a transport, as `Surroundings.dial` wants it."""
        return _Routed(self, ca)

    def within(self, url: httpx.URL) -> httpx.AsyncBaseTransport | None:
        """Who answers inside this process; None for what is really asked."""
        if url.host.endswith(MADE_UP):
            return self._made_up
        return self._issuers if (url.host, url.port) == (self._origin.host, self._origin.port) else None

    def real(self, ca: str | None) -> httpx.AsyncBaseTransport:
        """Make a transport that leaves the process."""
        return self._real(ca)


class _Routed(httpx.AsyncBaseTransport):
    """One transport; the real one is made when something is sent there."""

    def __init__(self, network: Network, ca: str | None) -> None:
        self._network = network
        self._ca = ca
        self._opened: httpx.AsyncBaseTransport | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        inside = self._network.within(request.url)
        if inside is not None:
            return await inside.handle_async_request(request)
        if self._opened is None:
            self._opened = self._network.real(self._ca)
        return await self._opened.handle_async_request(request)

    async def aclose(self) -> None:
        if self._opened is not None:
            await self._opened.aclose()
