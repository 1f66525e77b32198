"""How what a rehearsal made up is put down, and how the live call is held to it: same operations, same content.

An argument that is or holds a stand-in becomes a slot: its value is known only once the real answers are there.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from narrows.call import Call, Made, Part, Place
from narrows.declare.upstream import Operation
from narrows.upstreams.sendable import Sendable
from narrows.upstreams.standins import is_stand_in, scalars, stand_ins_within, tracked

# A rehearsal of more is not bound to a receipt, and is not recalled beyond.
MOST = 100
_ANSWERS_BYTES = 128 * 1024
_encode = msgspec.json.Encoder(order="sorted").encode


def digest_of(values: Any) -> str:
    """A digest of values as JSON writes them, whatever the order of their keys."""
    return hashlib.sha256(_encode(values)).hexdigest()


def note_made(call: Call, sendable: Sendable, values: Mapping[str, Any], answer: Any) -> None:
    """Put down what a rehearsal answered itself."""
    if len(call.made) >= MOST:
        return
    given = [(pointer, leaf) for pointer, leaf in tracked(answer) if leaf in call.stand_ins]
    slots = {pointer: parts for pointer, leaf in scalars(values) if (parts := _slot(call, pointer, leaf))}
    size = len(msgspec.json.encode(answer))
    fits = size + sum(made.size for made in call.made) <= _ANSWERS_BYTES
    call.made.append(
        Made(
            operation=sendable.operation.id,
            writes=sendable.operation.kind == "write",
            price=str(sendable.price) if sendable.price else None,
            content=_content(values, slots),
            slots=slots,
            answer=msgspec.to_builtins(answer, str_keys=True) if fits else None,
            size=size if fits else 0,
            stand_ins=tuple(pointer for pointer, _ in given),
        )
    )
    for pointer, leaf in given:
        call.sources.setdefault(leaf, []).append(Place(len(call.made) - 1, pointer))


def newest(made: Sequence[Made]) -> tuple[Made, ...]:
    """The newest of what earlier rehearsals made, within the bounds of one."""
    kept = list(made[-MOST:])
    while sum(made.size for made in kept) > _ANSWERS_BYTES:
        del kept[0]
    return tuple(kept)


def _slot(call: Call, pointer: str, leaf: Any) -> tuple[Part, ...]:
    """What stands at a pointer, when that is or holds a stand-in; else nothing."""
    if is_stand_in(call, pointer, leaf):
        return (_part(call, leaf),)
    found = stand_ins_within(call, leaf)
    if not found:
        return ()
    # The longest first, so that one that begins another does not take its place.
    pieces = re.split("(" + "|".join(map(re.escape, sorted(found, key=len, reverse=True))) + ")", leaf)
    return tuple(_part(call, found[piece]) if piece in found else Part(piece) for piece in pieces if piece)


def _part(call: Call, stand_in: Any) -> Part:
    return Part("", tuple(call.sources.get(stand_in, ())))


def _content(values: Any, slots: Container[str]) -> str:
    return digest_of(_blanked(msgspec.to_builtins(values, str_keys=True, order="deterministic"), "", slots))


def _blanked(value: Any, pointer: str, slots: Container[str]) -> Any:
    """The values with nothing at the pointers of slots."""
    if isinstance(value, dict):
        return {
            key: _blanked(inner, f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}", slots)
            for key, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [_blanked(inner, f"{pointer}/{index}", slots) for index, inner in enumerate(value)]
    return None if pointer in slots else value


class Matching:
    """Holds one live call to what its rehearsal made up: each at most once, in any order."""

    def __init__(self, made: Sequence[Made]) -> None:
        self._made = made
        self._left = list(range(len(made)))
        self._real: dict[int, dict[str, Any]] = {}

    def take(self, operation: Operation[..., Any], values: Mapping[str, Any]) -> int | None:
        """Which of the made-up ones this is, and take it away; None when it is none that is left."""
        for index in self._left:
            made = self._made[index]
            if (
                made.operation == operation.id
                and made.content == _content(values, made.slots)
                and self._fits(made, values)
            ):
                self._left.remove(index)
                return index
        return None

    def learn(self, index: int, answer: Any) -> None:
        """Fill the slots that a real answer gives."""
        self._real[index] = dict(scalars(answer))

    def _fits(self, made: Made, values: Mapping[str, Any]) -> bool:
        """Whether each slot holds exactly what a real answer gave in that place."""
        leaves = dict(scalars(values)) if made.slots else {}
        return all(self._holds(parts, leaves.get(pointer)) for pointer, parts in made.slots.items())

    def _holds(self, parts: tuple[Part, ...], leaf: Any) -> bool:
        if not isinstance(leaf, str):
            return len(parts) == 1 and leaf in self._values(parts[0].places)
        choices = ((part.text,) if part.text else map(str, self._values(part.places)) for part in parts)
        return re.fullmatch("".join(map(_either, choices)), leaf, re.DOTALL) is not None

    def _values(self, places: Iterable[Place]) -> list[Any]:
        """The real values of places whose answers are there."""
        known = ((self._real[place.made], place.pointer) for place in places if place.made in self._real)
        return [answer[pointer] for answer, pointer in known if pointer in answer]


def _either(texts: Iterable[str]) -> str:
    """A pattern of one of some texts; of none of them it matches nothing."""
    return "(?:" + ("|".join(map(re.escape, texts)) or r"(?!)") + ")"


def recall(call: Call, made: Sequence[Made]) -> None:
    """Let a rehearsal know what an earlier one made up: its stand-ins are known here too."""
    call.recalled = tuple(made)
    for one in made:
        if one.answer is not None:
            known = dict(scalars(one.answer))
            call.stand_ins |= {known[pointer] for pointer in one.stand_ins}


def recalled_object(call: Call, values: Mapping[str, Any]) -> dict[str, Any]:
    """The object, as plain JSON, of an earlier rehearsal that one of the arguments names; empty when there is none."""
    if not call.recalled:
        return {}
    named = [leaf for pointer, leaf in tracked(values) if leaf in call.stand_ins]
    # The newest made comes last.
    for made in reversed(call.recalled):
        found = _object_with(made.answer, named) if named else None
        if found is not None:
            return found
    return {}


def _object_with(value: Any, leaves: Sequence[Any]) -> dict[str, Any] | None:
    """The innermost object in which one of the values stands under a name."""
    inner: Iterable[Any] = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for part in inner:
        if (found := _object_with(part, leaves)) is not None:
            return found
    return value if isinstance(value, dict) and any(own in leaves for own in value.values()) else None
