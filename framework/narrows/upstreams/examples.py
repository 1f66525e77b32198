"""Pinned examples of an operation, made ready at start: narrowed as any answer, and found by the arguments."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from narrows.declare.example import Example
from narrows.declare.shape import Parameter, Shape, holds
from narrows.declare.upstream import Operation
from narrows.errors import NarrowsError

_PLACE = re.compile(r" - at `(key in )?\$(.*)`$")


class ExampleInvalid(NarrowsError):
    """An example that does not hold."""


class Pinned(msgspec.Struct, frozen=True):
    """One example: for which arguments it stands (as JSON would write them), and its narrowed answer as JSON."""

    arguments: Mapping[str, Any]
    answer: bytes

    def fits(self, given: Mapping[str, Any]) -> bool:
        """Whether it stands for these arguments."""
        return _within(self.arguments, given)


def _within(wanted: Any, given: Any) -> bool:
    """Whether what is wanted is equal in what is given; of an object, only the fields that are wanted."""
    if isinstance(wanted, Mapping) and isinstance(given, Mapping):
        return all(name in given and _within(value, given[name]) for name, value in wanted.items())
    return bool(wanted == given)


def pin(operation: Operation[..., Any], shape: Shape, cap: int) -> tuple[Pinned, ...]:
    """Make the examples of an operation ready, those for certain arguments first. Raises `ExampleInvalid`."""
    pinned = [_pin(number, example, shape, cap) for number, example in enumerate(operation.examples, 1)]
    return tuple(sorted(pinned, key=lambda one: not one.arguments))


def _pin(number: int, example: Any, shape: Shape, cap: int) -> Pinned:
    if not isinstance(example, Example):
        raise ExampleInvalid(f"example {number} is no Example")
    for fault in _faults(example, shape):
        raise ExampleInvalid(f"example {number}: {fault}")
    try:
        value = msgspec.json.decode(msgspec.json.encode(example.answer), type=shape.answer)
    except (TypeError, ValueError) as error:
        raise ExampleInvalid(f"example {number}: {_at(str(error))}") from None
    answer = msgspec.json.encode(value)
    if len(answer) > cap:
        raise ExampleInvalid(f"example {number}: it has {len(answer)} bytes, {cap} are the most")
    return Pinned(msgspec.to_builtins(example.arguments, str_keys=True, order="deterministic"), answer)


def _faults(example: Example, shape: Shape) -> Iterator[str]:
    """Arguments that no use of the operation can have, so that the example would never be given."""
    for name, value in example.arguments.items():
        parameter = shape.parameters.get(name)
        if parameter is None:
            yield f"`{name}` is no argument; there are: {', '.join(shape.parameters) or 'none'}"
        elif isinstance(value, Mapping) and parameter.source == "body":
            yield from (f"`{name}` has no field `{field}`" for field in sorted(value.keys() - _fields(parameter)))
        elif value is not None and not holds(value, parameter.type):
            yield f"`{name}` cannot have that value"


def _fields(parameter: Parameter) -> set[str]:
    """The names in JSON of what a body holds."""
    return {leaf.encode_name for leaf in msgspec.structs.fields(parameter.type)}


def _at(text: str) -> str:
    """What msgspec says, with the place as a JSON pointer (RFC 6901)."""
    found = _PLACE.search(text)
    if found is None:
        return f"{text} (at the answer itself)"
    place = re.sub(
        r"\[(\d+)\]|\[\.\.\.\]|\.", lambda part: f"/{part[1] or ('…' if part[0] == '[...]' else '')}", found[2]
    )
    return f"{text[: found.start()]} at {place}"
