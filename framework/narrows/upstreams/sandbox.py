"""The sandbox: operations answered with made-up values of their declared types; no upstream is called."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from narrows.call import Call
from narrows.declare.upstream import Operation
from narrows.upstreams.effects import Digest, note_effect
from narrows.upstreams.send import Sendables, enter
from narrows.upstreams.sendable import Sendable
from narrows.upstreams.standins import remember
from narrows.upstreams.wire import Clock


class Synthetic:
    """Answers operations with made-up values of their declared types."""

    def __init__(self, digest: Digest, now: Clock) -> None:
        self._digest = digest
        self._now = now

    def answer(self, call: Call, sendable: Sendable, values: Mapping[str, Any]) -> Any:
        """A made-up answer: the same for the same connector, caller, operation and arguments."""
        known = _known(values, sendable.body)
        made = self._make(call, sendable, values, known)
        remember(call, made, known)
        return made

    def _make(self, call: Call, sendable: Sendable, values: Mapping[str, Any], known: Mapping[str, Any]) -> Any:
        if sendable.generator is None:
            return None
        if sendable.operation.stand_in is not None:
            return msgspec.convert(sendable.operation.stand_in(**values), sendable.shape.answer, from_attributes=True)
        seed = self._digest(
            "synthetic",
            call.connector.id if call.connector else "",
            call.caller.subject if call.caller else "",
            sendable.operation.id,
            msgspec.json.encode(values).decode(),
        )
        chance = random.Random(seed)  # noqa: S311  (made-up data must be repeatable, not unpredictable)
        return sendable.generator.make(chance, now=datetime.fromtimestamp(self._now(), UTC), echo=known)


class Sandbox:
    """Performs the operations of a sandboxed call: no upstream is called."""

    def __init__(self, sendables: Sendables, synthetic: Synthetic, digest: Digest) -> None:
        self._sendables = sendables
        self._synthetic = synthetic
        self._digest = digest

    async def perform(self, call: Call, operation: Operation[..., Any], args: Any, kwargs: Any) -> Any:
        """Answer with made-up data; a write is put down as an effect."""
        sendable = enter(call, operation, self._sendables)
        values = sendable.bind(args, kwargs)
        if operation.kind == "write":
            note_effect(call, sendable, values, self._digest)
        return self._synthetic.answer(call, sendable, values)


def _known(values: Mapping[str, Any], body: str | None) -> dict[str, Any]:
    """The arguments by field name, so that an answer can echo them; the fields of a body count as arguments."""
    plain = msgspec.to_builtins(values, str_keys=True)
    inner = plain.pop(body) if body else {}
    return {**(inner if isinstance(inner, dict) else {}), **plain}
