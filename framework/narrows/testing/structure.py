"""The form of an answer: where two bodies differ in it, and where one is not of its declared type.

Values are no matter here: what a rehearsal makes up differs from what an upstream gives, and only the form is promised.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import msgspec

_JSON_TYPES = {str: "string", bool: "boolean", int: "number", float: "number", list: "array", dict: "object"}


def faults(body: bytes, kind: Any) -> list[str]:
    """How a body is not of its declared type; nothing when it is. `kind` is None for an answer without a body."""
    if kind is None:
        return ["there is a body, and none is declared"] if body else []
    try:
        value = msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        return [str(error)]
    kept = msgspec.json.decode(msgspec.json.encode(value))
    return [f"`{place}` is not declared" for place in _more(msgspec.json.decode(body), kept, "")]


def _more(sent: Any, kept: Any, place: str) -> Iterator[str]:
    """The places of `sent` that `kept` has none for."""
    if isinstance(sent, dict) and isinstance(kept, dict):
        for name, value in sent.items():
            if name not in kept and value is not None:
                yield f"{place}/{name}"
            else:
                yield from _more(value, kept.get(name), f"{place}/{name}")
    elif isinstance(sent, list) and isinstance(kept, list):
        for one, other in zip(sent, kept, strict=False):
            yield from _more(one, other, f"{place}/[]")


def differences(one: bytes, other: bytes, kind: Any) -> list[tuple[str, str, str]]:
    """Where two bodies of one declared type differ in form: (place, form in `one`, form in `other`).

    A field that stands in one alone counts unless the type lets it be absent; null is of every form that it may stand
    for. The items of an array are one place.
    """
    if not one or not other:
        return [] if one == other else [("", "a body" if one else "no body", "a body" if other else "no body")]
    first, second = msgspec.json.decode(one), msgspec.json.decode(other)
    return [*dict.fromkeys([*_fields(first, second, kind), *_types(first, second)])]


def _types(first: Any, second: Any) -> Iterator[tuple[str, str, str]]:
    """The places whose values have no JSON type in common."""
    found, others = _forms(first), _forms(second)
    for place in found.keys() & others.keys():
        own, foreign = found[place] - {"null"}, others[place] - {"null"}
        if own and foreign and not own & foreign:
            yield place, " or ".join(sorted(own)), " or ".join(sorted(foreign))


def _forms(value: Any) -> dict[str, set[str]]:
    """The JSON types at each place."""
    found: dict[str, set[str]] = {}

    def walk(one: Any, place: str) -> None:
        found.setdefault(place, set()).add("null" if one is None else _JSON_TYPES[type(one)])
        for name, inner in one.items() if isinstance(one, dict) else ():
            walk(inner, f"{place}/{name}")
        for inner in one if isinstance(one, list) else ():
            walk(inner, f"{place}/[]")

    walk(value, "")
    return found


def _fields(first: Any, second: Any, kind: Any) -> Iterator[tuple[str, str, str]]:
    """The fields that stand in one of the two alone, and that its type wants there."""
    own, foreign = _objects(first), _objects(second)
    for place in own.keys() & foreign.keys():
        for name in sorted(own[place].keys() - foreign[place].keys()):
            if _is_wanted(first, own[place][name], name, kind):
                yield f"{place}/{name}", "there", "absent"
        for name in sorted(foreign[place].keys() - own[place].keys()):
            if _is_wanted(second, foreign[place][name], name, kind):
                yield f"{place}/{name}", "absent", "there"


Way = tuple[str | int, ...]


def _objects(value: Any) -> dict[str, dict[str, Way]]:
    """The fields of the objects at each place, and the way to one object that has it."""
    found: dict[str, dict[str, Way]] = {}

    def walk(one: Any, place: str, way: Way) -> None:
        if isinstance(one, dict):
            fields = found.setdefault(place, {})
            for name, inner in one.items():
                fields.setdefault(name, way)
                walk(inner, f"{place}/{name}", (*way, name))
        for index, inner in enumerate(one) if isinstance(one, list) else ():
            walk(inner, f"{place}/[]", (*way, index))

    walk(value, "", ())
    return found


def _is_wanted(body: Any, way: Way, name: str, kind: Any) -> bool:
    """Whether the body would not be of its type without one field."""
    without = copy.deepcopy(body)
    place = without
    for step in way:
        place = place[step]
    del place[name]
    try:
        msgspec.convert(without, kind, strict=False)
    except msgspec.ValidationError:
        return True
    return False
