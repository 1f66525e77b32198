"""The keys of an issuer: which of a published set are taken, and for which algorithms (RFC 7517, 8725)."""

from __future__ import annotations

import base64
from collections.abc import Collection, Mapping
from typing import Any

import msgspec
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

RSA_BITS = range(2048, 8192 + 1)

_KEY_TYPES: dict[str, type[RSAKey | ECKey | OKPKey]] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}
# Only these members of a published key reach the library: no certificate, URL or private part is ever looked at.
_MEMBERS = {"RSA": ("n", "e"), "EC": ("crv", "x", "y"), "OKP": ("crv", "x")}
_RSA_ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
_CURVE_ALGORITHMS = {
    ("EC", "P-256"): frozenset({"ES256"}),
    ("EC", "P-384"): frozenset({"ES384"}),
    ("EC", "P-521"): frozenset({"ES512"}),
    ("OKP", "Ed25519"): frozenset({"EdDSA", "Ed25519"}),
}


class KeysRefused(Exception):
    """A published set of keys, or one of them, is not taken; `kind` says why and holds no value of it."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class VerifyKey:
    """One public key and the algorithms for which it may be used."""

    __slots__ = ("_key", "algorithms", "thumbprint")

    def __init__(self, key: Key, algorithms: frozenset[str]) -> None:
        self._key = key
        self.algorithms = algorithms
        self.thumbprint = key.thumbprint()

    def verifies(self, algorithm: str, signed: bytes, signature: bytes) -> bool:
        """Tell whether a signature holds; `algorithm` is one of `algorithms`."""
        return JWSRegistry.algorithms[algorithm].verify(signed, signature, self._key)

    def is_same(self, other: VerifyKey | None) -> bool:
        """Tell whether another key is this one, for the same algorithms."""
        return other is not None and (self.thumbprint, self.algorithms) == (other.thumbprint, other.algorithms)

    def __repr__(self) -> str:
        return f"VerifyKey({sorted(self.algorithms)})"


class KeySet(msgspec.Struct, frozen=True):
    """The keys that were taken of a published set, by key id, and why others were left out."""

    keys: Mapping[str | None, VerifyKey] = {}
    alarms: tuple[str, ...] = ()


class _Published(msgspec.Struct):
    keys: list[dict[str, Any]]


def read_keys(body: bytes, algorithms: Collection[str]) -> KeySet:
    """Read a JWK set (RFC 7517, 5). Raises `KeysRefused` when the whole set must not be believed.

    A symmetric or private key, or an id that comes twice, spoils the set. A weak or broken key is left out with an
    alarm, keys for other uses and of unknown types silently. A sound set without a signing key withdraws all keys.
    """
    try:
        published = msgspec.json.decode(body, type=_Published).keys
    except (ValueError, RecursionError):
        raise KeysRefused("not-a-key-set") from None
    _check_set(published)
    keys: dict[str | None, VerifyKey] = {}
    alarms: list[str] = []
    for jwk in published:
        try:
            key = _read_key(jwk, algorithms)
        except KeysRefused as refused:
            alarms.append(refused.kind)
        else:
            if key is not None:
                keys[jwk.get("kid")] = key
    if alarms and not keys:
        raise KeysRefused(alarms[0])
    return KeySet(keys, tuple(alarms) if keys else ("no-keys",))


def _check_set(published: list[dict[str, Any]]) -> None:
    """Refuse what no honest issuer publishes: whoever wrote it may have written the other keys as well."""
    for jwk in published:
        if jwk.get("kty") == "oct" or "k" in jwk:
            raise KeysRefused("symmetric-key")
        if "d" in jwk:
            raise KeysRefused("private-key")
        if not isinstance(jwk.get("kid"), str | None):
            raise KeysRefused("broken-key-id")
    ids = [jwk.get("kid") for jwk in published]
    if len(set(ids)) != len(ids):
        raise KeysRefused("key-id-twice")


def _read_key(jwk: dict[str, Any], algorithms: Collection[str]) -> VerifyKey | None:
    """Take one key; None when it is for another use or an algorithm that the settings do not accept."""
    kind = jwk.get("kty")
    operations = jwk.get("key_ops", ["verify"])
    if not isinstance(kind, str) or kind not in _MEMBERS or jwk.get("use", "sig") != "sig":
        return None
    if not isinstance(operations, list) or "verify" not in operations:
        return None
    fitting = _fitting(jwk) & set(algorithms)
    if "alg" in jwk:
        fitting = frozenset(name for name in fitting if name == jwk["alg"])
    if not fitting:
        return None
    return VerifyKey(_load(kind, jwk), fitting)


def _fitting(jwk: dict[str, Any]) -> frozenset[str]:
    """The algorithms that a key's type and curve allow."""
    if jwk["kty"] == "RSA":
        return _RSA_ALGORITHMS
    curve = jwk.get("crv")
    return _CURVE_ALGORITHMS.get((jwk["kty"], curve), frozenset()) if isinstance(curve, str) else frozenset()


def _load(kind: str, jwk: dict[str, Any]) -> Key:
    members = {name: jwk.get(name) for name in _MEMBERS[kind]}
    if kind == "RSA" and _bits(members["n"]) not in RSA_BITS:
        raise KeysRefused("rsa-key-size")
    try:
        return _KEY_TYPES[kind].import_key({"kty": kind, **members})  # type: ignore[dict-item]  # strangers' values
    except (JoseError, ValueError, TypeError):
        raise KeysRefused("broken-key") from None


def _bits(modulus: object) -> int:
    """The size of a modulus, known before the library works on it; 0 when it is not base64url."""
    try:
        return int.from_bytes(base64.urlsafe_b64decode(f"{modulus}==")).bit_length()
    except ValueError:
        return 0
