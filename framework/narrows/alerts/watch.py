"""The watch: reads the audit log from where it was, judges each record once, and sees that every alert is told.

What is known and what is still to be done is one value beside the log, put by compare-and-set: of several processes
only one makes an alert of a record, and after a kill another goes on from what was kept: what was judged since then
is judged again, to the same end, because nothing is told before it is kept. What was begun and not finished is done
again after a while, so that an alert is told at least once; its id says that it is the same.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import NamedTuple

import msgspec

from narrows.alerts.alert import Alert
from narrows.alerts.engine import Engine, Facts
from narrows.alerts.state import State, decode, encode
from narrows.alerts.telling import Teller
from narrows.alerts.webhooks import Receiver
from narrows.audit.log import RecordLog
from narrows.errors import Unavailable
from narrows.governance.connectors import Governor
from narrows.pipeline.faults import tell
from narrows.settings import AlertSettings
from narrows.stores.audit import AuditStore
from narrows.telemetry import Telemetry

LEASE_S = 15.0
"""How long a process that leads is waited for when it is silent."""

KEEP_S = 30.0
"""How often what was learned is put down while there is nothing to tell."""

_CHUNK = 100
_CHUNKS = 10
_log = logging.getLogger("narrows.alerts")


class Lease(msgspec.Struct):
    """Who leads, until when (seconds since 1970)."""

    holder: str
    until: float


class Around(NamedTuple):
    """What the watch works with. `now` gives seconds since 1970, `me` tells this process from any other."""

    store: AuditStore
    log: RecordLog
    governor: Governor
    telemetry: Telemetry
    now: Callable[[], float]
    me: str


class Watch:
    """Watches the log of one BFF. For one event loop.

    Only the process that leads reads; that saves work, and is not what makes it right: the compare-and-set is.
    """

    def __init__(
        self, facts: Facts, settings: AlertSettings, receivers: Mapping[str, Receiver], around: Around
    ) -> None:
        self._facts = facts
        self._settings = settings
        self._store, log, self._governor, self._telemetry, self._now, self._me = around
        self.teller = Teller(receivers, log, self._governor, self._telemetry)
        self._name = f"alerts.v1:{facts.bff}"
        self._lease_name = f"{self._name}.lease"
        self._known: tuple[int, State] | None = None
        self._kept = (-1, 0.0)

    async def step(self) -> bool:
        """Judge what is new, begin what is due, and put down what was done; whether there may be more at once.

        Raises `Unavailable` when the log is away; nothing is lost by that.
        """
        now = self._now()
        if not await self._leads(now):
            self._known = None
            return False
        (version, state), self._known = self._known or await self._read(), None
        was = (state.looked, len(state.pending))
        alerts, more = await self._judge(state, now)
        for alert in alerts:
            self.teller.enqueue(state, alert)
        ended, self.teller.ended = self.teller.ended, {}
        self.teller.settle(state, ended, now)
        mine = self.teller.claim(state, now)
        told = bool(alerts or mine or ended) or was != (state.looked, len(state.pending))
        if not told and not self._is_due(version, state, now):
            self._known = version, state
            return more
        if not await self._store.keep(self._name, version, encode(state)):
            self.teller.ended = {**ended, **self.teller.ended}
            return True
        self._known, self._kept = (version + 1, state), (state.cursor, now)
        await self.teller.begin(mine, now)
        return more or bool(mine) or bool(ended)

    async def run(self) -> None:
        """Step on until it is cancelled; what goes wrong is told, and tried again."""
        while True:
            try:
                more = await self.step()
            except Unavailable:
                self._telemetry.count("narrows.store.away", store="audit", event="alerts")
                more = False
            except Exception as fault:  # a fault of ours must not end the watch in silence
                _log.error("the watch over alerts failed, and goes on: %s", tell(fault))
                more = False
            if not more:
                await asyncio.sleep(self._settings.every_s)

    async def close(self) -> None:
        """End what is under way, put down how far the log is judged, and let another process lead at once."""
        with suppress(Unavailable):
            if self._known is not None and await self._store.keep(self._name, self._known[0], encode(self._known[1])):
                kept = await self._store.kept(self._lease_name)
                await self._store.keep(self._lease_name, kept.version if kept else 0, _lease(self._me, 0.0))
        await self.teller.close()

    def _is_due(self, version: int, state: State, now: float) -> bool:
        """Whether what was only learned is put down: at once where nothing was kept before, else now and then.

        Who takes over before that judges the same records again, and comes to the same.
        """
        cursor, at = self._kept
        return version == 0 or (state.cursor != cursor and not 0 <= now - at < KEEP_S)

    async def _leads(self, now: float) -> bool:
        """Whether this process is the one that reads, or has just become it."""
        kept = await self._store.kept(self._lease_name)
        held = msgspec.json.decode(kept.value, type=Lease) if kept else Lease("", 0.0)
        left = held.until - now
        if held.holder == self._me and left > LEASE_S / 2:
            return True
        # A lease that lasts longer than any was made when a clock was wrong.
        if held.holder != self._me and 0 < left <= LEASE_S:
            return False
        written = _lease(self._me, now + LEASE_S)
        return await self._store.keep(self._lease_name, kept.version if kept else 0, written)

    async def _read(self) -> tuple[int, State]:
        """What was kept; where there is nothing to go on from, all that the log holds is learned and not told."""
        kept, head = await self._store.kept(self._name), await self._store.head()
        state = decode(kept.value) if kept else None
        if state is None or state.cursor > head.size:
            if kept:
                _log.error("what alerts had learned does not belong to this log, and is learned anew")
            state = State(silent=head.size)
        return (kept.version if kept else 0), state

    async def _judge(self, state: State, now: float) -> tuple[list[Alert], bool]:
        """Judge some of what is new; other work of this process goes on in between."""
        engine = Engine(self._facts, self._settings, state)
        alerts: list[Alert] = []
        for _ in range(_CHUNKS):
            leaves = await self._store.leaves(state.cursor, _CHUNK)
            for leaf in leaves:
                alerts += engine.feed(state.cursor, leaf)
            if len(leaves) < _CHUNK:
                break
            await asyncio.sleep(0)
        else:
            return alerts, True
        if state.looked < int(now // 86_400):
            _, entries = await self._governor.store.all()
            alerts += engine.look(entries, now)
        return alerts, False


def _lease(holder: str, until: float) -> bytes:
    return msgspec.json.encode(Lease(holder, until))
