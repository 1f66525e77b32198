"""What is known of a store, looked at anew when it is older than half a second: many who ask at once wait for one."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable

FRESH_S = 0.5
"""How old what is known may be; two looks fit into the second that a change may take."""


class Fresh:
    """Calls `look` when the last look that succeeded began `FRESH_S` ago or more.

    `steady` gives seconds of a clock that nobody sets. For one event loop.
    """

    def __init__(self, look: Callable[[], Awaitable[None]], steady: Callable[[], float]) -> None:
        self._look = look
        self._steady = steady
        self._looked = -math.inf
        self._flight: asyncio.Task[None] | None = None

    async def see(self) -> None:
        """See that the last look is fresh. Raises what `look` raises; then nothing counts as seen."""
        if self._steady() - self._looked < FRESH_S:
            return
        if self._flight is None:
            self._flight = asyncio.create_task(self._fly())
            self._flight.add_done_callback(self._landed)
        # The look belongs to nobody: whoever is cancelled while waiting leaves it to the others.
        await asyncio.shield(self._flight)

    async def close(self) -> None:
        """Let a look that is under way end."""
        if self._flight is not None:
            await asyncio.gather(self._flight, return_exceptions=True)

    async def _fly(self) -> None:
        began = self._steady()
        await self._look()
        self._looked = began

    def _landed(self, flight: asyncio.Task[None]) -> None:
        self._flight = None
        # Marks an error as seen, also when everybody who waited for it has gone.
        _ = flight.cancelled() or flight.exception()
