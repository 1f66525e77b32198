"""The embedded store of rehearsals: in the memory of one process, bounded."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence

import msgspec

from narrows.stores import Owner
from narrows.stores.rehearsals import Bounds, Envelope, used_already


class _Kept(msgspec.Struct, frozen=True):
    """A document as the store holds it."""

    owner: str
    expires: float
    sealed: bytes


class MemoryRehearsals:
    """Keeps rehearsals for `lifetime_s` seconds in this process, sealed, so that no dump of memory shows them.

    `key` has 32 bytes; `now` gives seconds.
    """

    def __init__(
        self, now: Callable[[], float], lifetime_s: float, key: bytes, *, bounds: Bounds | None = None
    ) -> None:
        self._now = now
        self._lifetime_s = lifetime_s
        self._bounds = bounds or Bounds()
        self._envelope = Envelope(key, self._bounds)
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._of_owner: dict[str, OrderedDict[str, int]] = {}
        self._bytes = 0

    async def put(self, rehearsal_id: str, owner: Owner, document: bytes) -> None:
        """Keep a document under a new id. Raises `StoreRefused` for a used id or a document that is too large."""
        self._forget_expired()
        if rehearsal_id in self._kept:
            raise used_already(rehearsal_id)
        whose, expires = self._envelope.owner(owner), self._now() + self._lifetime_s
        kept = _Kept(whose, expires, self._envelope.seal(rehearsal_id, whose, expires, document))
        self._kept[rehearsal_id] = kept
        self._of_owner.setdefault(whose, OrderedDict())[rehearsal_id] = len(kept.sealed)
        self._bytes += len(kept.sealed)
        self._keep_bounds(whose)

    async def get(self, rehearsal_id: str, owner: Owner) -> bytes | None:
        """The document, or None: absent, expired and another's look alike."""
        kept, whose = self._kept.get(rehearsal_id), self._envelope.owner(owner)
        if kept is None or kept.owner != whose or kept.expires <= self._now():
            return None
        return self._envelope.open(rehearsal_id, whose, kept.expires, kept.sealed)

    async def find(self, rehearsal_id: str, owners: Sequence[Owner]) -> tuple[Owner, bytes] | None:
        """The one of these owners that a document belongs to, with it; None as for `get`."""
        for owner in owners:
            document = await self.get(rehearsal_id, owner)
            if document is not None:
                return owner, document
        return None

    async def newest(self, owner: Owner, count: int) -> list[bytes]:
        """The owner's newest documents, newest first."""
        ids = list(reversed(self._of_owner.get(self._envelope.owner(owner), ())))
        documents = [await self.get(rehearsal_id, owner) for rehearsal_id in ids[: max(count, 0)]]
        return [document for document in documents if document is not None]

    async def close(self) -> None:
        """Forget everything."""
        self._kept.clear()
        self._of_owner.clear()
        self._bytes = 0

    def _forget_expired(self) -> None:
        """Documents are kept in the order in which they expire, unless the clock was set back; reading checks each."""
        while self._kept and next(iter(self._kept.values())).expires <= self._now():
            self._forget(next(iter(self._kept)))

    def _keep_bounds(self, owner: str) -> None:
        own, bounds = self._of_owner[owner], self._bounds
        while len(own) > 1 and (
            len(own) > bounds.per_owner or sum(own.values()) > bounds.owner_bytes or self._is_over_full()
        ):
            self._forget(next(iter(own)))
        while self._is_over_full():
            self._forget(next(iter(self._kept)))

    def _is_over_full(self) -> bool:
        return len(self._kept) > self._bounds.documents or self._bytes > self._bounds.total_bytes

    def _forget(self, rehearsal_id: str) -> None:
        kept = self._kept.pop(rehearsal_id)
        self._bytes -= len(kept.sealed)
        ids = self._of_owner[kept.owner]
        del ids[rehearsal_id]
        if not ids:
            del self._of_owner[kept.owner]
