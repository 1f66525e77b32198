"""What the keywords of a conjunction say together: its types, choices, properties and sizes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from narrows.devkit.scaffold.openapi.bounds import NAME_BOUND
from narrows.devkit.scaffold.openapi.document import Place
from narrows.devkit.scaffold.openapi.gaps import Gap, below

INT64 = 2**63 - 1
_TYPES = ("string", "integer", "number", "boolean", "array", "object", "null")
_HINTS = {
    "string": ("minLength", "maxLength", "pattern"),
    "object": ("properties", "additionalProperties", "required"),
    "array": ("items", "minItems", "maxItems"),
    "number": ("minimum", "maximum", "multipleOf"),
}

Parts = tuple[Place, ...]
"""The places that all hold for one value."""


def types_of(parts: Parts) -> tuple[list[str], bool]:
    """The types that all parts allow (without null), and whether null is allowed."""
    allowed: list[str] | None = None
    nullables = []
    for part in parts:
        said = part.get("type")
        own = [said] if isinstance(said, str) else texts_of(said)
        if own and (own == ["file"] or not set(own) <= set(_TYPES)):
            raise Gap("it is of a type that JSON does not have", below(part.pointer, "type"))
        if own:
            nullable = "null" in own or part.get("nullable") is True or part.get("x-nullable") is True
            own = [one for one in own if one != "null"]
            nullables.append(nullable)
            allowed = own if allowed is None else [one for one in allowed if one in own or _is_number(one, own)]
            if not allowed and own:
                raise Gap("its parts are of different types", part.pointer)
    if allowed is None:
        return _inferred(parts), any(part.get("nullable") is True for part in parts)
    return allowed, all(nullables)


def _is_number(one: str, own: list[str]) -> bool:
    return one == "integer" and "number" in own


def _inferred(parts: Parts) -> list[str]:
    """The type that a schema without one means, by the keywords that it uses."""
    for kind, words in _HINTS.items():
        if any(word in part.value for part in parts for word in words):
            return [kind]
    return []


def choice_of(parts: Parts) -> list[Any] | None:
    """The values of `enum` and `const` that all parts allow; None when no part says."""
    found: list[Any] | None = None
    for part in parts:
        values = part.get("enum") if isinstance(part.get("enum"), list) else None
        if values is None and "const" in part.value:
            values = [part.value["const"]]
        if values is not None:
            found = values if found is None else [value for value in found if value in values]
    return found


def is_odd(value: str | int) -> bool:
    """Whether a value has no place in a `Literal`: a number beyond 64 bits, or a text longer than a line."""
    return len(value) > NAME_BOUND if isinstance(value, str) else abs(value) > INT64


def properties_of(parts: Parts) -> dict[str, Parts]:
    """The properties of an object by name; one that several parts speak of must hold for all of them."""
    found: dict[str, Parts] = {}
    for part in parts:
        for wire, place in part.at("properties").members():
            found[wire] = (*found.get(wire, ()), place)
    return found


def without(part: Place, words: Iterable[str]) -> Place:
    """A place without some of its words, and without its parts."""
    return Place({key: value for key, value in part.value.items() if key not in words and key != "allOf"}, part.pointer)


def says_something(schema: Any) -> bool:
    """Whether a schema says anything of values; `type: object` alone beside choices does not."""
    words = {"properties", "required", "items", "additionalProperties", "minLength", "maxLength", "pattern", "format"}
    return bool(words & set(schema))


def first_text(parts: Parts, word: str) -> str:
    """The first text that a part says under a word; "" when none does."""
    return next((value for part in parts if isinstance(value := part.get(word), str)), "")


def texts_of(value: Any) -> list[str]:
    """The texts of a list."""
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def most_of(parts: Parts, word: str) -> int | None:
    """The largest size under a word: of lower bounds the one that holds for all parts."""
    return max(_sizes(parts, word), default=None)


def least_of(parts: Parts, word: str) -> int | None:
    """The smallest size under a word: of upper bounds the one that holds for all parts."""
    return min(_sizes(parts, word), default=None)


def _sizes(parts: Parts, word: str) -> list[int]:
    values = [number_of(part.get(word)) for part in parts]
    return [int(value) for value in values if value is not None and 0 <= value <= INT64]


def number_of(value: Any) -> float | None:
    """A number that is finite and no flag."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 2**64:
        return None
    return value
