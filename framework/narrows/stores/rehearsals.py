"""What the stores of rehearsals share: their bounds, and how a document is bound to its owner."""

from __future__ import annotations

import msgspec

from narrows.errors import NarrowsError
from narrows.stores import Owner
from narrows.stores.sealing import Sealer, frame


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """How much a store of rehearsals keeps; past a bound the oldest documents go, first those of whoever fills it.

    `per_owner` and `owner_bytes` bound what one owner has. `document_bytes` is the most for one document; a larger one
    is refused.
    """

    per_owner: int = 200
    owner_bytes: int = 4 * 1024 * 1024
    documents: int = 10_000
    total_bytes: int = 64 * 1024 * 1024
    document_bytes: int = 1024 * 1024


class StoreRefused(NarrowsError):
    """A store does not take this: its id is used already, or it is larger than the bound of one document."""


class Envelope:
    """Seals documents for a row: one moved to another id, owner or expiry does not open."""

    def __init__(self, key: bytes, bounds: Bounds) -> None:
        self._sealer = Sealer(key, purpose="rehearsals")
        self._bounds = bounds

    def owner(self, owner: Owner) -> str:
        """What stands for the owner in the store; without the key nobody can tell who it is."""
        return self._sealer.digest("owner", owner.tenant, owner.issuer, owner.subject, owner.connector)

    def seal(self, rehearsal_id: str, owner: str, expires: float, document: bytes) -> bytes:
        """Encrypt a document for its row. Raises `StoreRefused` when it is too large."""
        if len(document) > self._bounds.document_bytes:
            raise StoreRefused(
                f"rehearsal {rehearsal_id} has {len(document)} bytes, the bound is {self._bounds.document_bytes}"
            )
        return self._sealer.seal(document, frame(rehearsal_id, owner, repr(expires)))

    def open(self, rehearsal_id: str, owner: str, expires: float, sealed: bytes) -> bytes | None:
        """Decrypt what a row holds; None when it was made for another row."""
        return self._sealer.open(sealed, frame(rehearsal_id, owner, repr(expires)))


def used_already(rehearsal_id: str) -> StoreRefused:
    """The refusal of an id that the store holds, so that nobody's document is ever replaced."""
    return StoreRefused(f"rehearsal {rehearsal_id} is kept already; take a new id")
