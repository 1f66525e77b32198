"""How operations go out: one performer a mode, the transports that they send by, and what exchanges tokens."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import httpx

from narrows.call import Mode, Performer
from narrows.identity.revoking import Standing
from narrows.plan.surroundings import Surroundings
from narrows.settings import Settings
from narrows.stores import Commits
from narrows.telemetry import Telemetry
from narrows.upstreams.breaker import Breaker
from narrows.upstreams.commitment import Committer
from narrows.upstreams.exchange import Exchanger
from narrows.upstreams.rehearse import Rehearser
from narrows.upstreams.sandbox import Sandbox, Synthetic, open_digest
from narrows.upstreams.send import Sendables, Sender
from narrows.upstreams.wire import LiveWire, ReadWire


class Performers:
    """One performer a mode; a rehearsal's has no way to send a write. `digest` is a keyed one, for what is made up."""

    def __init__(
        self,
        settings: Settings,
        around: Surroundings,
        sendables: Sendables,
        *,
        exchanger: Exchanger,
        standing: Standing,
        commits: Commits,
        telemetry: Telemetry,
        digest: Callable[..., str],
    ) -> None:
        self._transports: list[httpx.AsyncBaseTransport] = []
        wires = {}
        for key in dict.fromkeys(sendable.upstream for sendable in sendables.values()):
            upstream = settings.upstreams[key]
            ca = str(settings.path(upstream.ca)) if upstream.ca else None
            transport = telemetry.client_transport(around.dial(ca))
            self._transports.append(transport)
            breaker = Breaker(failures=upstream.breaker_failures, open_s=upstream.breaker_open_s, now=around.now)
            wires[key] = LiveWire(transport, upstream, breaker)

        def sender(ways: Mapping[str, Any], committer: Committer | None = None) -> Sender:
            return Sender(sendables, ways, exchanger, standing, around.now, committer)

        reading = sender({key: ReadWire(wire) for key, wire in wires.items()})
        self.of: Mapping[Mode, Performer] = {
            "live": sender(wires, Committer(commits, around.new_id)),
            "rehearse": Rehearser(reading, sendables, Synthetic(digest), digest),
            "sandbox": Sandbox(sendables, Synthetic(open_digest), digest, around.sleep),
        }

    async def close(self) -> None:
        """Close the transports."""
        for transport in self._transports:
            await transport.aclose()
