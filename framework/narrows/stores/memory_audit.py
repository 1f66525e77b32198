"""The audit log of one process, for development and tests: it ends with the process."""

from __future__ import annotations

from collections.abc import Sequence

from narrows.errors import Unavailable
from narrows.stores.audit import Head, Kept, Node, Person

_LEAVES = 100_000
_PERSONS = 100_000


class MemoryAuditStore:
    """Keeps an audit log in this process. It is full at `leaves` records: what is in a tree cannot be dropped.

    For one event loop: no method awaits anything, so each is one step.
    """

    def __init__(self, *, leaves: int = _LEAVES) -> None:
        self._most = leaves
        self._head = Head()
        self._leaves: list[bytes] = []
        self._nodes: dict[tuple[int, int], bytes] = {}
        self._kept: dict[str, Kept] = {}
        self._persons: dict[bytes, Person] = {}

    async def head(self) -> Head:
        """How far the log goes."""
        return self._head

    async def append(self, was: Head, head: Head, leaves: Sequence[bytes], nodes: Sequence[Node]) -> bool:
        """Add leaves, all or none. Raises `Unavailable` when the log is full."""
        if was != self._head:
            return False
        if len(self._leaves) + len(leaves) > self._most:
            raise Unavailable("The audit log in memory is full.")
        self._leaves += leaves
        self._nodes.update(((level, place), digest) for level, place, digest in nodes)
        self._head = head
        return True

    async def leaves(self, start: int, count: int) -> list[bytes]:
        """The leaves from an index on."""
        return self._leaves[start : start + count]

    async def nodes(self, wanted: Sequence[tuple[int, int]]) -> list[bytes]:
        """The digests of complete subtrees. Raises `KeyError` for one that is none."""
        return [self._nodes[place] for place in wanted]

    async def kept(self, name: str) -> Kept | None:
        """A small value that goes with the log."""
        return self._kept.get(name)

    async def keep(self, name: str, was: int, value: bytes) -> bool:
        """Put a small value if its version is still `was`."""
        kept = self._kept.get(name)
        if was != (kept.version if kept else 0):
            return False
        self._kept[name] = Kept(was + 1, value)
        return True

    async def person(self, lookup: bytes) -> Person | None:
        """Who was put under a lookup."""
        return self._persons.get(lookup)

    async def put_person(self, lookup: bytes, person: Person) -> Person:
        """Put somebody unless somebody else did it first. Raises `Unavailable` when there is no room."""
        if lookup not in self._persons and len(self._persons) >= _PERSONS:
            raise Unavailable("The audit log in memory is full.")
        return self._persons.setdefault(lookup, person)

    async def find_person(self, hash: str) -> Person | None:  # noqa: A002 # the protocol's name
        """Who a hash of the log leads to."""
        return next((person for person in self._persons.values() if person.hash == hash), None)

    async def forget_person(self, lookup: bytes) -> bool:
        """Forget somebody; whether there was anything."""
        return self._persons.pop(lookup, None) is not None

    async def close(self) -> None:
        """Keep everything: whoever opens a log again finds it."""
