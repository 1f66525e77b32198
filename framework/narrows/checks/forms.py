"""The form of a declaration: each guard is of its kind.

A type checker sees most of this before; the start does not rely on anybody having run one.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from typing import Any, get_args

from narrows.checks.paths import path_is_text
from narrows.checks.refusing import refuse
from narrows.declare.ageing import Ageing
from narrows.declare.commit import Commit
from narrows.declare.endpoint import Endpoint
from narrows.declare.slo import Slo
from narrows.declare.upstream import Operation, Times
from narrows.errors import Problem, Refusal

# RFC 6749, 3.3: one scope, which also stands in a challenge between quotes.
SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")
_METHODS = {"read": ("GET",), "write": ("POST", "PUT", "PATCH", "DELETE")}


def form_refusals(endpoint: Endpoint) -> Iterator[Refusal]:
    """Every guard of an endpoint that is not what its name promises."""
    yield from _function(endpoint)
    yield from _who(endpoint)
    yield from _sends(endpoint)
    yield from _reads(endpoint)
    yield from _words(endpoint)


def method_refusals(declared: Endpoint | Operation[..., Any]) -> Iterator[Refusal]:
    """A write never hides behind the method of a read."""
    methods = _METHODS[declared.kind]
    if declared.method not in methods:
        rule = f"a {declared.kind} is not sent with {declared.method!r}"
        yield refuse("method-unclear", declared, rule, f"use one of: {', '.join(methods)}")


def _function(endpoint: Endpoint) -> Iterator[Refusal]:
    for name in endpoint.unknown:
        yield refuse("guard-unknown", endpoint, f"there is no guard `{name}`", f"take `{name}` out, or correct it")
    if endpoint.builtin:
        rule = "only Narrows' own endpoints can be public or owned"
        yield refuse("guard-unknown", endpoint, rule, "declare it with @bff.read or @bff.write, and its guards")
    if not inspect.iscoroutinefunction(endpoint.function):
        name = endpoint.function.__name__
        yield refuse("handler-sync", endpoint, f"{name} is not async", f"write `async def {name}(…)`")
    yield from path_is_text(endpoint)
    yield from method_refusals(endpoint)
    if endpoint.commit not in get_args(Commit) or (endpoint.kind == "read" and endpoint.commit != "open"):
        rule = f"`commit` of a {endpoint.kind} is not {endpoint.commit!r}"
        yield refuse("commit-unclear", endpoint, rule, 'write commit="receipt" or "confirmed" on a write')
    yield from _objective(endpoint)
    yield from _ageing(endpoint)
    if endpoint.status not in (200, 201, 202):
        yield refuse("status-unclear", endpoint, f"{endpoint.status!r} is no status of a success", "use status=201")


def _objective(endpoint: Endpoint) -> Iterator[Refusal]:
    if endpoint.slo is None:
        return
    try:
        Slo.parse(endpoint.slo)
    except (ValueError, TypeError) as error:
        rule = str(error) if _is(endpoint.slo, str) else "`slo` is not text"
        yield refuse("slo-unclear", endpoint, rule, 'write slo="99.9%" or slo="99.5% under 300ms"')


def _ageing(endpoint: Endpoint) -> Iterator[Refusal]:
    if endpoint.deprecated is None and endpoint.sunset is None:
        return
    remedy = 'write deprecated="2027-01-01", and sunset="2027-07-01" beside it if it ends'
    try:
        Ageing.parse(endpoint.deprecated, endpoint.sunset)
    except ValueError as error:
        yield refuse("deprecated-unclear", endpoint, str(error), remedy)


def _who(endpoint: Endpoint) -> Iterator[Refusal]:
    if endpoint.roles is not None and not _is_texts(endpoint.roles, frozenset):
        yield refuse("roles-unclear", endpoint, "`roles` is not a set of names", 'write roles={"member"}')
    if endpoint.scope is not None and not (isinstance(endpoint.scope, str) and SCOPE.fullmatch(endpoint.scope)):
        rule = "`scope` is not one scope (RFC 6749, 3.3)"
        yield refuse("scope-unclear", endpoint, rule, 'write scope="dining:read"')
    if not _is(endpoint.within, str | None):
        yield refuse("within-unclear", endpoint, "`within` is not text", 'write within="team:{team_id}"')
    if not _is(endpoint.roles_from, Operation | None):
        rule = "`roles_from` is no operation"
        yield refuse("roles-from-unclear", endpoint, rule, "name one read, as in roles_from=People.roles")
    if not _is(endpoint.for_services, bool):
        rule = "`for_services` is neither True nor False"
        yield refuse("services-unclear", endpoint, rule, "write for_services=True, or take it out")


def _sends(endpoint: Endpoint) -> Iterator[Refusal]:
    uses = endpoint.uses
    if uses is not None and not (isinstance(uses, tuple) and all(isinstance(_used(use), Operation) for use in uses)):
        rule = "`uses` names something that is no operation"
        yield refuse(
            "uses-unclear", endpoint, rule, "list operations, as in uses=[People.team, Places.nearby.times(5)]"
        )
        return
    for use in uses or ():
        if isinstance(use, Times) and not (type(use.count) is int and use.count >= 1):
            rule = f"{use.operation.id}.times({use.count!r}) is no number of times"
            yield refuse("uses-count", endpoint, rule, f"write {use.operation.id}.times(2), or take it out of `uses`")
    if endpoint.rates is not None and not _is_texts(endpoint.rates, tuple):
        yield refuse("rate-unclear", endpoint, "`rate` is neither text nor a list of texts", 'write rate="30/minute"')


def _used(use: Any) -> Any:
    return use.operation if isinstance(use, Times) else use


def _reads(endpoint: Endpoint) -> Iterator[Refusal]:
    if not _is_map(endpoint.given, lambda value: isinstance(value, Operation)):
        rule = "`given` does not lead from names to operations"
        yield refuse("given-unclear", endpoint, rule, 'write given={"booking": Tables.booking}')
    if not _is_map(endpoint.inside, _is_proof):
        rule = "`inside` does not lead from ids to an operation and a field"
        yield refuse("inside-unclear", endpoint, rule, 'write inside={"line_id": (Tables.line, "booking_id")}')
    if not _is_map(endpoint.unbound, lambda value: isinstance(value, str)):
        rule = "`unbound` does not lead from ids to reasons"
        yield refuse("unbound-unclear", endpoint, rule, 'write unbound={"place_id": "why this is safe"}')


def _is_proof(value: Any) -> bool:
    return (
        isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], Operation) and isinstance(value[1], str)
    )


def _words(endpoint: Endpoint) -> Iterator[Refusal]:
    if not (isinstance(endpoint.when, tuple) and all(map(_is_rule, endpoint.when))):
        # A coroutine is always true: an `async` rule would let everybody in.
        rule = "`when` holds something that is no plain function with a name"
        yield refuse(
            "when-unclear", endpoint, rule, "write `def not_yet_started(…) -> bool:` and when=[not_yet_started]"
        )
    if not (isinstance(endpoint.problems, tuple) and all(map(is_problem, endpoint.problems))):
        rule = "`problems` holds something that is no Problem"
        yield refuse("problems-unclear", endpoint, rule, "list classes derived from narrows.Problem")


def _is_rule(value: Any) -> bool:
    odd = inspect.iscoroutinefunction(value) or inspect.isgeneratorfunction(value) or inspect.isasyncgenfunction(value)
    return inspect.isfunction(value) and not odd and value.__name__ != "<lambda>"


def is_problem(value: Any) -> bool:
    """Whether something is a kind of problem."""
    return isinstance(value, type) and issubclass(value, Problem)


def _is(value: Any, kind: Any) -> bool:
    return isinstance(value, kind)


def _is_texts(value: Any, kind: Any) -> bool:
    return isinstance(value, kind) and all(isinstance(text, str) and text.strip() for text in value)


def _is_map(value: Any, holds: Any) -> bool:
    return isinstance(value, Mapping) and all(isinstance(name, str) and holds(found) for name, found in value.items())
