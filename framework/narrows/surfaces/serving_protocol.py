"""One connection of a client: receipt deadlines, caps, and an answer for what never becomes a call.

uvicorn has no deadline before a request is complete and none for a client that does not read, and no middleware sees
that phase; h11 is chosen because it is strict and because its states tell what is awaited (docs/decisions/0005).
"""

from __future__ import annotations

import asyncio
import ssl
import traceback
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar, cast

import h11
import msgspec
from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, ASGISendEvent, Scope
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import STATUS_PHRASES, H11Protocol, RequestResponseCycle
from uvicorn.protocols.utils import get_remote_addr
from uvicorn.server import ServerState

from narrows.addresses import Network, peer_of
from narrows.errors import (
    PROBLEM_MEDIA_TYPE,
    InternalError,
    MalformedRequest,
    Problem,
    RequestTimeout,
    Unavailable,
)
from narrows.settings.basis import Amount, Seconds
from narrows.surfaces.serving_peers import Peers
from narrows.surfaces.serving_wire import StrictConnection


class ReceiptLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a client may take of the server before its request is one. Times are seconds, sizes bytes.

    - `headers_s`: from the first byte of a request to the end of its headers
    - `body_s`: from the headers to the end of the body, in total
    - `idle_s`: without any byte, on a new connection (TLS handshake included) or between two requests
    - `write_s`: until the client has taken what was written to it
    - `linger_s`: how long the rest of a refused request is read, so that a reset does not eat the answer
    - `header_bytes`: request line and headers together
    - `per_peer`, `connections`: connections open at one time, of one peer and in this process
    """

    headers_s: Seconds = 5.0
    body_s: Seconds = 10.0
    idle_s: Seconds = 5.0
    write_s: Seconds = 10.0
    linger_s: Seconds = 1.0
    header_bytes: Amount = 16 * 1024
    per_peer: Amount = 64
    connections: Amount = 1024


class GuardedProtocol(H11Protocol):
    """uvicorn's h11 protocol with `ReceiptLimits`; bind it to one server with `guarded`."""

    limits: ClassVar[ReceiptLimits]
    peers: ClassVar[Peers]
    tls: ClassVar[ssl.SSLContext | None]
    conn: StrictConnection

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.conn = StrictConnection(self.limits.header_bytes)
        self._served, self.app = self.app, self._answer
        # The transport below TLS: the one above can no longer be aborted once it was closed twice (Python 3.11).
        self._socket: asyncio.Transport
        self._peer: Network | None = None
        self._entered = False
        self._opened = False
        self._over = False
        self._early = b""
        self._awaited: tuple[object, ...] | None = None
        self._kept_waiting = False
        self._deadline: asyncio.TimerHandle | None = None
        self._write_deadline: asyncio.TimerHandle | None = None
        self._handshake: asyncio.Task[None] | None = None

    # The connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn narrows it
        """Count the peer, then open at once or after the TLS handshake."""
        self._socket = transport
        address = get_remote_addr(transport)
        self._peer = peer_of(address[0] if address else None)
        self._entered = self.peers.enter(self._peer)
        if not self._entered:
            self._turn_away(transport)
        elif self.tls is None:
            self._open(transport)
        else:
            self._handshake = self.loop.create_task(self._secure(transport, self.tls))

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop every deadline and count the peer no more."""
        self._stop_deadlines()
        self._leave()
        if self._opened:
            super().connection_lost(exc)

    def _turn_away(self, transport: asyncio.Transport) -> None:
        self._over = True
        if self.tls is not None:
            transport.abort()
            return
        full = Unavailable("Too many connections are open.", headers={"retry-after": "1"})
        transport.write(_answer_bytes(self.conn, full))
        transport.close()

    async def _secure(self, transport: asyncio.Transport, context: ssl.SSLContext) -> None:
        # uvicorn would let asyncio shake hands before any protocol exists: for 60 s, and counted by nobody.
        # Neither a pause in reading nor a tail in the lower buffer is seen from above TLS, so its buffer is kept empty.
        transport.set_write_buffer_limits(high=1, low=0)
        idle_s = self.limits.idle_s
        start = partial(self.loop.start_tls, server_side=True)
        try:
            above = await start(transport, self, context, ssl_handshake_timeout=idle_s, ssl_shutdown_timeout=idle_s)
        except OSError:
            self._leave()
        else:
            # None only stands for a transport that was lost before, which is the error above.
            self._open(cast(asyncio.Transport, above))

    def _open(self, transport: asyncio.Transport) -> None:
        self._opened = True
        # With the smallest buffer every byte that the client does not take pauses writing, and so starts `write_s`.
        transport.set_write_buffer_limits(high=1, low=0)
        super().connection_made(transport)
        self._watch()
        early, self._early = self._early, b""
        self.data_received(early)

    def _leave(self) -> None:
        if self._entered:
            self.peers.leave(self._peer)
        self._entered = False

    # Reading

    def data_received(self, data: bytes) -> None:
        """Read in pieces no longer than a head, because h11 checks its cap only when it runs out of data."""
        if not self._opened:
            self._early += data
            return
        for start in range(0, len(data), self.limits.header_bytes):
            if self._over or self.conn.their_state is h11.MUST_CLOSE:
                break
            super().data_received(data[start : start + self.limits.header_bytes])
        self._watch()

    def on_response_complete(self) -> None:
        """Wait for the next request, or for the rest of a body that the answer did not need."""
        super().on_response_complete()
        self._unset_keepalive_if_required()
        self._watch()

    def _should_upgrade(self) -> bool:
        # Nothing is upgraded, and a client cannot fill the log with warnings about it.
        return False

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 # uvicorn gives the text of its own answer
        """Answer a request that is no HTTP with a problem document, and close."""
        self._refuse(self.conn.refusal or MalformedRequest())

    # Deadlines

    def _watch(self) -> None:
        """Give the part of a request that is awaited now its deadline, unless it has one."""
        if self._over:
            return
        # A client that was kept from sending has a whole deadline once it may go on.
        self._kept_waiting |= self.flow.read_paused
        awaited, seconds, end = self._next_deadline()
        # The cycle tells the body of one request from the body of the next.
        key = (awaited, self.cycle)
        if key == self._awaited:
            return
        self._awaited = key
        self._kept_waiting = self.flow.read_paused
        self._stop(self._deadline)
        self._deadline = self.loop.call_later(seconds, end) if end else None

    def _next_deadline(self) -> tuple[str, float, Callable[[], None] | None]:
        limits = self.limits
        if self.conn.their_state is h11.SEND_BODY:
            return "body", limits.body_s, self._body_late
        if self.conn.their_state is not h11.IDLE:
            return "nothing", 0.0, None
        if self.conn.trailing_data[0]:
            return "headers", limits.headers_s, self._headers_late
        return "request", limits.idle_s, self.transport.close

    def _headers_late(self) -> None:
        self._refuse(RequestTimeout(f"The headers did not arrive within {self.limits.headers_s:g} s."))

    def _body_late(self) -> None:
        if self._kept_waiting or self.flow.read_paused or self.cycle.waiting_for_100_continue:
            # It was the application that did not read yet, not the client that does not send.
            self._awaited = None
            self._watch()
        else:
            self._refuse(RequestTimeout(f"The body did not arrive within {self.limits.body_s:g} s."))

    def pause_writing(self) -> None:
        """Start the deadline for the client to read."""
        super().pause_writing()
        self._write_deadline = self.loop.call_later(self.limits.write_s, self._socket.abort)

    def resume_writing(self) -> None:
        """The client has read everything."""
        super().resume_writing()
        self._stop(self._write_deadline)

    def _stop_deadlines(self) -> None:
        self._stop(self._deadline)
        self._stop(self._write_deadline)

    @staticmethod
    def _stop(deadline: asyncio.TimerHandle | None) -> None:
        if deadline is not None:
            deadline.cancel()

    # Answers of the server itself

    def _refuse(self, problem: Problem) -> None:
        """End the connection, with the problem as its last answer where one can still be written."""
        self._over = True
        self._stop(self._deadline)
        self._disconnect()
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.close()
            return
        self.transport.write(_answer_bytes(self.conn, problem, self.server_state.default_headers))
        self._linger()

    def _disconnect(self) -> None:
        """Tell the application that its client is gone; it can send nothing more."""
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.message_event.set()

    def _linger(self) -> None:
        """Close as RFC 9112, 9.6 advises: stop sending, read what still comes, then close."""
        self._deadline = self.loop.call_later(self.limits.linger_s, self._socket.abort)
        if self.transport.can_write_eof():
            self.transport.write_eof()
            self.flow.resume_reading()
        else:
            self.transport.close()

    async def _answer(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        """Run the application, and answer in its place when it fails before it has begun to."""
        problem: Problem = InternalError()
        cycle = self.cycle
        try:
            await self._served(scope, receive, partial(self._send, cycle, send))
        except asyncio.CancelledError:
            problem = Unavailable("The server is stopping.")
        except Exception as error:  # whatever the application raises, its client gets an answer
            self.logger.error("The application failed: %s", _where(error))
        if not cycle.response_started:
            await self._send_problem(send, problem)

    async def _send(self, cycle: RequestResponseCycle, send: ASGISendCallable, message: ASGISendEvent) -> None:
        begun = cycle.response_started
        try:
            await send(message)
        except Exception:
            # uvicorn notes that the answer has begun before h11 judges its headers. When h11 refuses them, nothing has
            # been sent; without this note the client would get an empty reply.
            cycle.response_started = begun or self.conn.our_state is not h11.SEND_RESPONSE
            raise

    async def _send_problem(self, send: ASGISendCallable, problem: Problem) -> None:
        body = msgspec.json.encode(problem.body())
        headers = _problem_headers(problem, body)
        await send({"type": "http.response.start", "status": problem.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def guarded(limits: ReceiptLimits, peers: Peers, tls: ssl.SSLContext | None = None) -> type[GuardedProtocol]:
    """Make the protocol class of one server, whose instances share one count of peers."""
    bound = {"limits": limits, "peers": peers, "tls": tls}
    return type("BoundProtocol", (GuardedProtocol,), bound)


def _answer_bytes(
    conn: StrictConnection, problem: Problem, default_headers: list[tuple[bytes, bytes]] | None = None
) -> bytes:
    """The problem as the last answer on a connection; uvicorn's own cycle may not exist yet."""
    body = msgspec.json.encode(problem.body())
    headers = [*(default_headers or ()), *_problem_headers(problem, body), (b"connection", b"close")]
    events: list[h11.Event] = [
        h11.Response(status_code=problem.status, headers=headers, reason=STATUS_PHRASES[problem.status]),
        h11.Data(data=b"" if conn.method == b"HEAD" else body),
        h11.EndOfMessage(),
    ]
    return b"".join(conn.send(event) or b"" for event in events)


def _problem_headers(problem: Problem, body: bytes) -> list[tuple[bytes, bytes]]:
    """Name the document's type and length, and keep it out of caches."""
    own = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in problem.headers.items()]
    return [
        (b"content-type", PROBLEM_MEDIA_TYPE.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        *own,
    ]


def _where(error: Exception) -> str:
    """Name the fault and its line; the message of an exception may hold what no log may."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {frame.name}, {frame.filename}:{frame.lineno}"
