"""The watch: reads the audit log from where it was, judges each record once, and sees that every alert is told.

What is known and what is still to be done is one value beside the log, put by compare-and-set: of several processes
only the fastest has judged a record, and after a kill another goes on from there. What was begun and not finished is
done again after a while, so that an alert is told at least once; its id says that it is the same.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import NamedTuple

import msgspec

from narrows.alerts.alert import Alert
from narrows.alerts.engine import Engine, Facts
from narrows.alerts.reacting import BY, react
from narrows.alerts.state import Pending, State, decode, encode
from narrows.alerts.webhooks import RETRIES_S, Receiver
from narrows.audit.events import Event
from narrows.audit.log import RecordLog
from narrows.audit.record import timestamp
from narrows.errors import Unavailable
from narrows.governance.connectors import Governor
from narrows.pipeline.faults import tell
from narrows.settings import AlertSettings
from narrows.stores.audit import AuditStore
from narrows.telemetry import Telemetry

LEASE_S = 15.0
"""How long a process that leads is waited for when it is silent."""

IN_HAND_S = 60.0
"""How long what somebody has begun is left to them."""

QUEUE = 500
"""How much waits for one receiver; past that the oldest is dropped, and counted."""

_CHUNK = 100
_CHUNKS = 10
_AT_ONCE = 4
_WEBHOOK = "webhook:"
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
        self._receivers = receivers
        self._store, self._log, self._governor, self._telemetry, self._now, self._me = around
        self._name = f"alerts.v1:{facts.bff}"
        self._known: tuple[int, State] | None = None
        self._ended: dict[tuple[str, str], str] = {}
        self._sending: dict[asyncio.Task[None], str] = {}

    async def step(self) -> bool:
        """Judge what is new, begin what is due, and put down what was done; whether there may be more at once.

        Raises `Unavailable` when the log is away; nothing is lost by that.
        """
        now = self._now()
        if not await self._leads(now):
            self._known = None
            return False
        (version, state), self._known = self._known or await self._read(), None
        was = (state.cursor, state.looked, len(state.pending))
        alerts, more = await self._judge(state, now)
        for alert in alerts:
            self._enqueue(state, alert)
        ended, self._ended = self._ended, {}
        self._settle(state, ended, now)
        mine = self._claim(state, now)
        if not mine and not ended and was == (state.cursor, state.looked, len(state.pending)):
            self._known = version, state
            return False
        if not await self._store.keep(self._name, version, encode(state)):
            self._ended = {**ended, **self._ended}
            return True
        self._known = version + 1, state
        await self._begin(mine, now)
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

    async def drain(self) -> None:
        """Wait for the attempts that are under way."""
        await asyncio.gather(*self._sending)

    async def close(self) -> None:
        """End the attempts that are under way, and the connections; another process makes them anew."""
        for task in self._sending:
            task.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)
        for receiver in self._receivers.values():
            await receiver.close()

    async def _leads(self, now: float) -> bool:
        """Whether this process is the one that reads, or has just become it."""
        name = f"{self._name}.lease"
        kept = await self._store.kept(name)
        held = msgspec.json.decode(kept.value, type=Lease) if kept else Lease("", 0.0)
        left = held.until - now
        if held.holder == self._me and left > LEASE_S / 2:
            return True
        # A lease that lasts longer than any was made when a clock was wrong.
        if held.holder != self._me and 0 < left <= LEASE_S:
            return False
        return await self._store.keep(
            name, kept.version if kept else 0, msgspec.json.encode(Lease(self._me, now + LEASE_S))
        )

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

    def _enqueue(self, state: State, alert: Alert) -> None:
        """Note all that has to be done about an alert."""
        if alert.then in ("suspend", "revoke"):
            state.pending.append(Pending(alert, "then"))
        state.pending.append(Pending(alert, "log"))
        for name, receiver in self._receivers.items():
            if receiver.wants(alert):
                to = _WEBHOOK + name
                waiting = [one for one in state.pending if one.to == to]
                if len(waiting) >= QUEUE:
                    state.pending.remove(waiting[0])
                    state.lost += 1
                    self._told_of(waiting[0], "dropped")
                state.pending.append(Pending(alert, to))

    def _settle(self, state: State, ended: Mapping[tuple[str, str], str], now: float) -> None:
        """Take out what was done, what cannot be done any more, and what has nobody to go to."""
        left = []
        for one in state.pending:
            outcome = ended.get((one.alert.id, one.to))
            if outcome == "failed" and one.tries <= len(RETRIES_S):
                one.due = now + RETRIES_S[one.tries - 1]
                left.append(one)
            elif outcome == "failed":
                self._told_of(one, "abandoned")
            elif outcome is None and self._has_receiver(one.to):
                left.append(one)
        state.pending = left

    def _has_receiver(self, to: str) -> bool:
        return not to.startswith(_WEBHOOK) or to.removeprefix(_WEBHOOK) in self._receivers

    def _claim(self, state: State, now: float) -> list[Pending]:
        """Take in hand what is due; of each receiver only so many at once, so that a dead one takes no room."""
        mine = []
        flying = list(self._sending.values())
        for one in state.pending:
            if one.due > now or (one.to.startswith(_WEBHOOK) and flying.count(one.to) >= _AT_ONCE):
                continue
            one.due, one.tries = now + IN_HAND_S, one.tries + 1
            flying.append(one.to)
            mine.append(one)
        return mine

    async def _begin(self, mine: list[Pending], now: float) -> None:
        """Do what was taken in hand; a webhook is not waited for."""
        for one in mine:
            if one.to == "log":
                await self._tell(one.alert, now)
                self._ended[one.alert.id, one.to] = "done"
            elif one.to == "then":
                done = await react(self._governor, one.alert)
                self._ended[one.alert.id, one.to] = "done" if done else "failed"
                self._telemetry.count(
                    "narrows.reactions",
                    event=one.alert.then if done else "failed",
                    tenant=one.alert.tenant,
                    connector=one.alert.connector,
                )
            else:
                task = asyncio.ensure_future(self._send(one, now))
                self._sending[task] = one.to
                task.add_done_callback(lambda ended: self._sending.pop(ended, None))

    async def _tell(self, alert: Alert, now: float) -> None:
        """Put the alert into the audit log, where it is on the disk when this returns, and count it."""
        await self._log.keep(
            Event(
                time=timestamp(now),
                event="alert",
                what=alert.rule,
                bff=alert.bff,
                tenant=alert.tenant,
                connector=alert.connector,
                connector_version=alert.connector_version,
                trace_id=alert.trace_id or None,
                rule=alert.limit,
                amount=alert.observed,
                by=BY,
                note=f"{alert.id}: {alert.what}; usual: {alert.usual}; since {alert.since}; record {alert.index}",
            )
        )
        self._telemetry.count("narrows.alerts", alert=alert.rule, tenant=alert.tenant, connector=alert.connector)
        _log.warning(
            "alert %s: %s of %s: %s", alert.rule, alert.what, alert.connector or "nobody known", alert.observed
        )

    async def _send(self, one: Pending, now: float) -> None:
        """Make one attempt at a receiver."""
        outcome = await self._receivers[one.to.removeprefix(_WEBHOOK)].send(one.alert, now)
        self._ended[one.alert.id, one.to] = outcome
        if outcome == "delivered":
            self._telemetry.count("narrows.webhooks", event=outcome)
        else:
            self._told_of(one, outcome)

    def _told_of(self, one: Pending, event: str) -> None:
        """Tell the operators of a webhook that did not arrive."""
        self._telemetry.count("narrows.webhooks", event=event)
        _log.warning("alert %s for %s: %s, attempt %d", one.alert.id, one.to, event, one.tries)
