"""Effects: what a rehearsal puts down in place of an upstream write."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from narrows.call import Call, Effect, Hidden
from narrows.upstreams.sendable import Sendable
from narrows.upstreams.standins import is_stand_in, scalars

Digest = Callable[..., str]
"""A keyed digest of texts, by which two hidden values of one rehearsal can be told apart."""

_JSON_TYPES = {str: "string", bool: "boolean", int: "integer", float: "number"}
_INDEX = re.compile(r"/[0-9]+(?=/|$)")


def note_effect(call: Call, sendable: Sendable, values: Mapping[str, Any], digest: Digest) -> None:
    """Put a write down instead of sending it.

    The request is built as it would be for sending, so that a value that could not be sent is refused here too.
    """
    operation = sendable.operation
    sendable.request(values, {})
    call.effects_id = call.effects_id or call.fresh_id()
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


def _shown(call: Call, sendable: Sendable, values: Mapping[str, Any], digest: Digest) -> dict[str, Any]:
    """The arguments of an effect by pointer: what the client sent or is marked for preview, else type and digest.

    A value counts as sent only under the name under which it was sent: else a client could guess an upstream's value,
    and see in the effect whether it guessed right. For the same reason a digest is of one rehearsal alone: a guess that
    was written under another name elsewhere has another one.
    """
    sent = {_key(pointer, leaf) for pointer, leaf in scalars(call.arguments)}
    shown: dict[str, Any] = {}
    for pointer, leaf in scalars(values):
        if leaf is None or _key(pointer, leaf) in sent or _INDEX.sub("[]", pointer) in sendable.previews:
            shown[pointer] = leaf
        elif is_stand_in(call, pointer, leaf):
            shown[pointer] = Hidden(type=_JSON_TYPES[type(leaf)], stand_in=True)
        else:
            shown[pointer] = Hidden(
                type=_JSON_TYPES[type(leaf)], digest=digest("effect", repr(leaf), call.effects_id)[:16]
            )
    return shown


def unshown(call: Call) -> dict[str, Any]:
    """What the client sent and no effect shows, by pointer: a person who confirms must see all that a program chose."""
    shown = {
        _key(pointer, leaf)
        for effect in call.effects
        for pointer, leaf in effect.arguments.items()
        if not isinstance(leaf, Hidden)
    }
    return {
        pointer: leaf
        for pointer, leaf in scalars(call.arguments)
        if leaf is not None and _key(pointer, leaf) not in shown
    }


def _key(pointer: str, leaf: Any) -> tuple[str, str, Any]:
    """A scalar with its name, and its type, so that 1 and true are not taken for each other."""
    names = [part for part in pointer.split("/") if not part.isdigit()]
    return names[-1], type(leaf).__name__, leaf
