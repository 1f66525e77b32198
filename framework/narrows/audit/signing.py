"""Signing how far a log goes: never against what was signed before, and every checkpoint is kept with the log.

The newest stands under one name in the log's store, which is compared and set; each older one under its number.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from narrows.audit.checkpoint import Checkpoint, CheckpointRefused, Signer, read_checkpoint
from narrows.audit.merkle import consistency_ranges, is_consistent, needed, proof, root
from narrows.errors import NarrowsError
from narrows.stores.audit import AuditStore, Head

_NEWEST = "checkpoint"
_GAP = 1000
"""So many numbers in a row without a checkpoint, and there are no more: a number in a store may be anything."""


class LogBroken(NarrowsError):
    """The log is not what it was: records that were there are gone or changed. Nothing is added to it any more."""


async def check_extends(store: AuditStore, before: Checkpoint | Head, head: Head) -> None:
    """Raise `LogBroken` unless the tree of `head` goes on from the one before."""
    known = _root(before) if isinstance(before, Head) else before.root
    if before.size == 0:
        return
    if head.size < before.size:
        raise LogBroken(f"The audit log has {head.size} records, and had {before.size} before.")
    ranges = consistency_ranges(before.size, head.size)
    try:
        places = needed(ranges)
        path = proof(ranges, dict(zip(places, await store.nodes(places), strict=True)))
    except KeyError:
        path = []
    if not is_consistent(before.size, known, head.size, _root(head), path):
        raise LogBroken(f"The first {before.size} records of the audit log are not what they were.")


def _root(head: Head) -> bytes:
    """The root of a tree. Raises `LogBroken` for a head that somebody made into none."""
    try:
        return root(head)
    except ValueError as error:
        raise LogBroken(f"The head of the audit log is none: {error}.") from None


async def newest(store: AuditStore) -> str | None:
    """The newest checkpoint that is kept."""
    kept = await store.kept(_NEWEST)
    return _text(kept.value) if kept else None


async def checkpoints(store: AuditStore) -> AsyncIterator[str]:
    """Every checkpoint that is kept, the oldest first."""
    kept = await store.kept(_NEWEST)
    missing = 0
    for number in range(1, kept.version if kept else 0):
        older = await store.kept(f"{_NEWEST}/{number}")
        missing = 0 if older is not None else missing + 1
        if older is not None:
            yield _text(older.value)
        elif missing == _GAP:
            break
    if kept is not None:
        yield _text(kept.value)


async def check_signed(store: AuditStore, signer: Signer, head: Head) -> None:
    """Raise `LogBroken` for a log that does not go on from its newest checkpoint, and for one that is not its own."""
    note = await newest(store)
    if note is not None:
        await check_extends(store, _read(note, signer), head)


async def sign(store: AuditStore, signer: Signer, head: Head) -> str:
    """Sign a tree and keep the checkpoint; what somebody else signed meanwhile of the same or a larger one is answered.

    Raises `LogBroken` rather than sign what does not go on from the newest checkpoint, and `Unavailable`.
    """
    while True:
        kept = await store.kept(_NEWEST)
        if kept is not None and (signed := await _signed(store, signer, _text(kept.value), head)):
            return signed
        note = signer.sign(head.size, _root(head))
        if kept is not None:
            # Whoever was killed between the two steps left this to the next one.
            await store.keep(f"{_NEWEST}/{kept.version}", 0, kept.value)
        if await store.keep(_NEWEST, kept.version if kept else 0, note.encode()):
            return note


async def _signed(store: AuditStore, signer: Signer, note: str, head: Head) -> str | None:
    """The newest checkpoint if it says all that is to be signed."""
    last = _read(note, signer)
    if last.size <= head.size:
        await check_extends(store, last, head)
        return note if last.size == head.size else None
    # Another process is ahead: what is to be signed must be a part of its tree.
    whole = await store.head()
    await check_extends(store, head, whole)
    await check_extends(store, last, whole)
    return note


def _text(value: bytes) -> str:
    """A note as it is kept; what somebody made unreadable is no note, and told as that."""
    return value.decode("utf-8", "replace")


def _read(note: str, signer: Signer) -> Checkpoint:
    """The newest checkpoint, which one of the signer's keys must have signed."""
    try:
        return read_checkpoint(note, signer.public)
    except CheckpointRefused as refused:
        raise LogBroken(
            f"The newest checkpoint of the audit log is not its own. {refused} Should its key have been changed, set "
            "`audit.old_key` to the one before; should its name have been, set `audit.origin` to the old one. Should "
            "it be the log of another environment, name a place of its own in `stores.audit`."
        ) from None
