"""The sandbox: operations answered with examples or made-up values of their declared types; no upstream is called."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from narrows.call import Call
from narrows.declare.upstream import Operation
from narrows.errors import Unavailable, UpstreamTimeout
from narrows.stores.sealing import frame
from narrows.upstreams.effects import Digest, note_effect
from narrows.upstreams.examples import Pinned
from narrows.upstreams.made import note_made, recalled_object
from narrows.upstreams.send import Sendables, enter
from narrows.upstreams.sendable import Sendable
from narrows.upstreams.standins import remember

Sleep = Callable[[float], Awaitable[None]]


def open_digest(*parts: str) -> str:
    """A digest without a key, the same in every process: for seeds over what is made up or the caller's own.

    A rehearsal must not seed with it: its arguments may come from an upstream, and whoever reads the answer could guess
    them and see whether the guess gives the same answer.
    """
    return hashlib.sha256(frame(*parts)).hexdigest()


class Synthetic:
    """Answers operations with made-up values of their declared types; `digest` makes the seeds."""

    def __init__(self, digest: Digest) -> None:
        self._digest = digest

    def answer(self, call: Call, sendable: Sendable, values: Mapping[str, Any], *, sparse: bool = False) -> Any:
        """A made-up answer: the same for the same connector, caller, operation and arguments.

        Its times are near the first moment of the call's day (UTC), so that they too stay the same for a day.
        """
        earlier = recalled_object(call, values) if sendable.operation.kind == "read" else {}
        known = {**earlier, **_known(values, sendable.body)}
        made = self._recalled(sendable, earlier) or self._make(call, sendable, values, known, sparse)
        remember(call, made, known)
        note_made(call, sendable, values, made)
        return made

    def _recalled(self, sendable: Sendable, earlier: Mapping[str, Any]) -> Any:
        """What an earlier rehearsal made, if it is of the type that is answered here; else its fields are echoed."""
        if not earlier or sendable.decoder is None:
            return None
        try:
            return sendable.decoder.decode(msgspec.json.encode(earlier))
        except msgspec.ValidationError:
            return None

    def _make(
        self, call: Call, sendable: Sendable, values: Mapping[str, Any], known: Mapping[str, Any], sparse: bool
    ) -> Any:
        if sendable.generator is None:
            return None
        if sendable.operation.stand_in is not None:
            return msgspec.convert(sendable.operation.stand_in(**values), sendable.shape.answer, from_attributes=True)
        chance = random.Random(self._seed(call, sendable, values))  # noqa: S311  (made-up data must be repeatable)
        day = call.now().replace(hour=0, minute=0, second=0, microsecond=0)
        return sendable.generator.make(chance, now=day, echo=known, sparse=sparse)

    def _seed(self, call: Call, sendable: Sendable, values: Mapping[str, Any]) -> str:
        caller, connector = call.caller, call.connector
        return self._digest(
            "synthetic",
            connector.tenant if connector else "",
            connector.id if connector else "",
            caller.issuer if caller else "",
            caller.subject if caller else "",
            sendable.operation.id,
            # A set has another order in each process.
            msgspec.json.encode(values, order="deterministic").decode(),
        )


class Sandbox:
    """Performs the operations of a sandboxed call: no upstream is called.

    An example of the operation that fits the arguments goes before made-up data; a scenario goes before both.
    """

    def __init__(self, sendables: Sendables, synthetic: Synthetic, digest: Digest, sleep: Sleep) -> None:
        self._sendables = sendables
        self._synthetic = synthetic
        self._digest = digest
        self._sleep = sleep

    async def perform(self, call: Call, operation: Operation[..., Any], args: Any, kwargs: Any) -> Any:
        """Answer in place of an upstream; a write is put down as an effect."""
        sendable = enter(call, operation, self._sendables)
        values = sendable.bind(args, kwargs)
        # What could not be sent is refused here too.
        sendable.request(values, {})
        if call.scenario == "unavailable":
            raise Unavailable(headers={"Retry-After": "1"})
        if call.scenario == "slow":
            await self._hang(call, sendable)
        if operation.kind == "write":
            note_effect(call, sendable, values, self._digest)
        if call.scenario == "empty":
            return self._synthetic.answer(call, sendable, values, sparse=True)
        # What an earlier rehearsal made is what it was, whatever an example says.
        example = None if recalled_object(call, values) else _fitting(sendable, values)
        if example is None:
            return self._synthetic.answer(call, sendable, values)
        made = msgspec.json.decode(example.answer, type=sendable.shape.answer)
        remember(call, made, _known(values, sendable.body))
        note_made(call, sendable, values, made)
        return made

    async def _hang(self, call: Call, sendable: Sendable) -> None:
        """Wait as long as for an upstream that does not answer. Raises `UpstreamTimeout`."""
        if sendable.operation.kind == "write":
            call.unknown.append(sendable.operation.id)
        await self._sleep(max(0.0, min(sendable.settings.deadline_s, call.deadline - call.now_s())))
        raise UpstreamTimeout()


def _fitting(sendable: Sendable, values: Mapping[str, Any]) -> Pinned | None:
    """The first example that stands for these arguments."""
    if not sendable.examples:
        return None
    given = msgspec.to_builtins(values, str_keys=True, order="deterministic")
    return next((example for example in sendable.examples if example.fits(given)), None)


def _known(values: Mapping[str, Any], body: str | None) -> dict[str, Any]:
    """The arguments by field name, so that an answer can echo them; the fields of a body count as arguments."""
    plain = msgspec.to_builtins(values, str_keys=True, order="deterministic")
    inner = plain.pop(body) if body else {}
    return {**(inner if isinstance(inner, dict) else {}), **plain}
