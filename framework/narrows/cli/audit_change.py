"""The audit log as commands that change something add to it: opened with the first record, written before they end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

from narrows.cli.audit_opened import audit_of
from narrows.cli.saying import say

if TYPE_CHECKING:
    from narrows.audit.nowhere import Keeper
    from narrows.declare.bff import Bff
    from narrows.settings import Settings


@asynccontextmanager
async def change_log(bff: Bff, settings: Settings) -> AsyncIterator[Keeper]:
    """Where a command records what it changes; whoever only reads opens nothing."""
    async with AsyncExitStack() as stack:
        yield _Later(bff, settings, stack)


class _Later:
    """Opens the log when it is needed; one in memory is that of another process: nothing is kept, and it is told."""

    def __init__(self, bff: Bff, settings: Settings, stack: AsyncExitStack) -> None:
        self._bff = bff
        self._settings = settings
        self._stack = stack
        self._log: Keeper | None = None

    async def room(self) -> None:
        """Wait until there is room. Raises `AuditRefused` when nothing can be recorded."""
        from narrows.errors import AuditRefused, Unavailable

        try:
            await (await self._opened()).room()
        except Unavailable as away:
            raise AuditRefused(
                f"{away} So nothing was changed. Remedy: see whether what `stores.audit` names is there, and has room."
            ) from away

    async def keep(self, record: Any) -> None:
        """Record something durably. Raises `LogBroken`, `SettingsError` and `Unavailable`."""
        await (await self._opened()).keep(record)

    async def _opened(self) -> Keeper:
        if self._log is None:
            self._log = await self._open()
        return self._log

    async def _open(self) -> Keeper:
        from narrows.audit.nowhere import Nowhere

        found = await self._stack.enter_async_context(audit_of(self._bff, self._settings))
        if found is None:
            say("This change is not in the audit log, which is in memory (stores.audit).", err=True)
            return Nowhere()
        await found.log.start()
        return found.log
