"""The log of records: one line of JSON a record, in the order of the calls' ends."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from narrows.audit.line import json_line
from narrows.audit.record import Record


class RecordLog:
    """Hands each record to `write` as one whole line, newline included.

    What `write` raises goes on to the caller: a record that is not kept must not pass for one that is.
    """

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write

    def append(self, record: Record) -> None:
        """Write one record."""
        self._write(json_line(msgspec.structs.asdict(record)))
