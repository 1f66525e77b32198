"""The Merkle tree of RFC 9162 (that of RFC 6962): hashes, growing, and proofs made and verified.

Nothing here reads or writes: what a proof needs is named as complete subtrees, which a store keeps as `Node`s.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence

from narrows.stores.audit import HASH_BYTES, Head, Node

EMPTY_ROOT = hashlib.sha256(b"").digest()

Place = tuple[int, int]
"""A complete subtree: of `2 ** level` leaves, the `place`th of its kind."""


def leaf_hash(leaf: bytes) -> bytes:
    """The hash of one leaf (RFC 9162, 2.1.1)."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of two subtrees side by side (RFC 9162, 2.1.1)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def grow(head: Head, hashes: Iterable[bytes]) -> tuple[Head, list[Node]]:
    """Add leaves by their hashes; the new head, and every subtree that they completed."""
    size, peaks, nodes = head.size, list(head.peaks), []
    for digest in hashes:
        level, place = 0, size
        nodes.append(Node(level, place, digest))
        while place & 1:
            level, place, digest = level + 1, place >> 1, node_hash(peaks.pop(), digest)
            nodes.append(Node(level, place, digest))
        peaks.append(digest)
        size += 1
    return Head(size, tuple(peaks)), nodes


def root(head: Head) -> bytes:
    """The hash of the whole tree, or of nothing at all. Raises `ValueError` for a head that is none."""
    if len(head.peaks) != head.size.bit_count():
        raise ValueError(f"a tree of {head.size} leaves has {head.size.bit_count()} peaks, not {len(head.peaks)}")
    return fold(head.peaks) if head.peaks else EMPTY_ROOT


def fold(digests: Sequence[bytes]) -> bytes:
    """One hash of neighbouring subtrees that get smaller, at least one."""
    folded = digests[-1]
    for digest in reversed(digests[:-1]):
        folded = node_hash(digest, folded)
    return folded


def covering(start: int, end: int) -> list[Place]:
    """The complete subtrees of leaves `start` to `end`, where `start` is the first of a subtree as large as the rest.

    Such are the ranges that RFC 9162 hashes: each begins at a multiple of the next power of two of its length.
    """
    places = []
    while start < end:
        level = (end - start).bit_length() - 1
        places.append((level, start >> level))
        start += 1 << level
    return places


def inclusion_ranges(index: int, size: int) -> list[tuple[int, int]]:
    """The ranges of leaves whose hashes prove that leaf `index` is in a tree of `size` (RFC 9162, 2.1.3.1).

    Raises `ValueError` for an index that is not in the tree.
    """
    if not 0 <= index < size:
        raise ValueError(f"leaf {index} is not in a tree of {size}")
    ranges, start, end = [], 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start = middle
    return ranges[::-1]


def consistency_ranges(old: int, size: int) -> list[tuple[int, int]]:
    """The ranges whose hashes prove that a tree of `size` begins with that of `old` leaves (RFC 9162, 2.1.4.1).

    Raises `ValueError` unless 0 < old <= size: of an empty tree nothing could be proven.
    """
    if not 0 < old <= size:
        raise ValueError(f"no tree of {size} can be proven to go on from one of {old}")
    ranges, start, end, whole = [], 0, size, True
    while old != end:
        middle = start + _split(end - start)
        if old <= middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start, whole = middle, False
    # The verifier knows the old root already, unless it is a part of another subtree.
    return ranges[::-1] if whole else [(start, end), *ranges[::-1]]


def needed(ranges: Iterable[tuple[int, int]]) -> list[Place]:
    """Every complete subtree that the hashes of these ranges are made of."""
    return [place for start, end in ranges for place in covering(start, end)]


def proof(ranges: Iterable[tuple[int, int]], digests: Mapping[Place, bytes]) -> list[bytes]:
    """The hashes of these ranges. Raises `KeyError` for a subtree that is not among the digests."""
    return [fold([digests[place] for place in covering(start, end)]) for start, end in ranges]


def is_included(leaf: bytes, index: int, size: int, path: Sequence[bytes], expected: bytes) -> bool:
    """Whether a proof shows that the leaf with this hash is in the tree with this root (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size or not _are_hashes([leaf, expected, *path]):
        return False
    here, last, digest = index, size - 1, leaf
    for step in path:
        if last == 0:
            return False
        if here & 1 or here == last:
            digest = node_hash(step, digest)
            while not here & 1 and here:
                here, last = here >> 1, last >> 1
        else:
            digest = node_hash(digest, step)
        here, last = here >> 1, last >> 1
    return last == 0 and digest == expected


def is_consistent(old: int, old_root: bytes, size: int, new_root: bytes, path: Sequence[bytes]) -> bool:
    """Whether a proof shows that one tree goes on from another (RFC 9162, 2.1.4.2); never for an old one of no leaf."""
    if not 0 < old <= size or not _are_hashes([old_root, new_root, *path]):
        return False
    if old == size:
        return not path and old_root == new_root
    steps = [*((old_root,) if old & (old - 1) == 0 else ()), *path]
    here, last = old - 1, size - 1
    while here & 1:
        here, last = here >> 1, last >> 1
    if not steps:
        return False
    before = after = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if here & 1 or here == last:
            before, after = node_hash(step, before), node_hash(step, after)
            while not here & 1 and here:
                here, last = here >> 1, last >> 1
        else:
            after = node_hash(after, step)
        here, last = here >> 1, last >> 1
    return last == 0 and before == old_root and after == new_root


def _split(size: int) -> int:
    """The largest power of two below `size`."""
    return 1 << ((size - 1).bit_length() - 1)


def _are_hashes(digests: Iterable[bytes]) -> bool:
    return all(len(digest) == HASH_BYTES for digest in digests)
