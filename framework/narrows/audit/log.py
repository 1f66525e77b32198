"""The log of records: a leaf of the Merkle tree for each, and a line of JSON, in the order of the calls' ends."""

from __future__ import annotations

from collections.abc import Callable

from narrows.audit.canonical import leaf_of
from narrows.audit.decision import DecisionRecord
from narrows.audit.events import Event
from narrows.audit.line import document_of, line_of
from narrows.audit.record import Record
from narrows.audit.writer import Writer

Recorded = Record | Event | DecisionRecord


class RecordLog:
    """Keeps each record in the audit log, and hands it to `write` as one whole line, newline included.

    What is raised goes on to the caller: a record that is not kept must not pass for one that is. `writer` gives what
    writes into the log, when it is first needed; without it the lines are all there is. `heard` is told of each record.
    """

    def __init__(
        self,
        write: Callable[[bytes], object],
        writer: Callable[[], Writer] | None = None,
        heard: Callable[[Recorded], None] = lambda _: None,
    ) -> None:
        self._write = write
        self._heard = heard
        self._make = writer
        self._made: Writer | None = None

    @property
    def writer(self) -> Writer | None:
        """What writes into the audit log."""
        if self._made is None and self._make is not None:
            self._made = self._make()
        return self._made

    def open(self) -> None:
        """Open the audit log. Raises `SettingsError`."""
        self._made = self.writer

    async def start(self) -> None:
        """Look how far the log goes. Raises `LogBroken`, `SettingsError` and `Unavailable`."""
        if self.writer is not None:
            await self.writer.start()

    async def room(self) -> None:
        """Wait until there is room for the records of one more call. Raises `Unavailable` when none can be kept."""
        if self.writer is not None:
            await self.writer.room()

    def append(self, record: Recorded) -> None:
        """Keep one record; it is on the disk a moment later. Raises `ValueError` for one without a canonical form."""
        leaf = self._told(record)
        if self.writer is not None:
            self.writer.put(leaf)

    async def keep(self, record: Recorded) -> None:
        """Keep one record; it is on the disk when this returns. Raises as `append` does, and `Unavailable`."""
        leaf = self._told(record)
        if self.writer is not None:
            await self.writer.keep(leaf)

    async def close(self) -> None:
        """Write what waits, and sign how far the log goes."""
        if self._made is not None:
            await self._made.close()

    def _told(self, record: Recorded) -> bytes:
        """Hand a record on as a line; its leaf. Raises `ValueError` for one without, before anything is handed on."""
        told = document_of(record)
        leaf = leaf_of(told)
        self._write(line_of(told))
        self._heard(record)
        return leaf
