"""A server of one test on loopback, and a client that speaks bytes; nothing here sleeps."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import msgspec
from uvicorn.server import ServerState

from narrows.surfaces.serving import ReceiptLimits, make_config
from narrows.surfaces.serving_peers import Peers

PATIENCE_S = 1.8


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def problem(self) -> dict[str, Any]:
        assert self.headers["content-type"] == "application/problem+json"
        return msgspec.json.decode(self.body, type=dict)


class Client:
    """One connection; every wait ends after `PATIENCE_S` seconds."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self, *, with_body: bool = True) -> Answer:
        async with asyncio.timeout(PATIENCE_S):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            status_line, *lines = head.rstrip("\r\n").split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
            body = await self.reader.readexactly(int(headers["content-length"]) if with_body else 0)
        return Answer(int(status_line.split(" ")[1]), headers, body)

    async def rest(self, patience_s: float = PATIENCE_S) -> bytes:
        """Everything up to the end of the connection, or up to its reset."""
        received = b""
        async with asyncio.timeout(patience_s):
            try:
                while data := await self.reader.read(1 << 16):
                    received += data
            except ConnectionError:
                pass
        return received

    async def ask(self, data: bytes) -> Answer:
        """Send a request, and see that its answer comes whole and is followed by an orderly end, not by a reset."""
        await self.send(data)
        answer = await self.answer()
        async with asyncio.timeout(PATIENCE_S):
            assert await self.reader.read() == b""
        return answer


class Site(NamedTuple):
    port: int
    state: ServerState
    peers: Peers
    made: asyncio.Queue[object]
    lost: asyncio.Queue[object]

    @asynccontextmanager
    async def client(
        self, source: str = "127.0.0.1", tls: ssl.SSLContext | None = None, buffer: int | None = None
    ) -> AsyncIterator[Client]:
        """Connect from an address of loopback; `buffer` bytes are all that the kernel then receives unread."""
        sock = socket.socket()
        sock.setblocking(False)
        sock.bind((source, 0))
        if buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", self.port))
        name = "localhost" if tls else None
        reader, writer = await asyncio.open_connection(sock=sock, ssl=tls, server_hostname=name, limit=1 << 20)
        try:
            yield Client(reader, writer)
        finally:
            writer.transport.abort()

    async def next_made(self) -> object:
        """Wait until the server has accepted one more connection."""
        async with asyncio.timeout(PATIENCE_S):
            return await self.made.get()

    async def next_lost(self) -> object:
        """Wait until the server has let go of one more connection."""
        async with asyncio.timeout(PATIENCE_S):
            return await self.lost.get()


@asynccontextmanager
async def served(app: Any, *, limits: ReceiptLimits | None = None, **how: Any) -> AsyncIterator[Site]:
    """Serve an ASGI application as `make_server` would, without its ticks and signals."""
    config = make_config(app, limits=limits or ReceiptLimits(), **how)
    config.load()
    guarded = config.http_protocol_class
    made: asyncio.Queue[object] = asyncio.Queue()
    lost: asyncio.Queue[object] = asyncio.Queue()
    state = ServerState()

    class Watched(guarded):  # type: ignore[misc, valid-type]
        def connection_made(self, transport):
            self.paused = asyncio.Event()
            super().connection_made(transport)
            made.put_nowait(self)

        def pause_writing(self):
            super().pause_writing()
            self.paused.set()

        def connection_lost(self, exc):
            super().connection_lost(exc)
            lost.put_nowait(self)

    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Watched(config=config, server_state=state, app_state={}), "127.0.0.1", 0, backlog=512
    )
    try:
        yield Site(server.sockets[0].getsockname()[1], state, guarded.peers, made, lost)
    finally:
        server.close()
        for connection in list(state.connections):
            connection.transport.abort()
        for task in list(state.tasks):
            task.cancel()
        await asyncio.gather(*state.tasks, return_exceptions=True)
        await server.wait_closed()


class Echo:
    """Answers every call with its method, target and body, and remembers it."""

    def __init__(self) -> None:
        self.calls: list[dict[str, str]] = []
        self.disconnects = 0

    async def __call__(self, scope, receive, send):
        body = await read_body(receive)
        if body is None:
            self.disconnects += 1
            return
        call = {"method": scope["method"], "target": scope["raw_path"].decode("latin-1"), "body": body.decode()}
        self.calls.append(call)
        await respond(send, msgspec.json.encode(call))


async def read_body(receive) -> bytes | None:
    """The whole body, or None when the client went away before its end."""
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message["body"]
        more = message["more_body"]
    return body


async def respond(send, body: bytes, *, status: int = 200, headers=()) -> None:
    """Answer in one piece with its length."""
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [length, *headers]})
    await send({"type": "http.response.body", "body": body})


def get(path: str = "/", *lines: str, host: str = "bff.test") -> bytes:
    """A GET request as bytes."""
    return "\r\n".join([f"GET {path} HTTP/1.1", f"Host: {host}", *lines, "", ""]).encode()


def post(*lines: str, body: bytes = b"") -> bytes:
    """A POST request as bytes."""
    return "\r\n".join(["POST /bookings HTTP/1.1", "Host: bff.test", *lines, "", ""]).encode() + body
