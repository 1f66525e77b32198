"""Joins: a field that a team adds is asked once for all parents at its place in a document, and never once for each.

graphql-core resolves the parents of one place one after the other, within one turn of the event loop: each leaves a
future, and at the next turn one task answers them all. What that task sends is held to the `uses` of the join.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple, NoReturn

import msgspec

from narrows.call import Allowance, Call
from narrows.child import ChildCall
from narrows.current import current
from narrows.errors import FieldError, InvalidInput, OperationRefused
from narrows.pipeline.handle import HandlerFault
from narrows.plan.entries import allowance_of
from narrows.surfaces.graphql.added import Added

Resolver = Callable[..., Any]


class Nobody:
    """What runs while a plain Strawberry field does: it sends nothing."""

    open = True
    span: Any = None

    async def perform(self, operation: Any, _args: Any, _kwargs: Any) -> NoReturn:
        """Refuse an operation."""
        raise OperationRefused(f"{operation.id} is refused: a plain field sends nothing; make it a join")


_NOBODY = Nobody()


def plain_resolver(added: Added) -> Resolver:
    """What resolves a plain field: the team's method, on the Struct."""

    def resolve(parent: Any, info: Any, **arguments: Any) -> Any:
        values = decoded(added, info.context, arguments)
        token = current.set(_NOBODY)
        try:
            return added.function(parent, **values)
        finally:
            current.reset(token)

    async def wait(parent: Any, info: Any, **arguments: Any) -> Any:
        values = decoded(added, info.context, arguments)
        token = current.set(_NOBODY)
        try:
            return await added.function(parent, **values)
        finally:
            current.reset(token)

    return wait if added.waits else resolve


def join_resolver(added: Added) -> Resolver:
    """What resolves a join for one parent: a future, answered with those of all others at its place."""
    allowance = allowance_of(added.uses or {})

    def resolve(parent: Any, info: Any, **arguments: Any) -> Awaitable[Any]:
        place = tuple(key for key in info.path.as_list() if isinstance(key, str))
        call: Call = info.context
        batch = call.batches.get(place)
        if batch is None:
            batch = call.batches[place] = Batch(call, added, allowance, decoded(added, call, arguments))
        found: Awaitable[Any] = batch.add(parent)
        return found

    return resolve


async def join_answers(call: Call, added: Added, parents: list[Any], values: Mapping[str, Any]) -> list[Any]:
    """The answers of a join for all parents at one place. Raises `HandlerFault` for what is not one for each."""
    child = ChildCall(call, call.endpoint, allowance_of(added.uses or {}), {})
    token = current.set(child)
    try:
        return await _one_for_each(added, parents, values)
    finally:
        child.open = False
        current.reset(token)


async def plain_answers(_: Call, added: Added, parents: list[Any], values: Mapping[str, Any]) -> list[Any]:
    """The answers of a plain field for all parents at one place: the team's method, on each Struct."""
    token = current.set(_NOBODY)
    try:
        found = [added.function(parent, **values) for parent in parents]
        return [await one for one in found] if added.waits else found
    finally:
        current.reset(token)


async def _one_for_each(added: Added, parents: list[Any], values: Mapping[str, Any]) -> list[Any]:
    answers = await added.function(parents, **values)
    if not isinstance(answers, list) or len(answers) != len(parents):
        raise HandlerFault(f"{added.place.subject} did not answer a list of one value for each of its parents")
    return answers


def decoded(added: Added, call: Call, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a field as values of their types. Raises `InvalidInput`."""
    values: dict[str, Any] = {}
    for name, parameter in added.parameters.items():
        given = arguments.get(name, msgspec.UNSET)
        if given is msgspec.UNSET or (given is None and parameter.default is None):
            values[name] = parameter.default
            continue
        try:
            values[name] = msgspec.convert(given, parameter.type)
        except msgspec.ValidationError as error:
            problem = InvalidInput(errors=[FieldError(f"/{added.name}/{name}", str(error), "Correct it.")])
            call.raised.append(problem)
            raise problem from None
    return values


class _Waiting(NamedTuple):
    """A parent, and what its field becomes."""

    parent: Any
    answer: asyncio.Future[Any]


class Batch:
    """All parents at one place of one document call, and the one call of the join that answers them."""

    def __init__(self, call: Call, added: Added, allowance: Allowance, arguments: Mapping[str, Any]) -> None:
        self._added = added
        self._arguments = arguments
        self._child = ChildCall(call, call.endpoint, allowance, {})
        self._waiting: list[_Waiting] = []
        self._task: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()
        self._loop.call_soon(self._begin)
        # Whatever becomes of the call, nothing of it goes on behind.
        call.ending.append(self._stop)

    def add(self, parent: Any) -> asyncio.Future[Any]:
        """What the field of one more parent becomes. Raises `HandlerFault` once the others have been asked for."""
        if self._task is not None:
            raise HandlerFault(f"{self._added.place.subject}: a parent came after the join had begun")
        answer = self._loop.create_future()
        answer.add_done_callback(self._ended)
        self._waiting.append(_Waiting(parent, answer))
        return answer

    def _begin(self) -> None:
        self._task = self._loop.create_task(self._answer())

    def _ended(self, answer: asyncio.Future[Any]) -> None:
        """Nobody waits for what was dropped; when all have gone away, nothing is asked any more."""
        if not answer.cancelled():
            answer.exception()
        elif self._task is not None and all(one.answer.cancelled() for one in self._waiting):
            self._task.cancel()

    async def _stop(self) -> None:
        self._child.open = False
        if self._task is not None:
            self._task.cancel()

    async def _answer(self) -> None:
        try:
            answers = await self._asked()
        except BaseException as fault:  # a cancelled one too: whoever waits must not wait for ever
            for one in self._waiting:
                if not one.answer.done():
                    one.answer.set_exception(fault) if isinstance(fault, Exception) else one.answer.cancel()
            if not isinstance(fault, Exception):
                raise
            return
        for one, value in zip(self._waiting, answers, strict=True):
            if not one.answer.done():
                one.answer.set_result(value)

    async def _asked(self) -> list[Any]:
        """The answers of the team's function, one for each parent."""
        added, parents = self._added, [one.parent for one in self._waiting]
        current.set(self._child)  # of this task alone
        try:
            return await _one_for_each(added, parents, self._arguments)
        finally:
            self._child.open = False
