"""What the stores of rehearsals share: their bounds, and how a document is bound to its owner."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

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


class Room:
    """How full a store is, and what has to go so that its bounds hold. A document is its number and its bytes."""

    def __init__(self, bounds: Bounds, documents: int, size: int) -> None:
        self._bounds = bounds
        self._documents = documents
        self._size = size

    def own_excess(self, own: Sequence[tuple[int, int]]) -> list[int]:
        """Which of an owner's documents go, oldest first; the newest stays."""
        count, held, gone = len(own), sum(taken for _, taken in own), []
        for number, freed in own[:-1]:
            if count <= self._bounds.per_owner and held <= self._bounds.owner_bytes and not self.is_full:
                break
            count, held = count - 1, held - freed
            gone.append(self._drop(number, freed))
        return gone

    def excess(self, oldest: Iterable[tuple[int, int]]) -> list[int]:
        """Which of all documents go, oldest first."""
        gone = []
        for number, freed in oldest:
            if not self.is_full:
                break
            gone.append(self._drop(number, freed))
        return gone

    @property
    def is_full(self) -> bool:
        """Whether there is more than the bounds of all allow."""
        return self._documents > self._bounds.documents or self._size > self._bounds.total_bytes

    def _drop(self, number: int, freed: int) -> int:
        self._documents -= 1
        self._size -= freed
        return number


def used_already(rehearsal_id: str) -> StoreRefused:
    """The refusal of an id that the store holds, so that nobody's document is ever replaced."""
    return StoreRefused(f"rehearsal {rehearsal_id} is kept already; take a new id")
