"""Encryption of what stores keep: AES-256-GCM (NIST SP 800-38D), and keyed digests in place of names."""

from __future__ import annotations

import hashlib
import hmac
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from narrows.settings import Secret

KEY_BYTES = 32
_NONCE_BYTES = 12
_FORMAT = b"\x01"


class Sealer:
    """Seals bytes and digests names with keys of its own, derived by HKDF (RFC 5869) from `key` for one `purpose`.

    Two purposes share no key, so nothing sealed for one opens for the other. Nonces are random, which is safe for 2**32
    seals with one key. Raises ValueError when `key` is not 32 bytes.
    """

    def __init__(self, key: bytes, *, purpose: str = "store") -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"a sealing key has {KEY_BYTES} bytes, this one has {len(key)}")
        self._cipher = AESGCM(derive(key, f"narrows/{purpose}/seal"))
        self._digest_key = derive(key, f"narrows/{purpose}/digest")

    def seal(self, plain: bytes, associated: bytes) -> bytes:
        """Encrypt, and bind to `associated`, which is not kept."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return _FORMAT + nonce + self._cipher.encrypt(nonce, plain, associated)

    def open(self, sealed: bytes, associated: bytes) -> bytes | None:
        """Decrypt; None when a byte of it, the key or `associated` is not what it was at sealing."""
        start = len(_FORMAT) + _NONCE_BYTES
        if not sealed.startswith(_FORMAT) or len(sealed) < start:
            return None
        try:
            return self._cipher.decrypt(sealed[len(_FORMAT) : start], sealed[start:], associated)
        except InvalidTag:
            return None

    def digest(self, *parts: str) -> str:
        """HMAC-SHA-256 of the parts in hex; `("a", "bc")` and `("ab", "c")` differ."""
        return hmac.new(self._digest_key, frame(*parts), hashlib.sha256).hexdigest()


def frame(*parts: str) -> bytes:
    """Join parts so that no two lists of parts give the same bytes: each goes after its length."""
    encoded = [part.encode("utf-8", "surrogatepass") for part in parts]
    return b"".join(len(part).to_bytes(8, "big") + part for part in encoded)


def derive(key: bytes, info: str) -> bytes:
    """A key of its own for one purpose (HKDF, RFC 5869)."""
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=info.encode()).derive(key)


def master_key(secret: Secret | None) -> bytes:
    """The key that others are derived from: that of `stores.key`, or one that ends with the process."""
    return hashlib.sha256(secret.reveal().encode()).digest() if secret else secrets.token_bytes(KEY_BYTES)
