"""What records are handed to, and a log that keeps none."""

from __future__ import annotations

from typing import Protocol

from narrows.audit.decision import DecisionRecord
from narrows.audit.events import Event
from narrows.audit.record import Record


class Log(Protocol):
    """Takes records; `narrows.audit.log.RecordLog` is the one that keeps them."""

    async def room(self) -> None:
        """Wait until there is room for more records. Raises `Unavailable` when none can be kept."""
        ...

    def append(self, record: Record | Event | DecisionRecord) -> None:
        """Take one record, which is on the disk a moment later."""
        ...

    async def keep(self, record: Record | Event | DecisionRecord) -> None:
        """Take one record; it is on the disk when this returns."""
        ...


class Nowhere:
    """Keeps no record: for worlds that are made up, and nobody has to answer for."""

    async def room(self) -> None:
        """There always is."""

    def append(self, record: Record | Event | DecisionRecord) -> None:
        """Let it go."""

    async def keep(self, record: Record | Event | DecisionRecord) -> None:
        """Let it go."""
