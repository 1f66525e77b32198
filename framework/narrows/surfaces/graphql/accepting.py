"""In which media type a GraphQL request is answered (GraphQL over HTTP, "Accept"; RFC 9110, 12.5.1)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

RESPONSE = "application/graphql-response+json"
LEGACY = "application/json"
_KEPT = 256
_READ = 2048
"""Of a longer header the rest is not read: it comes before anybody looks at credentials."""


def media_of(accept: Sequence[str]) -> str | None:
    """The better of both types for the values of `Accept`, None when neither is taken.

    Who says nothing is answered in the type of the draft. Who takes anything is answered in plain JSON, because a
    client that knows the newer type names it. Named alike, the newer one is better.
    """
    if not accept:
        return RESPONSE
    text = ",".join(accept)
    return _kept(text) if len(text) <= _KEPT else _best(text[:_READ])


def media_for(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The type for a request whose headers were not looked at yet; that of the draft if it takes neither."""
    return media_of([value.decode("latin-1") for name, value in headers if name.lower() == b"accept"]) or RESPONSE


def _best(text: str) -> str | None:
    asked = [_range(part) for part in text.split(",")]
    quality, _, media = max((*_wish(media, asked), media) for media in (LEGACY, RESPONSE))
    return media if quality > 0 else None


# Clients send few different ones, and each of them with every request.
_kept = lru_cache(maxsize=_KEPT)(_best)


# How good a type is by how the client finds it: named, or let through by one of both wildcards.
_BY_NAME = {RESPONSE: 4, LEGACY: 3}
_BY_SUBTYPE = {LEGACY: 2, RESPONSE: 1}
_BY_ANY = {LEGACY: 0, RESPONSE: -1}


def _wish(media: str, asked: Sequence[tuple[str, float]]) -> tuple[float, int]:
    """How much a type is wanted (0 to 1), by the most specific range that holds it; and its place among equals."""
    for wanted, place in ((media, _BY_NAME), ("application/*", _BY_SUBTYPE), ("*/*", _BY_ANY)):
        found = [quality for name, quality in asked if name == wanted]
        if found:
            return max(found), place[media]
    return 0.0, 0


def _range(part: str) -> tuple[str, float]:
    """One media range and its weight; one that cannot be given, or read, has none."""
    name, *parameters = (piece.strip().lower() for piece in part.split(";"))
    quality = 1.0
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key == "q":
            quality = _quality(value)
        elif key == "charset" and value.strip('"') not in ("utf-8", "utf8"):
            return name, 0.0
    return name, quality


def _quality(text: str) -> float:
    try:
        quality = float(text)
    except ValueError:
        return 0.0
    return quality if 0 <= quality <= 1 else 0.0
