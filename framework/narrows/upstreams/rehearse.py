"""Dry-run: reads go out for real, writes become effects."""

from __future__ import annotations

from typing import Any

from narrows.call import Call
from narrows.declare.upstream import Operation
from narrows.upstreams.effects import Digest, note_effect
from narrows.upstreams.sandbox import Synthetic
from narrows.upstreams.send import Sendables, Sender, enter
from narrows.upstreams.standins import holds_stand_in


class Rehearser:
    """Performs the operations of a rehearsal: it sends reads over wires that have no way to send a write."""

    def __init__(self, sender: Sender, sendables: Sendables, synthetic: Synthetic, digest: Digest) -> None:
        self._sender = sender
        self._sendables = sendables
        self._synthetic = synthetic
        self._digest = digest

    async def perform(self, call: Call, operation: Operation[..., Any], args: Any, kwargs: Any) -> Any:
        """Send a read, or put a write down as an effect and answer in its place."""
        sendable = enter(call, operation, self._sendables)
        values = sendable.bind(args, kwargs)
        if operation.kind == "write":
            note_effect(call, sendable, values, self._digest)
            return self._synthetic.answer(call, sendable, values)
        if holds_stand_in(call, values):
            call.notes.append(f"{operation.id} was answered by the sandbox: an argument is a stand-in")
            return self._synthetic.answer(call, sendable, values)
        return await self._sender.send(call, sendable, values)
