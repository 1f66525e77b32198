"""Step 1: nothing malformed, oversized or meant for another host goes further.

`check_head` and `enter` judge the head of a request before anything is routed; the step itself judges what belongs to
the body, by `check_body`. That of a GraphQL request is judged by its surface, because it tells which document is meant.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from urllib.parse import unquote_to_bytes

from narrows.call import Call, Mode
from narrows.errors import ContentTooLarge, MalformedRequest, NotFound, UnsupportedMediaType, WrongHost
from narrows.pipeline.step import Preparing, Step

HEAD_BYTES = 32 * 1024
"""The cap of all headers together. A server may have a lower one; this one holds behind every server."""

# RFC 3986, 3.3: the characters of a path segment, and nothing else.
_PATH = re.compile(rb"(?:/(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})*)+")
_SLASHES = re.compile(rb"//|%2f|%5c", re.IGNORECASE)
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_LENGTH_DIGITS = 12
_BASES: tuple[Mode, ...] = ("rehearse", "sandbox")


def check_head(headers: Sequence[tuple[bytes, bytes]], accepted: frozenset[str]) -> None:
    """Refuse headers that are too large, and a request without exactly one `Host` that is served here (RFC 9110, 7.2).

    Raises `ContentTooLarge`, `MalformedRequest` and `WrongHost`.
    """
    if sum(len(name) + len(value) for name, value in headers) > HEAD_BYTES:
        raise ContentTooLarge(f"The headers are larger than {HEAD_BYTES} bytes.")
    hosts = [value.decode("latin-1") for name, value in headers if name == b"host"]
    if len(hosts) != 1:
        raise MalformedRequest("There must be exactly one `Host` header.")
    if hosts[0].lower() not in accepted:
        raise WrongHost()


def enter(raw_path: bytes, query: bytes, cap: int) -> tuple[Mode, str]:
    """Judge the raw request target and split off the base path: (mode, path to route).

    Raises `MalformedRequest`, `ContentTooLarge` and `NotFound`.
    """
    if len(raw_path) + len(query) > cap:
        raise ContentTooLarge(f"The request target is longer than {cap} bytes.")
    if not _PATH.fullmatch(raw_path) or _SLASHES.search(raw_path):
        raise MalformedRequest("The path holds `//`, an encoded slash or a character that a path may not hold.")
    try:
        path = unquote_to_bytes(raw_path).decode("utf-8")
    except UnicodeDecodeError:
        raise MalformedRequest("The path is not UTF-8.") from None
    if has_controls(path) or not {".", ".."}.isdisjoint(path.split("/")):
        raise MalformedRequest("The path holds a control character or a dot segment.")
    if path != "/" and path.endswith("/"):
        raise NotFound()
    return _split(raw_path.decode("ascii"), path)


def has_controls(text: str) -> bool:
    """Whether a text holds a control character, of C0 or C1."""
    return _CONTROLS.search(text) is not None


def _split(raw_path: str, path: str) -> tuple[Mode, str]:
    """Read the base path from the path as it came.

    What only looks like a base path (another case, an encoded letter, a second one) leads nowhere: a client that wrote
    it wants no live call.
    """
    base = raw_path.split("/")[1]
    mode = next((mode for mode in _BASES if mode == base), None)
    rest = path if mode is None else path[len(mode) + 1 :] or "/"
    if rest.split("/")[1].casefold() in _BASES:
        raise NotFound()
    return mode or "live", rest


def prepare(preparing: Preparing) -> Step:
    """Make the step for one endpoint: the body's size and type are judged before it is read."""
    cap = preparing.ground.settings.limits.body_bytes
    takes_body = preparing.shape.body is not None

    async def receive(call: Call) -> None:
        if call.raw.posed is None:
            check_body(call.raw.headers, cap, takes_body=takes_body)

    return receive


def check_body(headers: Mapping[str, Sequence[str]], cap: int, *, takes_body: bool) -> None:
    """Judge what the headers say of the body, before it is read.

    Raises `ContentTooLarge`, `MalformedRequest` and `UnsupportedMediaType`.
    """
    length = _length(headers.get("content-length", ()), cap)
    if "content-encoding" in headers:
        raise UnsupportedMediaType("The body is encoded.")
    if takes_body:
        types = headers.get("content-type", ())
        _check_type(types[0] if len(types) == 1 else None)
    elif length or "transfer-encoding" in headers:
        raise MalformedRequest("This endpoint takes no body.", remedy="Send the request without a body.")


def _length(lengths: Sequence[str], cap: int) -> int:
    """The length that was announced, 0 without one."""
    if not lengths:
        return 0
    if len(lengths) > 1 or not (lengths[0].isascii() and lengths[0].isdigit()):
        raise MalformedRequest("`Content-Length` must be one whole number.")
    if len(lengths[0]) > _LENGTH_DIGITS or int(lengths[0]) > cap:
        raise ContentTooLarge(f"The body is larger than {cap} bytes.")
    return int(lengths[0])


def _check_type(content_type: str | None) -> None:
    """Only JSON in UTF-8 (RFC 8259, 8.1)."""
    media, _, parameters = (content_type or "").partition(";")
    charset = parameters.strip().lower().replace('"', "")
    if media.strip().lower() != "application/json" or charset not in ("", "charset=utf-8"):
        raise UnsupportedMediaType()
