"""Fields that a team adds, run for all parents at one place of a document at once, and never once for each.

What a join sends is held to its own `uses`, whatever its document may send; a plain field sends nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NoReturn

import msgspec

from narrows.call import Call
from narrows.child import ChildCall
from narrows.current import current
from narrows.errors import FieldError, InvalidInput, OperationRefused
from narrows.pipeline.apart import apart
from narrows.pipeline.handle import HandlerFault
from narrows.plan.entries import allowance_of
from narrows.surfaces.graphql.added import Added

Answering = Callable[[Call, list[Any], Mapping[str, Any]], Awaitable[list[Any]]]
"""Answers a field for all parents at its place, from its arguments as the document gives them."""


class Nobody:
    """What runs while a plain Strawberry field does: it sends nothing."""

    open = True
    span: Any = None

    async def perform(self, operation: Any, _args: Any, _kwargs: Any) -> NoReturn:
        """Refuse an operation."""
        raise OperationRefused(f"{operation.id} is refused: a plain field sends nothing; make it a join")


_NOBODY = Nobody()


def answering(added: Added) -> Answering:
    """What answers a field; it raises `InvalidInput` for arguments that do not hold, and what the function ends in."""
    return _plain(added) if added.uses is None else _joined(added, added.uses)


def _joined(added: Added, uses: Mapping[Any, int]) -> Answering:
    allowance = allowance_of(uses)

    async def answer(call: Call, parents: list[Any], arguments: Mapping[str, Any]) -> list[Any]:
        values = _decoded(added, call, arguments)
        child = ChildCall(call, call.endpoint, allowance, {})
        token = current.set(child)
        try:
            answers = await added.function(parents, **values)
        finally:
            child.open = False
            current.reset(token)
        if not isinstance(answers, list) or len(answers) != len(parents):
            raise HandlerFault(f"{added.place.subject} did not answer a list of one value for each of its parents")
        return answers

    return answer


def _plain(added: Added) -> Answering:
    async def answer(call: Call, parents: list[Any], arguments: Mapping[str, Any]) -> list[Any]:
        values = _decoded(added, call, arguments)
        token = current.set(_NOBODY)
        try:
            if added.waits:
                return [await added.function(parent, **values) for parent in parents]
            return [added.function(parent, **values) for parent in parents]
        finally:
            current.reset(token)

    return answer


def _decoded(added: Added, call: Call, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a field as values of their types. Raises `InvalidInput`."""
    values: dict[str, Any] = {}
    for name, parameter in added.parameters.items():
        given = arguments.get(name, msgspec.UNSET)
        if given is msgspec.UNSET or (given is None and parameter.default is None):
            values[name] = parameter.default
            continue
        try:
            values[name] = msgspec.convert(apart(given), parameter.type, str_keys=True)
        except msgspec.ValidationError as error:
            problem = InvalidInput(errors=[FieldError(f"/{added.name}/{name}", str(error), "Correct it.")])
            call.raised.append(problem)
            raise problem from None
    return values
