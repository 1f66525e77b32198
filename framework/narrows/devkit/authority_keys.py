"""Signing keys of the embedded authorization server: in memory only, rotated on demand."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from typing import Any, Literal

from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import ECKey, GuestProtocol, RSAKey
from joserfc.jws import JWSRegistry

Algorithm = Literal["RS256", "ES256"]

_RSA_BITS = 2048
_LONGEST_TOKEN = 8192


class Keyring:
    """One signing key, and the older ones whose tokens still hold. `key` is a private JWK to begin with."""

    def __init__(self, algorithm: Algorithm, key: Mapping[str, Any] | None = None) -> None:
        self._algorithm = algorithm
        self._signing = _generate(algorithm) if key is None else _imported(algorithm, key)
        self._published = {_kid(self._signing): self._signing}

    def rotate(self, *, keep_old: bool) -> str:
        """Sign with a new key from now on and return its `kid`; without `keep_old` older tokens stop to hold."""
        self._signing = _generate(self._algorithm)
        if not keep_old:
            self._published.clear()
        self._published[_kid(self._signing)] = self._signing
        return _kid(self._signing)

    def jwks(self) -> dict[str, Any]:
        """The public keys (RFC 7517), the one that signs last."""
        extra = {"use": "sig", "alg": self._algorithm}
        return {"keys": [{**key.as_dict(private=False), **extra} for key in self._published.values()]}

    def sign(self, claims: Mapping[str, Any], header: Mapping[str, Any]) -> str:
        """A compact JWS over `claims`.

        `header` is laid over alg, kid and typ unchecked, so that tests can mint what no server should accept.
        """
        whole = {"alg": self._algorithm, "kid": _kid(self._signing), **header}
        signed = f"{_part(whole)}.{_part(claims)}"
        signer = JWSRegistry(algorithms=[self._algorithm]).get_alg(self._algorithm)
        signature = signer.sign(signed.encode(), self._signing)
        return f"{signed}.{_unpadded(signature)}"

    def read(self, token: str) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """Header and claims of a token that one of these keys has signed, else `None`. No claim is judged here."""
        if len(token) > _LONGEST_TOKEN:
            return None
        try:
            read = jwt.decode(token, self._find, algorithms=[self._algorithm])
        except (JoseError, ValueError, RecursionError):  # joserfc lets through what the JSON parser raises
            return None
        return read.header, read.claims

    def _find(self, guest: GuestProtocol) -> RSAKey | ECKey:
        key = self._published.get(str(guest.headers().get("kid")))
        if key is None:
            raise InvalidKeyIdError
        return key


def _generate(algorithm: Algorithm) -> RSAKey | ECKey:
    if algorithm == "RS256":
        return RSAKey.generate_key(_RSA_BITS, auto_kid=True)
    return ECKey.generate_key("P-256", auto_kid=True)


def new_key(algorithm: Algorithm) -> dict[str, Any]:
    """A fresh private JWK, for whoever wants tokens to outlive the server that signed them."""
    return dict(_generate(algorithm).as_dict(private=True))


def _imported(algorithm: Algorithm, key: Mapping[str, Any]) -> RSAKey | ECKey:
    kind = RSAKey if algorithm == "RS256" else ECKey
    return kind.import_key(dict(key))


def _kid(key: RSAKey | ECKey) -> str:
    return str(key.kid)


def _part(value: Mapping[str, Any]) -> str:
    return _unpadded(json.dumps(dict(value), separators=(",", ":")).encode())


def _unpadded(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")
