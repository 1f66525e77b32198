"""What counts while the shared store of rates is away: this process alone, and nothing that costs or writes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Literal, TypeVar

from narrows.errors import Unavailable
from narrows.stores import Allowed, Limiter, Wanted

T = TypeVar("T")

RETRY_S = 1.0
"""How long a store that was away is not asked again, in seconds."""

Away = Literal["left", "local", "refused", "back"]
"""The store went away; a call was counted here; a call was refused for it; the store is there again."""


class StandIn:
    """A shared limiter, and a local one that stands in while the shared one is away.

    Each process then allows the whole of each rate once more, so that at worst a rate holds for each process by itself;
    what must not happen (`strict`) is refused. One call in `RETRY_S` seconds tries the shared store, and the first that
    finds it there brings it back. `now` gives steady seconds; `tell` hears what happens.
    """

    def __init__(
        self, shared: Limiter, local: Limiter, now: Callable[[], float], tell: Callable[[Away], object]
    ) -> None:
        self._shared = shared
        self._local = local
        self._now = now
        self._tell = tell
        self._retry_at: float | None = None

    async def take(self, wanted: Sequence[Wanted], lease: str = "", *, strict: bool = False) -> Allowed:
        """Take one of each rate, or none of any when one of them is used up.

        Raises `Unavailable` when the store is away and nothing may stand in for it.
        """
        try:
            return await self._reach(lambda: self._shared.take(wanted, lease))
        except Unavailable:
            self._tell("refused" if strict else "local")
            if strict:
                raise
        return await self._local.take(wanted, lease)

    async def give_back(self, wanted: Sequence[Wanted]) -> None:
        """Undo one take, in the store that counts now."""
        try:
            await self._reach(lambda: self._shared.give_back(wanted))
        except Unavailable:
            await self._local.give_back(wanted)

    async def release(self, wanted: Sequence[Wanted], lease: str) -> None:
        """Let go of what counts at once, wherever it is held; in a store that is away it ends by itself."""
        await self._local.release(wanted, lease)
        with suppress(Unavailable):
            await self._reach(lambda: self._shared.release(wanted, lease))

    async def _reach(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask the shared store, while it is away one call at a time, and note whether it is there.

        Raises `Unavailable` when it is not, or was not a moment ago.
        """
        if self._retry_at is not None:
            if self._now() < self._retry_at:
                raise Unavailable("What counts calls is away.", headers={"Retry-After": "5"})
            self._retry_at = self._now() + RETRY_S
        try:
            answer = await ask()
        except Unavailable:
            if self._retry_at is None:
                self._tell("left")
            self._retry_at = self._now() + RETRY_S
            raise
        if self._retry_at is not None:
            self._retry_at = None
            self._tell("back")
        return answer
