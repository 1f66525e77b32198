"""What records are handed to, and a keeper that keeps none."""

from __future__ import annotations

from typing import Protocol

from narrows.audit.decision import DecisionRecord
from narrows.audit.events import Event
from narrows.audit.record import Record


class Keeper(Protocol):
    """Keeps records durably; `narrows.audit.log.RecordLog` does."""

    async def room(self) -> None:
        """Wait until there is room for more records. Raises `Unavailable` when none can be kept."""
        ...

    async def keep(self, record: Record | Event | DecisionRecord) -> None:
        """Take one record; it is on the disk when this returns."""
        ...


class Nowhere:
    """Keeps no record: for worlds that are made up, and nobody has to answer for."""

    async def room(self) -> None:
        """There always is."""

    async def keep(self, record: Record | Event | DecisionRecord) -> None:
        """Let it go."""
