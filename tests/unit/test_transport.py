"""The one way out, against real sockets that misbehave in every way a peer can."""

import asyncio
import contextlib
import gzip
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from narrows.transport import Failure, Fetched, dial, fetch, new_request

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


class Peer:
    """A server on a real socket: it answers each request with `answer` and counts connections and requests."""

    def __init__(self) -> None:
        self.answer: Answer = good
        self.connections = 0
        self.heads: list[bytes] = []
        self.asked = asyncio.Event()
        self.closed = asyncio.Event()
        self.url = ""
        self.serving: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until the client leaves it."""
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self.serving.add(task)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                self.heads.append(await reader.readuntil(b"\r\n\r\n"))
                self.asked.set()
                await asyncio.gather(self.answer(writer), return_exceptions=True)
        self.closed.set()
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    """A peer on a free port of this machine."""
    made = Peer()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/path"
    yield made
    server.close()
    await asyncio.gather(*made.serving, server.wait_closed())


@pytest.fixture
async def out() -> AsyncIterator[httpx.AsyncBaseTransport]:
    """The default transport."""
    async with dial(None) as transport:
        yield transport


def head(*lines: str, status: str = "200 OK") -> bytes:
    """The head of an answer."""
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode("latin-1")


async def good(writer: asyncio.StreamWriter) -> None:
    """A small answer."""
    writer.write(head("Content-Length: 2", "Content-Type: Application/JSON; charset=utf-8") + b"{}")
    await writer.drain()


def sends(*pieces: bytes) -> Answer:
    """An answer of these bytes and nothing after them."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()

    return answer


def resets(*pieces: bytes) -> Answer:
    """An answer that breaks off."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        await sends(*pieces)(writer)
        writer.transport.abort()

    return answer


async def drips(writer: asyncio.StreamWriter) -> None:
    """An answer whose every byte comes in time, and whose end never does."""
    writer.write(head("Content-Length: 1000"))
    while True:
        writer.write(b".")
        await writer.drain()
        await asyncio.sleep(0.01)


async def never_ends(writer: asyncio.StreamWriter) -> None:
    """An answer of chunks without an end."""
    writer.write(head("Transfer-Encoding: chunked"))
    while True:
        writer.write(b"400\r\n" + b"x" * 1024 + b"\r\n")
        await writer.drain()


async def get(
    transport: httpx.AsyncBaseTransport, url: str, *, deadline_s: float = 5.0, max_bytes: int = 1000
) -> Fetched:
    """Fetch with caps that a test can wait for."""
    return await fetch(transport, new_request("GET", url, {}), deadline_s=deadline_s, max_bytes=max_bytes)


async def failure(transport: httpx.AsyncBaseTransport, url: str, *, deadline_s: float = 5.0) -> Failure:
    """The failure of a fetch that must not end well; its text is its kind alone."""
    with pytest.raises(Failure) as caught:
        await get(transport, url, deadline_s=deadline_s)
    assert str(caught.value) == caught.value.kind
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    return caught.value


async def test_a_good_answer(peer: Peer, out: httpx.AsyncBaseTransport) -> None:
    """Status, headers and body come back, and the media type is read without its parameters."""
    fetched = await get(out, peer.url)
    assert (fetched.status, fetched.body, fetched.media_type) == (200, b"{}", "application/json")
    assert peer.heads[0].startswith(b"GET /path HTTP/1.1\r\n")
    assert b"Accept-Encoding: identity\r\n" in peer.heads[0]


async def test_a_good_connection_is_used_again(peer: Peer, out: httpx.AsyncBaseTransport) -> None:
    """Two exchanges that end well take one connection; no cookie comes back."""
    peer.answer = sends(head("Content-Length: 0", "Set-Cookie: a=b"))
    await get(out, peer.url)
    assert (await get(out, peer.url)).media_type == ""
    assert peer.connections == 1
    assert b"cookie" not in peer.heads[1].lower()


async def test_a_body_goes_out(peer: Peer, out: httpx.AsyncBaseTransport) -> None:
    """Headers and content are sent as given, and the encoding cannot be overridden."""
    request = new_request("POST", peer.url, {"X-A": "b", "Accept-Encoding": "gzip"}, b"")
    await fetch(out, request, deadline_s=5, max_bytes=1000)
    assert b"X-A: b\r\n" in peer.heads[0]
    assert b"gzip" not in peer.heads[0]


@pytest.mark.parametrize("status", ["404 Not Found", "500 Oops", "204 No Content"])
async def test_other_statuses_are_answers(status: str, peer: Peer, out: httpx.AsyncBaseTransport) -> None:
    """What a status means is decided by who asked."""
    peer.answer = sends(head(*([] if status.startswith("204") else ["Content-Length: 0"]), status=status))
    assert (await get(out, peer.url)).status == int(status[:3])


async def test_a_body_of_just_the_cap_is_read(peer: Peer, out: httpx.AsyncBaseTransport) -> None:
    """The cap is the largest size, not the first that is too large."""
    peer.answer = sends(head("Content-Length: 1000") + b"x" * 1000)
    assert len((await get(out, peer.url)).body) == 1000


MISBEHAVIOURS: dict[str, tuple[Answer, str]] = {
    "redirect": (sends(head("Location: http://127.0.0.1:1/", "Content-Length: 0", status="302 Found")), "redirect"),
    "permanent redirect": (sends(head("Location: /x", "Content-Length: 0", status="308 Moved")), "redirect"),
    "not modified": (sends(head(status="304 Not Modified")), "redirect"),
    "gzip": (sends(head("Content-Encoding: gzip", "Content-Length: 30") + gzip.compress(b"")[:30]), "encoded"),
    "gzip in two": (sends(head("Content-Encoding: identity", "Content-Encoding: gzip")), "encoded"),
    "too large by its length": (sends(head("Content-Length: 1001") + b"x"), "too-large"),
    "too large by far": (sends(head("Content-Length: 99999999999999999999")), "too-large"),
    "too large in chunks": (sends(head("Transfer-Encoding: chunked"), b"3e9\r\n", b"x" * 1001, b"\r\n"), "too-large"),
    "too large until the end": (resets(head(), b"x" * 5000), "too-large"),
    "endless": (never_ends, "too-large"),
    "reset before the head": (resets(), "network"),
    "reset in the head": (resets(b"HTTP/1.1 200"), "network"),
    "reset in the body": (resets(head("Content-Length: 10"), b"x"), "network"),
    "two lengths": (sends(head("Content-Length: 1", "Content-Length: 2") + b"xx"), "network"),
    "a length that is no number": (sends(head("Content-Length: \u00b2") + b"xx"), "network"),
    "not http": (sends(b"SSH-2.0-OpenSSH\r\n\r\n"), "network"),
    "endless head": (sends(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000), "network"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISBEHAVIOURS)
async def test_misbehaviour(name: str, peer: Peer, out: httpx.AsyncBaseTransport) -> None:
    """Each is told by its kind, was sent, and its connection is closed and never used again."""
    peer.answer, kind = MISBEHAVIOURS[name]
    failed = await failure(out, peer.url)
    assert (failed.kind, failed.sent) == (kind, True)
    peer.answer = good
    assert (await get(out, peer.url)).body == b"{}"
    # An answer that was complete leaves nothing on the line, so its connection may serve again.
    is_complete = name in {"redirect", "permanent redirect", "not modified"}
    assert peer.connections in ((1, 2) if is_complete else (2,))


async def hang(_writer: asyncio.StreamWriter) -> None:
    """No answer at all."""


@pytest.mark.parametrize(
    "answer", [hang, drips, sends(head("Content-Length: 10"), b"x")], ids=["hang", "drip", "stall"]
)
async def test_the_deadline_is_for_the_whole(answer: Answer, peer: Peer, out: httpx.AsyncBaseTransport) -> None:
    """Silence, a drip and a stall end at the deadline, however lively the socket was; the connection is closed."""
    peer.answer = answer
    began = time.perf_counter()
    failed = await failure(out, peer.url, deadline_s=0.15)
    assert (failed.kind, failed.sent) == ("timeout", True)
    assert time.perf_counter() - began < 1.5
    await asyncio.wait_for(peer.closed.wait(), 5)
    peer.answer = good
    assert (await get(out, peer.url)).body == b"{}"
    assert peer.connections == 2


@pytest.mark.parametrize("status", ["200 OK", "204 No Content", "404 Not Found"])
async def test_a_connection_with_more_on_it_than_its_answer_is_over(
    status: str, peer: Peer, out: httpx.AsyncBaseTransport
) -> None:
    """What comes behind an answer is not taken for the answer to the next request (RFC 9112, 9.2)."""
    length = [] if status.startswith("204") else ["Content-Length: 0"]
    peer.answer = sends(head(*length, status=status) + head("Content-Length: 4") + b"evil")
    assert (await get(out, peer.url)).body == b""
    peer.answer = good
    assert (await get(out, peer.url)).body == b"{}"
    assert peer.connections == 2


async def test_a_cancelled_fetch_closes_its_connection(peer: Peer, out: httpx.AsyncBaseTransport) -> None:
    """Who gives up takes the connection with it."""
    peer.answer = sends(head("Content-Length: 10"), b"x")
    task = asyncio.create_task(get(out, peer.url))
    await asyncio.wait_for(peer.asked.wait(), 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(peer.closed.wait(), 5)


async def test_nobody_is_there(peer: Peer, out: httpx.AsyncBaseTransport) -> None:
    """A connection that was never made is told as one: nothing was sent."""
    async with await asyncio.start_server(peer.serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
    failed = await failure(out, f"http://127.0.0.1:{port}/")
    assert (failed.kind, failed.sent) == ("connect", False)


@pytest.mark.parametrize(
    ("raised", "kind", "sent"),
    [
        (httpx.ConnectTimeout("x"), "connect", False),
        (httpx.PoolTimeout("x"), "connect", False),
        (httpx.ConnectError("x"), "connect", False),
        (httpx.ReadTimeout("x"), "timeout", True),
        (httpx.WriteTimeout("x"), "timeout", True),
        (httpx.RemoteProtocolError("x"), "network", True),
        (httpx.ReadError("x"), "network", True),
        (TimeoutError(), "timeout", True),
    ],
)
async def test_what_other_transports_raise(raised: Exception, kind: str, sent: bool) -> None:
    """Every failure of a transport is told by its kind, and only what cannot have arrived counts as not sent."""

    def handle(_request: httpx.Request) -> httpx.Response:
        raise raised

    failed = await failure(httpx.MockTransport(handle), "http://x.example/")
    assert (failed.kind, failed.sent) == (kind, sent)


async def test_lengths_that_only_other_transports_let_through() -> None:
    """A length in other digits or of thousands of them is no fault."""

    def answering(length: bytes) -> httpx.MockTransport:
        headers = httpx.Headers([(b"content-length", length)])
        return httpx.MockTransport(lambda _: httpx.Response(200, headers=headers, content=b"x"))

    assert (await get(answering("\u00b2".encode("latin-1")), "http://x.example/")).body == b"x"
    assert (await failure(answering(b"9" * 5000), "http://x.example/")).kind == "too-large"


def _make_certificate(certificate: Path, private: Path) -> None:
    """Write a certificate for 127.0.0.1 that signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "peer")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    address = x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))])
    signed = builder.add_extension(address, critical=False).sign(key, hashes.SHA256())
    certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


class SyncOnly(httpx.SyncByteStream):
    """A body that cannot be read without blocking."""


async def test_a_body_that_would_block_is_refused() -> None:
    """A transport that answers with a synchronous body is not read."""
    transport = httpx.MockTransport(lambda _: httpx.Response(200, stream=SyncOnly()))
    assert (await failure(transport, "http://x.example/")).kind == "network"


async def test_a_certificate_that_nobody_vouches_for(peer: Peer, tmp_path: Path) -> None:
    """A self-signed certificate is refused by default, and trusted when it is named as `ca`."""
    certificate, key = tmp_path / "c.pem", tmp_path / "k.pem"
    _make_certificate(certificate, key)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    server = await asyncio.start_server(peer.serve, "127.0.0.1", 0, ssl=tls)
    url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    async with dial(None) as stranger, dial(str(certificate)) as friend:
        assert (await failure(stranger, url)).kind == "connect"
        assert (await get(friend, url)).body == b"{}"
    server.close()
    await server.wait_closed()


def test_a_missing_file_of_certificates() -> None:
    """A `ca` that is not there is found when the transport is made."""
    with pytest.raises(OSError, match="No such file"):
        dial("/nowhere/ca.pem")


async def test_proxies_of_the_environment_are_not_used(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a request goes is not decided by variables."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    async with dial(None) as transport:
        assert (await get(transport, peer.url)).status == 200
