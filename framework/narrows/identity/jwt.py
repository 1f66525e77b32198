"""The form of an access token and the rules that it has to hold (RFC 7515, 7519, 8725, 9068). No I/O.

A token is text of a stranger until its signature holds: it is measured before it is read, nothing in it is followed,
and whatever is wrong ends in `InvalidToken` with one of the reasons listed here, which never quote the token.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypeGuard

import msgspec

from narrows.errors import InvalidToken
from narrows.settings import IssuerSettings

TOKEN_CHARACTERS = 8 * 1024
LEEWAY_S = 60.0
# The longest life of an access token; a revocation is remembered for as long, so a longer one could outlive it.
LIFE_S = 48 * 3600.0

_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_KEY_ID = re.compile(r"[A-Za-z0-9_.~:+/=@-]{1,128}")
_TEXT_CHARACTERS = 255
_LAST_DATE = 2.0**53

# What would change how the signature is checked, or bring a key or a compression of the sender's choice.
_HEADERS_REFUSED = frozenset({"crit", "b64", "zip", "jwk", "jku", "x5u", "x5c", "enc"})
# An issuer that does not set `at+jwt` tells its ID, logout and event tokens apart by these claims only.
_MARKS_OF_OTHER_TOKENS = frozenset({"at_hash", "c_hash", "s_hash", "nonce", "events"})


class Reason(StrEnum):
    """Why a token is refused: all that a client, a log or a metric is told."""

    MALFORMED = "It is not a signed JWT in compact form."
    HEADER = "Its header holds something that is not accepted."
    TYPE = "It is not an access token."
    ALGORITHM = "Its algorithm is not accepted from this issuer."
    ISSUER = "Its issuer is not known here."
    KEY = "Its key is not known, or is not meant for its algorithm."
    SIGNATURE = "Its signature does not hold."
    CLAIMS = "A required claim is missing or has a wrong form."
    AUDIENCE = "It is meant for another service."
    EXPIRED = "It has expired."
    EARLY = "It is not valid yet."
    LIFE = "It is valid for longer than is accepted."
    BOUND = "It is bound to a key of the client, which is not accepted as a bearer token."
    ACTOR = "Its chain of actors is not accepted."
    REVOKED = "It was revoked."


class Unverified(msgspec.Struct, frozen=True):
    """The parts of a token whose signature is not checked yet; `signed` is the text under the signature."""

    header: Mapping[str, Any]
    claims: Mapping[str, Any]
    signed: bytes
    signature: bytes


def refuse(reason: Reason) -> InvalidToken:
    """Make the error for a reason; the one place where a refused token becomes an answer."""
    return InvalidToken(reason.value)


def is_compact(token: str) -> bool:
    """Tell whether a text may be a token at all; cheap for any text of any length."""
    return len(token) <= TOKEN_CHARACTERS and _COMPACT.fullmatch(token) is not None


def read(token: str) -> Unverified:
    """Take a token apart without believing it. Raises `InvalidToken`."""
    if not is_compact(token):
        raise refuse(Reason.MALFORMED)
    header, claims, signature = token.split(".")
    signed = token[: -len(signature) - 1].encode("ascii")
    return Unverified(_read_object(header), _read_object(claims), signed, _read_base64(signature))


def check_header(header: Mapping[str, Any], issuer: IssuerSettings) -> tuple[str, str | None]:
    """Hold a header against the issuer's settings; returns (algorithm, key id). Raises `InvalidToken`.

    `alg` is compared with its case (RFC 8725, 3.1); `typ` without (RFC 9068, 4).
    """
    if not _HEADERS_REFUSED.isdisjoint(header):
        raise refuse(Reason.HEADER)
    typ = header.get("typ")
    if not isinstance(typ, str) or typ.lower() not in {accepted.lower() for accepted in issuer.typ}:
        raise refuse(Reason.TYPE)
    algorithm = header.get("alg")
    if algorithm not in issuer.algorithms:
        raise refuse(Reason.ALGORITHM)
    key_id = header.get("kid")
    if key_id is not None and not (isinstance(key_id, str) and _KEY_ID.fullmatch(key_id)):
        raise refuse(Reason.HEADER)
    return algorithm, key_id


def check_claims(claims: Mapping[str, Any], issuer: IssuerSettings, now: float) -> None:
    """Hold the claims that every access token must have (RFC 9068, 2.2 and 4). Raises `InvalidToken`."""
    if claims.get("iss") != issuer.url:
        raise refuse(Reason.ISSUER)
    if not _is_meant_for(claims.get("aud"), issuer.audience):
        raise refuse(Reason.AUDIENCE)
    _check_dates(claims, now)
    if not is_text(claims.get("sub")) or not _has_id(claims, issuer):
        raise refuse(Reason.CLAIMS)
    if is_loose(issuer) and not _MARKS_OF_OTHER_TOKENS.isdisjoint(claims):
        raise refuse(Reason.TYPE)
    if "cnf" in claims:
        raise refuse(Reason.BOUND)


def client_of(claims: Mapping[str, Any], issuer: IssuerSettings) -> str:
    """The client that asked for the token; Entra and others name it `azp` or `appid`. Raises `InvalidToken`."""
    names = ("client_id", "azp", "appid") if is_loose(issuer) else ("client_id",)
    named = next((claims[name] for name in names if name in claims), None)
    if not is_text(named):
        raise refuse(Reason.CLAIMS)
    return named


def is_loose(issuer: IssuerSettings) -> bool:
    """Tell whether the issuer's tokens are plain JWTs, and so need not follow RFC 9068 to the letter."""
    return any(typ.lower() == "jwt" for typ in issuer.typ)


def is_text(value: object) -> TypeGuard[str]:
    """Tell whether a claim is a short printable text, safe to store, compare and record."""
    return isinstance(value, str) and 0 < len(value) <= _TEXT_CHARACTERS and value.isprintable()


def _has_id(claims: Mapping[str, Any], issuer: IssuerSettings) -> bool:
    return is_text(claims["jti"]) if "jti" in claims else is_loose(issuer)


def _is_meant_for(audience: object, ours: str) -> bool:
    """Compare whole members: a prefix or substring of an audience is another audience."""
    return ours in audience if isinstance(audience, list) else audience == ours


def _check_dates(claims: Mapping[str, Any], now: float) -> None:
    expires, issued, begins = (_date(claims, name) for name in ("exp", "iat", "nbf"))
    if expires is None or issued is None:
        raise refuse(Reason.CLAIMS)
    if now >= expires + LEEWAY_S:
        raise refuse(Reason.EXPIRED)
    if max(issued, begins or 0.0) > now + LEEWAY_S:
        raise refuse(Reason.EARLY)
    if expires - issued > LIFE_S:
        raise refuse(Reason.LIFE)


def _date(claims: Mapping[str, Any], name: str) -> float | None:
    """Read a NumericDate; a text, a truth value, a NaN or a number past any clock is refused."""
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LAST_DATE:
        raise refuse(Reason.CLAIMS)
    return float(value)


def _read_object(segment: str) -> dict[str, Any]:
    """Read one JSON object, each name once: two parsers must not read two different tokens in one text."""
    raw = _read_base64(segment)
    try:
        value = msgspec.json.decode(raw, type=dict[str, Any])
        json.loads(raw, object_pairs_hook=_refuse_twice)
    except (ValueError, RecursionError):
        raise refuse(Reason.MALFORMED) from None
    return value


def _refuse_twice(pairs: list[tuple[str, Any]]) -> None:
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("twice")


def _read_base64(segment: str) -> bytes:
    """Decode base64url in its one canonical form, so that a token has one spelling (RFC 7515, 2; RFC 4648, 3.5)."""
    try:
        raw = base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
    except ValueError:
        raise refuse(Reason.MALFORMED) from None
    if base64.urlsafe_b64encode(raw).rstrip(b"=") != segment.encode("ascii"):
        raise refuse(Reason.MALFORMED)
    return raw
