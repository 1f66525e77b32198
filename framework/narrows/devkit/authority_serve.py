"""Serving the embedded authorization server on its own: loopback only."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn

from narrows.devkit.authority import Authority
from narrows.errors import SettingsError

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def assert_loopback(host: str) -> None:
    """Raise `SettingsError` unless `host` is loopback; whoever starts the server calls it before binding."""
    if host not in _LOOPBACK:
        raise SettingsError("host: the embedded authorization server listens on loopback only; use 127.0.0.1")


def listen(host: str = "127.0.0.1", port: int = 0) -> socket.socket:
    """A listening socket on loopback; port 0 takes a free one, which the issuer can then name.

    Raises `SettingsError` for another host.
    """
    assert_loopback(host)
    return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)


@asynccontextmanager
async def serve(authority: Authority, listener: socket.socket) -> AsyncIterator[str]:
    """Serve `authority` on `listener` (see `listen`) while the block runs; gives its base URL.

    Raises `SettingsError` if the socket is not bound to loopback.
    """
    host, port = listener.getsockname()[:2]
    assert_loopback(host)
    config = uvicorn.Config(
        authority.app,
        proxy_headers=False,
        access_log=False,
        server_header=False,
        log_config=None,
        lifespan="off",
    )
    server = _Guest(config)
    running = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    finally:
        server.should_exit = True
        await running


class _Guest(uvicorn.Server):
    """A server inside another program, to which the signals belong."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield
