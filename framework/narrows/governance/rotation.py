"""New credentials for a connector: a secret that is shown once, or a public key that its owner made."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import warnings
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from narrows.errors import ConnectorError
from narrows.governance.connectors import Governor, Operator
from narrows.settings import Secret
from narrows.stores.registry import Registered, StoredCredential, holding

DEFAULT_OVERLAP_S = 86_400.0
LONGEST_OVERLAP_S = 7 * 86_400.0
_SECRET_BYTES = 32
_RSA_BITS = 2048


class Rotated(msgspec.Struct, frozen=True, kw_only=True):
    """The connector afterwards, and the new secret if one was made: it is in no other place."""

    entry: Registered
    secret: Secret | None = None


async def rotate(
    governor: Governor,
    connector_id: str,
    by: Operator,
    *,
    now: Callable[[], float],
    public_key: bytes | None = None,
    overlap_s: float = DEFAULT_OVERLAP_S,
    compromised: bool = False,
) -> Rotated:
    """Give a connector a new credential: of `public_key` (a JWK or PEM), else a new secret.

    The old ones hold for `overlap_s` more seconds, at the most 7 days. With `compromised` they end at once, and every
    access token that was issued to the program until now is refused. Raises `ConnectorError`.
    """
    entry = await governor.find(connector_id)
    if entry.state == "revoked":
        raise ConnectorError(f"{connector_id}: it is revoked for good. Remedy: register it under another id.")
    if not 0 <= overlap_s <= LONGEST_OVERLAP_S:
        raise ConnectorError(f"{connector_id}: the overlap is not within 0 and 7 days. Remedy: --overlap 24h.")
    at = now()
    secret = None if public_key is not None else Secret(secrets.token_urlsafe(_SECRET_BYTES))
    made = _of_key(public_key, at) if public_key is not None else _of_secret(secret or Secret(""), at)
    ends = at if compromised else at + overlap_s
    old = [msgspec.structs.replace(one, ends=min(ends, one.ends or ends)) for one in holding(entry, at)]
    if any(one.jwk is not None and one.jwk == made.jwk for one in old):
        raise ConnectorError(f"{connector_id}: this is the key that it has already. Remedy: make a new one.")
    changed = msgspec.structs.replace(
        entry,
        credentials=(*(() if compromised else old), made),
        tokens_after=at if compromised else entry.tokens_after,
    )
    action = "rotate-compromised" if compromised else "rotate"
    return Rotated(entry=await governor.change(entry, changed, action, by), secret=secret)  # type: ignore[arg-type]  # one of two literals


def proves(credentials: Iterable[StoredCredential], secret: str) -> bool:
    """Whether a secret is one of these."""
    return any(
        one.salt is not None and one.digest is not None and hmac.compare_digest(_scrypt(secret, one.salt), one.digest)
        for one in credentials
    )


def jwks(credentials: Iterable[StoredCredential]) -> dict[str, list[dict[str, Any]]]:
    """The public keys among credentials, as authorization servers take them (RFC 7517, 5)."""
    return {"keys": [one.jwk for one in credentials if one.jwk is not None]}


def _of_secret(secret: Secret, at: float) -> StoredCredential:
    salt = secrets.token_hex(16)
    return StoredCredential(id=secrets.token_hex(4), made=at, salt=salt, digest=_scrypt(secret.reveal(), salt))


def _of_key(text: bytes, at: float) -> StoredCredential:
    """A public key; a private one is refused, because nobody but its owner must have it."""
    key = _imported(text)
    if key is None:
        raise ConnectorError("The file holds no public key. Remedy: give an EC or RSA key as JWK or PEM.")
    if key.is_private:
        raise ConnectorError(
            "The file holds a private key, which must stay with its owner. Remedy: give the public one."
        )
    if isinstance(key, RSAKey) and key.raw_value.key_size < _RSA_BITS:
        raise ConnectorError(f"The RSA key is shorter than {_RSA_BITS} bits. Remedy: make a longer one.")
    thumbprint = key.thumbprint()
    jwk = {"kid": thumbprint, "use": "sig", **key.as_dict(private=False)}
    return StoredCredential(id=thumbprint[:8], made=at, jwk=jwk)


def _imported(text: bytes) -> ECKey | RSAKey | None:
    """The key that a file holds, as JWK or PEM, or None."""
    kinds = (ECKey, RSAKey)
    try:
        document = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError):
        document = text
    with warnings.catch_warnings():
        # joserfc warns of short keys, which are refused.
        warnings.simplefilter("ignore")
        for kind in kinds:
            try:
                return kind.import_key(document)
            except (JoseError, ValueError, TypeError, KeyError, AttributeError, UnsupportedAlgorithm):
                continue
    return None


def _scrypt(secret: str, salt: str) -> str:
    """Interactive cost (RFC 7914): the secret itself is 256 random bits, so that nobody can try them all."""
    return hashlib.scrypt(secret.encode(), salt=bytes.fromhex(salt), n=2**14, r=8, p=1, dklen=32).hex()
