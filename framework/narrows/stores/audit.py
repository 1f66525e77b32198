"""What the audit log lies on: leaves of a Merkle tree that only grows, and the keys that name persons in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import msgspec

HASH_BYTES = 32


class Head(msgspec.Struct, frozen=True):
    """How far a log goes: its size, and the roots of the complete subtrees that it is made of, the largest first.

    `peaks` is what RFC 9162 needs to add a leaf and to tell the root; there is one for each bit of `size` that is set.
    """

    size: int = 0
    peaks: tuple[bytes, ...] = ()


class Node(NamedTuple):
    """The hash of one complete subtree: of `2 ** level` leaves, the `place`th of its kind. Level 0 are the leaves."""

    level: int
    place: int
    digest: bytes


class Kept(NamedTuple):
    """A small value under a name, and how often it was put."""

    version: int
    value: bytes


class Person(NamedTuple):
    """What leads from a hash in the log to somebody; `sealed` is opaque to the store."""

    hash: str
    sealed: bytes


class AuditStore(Protocol):
    """Keeps an audit log. Its methods raise `Unavailable` when it is away or full; then nothing was added.

    Several processes may add to one log: `append` compares and sets its head, so that it never forks.
    """

    async def head(self) -> Head:
        """How far the log goes."""
        ...

    async def append(self, was: Head, head: Head, leaves: Sequence[bytes], nodes: Sequence[Node]) -> bool:
        """Add leaves durably, all or none; False when the head is not `was` any more, and nothing was added."""
        ...

    async def leaves(self, start: int, count: int) -> list[bytes]:
        """The leaves from an index on, in order; fewer at the end."""
        ...

    async def nodes(self, wanted: Sequence[tuple[int, int]]) -> list[bytes]:
        """The digests of complete subtrees by (level, place), in that order. Raises `KeyError` for one that is none."""
        ...

    async def kept(self, name: str) -> Kept | None:
        """A small value that goes with the log, such as how far somebody has read."""
        ...

    async def keep(self, name: str, was: int, value: bytes) -> bool:
        """Put a small value if its version is still `was` (0 for none); False when somebody else was faster."""
        ...

    async def person(self, lookup: bytes) -> Person | None:
        """Who was put under a lookup."""
        ...

    async def put_person(self, lookup: bytes, person: Person) -> Person:
        """Put somebody under a lookup unless somebody else did it first; answers what is kept then."""
        ...

    async def find_person(self, hash: str) -> Person | None:  # noqa: A002 # the field's name
        """Who a hash of the log leads to."""
        ...

    async def forget_person(self, lookup: bytes) -> bool:
        """Destroy what leads to somebody, so that nothing of it is left on the disk; whether there was anything."""
        ...

    async def close(self) -> None:
        """Release what is held."""
        ...
