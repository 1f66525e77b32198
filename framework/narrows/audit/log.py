"""The log of records: one line of JSON a record, in the order of the calls' ends."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from narrows.audit.decision import DecisionRecord
from narrows.audit.events import Event
from narrows.audit.line import json_line
from narrows.audit.record import Record

Recorded = Record | Event | DecisionRecord


class RecordLog:
    """Hands each record to `write` as one whole line, newline included.

    What `write` raises goes on to the caller: a record that is not kept must not pass for one that is.
    """

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write

    async def room(self) -> None:
        """Wait until there is room for the records of one more call. Raises `Unavailable` when none can be kept."""

    def append(self, record: Recorded) -> None:
        """Write one record, which is on the disk a moment later."""
        self._write(json_line(msgspec.structs.asdict(record)))

    async def keep(self, record: Recorded) -> None:
        """Write one record; it is on the disk when this returns."""
        self.append(record)
