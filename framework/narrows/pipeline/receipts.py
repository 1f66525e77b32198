"""Receipts: the signed ids that rehearsals give, and to which one later live call each is bound.

A receipt is `kid.id.expires.signature`: who has no key makes none, and what it is bound to lies sealed in the store of
rehearsals, not in it. Clients take it for an opaque text.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Mapping
from hashlib import sha256

import msgspec

from narrows.errors import SettingsError
from narrows.settings import ReceiptKey, Settings
from narrows.stores.sealing import KEY_BYTES, Sealer, frame

_FORM = re.compile(r"([A-Za-z0-9_-]{1,32})\.([A-Za-z0-9_-]{1,64})\.([0-9]{1,12})\.([A-Za-z0-9_-]{43})")
_OWN = "own"


class Signed(msgspec.Struct, frozen=True):
    """What a receipt says: of which rehearsal it is, and the second from which it no longer holds."""

    rehearsal_id: str
    expires: int


class Receipts:
    """Signs with the first key (HMAC-SHA-256, RFC 2104), and accepts what any of the keys signed."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        self._keys = dict(keys)
        self._kid = next(iter(self._keys))

    @classmethod
    def of(cls, settings: Settings, ground_key: bytes) -> Receipts:
        """The keys of the settings; without any, one derived from `ground_key`, so that receipts hold as long as it.

        Raises `SettingsError` for a key that is not 32 bytes in base64, and for two of one name.
        """
        listed = settings.receipts.keys
        if not listed:
            return cls({_OWN: bytes.fromhex(Sealer(ground_key, purpose="receipts").digest("key"))})
        if len({key.kid for key in listed}) < len(listed):
            raise SettingsError("receipts.keys: two keys have one kid. Remedy: give each its own.")
        return cls({key.kid: _read(key) for key in listed})

    def sign(self, rehearsal_id: str, expires: int) -> str:
        """The receipt of a rehearsal."""
        return f"{self._kid}.{rehearsal_id}.{expires}.{self._signature(self._kid, rehearsal_id, str(expires))}"

    def read(self, receipt: str) -> Signed | None:
        """What a receipt says; None for one that no key of these signed."""
        form = _FORM.fullmatch(receipt)
        if form is None or form[1] not in self._keys:
            return None
        kid, rehearsal_id, expires, signature = form.groups()
        if not hmac.compare_digest(signature, self._signature(kid, rehearsal_id, expires)):
            return None
        return Signed(rehearsal_id, int(expires))

    def _signature(self, kid: str, rehearsal_id: str, expires: str) -> str:
        mac = hmac.new(self._keys[kid], frame("receipt", kid, rehearsal_id, expires), sha256).digest()
        return base64.urlsafe_b64encode(mac).decode().rstrip("=")


def _read(key: ReceiptKey) -> bytes:
    try:
        found = base64.b64decode(key.key.reveal(), validate=True)
    except (binascii.Error, ValueError):
        found = b""
    if len(found) != KEY_BYTES:
        raise SettingsError(
            f"receipts.keys: the key {key.kid!r} is not {KEY_BYTES} bytes in base64. "
            "Remedy: make one with `openssl rand -base64 32`."
        )
    return found
