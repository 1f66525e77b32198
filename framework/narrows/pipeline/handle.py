"""Step 8: the team's own function."""

from __future__ import annotations

from collections.abc import Callable
from inspect import iscoroutine
from typing import Any

from narrows.call import Call
from narrows.declare.endpoint import counts
from narrows.declare.shape import Parameter
from narrows.errors import NarrowsError, Problem
from narrows.pipeline.outgoing import Outgoing
from narrows.pipeline.step import Preparing, Step


class HandlerFault(NarrowsError):
    """A handler did what its declaration does not allow: a fault of the BFF, of which the client reads nothing."""


def prepare(preparing: Preparing) -> Step:
    """Make the step for one endpoint, and refuse a `uses` that says too little or too much."""
    _refuse_uses(preparing)
    endpoint = preparing.endpoint
    function = endpoint.function
    sources = tuple((p.name, _source(p)) for p in preparing.shape.parameters.values() if p.passed)
    declared = frozenset(
        (*endpoint.problems, *(problem for used in preparing.counts for problem in used.problems.values()))
    )

    outgoing = Outgoing(endpoint, preparing.ground)

    async def handle(call: Call) -> None:
        if call.replayed:
            return
        arguments = {name: source(call) for name, source in sources}
        try:
            call.answer = await function(**arguments)
        except Problem as problem:
            _check_declared(call, problem, declared)
            if all(problem is not child.problem for child in call.children):  # a field's has been counted with it
                await outgoing.problem(call, problem)
            raise
        if call.in_flight:
            raise HandlerFault(f"{endpoint.id} answered while a write that it had begun was still on its way")
        if iscoroutine(call.answer):
            call.answer.close()
            raise HandlerFault(f"{endpoint.id} ({endpoint.where}) answered a coroutine: write `return await …`")

    return handle


def _check_declared(call: Call, problem: Problem, declared: frozenset[type[Problem]]) -> None:
    """Let through what the contract names, and what an operation ended in; all else may be meant for nobody outside."""
    if type(problem) not in declared and all(problem is not raised for raised in call.raised):
        name = type(problem).__name__
        raise HandlerFault(
            f"{name} is not in the `problems` of {call.endpoint.id}, and no operation raised it"
        ) from problem


def _refuse_uses(preparing: Preparing) -> None:
    endpoint = preparing.endpoint
    if endpoint.uses is None and not endpoint.builtin:
        preparing.refuse(
            "uses-missing", "it does not say which operations it sends", "add uses=[People.team] or uses=[]"
        )
    if endpoint.kind == "read":
        for operation in counts(endpoint.uses or ()):
            if operation.kind == "write":
                preparing.refuse(
                    "read-uses-write",
                    f"a read uses the write {operation.id}",
                    "declare the endpoint with @bff.write, or take the operation out of `uses`",
                )


def _source(parameter: Parameter) -> Callable[[Call], Any]:
    """Where the value of one parameter is found."""
    name = parameter.name
    match parameter.source:
        case "caller":
            return lambda call: call.caller
        case "call":
            return lambda call: call
        case "given":
            return lambda call: call.given[name]
    return lambda call: call.arguments[name]
