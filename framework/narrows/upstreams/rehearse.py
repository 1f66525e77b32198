"""Dry-run: reads go out for real, writes become effects; in the sandbox nothing goes out at all."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from narrows.call import Call, Effect, Hidden
from narrows.declare.upstream import Operation
from narrows.upstreams.send import Sendables, Sender, enter
from narrows.upstreams.sendable import Sendable
from narrows.upstreams.standins import holds_stand_in, is_stand_in, remember, scalars
from narrows.upstreams.wire import Clock

Digest = Callable[..., str]
_JSON_TYPES = {str: "string", bool: "boolean", int: "integer", float: "number"}
_INDEX = re.compile(r"/[0-9]+(?=/|$)")


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
            return note_effect(call, sendable, values, self._synthetic, self._digest)
        if holds_stand_in(call, values):
            call.notes.append(f"{operation.id} was answered by the sandbox: an argument is a stand-in")
            return self._synthetic.answer(call, sendable, values)
        return await self._sender.send(call, sendable, values)


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
            return note_effect(call, sendable, values, self._synthetic, self._digest)
        return self._synthetic.answer(call, sendable, values)


def note_effect(call: Call, sendable: Sendable, values: Mapping[str, Any], synthetic: Synthetic, digest: Digest) -> Any:
    """Put a write down instead of sending it, and answer with a stand-in.

    The request is built as it would be for sending, so that a value that could not be sent is refused here too.
    """
    operation = sendable.operation
    sendable.request(values, {})
    call.effects.append(
        Effect(
            operation=operation.id,
            method=operation.method,
            path=operation.path,
            asks=operation.asks,
            arguments=_shown(call, sendable, values, digest),
            price=str(sendable.price) if sendable.price else None,
        )
    )
    return synthetic.answer(call, sendable, values)


def _known(values: Mapping[str, Any], body: str | None) -> dict[str, Any]:
    """The arguments by field name, so that an answer can echo them; the fields of a body count as arguments."""
    plain = msgspec.to_builtins(values, str_keys=True)
    inner = plain.pop(body) if body else {}
    return {**(inner if isinstance(inner, dict) else {}), **plain}


def _shown(call: Call, sendable: Sendable, values: Mapping[str, Any], digest: Digest) -> dict[str, Any]:
    """The arguments of an effect by pointer: what the client sent or is marked for preview, else type and digest.

    A value counts as sent only under the name under which it was sent: else a client could guess an upstream's value,
    and see in the effect whether it guessed right.
    """
    sent = {_key(pointer, leaf) for pointer, leaf in scalars(call.arguments)}
    shown: dict[str, Any] = {}
    for pointer, leaf in scalars(values):
        if leaf is None or _key(pointer, leaf) in sent or _INDEX.sub("[]", pointer) in sendable.previews:
            shown[pointer] = leaf
        elif is_stand_in(call, pointer, leaf):
            shown[pointer] = Hidden(type=_JSON_TYPES[type(leaf)], stand_in=True)
        else:
            shown[pointer] = Hidden(type=_JSON_TYPES[type(leaf)], digest=digest("effect", repr(leaf))[:16])
    return shown


def _key(pointer: str, leaf: Any) -> tuple[str, str, Any]:
    """A scalar with its name, and its type, so that 1 and true are not taken for each other."""
    names = [part for part in pointer.split("/") if not part.isdigit()]
    return names[-1], type(leaf).__name__, leaf
