"""What is still to be done about alerts: the audit log and the metric, a reaction, receivers of webhooks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from narrows.alerts.alert import Alert
from narrows.alerts.reacting import BY, react
from narrows.alerts.state import Pending, State
from narrows.alerts.webhooks import RETRIES_S, Receiver
from narrows.audit.events import Event
from narrows.audit.log import RecordLog
from narrows.audit.record import timestamp
from narrows.governance.connectors import Governor
from narrows.telemetry import Telemetry

IN_HAND_S = 60.0
"""How long what somebody has begun is left to them."""

QUEUE = 500
"""How much waits for one receiver; past that the oldest is dropped, and counted; first those of nobody known."""

AGAIN_S = 5.0
"""After which time a reaction that could not be carried out is tried again, for as long as it takes."""

_AT_ONCE = 4
_WEBHOOK = "webhook:"
_log = logging.getLogger("narrows.alerts")


class Teller:
    """Does what is pending, and remembers what came of it until that is put down. For one event loop."""

    def __init__(
        self, receivers: Mapping[str, Receiver], log: RecordLog, governor: Governor, telemetry: Telemetry
    ) -> None:
        self.receivers = receivers
        self.ended: dict[tuple[str, str], str] = {}
        self._log = log
        self._governor = governor
        self._telemetry = telemetry
        self._sending: dict[asyncio.Task[None], str] = {}

    def enqueue(self, state: State, alert: Alert) -> None:
        """Note all that has to be done about an alert."""
        if alert.then in ("suspend", "revoke"):
            state.pending.append(Pending(alert, "then"))
        state.pending.append(Pending(alert, "log"))
        for name, receiver in self.receivers.items():
            if receiver.wants(alert):
                to = _WEBHOOK + name
                waiting = [one for one in state.pending if one.to == to]
                if len(waiting) >= QUEUE:
                    # Of a program that nobody knows anybody can bring about as many as they have networks.
                    least = next((one for one in waiting if one.alert.connector is None), waiting[0])
                    state.pending.remove(least)
                    state.lost += 1
                    self._told_of(least, "dropped")
                state.pending.append(Pending(alert, to))

    def settle(self, state: State, ended: Mapping[tuple[str, str], str], now: float) -> None:
        """Take out what was done, what cannot be done any more, and what has nobody to go to."""
        left = []
        for one in state.pending:
            outcome = ended.get((one.alert.id, one.to))
            if outcome == "failed" and one.to == "then":
                one.due = now + AGAIN_S
                left.append(one)
            elif outcome == "failed" and one.tries <= len(RETRIES_S):
                one.due = now + RETRIES_S[one.tries - 1]
                left.append(one)
            elif outcome == "failed":
                self._told_of(one, "abandoned")
            elif outcome is None and self._has_receiver(one.to):
                left.append(one)
        state.pending = left

    def _has_receiver(self, to: str) -> bool:
        return not to.startswith(_WEBHOOK) or to.removeprefix(_WEBHOOK) in self.receivers

    def claim(self, state: State, now: float) -> list[Pending]:
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

    async def begin(self, mine: list[Pending], now: float) -> None:
        """Do what was taken in hand: first what stops somebody, then what is kept; a webhook is not waited for."""
        for one in mine:
            if one.to.startswith(_WEBHOOK):
                task = asyncio.ensure_future(self._send(one, now))
                self._sending[task] = one.to
                task.add_done_callback(lambda ended: self._sending.pop(ended, None))
        for one in (one for one in mine if one.to == "then"):
            await self._react(one)
        # Together, so that one commit of the log takes them all.
        await asyncio.gather(*(self._tell(one, now) for one in mine if one.to == "log"))

    async def drain(self) -> None:
        """Wait for the attempts that are under way."""
        await asyncio.gather(*self._sending)

    async def close(self) -> None:
        """End the attempts that are under way, and the connections; another process makes them anew."""
        for task in self._sending:
            task.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)
        for receiver in self.receivers.values():
            await receiver.close()

    async def _react(self, one: Pending) -> None:
        """Suspend or revoke the connector."""
        done = await react(self._governor, one.alert)
        self.ended[one.alert.id, one.to] = "done" if done else "failed"
        event = one.alert.then if done else "failed"
        self._telemetry.count("narrows.reactions", event=event, tenant=one.alert.tenant, connector=one.alert.connector)

    async def _tell(self, one: Pending, now: float) -> None:
        """Put the alert into the audit log, where it is on the disk when this returns, and count it."""
        alert = one.alert
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
        self.ended[alert.id, one.to] = "done"
        self._telemetry.count("narrows.alerts", alert=alert.rule, tenant=alert.tenant, connector=alert.connector)
        _log.warning(
            "alert %s of %s: %s: %s (limit: %s)",
            *(alert.rule, alert.connector or alert.tenant or "nobody known", alert.what, alert.observed, alert.limit),
        )

    async def _send(self, one: Pending, now: float) -> None:
        """Make one attempt at a receiver."""
        outcome = await self.receivers[one.to.removeprefix(_WEBHOOK)].send(one.alert, now)
        self.ended[one.alert.id, one.to] = outcome
        if outcome == "delivered":
            self._telemetry.count("narrows.webhooks", event=outcome)
        else:
            self._told_of(one, outcome)

    def _told_of(self, one: Pending, event: str) -> None:
        """Tell the operators of a webhook that did not arrive."""
        self._telemetry.count("narrows.webhooks", event=event)
        _log.warning("alert %s for %s: %s, attempt %d", one.alert.id, one.to, event, one.tries)
