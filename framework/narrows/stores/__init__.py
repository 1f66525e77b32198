"""State that outlives a call, behind small protocols: an embedded engine for each, one test body for all engines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from narrows.declare.rate import Rate


class Allowed(msgspec.Struct, frozen=True):
    """Whether a rate allows one more; `remaining` after it, and seconds until the next one is allowed if not."""

    allowed: bool
    remaining: int
    retry_after_s: float


class Limiter(Protocol):
    """Counts against rates. `ask` only asks, `take` takes; both judge all rates at once, all or nothing."""

    async def ask(self, wanted: Sequence[tuple[str, Rate]]) -> Allowed:
        """Say what `take` would say, and take nothing."""
        ...

    async def take(self, wanted: Sequence[tuple[str, Rate]]) -> Allowed:
        """Take one of each rate, or none of any when one of them is used up."""
        ...

    async def give_back(self, wanted: Sequence[tuple[str, Rate]]) -> None:
        """Undo one take."""
        ...


class Owner(msgspec.Struct, frozen=True):
    """Whom a stored thing belongs to; nobody else can tell that it exists."""

    tenant: str
    issuer: str
    subject: str
    connector: str


class Rehearsals(Protocol):
    """Keeps the documents of rehearsals: they belong to one owner, are encrypted at rest and expire."""

    async def put(self, rehearsal_id: str, owner: Owner, document: bytes) -> None:
        """Keep a document under a new id."""
        ...

    async def get(self, rehearsal_id: str, owner: Owner) -> bytes | None:
        """The document, or None: absent, expired and another's look alike."""
        ...

    async def newest(self, owner: Owner, count: int) -> list[bytes]:
        """The owner's newest documents, newest first."""
        ...

    async def close(self) -> None:
        """Release what is held."""
        ...
