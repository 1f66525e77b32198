"""The one writer of a process into the audit log: a bounded queue, and one transaction for all that waits in it.

Nothing is dropped. What cannot be written stays in the queue and is tried again, and meanwhile nobody may begin
anything that would have to be recorded.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from itertools import islice

import msgspec

from narrows.audit.checkpoint import Signer
from narrows.audit.merkle import grow, leaf_hash
from narrows.audit.signing import LogBroken, check_extends, check_signed, newest, sign
from narrows.errors import Unavailable
from narrows.stores.audit import AuditStore, Head

_BATCH = 1024
_RETRY_S = 1.0

_UNSIGNED = (
    "the audit log has %d records and no checkpoint: either the process before was killed in its first minute, or "
    "somebody took the checkpoints away, and what they wrote is signed from now on"
)

_log = logging.getLogger("narrows.audit")


class _Waiting(msgspec.Struct):
    """A leaf in the queue, and who waits until it is on the disk."""

    leaf: bytes
    done: asyncio.Future[None] | None = None


class Writer:
    """Adds leaves to the log of one store. At most about `most` of them wait: those of calls that began before.

    Every `checkpoint_s` seconds in which the log grew, `signer` signs how far it goes. `failing` says that the last
    attempt to write failed. `heard` is told of each attempt: its seconds (None: it failed), its records, and how many
    wait after it.
    """

    def __init__(
        self,
        store: AuditStore,
        signer: Signer,
        *,
        most: int = 4096,
        checkpoint_s: float = 60.0,
        steady: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        heard: Callable[[float | None, int, int], None] = lambda *_: None,
    ) -> None:
        self._heard = heard
        self._store = store
        self.signer = signer
        self._most = most
        self._checkpoint_s = checkpoint_s
        self._steady = steady
        self._sleep = sleep
        self._queue: deque[_Waiting] = deque()
        self._blocked: list[asyncio.Future[None]] = []
        self._head: Head | None = None
        self._written = 0
        self._signed = 0
        self._signed_at = steady()
        self._doubt = 0
        self._task: asyncio.Task[None] | None = None
        self._later: asyncio.TimerHandle | None = None
        self._pausing = False
        self._closing = False
        self._broken: LogBroken | None = None
        self.failing = False

    @property
    def waiting(self) -> int:
        """How many leaves are not on the disk yet."""
        return len(self._queue)

    async def start(self) -> None:
        """Look how far the log goes. Raises `LogBroken` for one that lost what was signed, and `Unavailable`."""
        if self._head is None:
            head = await self._store.head()
            await check_signed(self._store, self.signer, head)
            if head.size and await newest(self._store) is None:
                _log.warning(_UNSIGNED, head.size)
            self._head = head

    async def room(self) -> None:
        """Wait while the queue is full. Raises `Unavailable` when nothing can be written."""
        self._check()
        while len(self._queue) >= self._most:
            await self._progress()

    def put(self, leaf: bytes) -> None:
        """Add a leaf; it is on the disk a moment later."""
        self._queue.append(_Waiting(leaf))
        self._wake()

    async def keep(self, leaf: bytes) -> None:
        """Add a leaf; it is on the disk when this returns. Raises `Unavailable` when it is not, and stays queued."""
        waiting = _Waiting(leaf)
        self._queue.append(waiting)
        self._check()
        waiting.done = asyncio.get_running_loop().create_future()
        self._wake()
        await waiting.done

    async def flush(self) -> None:
        """Wait until all that is in the queue is on the disk. Raises `Unavailable` when it cannot be written."""
        self._check()
        goal = self._written + len(self._queue)
        while self._written < goal:
            await self._progress()

    async def sign(self) -> str:
        """Sign how far the log goes now, with all that waits. Raises `LogBroken` and `Unavailable`."""
        await self.flush()
        head = await self._rebase()
        note = await sign(self._store, self.signer, head)
        self._signed, self._signed_at = head.size, self._steady()
        return note

    async def close(self) -> None:
        """Write what waits, and sign; what cannot be written any more is told to the operators."""
        self._closing = True
        if self._later is not None:
            self._later.cancel()
        if self._task is not None and not self._task.done():
            if self._pausing:
                self._task.cancel()
            await asyncio.wait([self._task])
        await self._drain()
        if self._queue:
            _log.error("%d records could not be kept before the end of this process", len(self._queue))

    def _check(self) -> None:
        """Raise `Unavailable` when nothing can be written."""
        if self.failing:
            raise _away()

    async def _progress(self) -> None:
        """Wait until some of the queue is on the disk. Raises `Unavailable` when it cannot be written."""
        blocked = asyncio.get_running_loop().create_future()
        self._blocked.append(blocked)
        self._wake()
        await blocked
        self._check()

    def _wake(self) -> None:
        """Have the queue written, unless that is being done."""
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._drain())

    async def _drain(self) -> None:
        """Write all that waits, and sign when it is time; after a failure, again and again."""
        while not self._broken:
            try:
                while self._queue:
                    await self._write()
                await self._sign_when_due()
            except LogBroken as broken:
                self._break(broken)
            except Exception as fault:  # whatever a store raises: what it did not take stays in the queue
                self._fail(fault)
                if self._closing:
                    return
                self._pausing = True
                try:
                    await self._sleep(_RETRY_S)
                finally:
                    self._pausing = False
            else:
                self._recover()
                # While it signed, more may have come.
                if not self._queue:
                    return

    async def _write(self) -> None:
        """Add the first of the queue in one step.

        Until an answer says otherwise they may have been added, because an answer can be lost: then the same are tried
        again at the same place, and whoever finds them there already was successful before.
        """
        began = self._steady()
        head, unsure = self._head or await self._rebase(), self._doubt > 0
        batch = [waiting.leaf for waiting in islice(self._queue, self._doubt or _BATCH)]
        hashes = [leaf_hash(leaf) for leaf in batch]
        self._doubt = len(batch)
        while True:
            grown, nodes = grow(head, hashes)
            if await self._store.append(head, grown, batch, nodes):
                self._head = grown
                break
            added = unsure and await self._store.leaves(head.size, len(batch)) == batch
            head = await self._rebase()
            if added:
                break
        self._taken(len(batch))
        self._heard(self._steady() - began, len(batch), len(self._queue))

    async def _rebase(self) -> Head:
        """The head as it is now: it goes on from the last that was seen, or the log is broken."""
        head = await self._store.head()
        if self._head is None:
            await check_signed(self._store, self.signer, head)
        else:
            await check_extends(self._store, self._head, head)
        self._head = head
        return head

    def _taken(self, count: int) -> None:
        """The first of the queue are on the disk."""
        self._doubt = 0
        self._written += count
        for _ in range(count):
            done = self._queue.popleft().done
            if done is not None and not done.done():
                done.set_result(None)
        self._recover()
        self._unblock()

    def _recover(self) -> None:
        if self.failing:
            self.failing = False
            _log.warning("the audit log can be written again")

    def _fail(self, fault: Exception) -> None:
        """Tell whoever waits that it cannot be written now."""
        if not self.failing:
            # What a store says of itself is a sentence of ours; what else is raised may hold anything.
            told = str(fault) if isinstance(fault, Unavailable) else type(fault).__name__
            _log.error("the audit log cannot be written, so nothing is answered: %s", told)
        self.failing = True
        self._heard(None, self._doubt, len(self._queue))
        for waiting in self._queue:
            if waiting.done is not None and not waiting.done.done():
                waiting.done.set_exception(_away())
            waiting.done = None
        self._unblock()

    def _break(self, broken: LogBroken) -> None:
        """Write nothing any more: whoever looks into it must find what is there."""
        self._fail(broken)
        self._broken = broken
        _log.critical("%s Nothing is answered until somebody has looked into it and restarted this process.", broken)

    def _unblock(self) -> None:
        blocked, self._blocked = self._blocked, []
        for each in blocked:
            if not each.done():
                each.set_result(None)

    async def _sign_when_due(self) -> None:
        head = self._head
        if head is None or head.size == self._signed:
            return
        left = self._signed_at + self._checkpoint_s - self._steady()
        if left <= 0 or self._closing:
            await sign(self._store, self.signer, head)
            self._signed, self._signed_at = head.size, self._steady()
        elif self._later is None or self._later.cancelled():
            self._later = asyncio.get_running_loop().call_later(left, self._sign_later)

    def _sign_later(self) -> None:
        self._later = None
        self._wake()


def _away() -> Unavailable:
    return Unavailable("The audit log cannot be written.", headers={"Retry-After": "5"})
