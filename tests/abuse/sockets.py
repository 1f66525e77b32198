"""Upstreams as bytes on a socket, for what no HTTP library would send."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from narrows.transport import dial
from tests.abuse.wire import PATIENCE_S


class Upstream:
    """A server on loopback: `behave` gets the writer once a request has come; every request is kept."""

    def __init__(self, behave: Callable[[Upstream, asyncio.StreamWriter], Awaitable[None]]) -> None:
        self._behave = behave
        self.requests: list[bytes] = []
        self.connections = 0
        self.arrivals: asyncio.Queue[None] = asyncio.Queue()
        self.gone: asyncio.Queue[None] = asyncio.Queue()
        self.held = asyncio.Event()
        self.netloc = ""
        self.transport = dial(None)

    @property
    def targets(self) -> list[str]:
        """The request lines' targets."""
        return [request.split(b" ", 2)[1].decode("latin-1") for request in self.requests]

    async def next_arrival(self) -> None:
        """Wait until one more request has come."""
        async with asyncio.timeout(PATIENCE_S):
            await self.arrivals.get()

    async def next_gone(self) -> None:
        """Wait until one more connection has been ended by the BFF."""
        async with asyncio.timeout(PATIENCE_S):
            await self.gone.get()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection: read a request with its body, behave, and again."""
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
                body = await reader.readexactly(int(length[0].partition(b":")[2])) if length else b""
                self.requests.append(head + body)
                self.arrivals.put_nowait(None)
                await self._act(reader, writer)
                if writer.is_closing():
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.gone.put_nowait(None)
            writer.close()

    async def _act(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Behave, for as long as the BFF stays: it sends nothing more before it has its answer."""
        acting = asyncio.ensure_future(self._behave(self, writer))
        leaving = asyncio.ensure_future(reader.read(1))
        try:
            await asyncio.wait((acting, leaving), return_when=asyncio.FIRST_COMPLETED)
            if acting.done():
                await acting
                await writer.drain()
            else:
                writer.close()
        finally:
            for task in (acting, leaving):
                task.cancel()
            await asyncio.gather(acting, leaving, return_exceptions=True)


@asynccontextmanager
async def upstream(behave: Callable[[Upstream, asyncio.StreamWriter], Awaitable[None]]) -> AsyncIterator[Upstream]:
    """Run such a server, with `transport` to it: the framework's own. What it still holds is let go at the end."""
    made = Upstream(behave)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0, limit=1 << 20)
    made.netloc = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield made
    finally:
        await made.transport.aclose()
        made.held.set()
        server.close()


def answer(body: bytes = b"[]", status: str = "200 OK", *lines: str, media: str = "application/json") -> bytes:
    """An answer in bytes, with its length."""
    head = [f"HTTP/1.1 {status}", f"Content-Type: {media}", f"Content-Length: {len(body)}", *lines, "", ""]
    return "\r\n".join(head).encode("latin-1") + body
