"""The problems that a BFF declares: each type is one problem's, and can be answered with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from narrows.checks.forms import is_problem
from narrows.checks.refusing import refuse
from narrows.declare.endpoint import Endpoint
from narrows.declare.upstream import Operation
from narrows.errors import Problem, Refusal, problem_classes

Declared = Endpoint | Operation[..., Any]


def problem_refusals(endpoints: Iterable[Endpoint], operations: Iterable[Operation[..., Any]]) -> Iterator[Refusal]:
    """Two problems that share a type or a name, and problems that are none."""
    own = problem_classes()
    names = {name: problem for problem in own for name in (problem.type, problem.slug)}
    seen = set(own)
    for declared, problem in _declared(endpoints, operations):
        if problem in seen:
            continue
        seen.add(problem)
        yield from _of_one(declared, problem)
        if any(names.setdefault(name, problem) is not problem for name in (problem.type, problem.slug)):
            rule = f"another problem has the type or the name of {problem.__name__} ({problem.slug})"
            yield refuse("problem-twice", declared, rule, f"rename {problem.__name__}, or use the other one")


def _declared(
    endpoints: Iterable[Endpoint], operations: Iterable[Operation[..., Any]]
) -> Iterator[tuple[Declared, type[Problem]]]:
    # Operations first: what they declare must also be made without arguments.
    for operation in operations:
        yield from ((operation, problem) for problem in operation.problems.values() if is_problem(problem))
    for endpoint in endpoints:
        yield from ((endpoint, problem) for problem in endpoint.problems)


def _of_one(declared: Declared, problem: type[Problem]) -> Iterator[Refusal]:
    name = problem.__name__
    if not (type(problem.status) is int and 400 <= problem.status <= 599):
        yield refuse("problem-status", declared, f"{name} has no status from 400 to 599", f"give {name} a status = 409")
    if isinstance(declared, Operation) and not _makes_itself(problem):
        rule = f"{name} cannot be made without arguments, as an operation makes it"
        yield refuse("problem-arguments", declared, rule, f"give the arguments of {name} defaults")


def _makes_itself(problem: type[Problem]) -> bool:
    try:
        problem()
    except TypeError:
        return False
    return True
