"""The fields that a team adds to its types: joins, and plain Strawberry fields; what they must not do is refused."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, get_args, get_origin, get_type_hints

import msgspec
from strawberry.types.field import StrawberryField

from narrows.declare.bff import Bff
from narrows.declare.document import Join
from narrows.declare.endpoint import counts
from narrows.declare.shape import Leaf, Parameter, ShapeError, bare, leaves, unannotated, without_none
from narrows.declare.types import is_id
from narrows.declare.upstream import Operation, Times, place_of
from narrows.pipeline.inputs import refuse_leaf
from narrows.surfaces.graphql.naming import Names, Place

_IDS = "fields that take object ids are endpoints: only these decide who may see the object"
Uses = Mapping[Operation[..., Any], int]


class Added(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A field that a team adds to a type. `answer` is the type of one value.

    `uses` is how often a join may send each operation, once for each place in a document; a plain field sends nothing,
    and its `uses` is None. `waits` is whether its function is to be awaited.
    """

    on: type[msgspec.Struct]
    name: str
    place: Place
    function: Callable[..., Any]
    parameters: Mapping[str, Parameter]
    answer: Any
    description: str = ""
    deprecated: str | None = None
    uses: Uses | None = None
    waits: bool = True


def added_by(bff: Bff, names: Names) -> list[Added]:
    """The fields that a BFF adds; those that do not hold are put down in `names.refusals`."""
    found: list[Added] = []
    for place, make in (*_joins(bff), *_plains(bff)):
        try:
            found.append(make(place))
        except ShapeError as error:
            names.refuse(error.code, place, error.rule, error.remedy)
    return found


def _joins(bff: Bff) -> Iterator[tuple[Place, Callable[[Place], Added]]]:
    for join in bff.joins:
        yield Place(f"{bff.name}.{join.name}", join.where, join.name), partial(_join, join)


def _plains(bff: Bff) -> Iterator[tuple[Place, Callable[[Place], Added]]]:
    if bff.graphql_surface is None:
        return
    for on, fields in bff.graphql_surface.fields.items():
        found = list(_fields_of(fields)) if _is_struct(on) and isinstance(fields, type) else []
        if not found:
            name = getattr(on, "__name__", repr(on))
            yield Place(f"{bff.name}.{name}", bff.graphql_surface.where, name), _without_fields
        for field in found:
            name = field.graphql_name or field.python_name
            where = place_of(_function(field)) if field.base_resolver else bff.graphql_surface.where
            yield Place(f"{bff.name}.{name}", where, name), partial(_plain, on, field)


def _without_fields(_: Place) -> Added:
    rule = "`fields` does not lead from a Struct to a class with Strawberry fields"
    raise ShapeError("graphql-field", rule, "write bff.graphql({Booking: BookingFields}), with @strawberry.field")


def _join(join: Join, place: Place) -> Added:
    function = join.function
    if not _is_struct(join.on):
        raise ShapeError("join-signature", "a join is added to no Struct", "write @bff.join(Booking, uses=[…])")
    if not inspect.iscoroutinefunction(function):
        raise ShapeError("join-signature", "a join is no `async def`", f"write `async def {join.name}(…)`")
    hints, first, rest = _signature(function)
    parents, answers = unannotated(hints.get(first)), unannotated(hints["return"])
    if (get_origin(parents), get_args(parents)) != (list, (join.on,)):
        rule = f"a join of {join.on.__name__} takes all of them as its first parameter"
        raise ShapeError("join-signature", rule, f"write `{first or 'all'}: list[{join.on.__name__}]`")
    if get_origin(answers) is not list:
        raise ShapeError(
            "join-signature", "a join answers no list", "answer one value for each, as in `-> list[Place | None]`"
        )
    return Added(
        on=join.on,
        name=join.name,
        place=place,
        function=function,
        parameters=_parameters(rest, hints),
        answer=get_args(answers)[0],
        description=inspect.getdoc(function) or "",
        uses=_uses(join),
    )


def _uses(join: Join) -> Uses:
    """What a join sends: reads, each as often as it says."""
    if join.uses is None:
        raise ShapeError(
            "uses-missing", "it does not say which operations it sends", "add uses=[Places.by_ids] or uses=[]"
        )
    for use in join.uses:
        operation: Any  # a team may have named anything
        operation, count = (use.operation, use.count) if isinstance(use, Times) else (use, 1)
        if not isinstance(operation, Operation):
            rule = "`uses` names something that is no operation"
            raise ShapeError("uses-unclear", rule, "list operations, as in uses=[Places.by_ids]")
        if type(count) is not int or count < 1:
            rule = f"{operation.id}.times({count!r}) is no number of times"
            raise ShapeError("uses-count", rule, f"write {operation.id}.times(2), or take it out of `uses`")
        if operation.kind == "write":
            rule = f"a join uses the write {operation.id}"
            raise ShapeError("read-uses-write", rule, "take the operation out of `uses`: writes are endpoints")
    return counts(join.uses)


def _plain(on: type[msgspec.Struct], field: StrawberryField, place: Place) -> Added:
    if field.base_resolver is None:
        raise ShapeError("graphql-field", "it has no function", "write it as a method with @strawberry.field")
    if field.permission_classes or field.extensions or field.directives:
        rule = "it has permissions, extensions or directives, which nothing here would ask"
        raise ShapeError("graphql-field", rule, "make it an endpoint, whose guards are asked")
    function = _function(field)
    if inspect.isasyncgenfunction(function) or inspect.isgeneratorfunction(function):
        raise ShapeError("graphql-field", "it yields", "return a value")
    hints, first, rest = _signature(function)
    if not first:
        raise ShapeError("graphql-field", "it takes no parent", f"write `def {place.path}(self)`")
    return Added(
        on=on,
        name=place.path,
        place=place,
        function=function,
        parameters=_parameters(rest, hints),
        answer=hints["return"],
        description=field.description or inspect.getdoc(function) or "",
        deprecated=field.deprecation_reason,
        waits=inspect.iscoroutinefunction(function),
    )


def _function(field: StrawberryField) -> Callable[..., Any]:
    """The method behind a field."""
    found: Any = field.base_resolver
    return found.wrapped_func  # type: ignore[no-any-return]  # it is annotated with kinds of methods that none of these is


def _is_struct(kind: Any) -> bool:
    """Whether something is a class of msgspec's Structs."""
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _fields_of(cls: type[Any]) -> Iterator[StrawberryField]:
    """The Strawberry fields of a class, whether or not it is a type of Strawberry already."""
    definition = getattr(cls, "__strawberry_definition__", None)
    if definition is not None:
        yield from definition.fields
        return
    for owner in reversed(cls.__mro__):
        yield from (value for value in vars(owner).values() if isinstance(value, StrawberryField))


def _signature(function: Callable[..., Any]) -> tuple[dict[str, Any], str, list[inspect.Parameter]]:
    """The types of a function, the name of its first parameter, and the others."""
    try:
        hints = get_type_hints(function, include_extras=True)
    except Exception as error:  # an annotation is code: it raises whatever evaluating it raises
        rule = f"a type of {function.__name__} cannot be resolved ({error})"
        raise ShapeError(
            "type-unknown", rule, "import the type at the top of the file, not under TYPE_CHECKING"
        ) from None
    if "return" not in hints:
        raise ShapeError(
            "answer-untyped", f"{function.__name__} does not say what it answers", "annotate the return type"
        )
    parameters = list(inspect.signature(function).parameters.values())
    return hints, parameters[0].name if parameters else "", parameters[1:]


def _parameters(found: list[inspect.Parameter], hints: Mapping[str, Any]) -> dict[str, Parameter]:
    return {one.name: _parameter(one, hints) for one in found}


def _parameter(one: inspect.Parameter, hints: Mapping[str, Any]) -> Parameter:
    """An argument of the field: a value that is bounded, and no object id."""
    if one.name not in hints or one.kind not in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY):
        rule = f"parameter `{one.name}` has no type, or is not taken by its name"
        raise ShapeError("input-untyped", rule, f"write `{one.name}: PageSize`, without `*`, `**` and `/`")
    kind = hints[one.name]
    for leaf in _leaves(kind, one.name):
        if is_id(leaf.info):
            raise ShapeError(
                "graphql-id", f"`{leaf.path}` is an object id: {_IDS}", "make an endpoint of it, and select that"
            )
        refuse_leaf(_refuse, leaf.path, bare(leaf.info))
    return Parameter(name=one.name, source="query", type=without_none(kind), default=one.default)


def _refuse(code: str, rule: str, remedy: str) -> None:
    raise ShapeError(code, rule, remedy)


def _leaves(kind: Any, name: str) -> list[Leaf]:
    """The places within a type. Raises `ShapeError` for what msgspec does not read, such as Info and Parent."""
    try:
        return list(leaves(kind, name))
    except ShapeError:
        raise
    except Exception as error:  # msgspec raises whatever resolving the hints of foreign classes raises
        rule = f"the type of `{name}` cannot be read ({error})"
        raise ShapeError("type-unsupported", rule, "use types that msgspec supports") from None
