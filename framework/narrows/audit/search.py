"""Finding records in the audit log: who did what, when, from where, with which program, and how it ended."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import msgspec

from narrows.stores.audit import AuditStore

_CHUNK = 1000


class Found(msgspec.Struct, frozen=True):
    """A record, and its place in the log."""

    index: int
    record: Mapping[str, Any]


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What records must say to be found; None says nothing.

    `caller` is a hash, `effect` an operation such as `Tables.book`; `since` and `until` are RFC 3339 in UTC as records
    have it (a beginning is enough: `2026-11-25T10`), and the record's own time lies from the one to before the other.
    """

    event: str | None = None
    tenant: str | None = None
    connector: str | None = None
    caller: str | None = None
    endpoint: str | None = None
    outcome: str | None = None
    trace_id: str | None = None
    mode: str | None = None
    peer: str | None = None
    effect: str | None = None
    since: str | None = None
    until: str | None = None

    def matches(self, record: Mapping[str, Any]) -> bool:
        """Whether a record says it all."""
        for field in _EQUAL:
            value = getattr(self, field)
            if value is not None and record.get(field) != value:
                return False
        if self.effect is not None and self.effect not in record.get("effects", ()):
            return False
        time = record.get("time", "")
        return (self.since is None or time >= self.since) and (self.until is None or time < self.until)

    def needles(self) -> list[bytes]:
        """What the bytes of every such record hold, so that others need not be read."""
        said = [getattr(self, field) for field in (*_EQUAL, "effect")]
        return [b'"%b"' % text.encode() for text in said if text is not None and _is_plain(text)]


class _Shape(msgspec.Struct):
    """What is read of records here and where they are shown; other fields may be anything."""

    time: str = ""
    problem: str | None = None
    effects: list[str] = []
    actors: list[str] = []
    hidden: list[str] = []
    arguments: dict[str, str | int | float | bool | None] = {}


_EQUAL = ("event", "tenant", "connector", "caller", "endpoint", "outcome", "trace_id", "mode", "peer")


async def search(store: AuditStore, wanted: Wanted, start: int = 0) -> AsyncIterator[Found]:
    """The records that are wanted, from an index on, the oldest first. Raises `Unavailable`."""
    needles = wanted.needles()
    while leaves := await store.leaves(start, _CHUNK):
        for index, leaf in enumerate(leaves, start):
            if all(needle in leaf for needle in needles):
                record = read_leaf(leaf)
                if wanted.matches(record):
                    yield Found(index, record)
        start += len(leaves)


def read_leaf(leaf: bytes) -> Mapping[str, Any]:
    """The record of a leaf; one that somebody has made unreadable says only that."""
    try:
        record: Mapping[str, Any] = msgspec.json.decode(leaf, type=dict[str, Any])
        msgspec.convert(record, _Shape)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {"event": "unreadable"}
    return record


def _is_plain(text: str) -> bool:
    """Whether JSON writes a text as it is."""
    return text.isascii() and text.isprintable() and '"' not in text and "\\" not in text
