"""Proofs for somebody who has no access to the log: that a record is in it, and that it only grew.

A proof of inclusion is written in the form of C2SP (tlog-proof), with the checkpoint that it leads to.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence

import msgspec

from narrows.audit.checkpoint import Checkpoint, CheckpointRefused, PublicKey, read_checkpoint, size_of
from narrows.audit.merkle import (
    consistency_ranges,
    inclusion_ranges,
    is_consistent,
    is_included,
    leaf_hash,
    needed,
    proof,
)
from narrows.stores.audit import AuditStore

_FORM = "c2sp.org/tlog-proof@v1"


class Inclusion(msgspec.Struct, frozen=True, kw_only=True):
    """The proof that `leaf`, a record as it was hashed, is the one with this index under a checkpoint."""

    leaf: bytes
    index: int
    path: tuple[bytes, ...]
    checkpoint: str

    def __str__(self) -> str:
        hashes = "".join(f"{base64.b64encode(digest).decode()}\n" for digest in self.path)
        return f"{_FORM}\nindex {self.index}\n{hashes}\n{self.checkpoint}"


async def prove_inclusion(store: AuditStore, index: int, checkpoint: str) -> Inclusion:
    """Prove that a record is under a checkpoint of the log. Raises `ValueError` when it is not, or hashes are gone."""
    size = size_of(checkpoint) or 0
    path = await _path(store, inclusion_ranges(index, size))
    leaves = await store.leaves(index, 1)
    return Inclusion(leaf=b"".join(leaves), index=index, path=path, checkpoint=checkpoint)


async def prove_consistency(store: AuditStore, old: int, size: int) -> tuple[bytes, ...]:
    """Prove that the log of `size` records goes on from that of `old`. Raises `ValueError` unless 0 < old <= size."""
    return await _path(store, consistency_ranges(old, size))


def check_inclusion(text: str, leaf: bytes, keys: Sequence[PublicKey]) -> Checkpoint:
    """The checkpoint to which a proof leads, for the leaf that it is about. Raises `CheckpointRefused` otherwise."""
    head, _, note = text.partition("\n\n")
    form, *lines = head.split("\n")
    index = lines[0].removeprefix("index ") if lines else ""
    if form != _FORM or not index.isascii() or not index.isdigit() or len(index) > len(str(2**63)):
        raise CheckpointRefused("This is no proof of a record. Remedy: give the whole text, with its checkpoint.")
    checkpoint = read_checkpoint(note, keys)
    try:
        path = [base64.b64decode(line, validate=True) for line in lines[1:]]
    except (binascii.Error, ValueError):
        path = [b""]
    if not is_included(leaf_hash(leaf), int(index), checkpoint.size, path, checkpoint.root):
        raise CheckpointRefused(f"The proof does not lead from this record to the checkpoint of {checkpoint.size}.")
    return checkpoint


def check_consistency(old: Checkpoint, new: Checkpoint, path: Sequence[bytes]) -> None:
    """Raise `CheckpointRefused` unless the proof shows that one checkpoint's log goes on from the other's."""
    if old.origin != new.origin or not is_consistent(old.size, old.root, new.size, new.root, path):
        raise CheckpointRefused(f"The log of {new.size} records is not shown to go on from that of {old.size}.")


async def _path(store: AuditStore, ranges: Sequence[tuple[int, int]]) -> tuple[bytes, ...]:
    places = needed(ranges)
    try:
        digests = await store.nodes(places)
    except KeyError as missing:
        raise ValueError(f"the audit log has lost the hash at {missing}") from None
    return tuple(proof(ranges, dict(zip(places, digests, strict=True))))
