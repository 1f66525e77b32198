"""Step 5 of a child call: the arguments that a field resolved to are values of their types, as strictly as by REST.

Literals, variables, nested ones and defaults come here alike, so that the guards decide on what the handler gets.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import inspect as mi

from narrows.call import Call
from narrows.declare.shape import Parameter, bare, leaves
from narrows.declare.types import is_id
from narrows.errors import FieldError, InvalidInput
from narrows.pipeline.apart import apart
from narrows.pipeline.differing import differing, shared_names
from narrows.pipeline.fields import CAP, collect, escape, missing, unknown, wrong
from narrows.pipeline.finite import odd_decimals
from narrows.pipeline.step import Preparing, Step

_FRACTIONS = (mi.FloatType, mi.DecimalType)
_PLAIN = (mi.StrType, mi.IntType, mi.BoolType, mi.ListType, mi.SetType, mi.FrozenSetType, mi.VarTupleType)


def prepare(preparing: Preparing) -> Step | None:
    """Make the step for one endpoint; Narrows' own are no fields."""
    if preparing.endpoint.builtin:
        return None
    shape = preparing.shape
    at = f"/{preparing.endpoint.id.rpartition('.')[2]}"
    taken = {
        p.name: _Argument(p, f"{at}/{escape(p.name)}") for p in shape.parameters.values() if p.source in _FROM_CLIENTS
    }
    body = shape.body
    shared = shared_names(shape, body) if body is not None else {}

    async def resolve(call: Call) -> None:
        given, arguments = call.arguments, {}
        found: list[FieldError] = []
        for name, argument in taken.items():
            arguments[name] = argument.read(given, found)
        if not given.keys() <= taken.keys():
            found += [unknown(f"{at}/{escape(name)}", taken) for name in given if name not in taken]
        if body is not None and shared and not found:
            found += differing(arguments[body.name], arguments, shared, f"{at}/{body.name}")
        if found:
            raise InvalidInput(errors=found[:CAP])
        call.arguments = arguments
        call.decoded = True

    return resolve


_FROM_CLIENTS = ("path", "query", "body")


class _Argument:
    """One argument made ready. What REST would not take for its spelling, or as a number, is not taken here either."""

    def __init__(self, parameter: Parameter, pointer: str) -> None:
        infos = [leaf.info for leaf in leaves(parameter.type)]
        self._name, self._type, self._default = parameter.name, parameter.type, parameter.default
        self._required = parameter.required
        self._pointer = pointer
        self._fractions = any(isinstance(bare(info), _FRACTIONS) for info in infos)
        ids = parameter.source == "path" or (parameter.source == "query" and any(map(is_id, infos)))
        # Of texts and whole numbers there is one spelling; of all else a literal may have another.
        self._spelled = ids and not all(isinstance(bare(info), _PLAIN) for info in infos)

    def read(self, given: Mapping[str, Any], found: list[FieldError]) -> Any:
        """The typed value, or the default; errors are added to `found`."""
        if self._name not in given:
            if self._required:
                found.append(missing(self._type, self._pointer))
            return self._default
        value = given[self._name]
        if value is None and self._default is None:
            return None
        try:
            typed = msgspec.convert(apart(value), self._type, str_keys=True)
        except (ValueError, OverflowError, RecursionError):
            plain = msgspec.to_builtins(value, str_keys=True)
            found += collect(plain, self._type, self._pointer) or [wrong(self._type, self._pointer)]
            return None
        if self._fractions:
            odd = odd_decimals(typed, self._pointer)
            found += [FieldError(pointer, "It must be finite.", "Send 12.50.") for pointer in odd]
        if self._spelled and _written(typed) != _written(value):
            found.append(wrong(self._type, self._pointer))
        return typed


def _written(value: Any) -> Any:
    again = msgspec.to_builtins(value)
    return sorted(again) if isinstance(value, set | frozenset) else again
