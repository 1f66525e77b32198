"""What a server says in ASGI, as a call needs it; and a reply, as a server takes it. Nothing is guarded here."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote_to_bytes

from litestar.types import Receive, Send

from narrows.call import Reply
from narrows.errors import ContentTooLarge, MalformedRequest
from narrows.pipeline.receive import has_controls
from narrows.pipeline.replies import is_header

_BROKEN = re.compile(rb"%(?![0-9A-Fa-f]{2})")


async def unless_gone(calling: asyncio.Future[Reply], receive: Receive) -> Reply | None:
    """Wait for a reply; when the client goes away first, nobody needs it, and it is None."""
    gone = asyncio.ensure_future(_disconnected(receive))
    try:
        await asyncio.wait((calling, gone), return_when=asyncio.FIRST_COMPLETED)
        if calling.done():
            return calling.result()
        calling.cancel()
        await asyncio.wait((calling,))
        return None
    finally:
        gone.cancel()
        calling.cancel()


async def _disconnected(receive: Receive) -> None:
    """Return when the client has gone; the body of a read is empty, and passed over."""
    message: Any = await receive()
    while message["type"] == "http.request" and message.get("more_body", False):
        message = await receive()
    if message["type"] == "http.request":
        message = await receive()
    if message["type"] != "http.disconnect":
        await asyncio.Event().wait()  # the server tells of requests that there are not: the client may still be there


def parse_query(raw: bytes) -> list[tuple[str, str]]:
    """Read a query (WHATWG URL, 5.1) strictly. Raises `MalformedRequest`.

    A broken escape, a control character and text that is not UTF-8 are refused, not replaced.
    """
    parts = (part.partition(b"=") for part in raw.split(b"&") if part)
    return [(_text(name), _text(value)) for name, _, value in parts]


def _text(raw: bytes) -> str:
    if _BROKEN.search(raw):
        raise MalformedRequest("The query holds a broken percent escape.")
    try:
        text = unquote_to_bytes(raw.replace(b"+", b" ")).decode("utf-8")
    except UnicodeDecodeError:
        raise MalformedRequest("The query is not UTF-8.") from None
    if has_controls(text):
        raise MalformedRequest("The query holds a control character.")
    return text


def headers_of(raw: list[tuple[bytes, bytes]]) -> dict[str, list[str]]:
    """The headers by lower-case name; a name with an underscore is another name, and nobody asks for it."""
    found: dict[str, list[str]] = {}
    for name, value in raw:
        found.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    return found


def body_reader(receive: Receive) -> Callable[[int], Any]:
    """Read the body piece by piece, and stop at the cap."""

    async def read(cap: int) -> bytes:
        body = bytearray()
        more = True
        while more:
            message: Any = await receive()
            if message["type"] == "http.disconnect":
                raise MalformedRequest("The body ended early.")
            body += message.get("body", b"")
            if len(body) > cap:
                raise ContentTooLarge(f"The body is larger than {cap} bytes.")
            more = message.get("more_body", False)
        return bytes(body)

    return read


async def send_reply(send: Send, reply: Reply) -> None:
    """Write a reply; a header that could end its own line is left out."""
    headers = [(name.encode("ascii"), value.encode("ascii")) for name, value in filter(is_header, reply.headers)]
    if reply.status != 204:
        headers.append((b"content-length", str(len(reply.body)).encode()))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body, "more_body": False})
