"""The one place where bytes go out: a total deadline, a byte cap, no redirect, no encoding, no proxy, no cookie.

httpx is spoken at its transport protocol only (`httpx.Request` in, `httpx.Response` out), so that the transport in use
can be changed here alone. `AsyncClient` is not used: it follows redirects, keeps cookies and reads proxies from the
environment, none of which a BFF may do.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from typing import Protocol

import httpx
import msgspec

_LIMITS = httpx.Limits(max_connections=200, max_keepalive_connections=100, keepalive_expiry=15.0)
_LENGTH_DIGITS = 18


class Failure(Exception):
    """The exchange with a peer failed; `kind` says how. The text never holds a URL, a header or a body.

    `sent` is False when it is certain that the peer has not got the request (the connection was never made).
    """

    def __init__(self, kind: str, *, sent: bool = True) -> None:
        super().__init__(kind)
        self.kind = kind
        self.sent = sent


class Fetched(msgspec.Struct, frozen=True):
    """A complete answer of a peer, within the caps."""

    status: int
    headers: httpx.Headers
    body: bytes

    @property
    def media_type(self) -> str:
        """The media type without parameters, in lower case."""
        return str(self.headers.get("content-type", "")).partition(";")[0].strip().lower()


class Dial(Protocol):
    """Makes the transport to one peer; `ca` names a file of certificates to trust instead of the system's."""

    def __call__(self, ca: str | None) -> httpx.AsyncBaseTransport:
        """Return a transport that the caller closes."""
        ...


def dial(ca: str | None) -> httpx.AsyncBaseTransport:
    """Make the default transport: HTTP/1.1 over TLS that is checked, kept connections, no retries of its own."""
    verify: ssl.SSLContext | bool = ssl.create_default_context(cafile=ca) if ca else True
    return httpx.AsyncHTTPTransport(verify=verify, limits=_LIMITS, retries=0, trust_env=False)


def new_request(method: str, url: str, headers: Mapping[str, str], content: bytes | None = None) -> httpx.Request:
    """Make a request that asks for an answer without encoding, so that a small body cannot unpack into a huge one."""
    return httpx.Request(method, url, headers={**headers, "Accept-Encoding": "identity"}, content=content)


async def fetch(
    transport: httpx.AsyncBaseTransport, request: httpx.Request, *, deadline_s: float, max_bytes: int
) -> Fetched:
    """Send one request and read the whole answer within `deadline_s` seconds and `max_bytes` bytes.

    Raises `Failure`: `timeout`, `connect`, `network`, `too-large`, `encoded`, `redirect`.
    """
    request.extensions["timeout"] = dict.fromkeys(("connect", "read", "write", "pool"), deadline_s)
    try:
        async with asyncio.timeout(deadline_s):
            return await _fetch(transport, request, max_bytes)
    except TimeoutError:
        raise Failure("timeout") from None
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout):
        raise Failure("connect", sent=False) from None
    except httpx.TimeoutException:
        raise Failure("timeout") from None
    except httpx.HTTPError:
        raise Failure("network") from None


async def _fetch(transport: httpx.AsyncBaseTransport, request: httpx.Request, max_bytes: int) -> Fetched:
    """Send, and read the body piece by piece, so that the cap holds before the memory is taken."""
    response = await transport.handle_async_request(request)
    stream = response.stream
    if not isinstance(stream, httpx.AsyncByteStream):
        raise Failure("network")
    try:
        _check_head(response, max_bytes)
        body = bytearray()
        async for piece in stream:
            body += piece
            if len(body) > max_bytes:
                raise Failure("too-large")
        _check_end(stream)
        return Fetched(response.status_code, response.headers, bytes(body))
    finally:
        await stream.aclose()


def _check_end(stream: httpx.AsyncByteStream) -> None:
    """Let a connection end on which more came than the answer (RFC 9112, 9.2).

    httpcore 1.0 would keep it, and take what is left over for the answer to the next request, perhaps another caller's.
    It tells of that nowhere else; another transport has none of these attributes, and is left alone.
    """
    connection = getattr(getattr(getattr(stream, "_httpcore_stream", None), "_stream", None), "_connection", None)
    state = getattr(connection, "_h11_state", None)
    if state is not None and state.trailing_data[0]:
        state.send_failed()  # a connection that counts as broken is closed with its stream


def _check_head(response: httpx.Response, max_bytes: int) -> None:
    """Refuse what no declaration can want, before any of the body is read."""
    if 300 <= response.status_code < 400:
        raise Failure("redirect")
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise Failure("encoded")
    length = response.headers.get("content-length", "0")
    if length.isdecimal() and (len(length) > _LENGTH_DIGITS or int(length) > max_bytes):
        raise Failure("too-large")
