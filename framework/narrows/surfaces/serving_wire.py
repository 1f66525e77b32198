"""Strict reading of HTTP/1.1: what h11 still tolerates, and a proxy in front may read otherwise, is refused.

Two readers that disagree on where a request ends are how one request is hidden in another (RFC 9112, 11.2).
"""

from __future__ import annotations

import re

import h11

from narrows.errors import ContentTooLarge, MalformedRequest, Problem

_HEAD_END = re.compile(rb"\n\r?\n")
_LENGTH = re.compile(rb"\ncontent-length:([^\r\n]*)", re.IGNORECASE)
_CODING = re.compile(rb"\ntransfer-encoding:", re.IGNORECASE)
_HOSTS = re.compile(rb"\nhost:[ \t]*([^\r\n]*?)[ \t]*\r", re.IGNORECASE)
_HOST = re.compile(rb"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")


class StrictConnection(h11.Connection):
    """The server's side of one connection; `refusal` holds the problem of the request that was refused last.

    Every refusal comes out of `next_event` as `h11.RemoteProtocolError`, as h11's own do (those leave `refusal` unset).
    `head_bytes` caps the head of a request, and what the framing of a chunked body may add to its content.
    """

    def __init__(self, head_bytes: int) -> None:
        super().__init__(h11.SERVER, head_bytes)
        self.head_bytes = head_bytes
        self.method = b""
        self.refusal: Problem | None = None
        self._framing = 0

    def receive_data(self, data: bytes) -> None:
        """Take bytes from the socket, counting those that belong to a body."""
        if self.their_state is h11.SEND_BODY:
            self._framing += len(data)
        super().receive_data(data)

    def next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        """Return the next event, or raise `h11.RemoteProtocolError`."""
        raw = self._unread_head()
        self._check_size(len(raw))
        event = super().next_event()
        if isinstance(event, h11.Request):
            self._framing = 0
            self.method = event.method
            self._check(_head_fault(raw) or _request_fault(event, raw))
        elif isinstance(event, h11.Data):
            # As much framing as content is allowed; one-byte chunks and long chunk extensions are neither.
            self._framing -= 2 * len(event.data)
        elif event is h11.NEED_DATA:
            self._check_framing()
        return event

    def _unread_head(self) -> bytes:
        """The head as it came: h11 merges repeated lengths and folded lines before it shows them."""
        if self.their_state is not h11.IDLE:
            return b""
        self.method = b""
        raw = self.trailing_data[0]
        end = _HEAD_END.search(raw)
        return raw[: end.end()] if end else raw

    def _check(self, fault: str | None) -> None:
        if fault:
            self._refuse(MalformedRequest(fault))

    def _check_size(self, size: int) -> None:
        if size > self.head_bytes:
            self._refuse(ContentTooLarge(f"Request line and headers are over {self.head_bytes} bytes."))

    def _check_framing(self) -> None:
        # Up to one read of content may still wait in the buffer uncounted; it is not framing.
        if self._framing > 2 * self.head_bytes:
            self._check("The chunks of the body carry more framing than content.")

    def _refuse(self, problem: Problem) -> None:
        self.refusal = problem
        raise h11.RemoteProtocolError(str(problem))


def _head_fault(head: bytes) -> str | None:
    """Say what makes the raw head ambiguous (RFC 9112, 2.2, 5.2 and 6.3), or nothing."""
    lengths: list[bytes] = _LENGTH.findall(head)
    if head.count(b"\n") != head.count(b"\r\n"):
        return "A line ends without CR."
    if b"\n " in head or b"\n\t" in head:
        return "A header is folded over two lines."
    if len(lengths) > 1 or any(b"," in length for length in lengths):
        return "Content-Length is given more than once."
    if lengths and _CODING.search(head):
        return "Content-Length and Transfer-Encoding are given together."
    return None


def _request_fault(request: h11.Request, head: bytes) -> str | None:
    """Say what is wrong with the request line or Host (RFC 9112, 3.2, 6.1; RFC 9110, 7.2), or nothing."""
    if request.http_version not in (b"1.0", b"1.1"):
        return "The version is not HTTP/1.1."
    if request.http_version == b"1.0" and _CODING.search(head):
        return "HTTP/1.0 has no Transfer-Encoding."
    if not request.target.startswith(b"/"):
        return "The request target is not a path."
    if not all(_HOST.fullmatch(host) for host in _HOSTS.findall(head)):
        return "Host is not a name or address with an optional port."
    return None
