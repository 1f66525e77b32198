"""A shelf of tokens in memory, as a test looks at it: what lies there, and a server that can go away."""

from collections.abc import Sequence

from narrows.errors import Unavailable
from narrows.stores.tokens import Mark


class MemoryShelf:
    """Keeps the promises of a shelf but for the ends, which a test reads in `lives`."""

    def __init__(self) -> None:
        self.kept: dict[bytes, bytes] = {}
        self.lives: dict[bytes, float] = {}
        self.epochs: dict[bytes, int] = {}
        self.away = False
        self.asked = 0

    async def get(self, key: bytes, marks: Sequence[Mark]) -> bytes | None:
        """What lies under a key."""
        return self.kept.get(key) if self._holds(marks) else None

    async def put(self, key: bytes, marks: Sequence[Mark], sealed: bytes, life_s: float) -> bool:
        """Keep it unless a mark is older than is known."""
        if not self._holds(marks):
            return False
        self.kept[key], self.lives[key] = sealed, life_s
        return True

    async def drop(self, key: bytes) -> None:
        """Forget it."""
        self._ask()
        self.kept.pop(key, None)

    def _holds(self, marks: Sequence[Mark]) -> bool:
        self._ask()
        for mark in marks:
            known = self.epochs.get(mark.name, 0)
            if mark.epoch < known:
                return False
            self.epochs[mark.name] = mark.epoch
        return True

    def _ask(self) -> None:
        self.asked += 1
        if self.away:
            raise Unavailable("The store of tokens is away.", headers={"Retry-After": "5"})
