"""The reads of a guard: what `given`, `inside` and `roles_from` ask upstreams on behalf of the caller."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from narrows.call import Call
from narrows.declare.shape import needed_by
from narrows.declare.upstream import Operation
from narrows.errors import Forbidden, Problem, UpstreamFailed
from narrows.gathering import gather
from narrows.pipeline.decide.values import Getter, ValueMissing, argument
from narrows.pipeline.step import Preparing

# What an upstream answers for what is not there, or not for this caller.
_ABSENT = (401, 403, 404, 410)
Read = Callable[[Call], Awaitable[Any]]
Denial = Callable[[], Forbidden]


def given_reads(preparing: Preparing) -> dict[str, Read]:
    """Make the reads of `given` ready: their arguments are taken by name from the endpoint's own."""
    reads: dict[str, Read] = {}
    for name, operation in preparing.endpoint.given.items():
        read = reader(preparing, operation, f"given `{name}`")
        if read is not None:
            reads[name] = read
        _check_type(preparing, name, operation)
    return reads


def reader(preparing: Preparing, operation: Operation[..., Any], what: str) -> Read | None:
    """A read whose arguments are found by name; None when that is refused."""
    if operation.kind != "read":
        preparing.refuse("guard-writes", f"{what} is a write", "name a read there")
    getters: dict[str, Getter] = {}
    try:
        for parameter in needed_by(operation):
            getters[parameter.name] = argument(preparing.shape, parameter.name)
    except ValueMissing as missing:
        preparing.refuse(
            "guard-argument",
            f"{what} needs `{missing}`, which the endpoint does not take",
            f"take a parameter `{missing}`, or rename the parameter of {operation.id}",
        )
        return None
    return lambda call: call.perform(operation, (), {name: get(call) for name, get in getters.items()})


def _check_type(preparing: Preparing, name: str, operation: Operation[..., Any]) -> None:
    """The handler's parameter must be of the type that the read answers."""
    parameter = preparing.shape.parameters.get(name)
    sendable = preparing.ground.sendables.get(operation)
    if parameter is not None and sendable is not None and parameter.type != sendable.shape.answer:
        answer = getattr(sendable.shape.answer, "__name__", str(sendable.shape.answer))
        preparing.refuse(
            "given-type", f"`{name}` is not of the type that {operation.id} answers", f"annotate it `{name}: {answer}`"
        )


async def read_given(call: Call, reads: Mapping[str, Read], denial: Denial) -> None:
    """Read what is given, side by side."""
    answers = await quietly(call, gather([read(call) for read in reads.values()]), denial, "given")
    call.given.update(zip(reads, answers, strict=True))


async def quietly(call: Call, read: Awaitable[Any], denial: Denial, what: str) -> Any:
    """Await a guard's read: what tells of an absent or foreign object becomes the denial, and `what` its rule.

    Faults stay what they are: they tell nothing of the object, and a denial would hide them.
    """
    try:
        return await read
    except Problem as problem:
        if not _tells_of_absence(problem):
            raise
    call.rule = f"{what}: there is nothing, or nothing for this caller"
    raise denial()


def _tells_of_absence(problem: Problem) -> bool:
    if isinstance(problem, UpstreamFailed):
        return problem.upstream_status in _ABSENT
    return problem.status < 500 and problem.status not in (401, 429)
