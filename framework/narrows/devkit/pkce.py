"""Proof keys for the authorization code grant (RFC 7636), for programs that sign a person in."""

from __future__ import annotations

import hashlib
import re
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Callable

from narrows.errors import NarrowsError

_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}", re.ASCII)
_RANDOM_BYTES = 32


class BadVerifier(NarrowsError):
    """The text is no code verifier; the message says what one is and never repeats the text."""


def new_verifier(random: Callable[[int], bytes] = secrets.token_bytes) -> str:
    """A fresh code verifier of 43 characters (RFC 7636, 4.1); `random` gives as many bytes as it is asked for."""
    return _unpadded(random(_RANDOM_BYTES))


def challenge(verifier: str) -> str:
    """The S256 code challenge of a verifier (RFC 7636, 4.2).

    Raises `BadVerifier` if the verifier has a wrong length or character.
    """
    if not _VERIFIER.fullmatch(verifier):
        raise BadVerifier("verifier: must be 43 to 128 of A-Z a-z 0-9 - . _ ~; take one from new_verifier()")
    return _unpadded(hashlib.sha256(verifier.encode("ascii")).digest())


def _unpadded(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")
