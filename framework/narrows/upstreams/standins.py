"""Stand-ins: values that only an upstream write could give, made up for a rehearsal and tracked until its end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from narrows.call import Call, StandInIndex
from narrows.upstreams.synthetic_leaves import is_id

_WIDE = 2**31
_LONG = 6
Leaf = str | int
_NOTHING: Mapping[int, Mapping[str, Leaf]] = {}


def tracked(value: Any) -> Iterator[tuple[str, Leaf]]:
    """The values inside a value that can be tracked, with their JSON pointers (RFC 6901).

    These are long strings and wide integers wherever they stand, and any under a name that says that it is an id; a
    short string or a small number of another name is too likely to stand somewhere by chance.
    """
    for pointer, leaf in scalars(value):
        if _can_be_tracked(pointer, leaf):
            yield pointer, leaf


def scalars(value: Any) -> Iterator[tuple[str, Any]]:
    """Every scalar of a value as JSON would write it, with its JSON pointer; a set has one order."""
    yield from _walk(msgspec.to_builtins(value, str_keys=True, order="deterministic"), "")


def remember(call: Call, made: Any, known: Mapping[str, Any]) -> None:
    """Track what was made up; what was echoed from the arguments is real."""
    real = {leaf for _, leaf in tracked(known)}
    call.stand_ins |= {leaf for _, leaf in tracked(made) if leaf not in real}


def holds_stand_in(call: Call, values: Any) -> bool:
    """Whether an argument is, or as text contains, a stand-in: such an operation is never sent."""
    if not call.stand_ins:
        return False
    return any(
        is_stand_in(call, pointer, leaf) or bool(stand_ins_within(call, leaf)) for pointer, leaf in scalars(values)
    )


def stand_ins_within(call: Call, leaf: Any) -> dict[str, Leaf]:
    """The stand-ins that a text contains, by how they are written there."""
    if not isinstance(leaf, str) or len(leaf) < _LONG or not call.stand_ins:
        return {}
    index = _indexed(call)
    found = {}
    for start in range(len(leaf) - _LONG + 1):
        for length, texts in index.get(leaf[start : start + _LONG], _NOTHING).items():
            text = leaf[start : start + length]
            if text in texts:
                found[text] = texts[text]
    return found


def is_stand_in(call: Call, pointer: str, leaf: Any) -> bool:
    """Whether a scalar at a pointer is one of the tracked values."""
    return _can_be_tracked(pointer, leaf) and leaf in call.stand_ins


def _indexed(call: Call) -> StandInIndex:
    """The stand-ins as texts, by how they begin and how long they are; made anew only when there are more of them.

    Each text of a request is looked through once, whatever the number of stand-ins: both are the client's to choose.
    """
    size, index = call.stand_in_index
    if size != len(call.stand_ins):
        index = {}
        for known in filter(_is_long, call.stand_ins):
            text = str(known)
            index.setdefault(text[:_LONG], {}).setdefault(len(text), {})[text] = known
        call.stand_in_index = (len(call.stand_ins), index)
    return index


def pointers(call: Call, answer: Any) -> list[str]:
    """Where stand-ins are in the answer."""
    return [pointer for pointer, leaf in tracked(answer) if leaf in call.stand_ins]


def _walk(value: Any, pointer: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _walk(inner, f"{pointer}/{str(key).replace('~', '~0').replace('/', '~1')}")
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from _walk(inner, f"{pointer}/{index}")
    else:
        yield pointer, value


def _can_be_tracked(pointer: str, leaf: Any) -> bool:
    if isinstance(leaf, bool) or not isinstance(leaf, str | int):
        return False
    return _is_long(leaf) or (leaf != "" and is_id(pointer.rpartition("/")[2]))


def _is_long(leaf: Leaf) -> bool:
    return len(leaf) >= _LONG if isinstance(leaf, str) else abs(leaf) >= _WIDE
