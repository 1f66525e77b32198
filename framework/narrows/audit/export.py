"""The audit log as a file that anybody can verify without it: lines of JSON, each of one kind.

The first says which log it is and how long; then, for each 256 records, one with their hashes and one for each record;
a checkpoint stands where the log was so long. With hashes alone it holds nothing of anybody, and kept elsewhere it
still tells which record was changed.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncIterator
from typing import Any

import msgspec

from narrows.audit.checkpoint import size_of
from narrows.audit.signing import checkpoints
from narrows.stores.audit import AuditStore

FORM = "narrows-audit@1"
TILE = 256

_encode = msgspec.json.Encoder().encode


class Line(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """One line: the first, the hashes of records from `start` on, a record, or a checkpoint.

    `leaf` is a record as it was hashed; what is not UTF-8, and so no record any more, is in `raw`, in base64.
    """

    form: str | None = None
    origin: str | None = None
    size: int | None = None
    start: int | None = None
    hashes: str | None = None
    index: int | None = None
    leaf: str | None = None
    raw: str | None = None
    checkpoint: str | None = None


async def export(store: AuditStore, origin: str, size: int, *, records: bool = True) -> AsyncIterator[bytes]:
    """The lines of the first `size` records; without `records` their hashes and the checkpoints alone.

    Sign before, so that a checkpoint covers them all. What is missing in the store is missing in the lines.
    """
    yield _line(form=FORM, origin=origin, size=size)
    notes = checkpoints(store)
    note = await anext(notes, None)
    for start in range(0, max(size, 1), TILE):
        count = min(TILE, size - start)
        yield _line(start=start, hashes=base64.b64encode(b"".join(await _hashes(store, start, count))).decode())
        leaves = await store.leaves(start, count) if records else []
        for place in range(count + 1):
            while note is not None and _is_due(note, start + place, size):
                yield _line(checkpoint=note)
                note = await anext(notes, None)
            if place < len(leaves):
                yield _record(start + place, leaves[place])


def leaf_of_line(line: Line) -> bytes:
    """The record of a line as it was hashed; nothing for a line without one."""
    if line.leaf is not None:
        return line.leaf.encode()
    try:
        return base64.b64decode(line.raw or "", validate=True)
    except (binascii.Error, ValueError):
        return b""


def is_as_written(text: bytes, line: Line) -> bool:
    """Whether a line says what it says to every reader: one thing, in the bytes that an export writes."""
    if line.hashes is not None:
        as_written = _line(start=line.start, hashes=line.hashes)
    elif line.index is not None:
        as_written = _record(line.index, leaf_of_line(line))
    elif line.checkpoint is not None:
        as_written = _line(checkpoint=line.checkpoint)
    else:
        as_written = _line(form=line.form, origin=line.origin, size=line.size)
    return text.removesuffix(b"\n") == as_written.removesuffix(b"\n")


def _is_due(note: str, count: int, size: int) -> bool:
    """Whether a checkpoint belongs after so many records, or is none and tells that at once."""
    checkpoint = size_of(note)
    return checkpoint is None or (checkpoint <= count and checkpoint <= size)


async def _hashes(store: AuditStore, start: int, count: int) -> list[bytes]:
    """The hashes of leaves, up to the first that is missing."""
    wanted = [(0, place) for place in range(start, start + count)]
    try:
        return await store.nodes(wanted)
    except KeyError as missing:
        return await store.nodes(wanted[: wanted.index(missing.args[0])])


def _record(index: int, leaf: bytes) -> bytes:
    try:
        return _line(index=index, leaf=leaf.decode())
    except UnicodeDecodeError:
        return _line(index=index, raw=base64.b64encode(leaf).decode())


def _line(**fields: Any) -> bytes:
    return _encode(Line(**fields)) + b"\n"
