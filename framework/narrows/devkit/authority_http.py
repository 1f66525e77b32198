# mypy: allow-subclassing-any
# Authlib ships no types, so its classes are Any.
"""Between HTTP and Authlib's core: plain values in and out, strict parameters, and Authlib's view of a request."""

from __future__ import annotations

import re
from base64 import b64decode
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from authlib.oauth2.rfc6749 import InvalidRequestError, OAuth2Payload, OAuth2Request

FORM = "application/x-www-form-urlencoded"

_MOST_PARAMETERS = 64
_REPEATABLE = frozenset({"audience", "resource"})
_FREE_TEXT = frozenset({"state", "client_secret", "authorization_details"})
# RFC 6749, appendix A; Authlib repeats parameters in descriptions, where '"' and '\' make it fail.
_TEXT = re.compile(r"[\x20\x21\x23-\x5B\x5D-\x7E]*", re.ASCII)
_VISIBLE = re.compile(r"[\x20-\x7E]*", re.ASCII)

Pairs = Sequence[tuple[str, str]]


class Inbound(msgspec.Struct, frozen=True):
    """A request as it came: `query` raw, header names in lower case, no header twice that decides something."""

    method: str
    query: str
    headers: Mapping[str, str]
    cookies: Mapping[str, str]
    body: bytes

    def __repr__(self) -> str:
        return f"Inbound({self.method!r})"


class Reply(msgspec.Struct, frozen=True):
    """An answer to send."""

    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes

    def __repr__(self) -> str:
        return f"Reply({self.status})"


def pairs(raw: str) -> Pairs:
    """The parameters of a query or form, empty ones left out (RFC 6749, 3.1).

    Raises `InvalidRequestError` for bytes that are no UTF-8 and for too many parameters.
    """
    try:
        return parse_qsl(raw, errors="strict", max_num_fields=_MOST_PARAMETERS)
    except ValueError as error:
        raise InvalidRequestError("The parameters are not form-encoded UTF-8, or too many.") from error


def form(inbound: Inbound) -> Pairs:
    """The parameters of a form body. Raises `InvalidRequestError` for another content type or encoding."""
    if inbound.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise InvalidRequestError(f"Content-Type must be {FORM}.")
    try:
        return pairs(inbound.body.decode("ascii"))
    except UnicodeDecodeError as error:
        raise InvalidRequestError("The body is not form-encoded. Percent-encode all but ASCII.") from error


def checked(found: Pairs) -> Pairs:
    """`found`, if every OAuth parameter comes once and in the characters of RFC 6749, appendix A.

    Raises `InvalidRequestError` otherwise (RFC 6749, 3.1 and 3.2).
    """
    names = [name for name, _ in found if name not in _REPEATABLE]
    if len(set(names)) < len(names):
        raise InvalidRequestError("A parameter came twice. Send each once.")
    for name, value in found:
        if not (_VISIBLE if name in _FREE_TEXT else _TEXT).fullmatch(value) or not _TEXT.fullmatch(name):
            raise InvalidRequestError("A parameter has a character that is not allowed (RFC 6749, appendix A).")
    return found


class Payload(OAuth2Payload):
    """The parameters in the shape that Authlib reads."""

    def __init__(self, found: Pairs) -> None:
        self._first: dict[str, str] = {}
        self._all: defaultdict[str, list[str]] = defaultdict(list)
        for name, value in found:
            self._first.setdefault(name, value)
            self._all[name].append(value)

    @property
    def data(self) -> dict[str, str]:
        """Each parameter's first value."""
        return self._first

    @property
    def datalist(self) -> defaultdict[str, list[str]]:
        """Each parameter's values."""
        return self._all


class AuthlibRequest(OAuth2Request):
    """A request in the shape that Authlib's core reads."""

    def __init__(self, inbound: Inbound, found: Pairs) -> None:
        # Authlib wants https here unless a variable of the whole process says otherwise; this server answers loopback.
        super().__init__(inbound.method, "https://loopback.invalid/", headers=_authlib_headers(inbound.headers))
        self.payload = Payload(found)
        _one_way_to_authenticate(self)

    @property
    def args(self) -> dict[str, str]:
        """The parameters, as Authlib names those of a query."""
        return self.form

    @property
    def form(self) -> dict[str, str]:
        """The parameters, as Authlib names those of a form."""
        data: dict[str, str] = self.payload.data
        return data

    @property
    def targets(self) -> list[str]:
        """The audiences that `audience` (RFC 8693) and `resource` (RFC 8707) name."""
        listed: Mapping[str, list[str]] = self.payload.datalist
        return [*listed.get("audience", ()), *listed.get("resource", ())]


def reply(status: int, body: Any, headers: Sequence[tuple[str, str]]) -> Reply:
    """An answer from Authlib's triple: a mapping becomes JSON, a text stays as it is."""
    raw = body.encode() if isinstance(body, str) else msgspec.json.encode(body)
    return Reply(status, tuple(headers), raw)


def _authlib_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Header names as Authlib looks them up, without a Basic header that it could not decode."""
    titled = {name.title(): value for name, value in headers.items()}
    if not _decodable(titled.get("Authorization", "")):
        del titled["Authorization"]
    return titled


def _decodable(authorization: str) -> bool:
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() != "basic":
        return True
    try:
        b64decode(value, validate=True).decode("utf-8")
    except ValueError:
        return False
    return True


def _one_way_to_authenticate(request: AuthlibRequest) -> None:
    """Refuse a client that authenticates itself in two ways at once (RFC 6749, 2.3)."""
    ways = [name for name in ("client_secret", "client_assertion") if name in request.form]
    if len(ways) + ("Authorization" in request.headers) > 1:
        raise InvalidRequestError("Authenticate the client in one way only.")
