"""Operations: each belongs to an upstream that the settings know, asks for one scope, and can be sent and made up."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from typing import Any

from narrows.checks.forms import SCOPE, is_problem, method_refusals
from narrows.checks.paths import form_of_path, path_is_text
from narrows.checks.refusing import refuse
from narrows.checks.types import open_answers, unreadable, untyped_answers, wrong_defaults
from narrows.declare.shape import REQUIRED, Shape, ShapeError, holds, operation_shape
from narrows.declare.types import Money
from narrows.declare.upstream import Operation, Upstream
from narrows.errors import Refusal
from narrows.settings import Settings
from narrows.upstreams.examples import ExampleInvalid
from narrows.upstreams.sendable import Sendable
from narrows.upstreams.synthetic import CannotMake

Used = Operation[..., Any]


def sendables_of(operations: Iterable[Used], settings: Settings, refusals: list[Refusal]) -> dict[Used, Sendable]:
    """Make the operations ready; those that cannot be sent safely are left out, and why is added to `refusals`."""
    operations = list(operations)
    refusals += _upstreams_twice(operations)
    ready: dict[Used, Sendable] = {}
    for operation in operations:
        found = [*_home(operation, settings), *_form(operation)]
        refusals += found
        if operation.upstream is None or found:
            continue
        key = operation.upstream.key
        try:
            ready[operation] = Sendable.prepare(operation, key, settings.upstreams[key], settings.limits.sandbox_bytes)
        except CannotMake as error:
            remedy = "use a simpler pattern, or a ready type such as Id"
            refusals.append(refuse("sandbox-cannot-make", operation, str(error), remedy))
        except ExampleInvalid as error:
            remedy = "write it as the declared type wants it, or take the example out"
            refusals.append(refuse("example-invalid", operation, str(error), remedy))
    return ready


def _upstreams_twice(operations: Iterable[Used]) -> Iterator[Refusal]:
    """Two classes of one name would share settings, and their operations ids."""
    known: dict[str, type[Upstream]] = {}
    for operation in operations:
        upstream = operation.upstream
        if upstream is not None and known.setdefault(upstream.key, upstream) is not upstream:
            rule = f"another upstream is also called {upstream.__name__}"
            yield refuse("upstream-twice", operation, rule, "rename one of the two classes")


def _home(operation: Used, settings: Settings) -> Iterator[Refusal]:
    """The upstream, and the scope that is asked for there."""
    if operation.upstream is None:
        rule = "it is not declared on an Upstream"
        yield refuse("operation-homeless", operation, rule, "declare it inside `class People(Upstream):`")
        return
    key = operation.upstream.key
    if key not in settings.upstreams:
        remedy = f'add [upstreams.{key}] with url = "https://…" to the settings'
        yield refuse("upstream-missing", operation, f"the settings have no upstream {key!r}", remedy)
    elif not operation.asks and settings.upstreams[key].identity != "none":
        rule = "it does not say which scope it asks for"
        yield refuse("asks-missing", operation, rule, 'add asks="profiles:read"')


def _form(operation: Used) -> Iterator[Refusal]:
    """Everything that an operation says of itself."""
    yield from method_refusals(operation)
    if operation.asks is not None and not (isinstance(operation.asks, str) and SCOPE.fullmatch(operation.asks)):
        yield refuse("asks-unclear", operation, "`asks` is not one scope (RFC 6749, 3.3)", 'write asks="profiles:read"')
    yield from _price(operation)
    if not all(map(_maps_status, operation.problems.items())):
        rule = "`problems` does not lead from statuses (300 to 599) to Problems"
        yield refuse("problems-unclear", operation, rule, "write problems={404: NoSuchBooking}")
    if operation.stand_in is not None and not inspect.isroutine(operation.stand_in):
        rule = "`stand_in` is no function"
        yield refuse("stand-in-unclear", operation, rule, "name a function that takes the same arguments")
    yield from list(path_is_text(operation)) or _shape(operation)


def _price(operation: Used) -> Iterator[Refusal]:
    try:
        Money.parse(operation.price) if operation.price is not None else None
    except (ValueError, AttributeError) as error:
        yield refuse("price-unclear", operation, str(error), 'write price="0.05 EUR"')


def _maps_status(item: tuple[Any, Any]) -> bool:
    """A success is no problem, whatever its body."""
    status, problem = item
    in_range = type(status) is int and 300 <= status <= 599
    return in_range and is_problem(problem)


def _shape(operation: Used) -> Iterator[Refusal]:
    try:
        shape = operation_shape(operation)
    except ShapeError as error:
        yield refuse(error.code, operation, error.rule, error.remedy)
        return
    yield from form_of_path(operation, {parameter.name for parameter in shape.of("path")})
    in_query = {parameter.name for parameter in shape.of("query")}
    if not all(name in in_query and isinstance(wire, str) and wire for name, wire in operation.names.items()):
        rule = "`names` does not lead from query parameters to the upstream's names of them"
        yield refuse("names-unclear", operation, rule, 'write names={"per_page": "perPage"}')
    found = list(unreadable(operation, shape))
    yield from found or _types(operation, shape)


def _types(operation: Used, shape: Shape) -> Iterator[Refusal]:
    if len(shape.of("body")) > 1:
        rule = "it sends more than one body"
        yield refuse("body-twice", operation, rule, "put both into one narrows.Input")
    for parameter in shape.parameters.values():
        if parameter.default not in (REQUIRED, None) and not holds(parameter.default, parameter.type):
            rule = f"the default of `{parameter.name}` is not of its own type"
            yield refuse("default-wrong", operation, rule, f"give `{parameter.name}` a default within its bounds")
        if parameter.source == "body":
            yield from wrong_defaults(operation, parameter.type)
    yield from untyped_answers(operation, shape)
    yield from open_answers(operation, shape)
