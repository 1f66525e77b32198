"""What the signatures of a team's functions say: parameters, their types, and where their values come from."""

from __future__ import annotations

import inspect
import re
import types
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

import msgspec

from narrows.call import Call, Caller
from narrows.declare.endpoint import Endpoint
from narrows.declare.types import Input, is_id
from narrows.declare.upstream import Answer, Operation

REQUIRED: Any = inspect.Parameter.empty
MOST_PLACES = 10_000
"""A type with more places than this is refused: eight types that contain each other have half a million."""
Source = Literal["path", "query", "body", "variable", "given", "caller", "call"]
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


class ShapeError(Exception):
    """A signature does not say what is needed; `rule` and `remedy` are for the refusal."""

    def __init__(self, code: str, rule: str, remedy: str) -> None:
        super().__init__(rule)
        self.code = code
        self.rule = rule
        self.remedy = remedy


class Parameter(msgspec.Struct, frozen=True, kw_only=True):
    """One parameter: where its value comes from, and its type without `None` when that is only the default.

    `passed` is False for what is decoded, but not given to the handler: a path value that only a read of `given` takes.
    """

    name: str
    source: Source
    type: Any
    default: Any = REQUIRED
    passed: bool = True

    @property
    def required(self) -> bool:
        """Whether a client must send it."""
        return self.default is REQUIRED

    @property
    def many(self) -> bool:
        """Whether it is a list, so that a query may repeat it."""
        return get_origin(unannotated(self.type)) in (list, tuple, set, frozenset)


class Shape(msgspec.Struct, frozen=True):
    """The parameters of an endpoint or operation by name, and the type of its answer (None for nothing)."""

    parameters: Mapping[str, Parameter]
    answer: Any

    def of(self, source: Source) -> list[Parameter]:
        """The parameters whose values come from one source."""
        return [parameter for parameter in self.parameters.values() if parameter.source == source]

    @property
    def body(self) -> Parameter | None:
        """The parameter that takes the body."""
        return next(iter(self.of("body")), None)


def placeholders(template: str) -> list[str]:
    """The names in braces of a path or domain template, in order."""
    return _PLACEHOLDER.findall(template)


def endpoint_shape(endpoint: Endpoint) -> Shape:
    """Read an endpoint's signature. Raises `ShapeError`."""
    in_path = set(placeholders(endpoint.path))

    def source(name: str, kind: Any) -> Source:
        if kind is Caller:
            return "caller"
        if kind is Call:
            return "call"
        if name in endpoint.given:
            return "given"
        if endpoint.document is not None:
            return "variable"
        if name in in_path:
            return "path"
        return "body" if _is_struct(kind, Input) else "query"

    shape = _shape(endpoint.function, source, skip=0)
    return Shape({**shape.parameters, **_path_of_given(endpoint, shape)}, shape.answer)


def _path_of_given(endpoint: Endpoint, shape: Shape) -> dict[str, Parameter]:
    """Path values that the handler does not take: their types are those of the read of `given` that does."""
    found: dict[str, Parameter] = {}
    missing = [name for name in placeholders(endpoint.path) if name not in shape.parameters]
    for operation in endpoint.given.values():
        for parameter in needed_by(operation):
            if parameter.name in missing:
                found[parameter.name] = Parameter(name=parameter.name, source="path", type=parameter.type, passed=False)
    return found


def needed_by(operation: Operation[..., Any]) -> list[Parameter]:
    """What a guard must find to use an operation; nothing for one whose signature is itself refused."""
    try:
        shape = operation_shape(operation)
    except ShapeError:
        return []
    return [parameter for parameter in shape.parameters.values() if parameter.required]


def operation_shape(operation: Operation[..., Any]) -> Shape:
    """Read an operation's signature; a Struct of a write is its body. Raises `ShapeError`."""
    in_path = set(placeholders(operation.path))

    def source(name: str, kind: Any) -> Source:
        if name in in_path:
            return "path"
        return "body" if _is_struct(kind, msgspec.Struct) and operation.kind == "write" else "query"

    if next(iter(inspect.signature(operation.function).parameters), "") != "self":
        raise ShapeError(
            "operation-self", f"the first parameter of {operation.name} is not `self`", "write `self` as the first"
        )
    shape = _shape(operation.function, source, skip=1)
    if get_origin(shape.answer) is not Answer:
        raise ShapeError(
            "answer-untyped", f"{operation.name} does not say what it answers", "annotate it with `-> Answer[…]`"
        )
    return Shape(shape.parameters, get_args(shape.answer)[0])


def _shape(function: Callable[..., Any], source: Callable[[str, Any], Source], skip: int) -> Shape:
    """Read names, types and defaults of a function."""
    try:
        hints = get_type_hints(function, include_extras=True)
    except Exception as error:  # an annotation is code: it raises whatever evaluating it raises
        raise ShapeError(
            "type-unknown",
            f"a type of {function.__name__} cannot be resolved ({error})",
            "import the type at the top of the file, not under TYPE_CHECKING",
        ) from None
    signature = inspect.signature(function)
    found = [_parameter(parameter, hints, source) for parameter in list(signature.parameters.values())[skip:]]
    if "return" not in hints:
        raise ShapeError(
            "answer-untyped", f"{function.__name__} does not say what it answers", "annotate the return type"
        )
    answer = hints["return"]
    return Shape({p.name: p for p in found}, None if answer is type(None) else answer)


def _parameter(
    parameter: inspect.Parameter, hints: Mapping[str, Any], source: Callable[[str, Any], Source]
) -> Parameter:
    """Read one parameter."""
    if parameter.name not in hints:
        raise ShapeError(
            "input-untyped", f"parameter `{parameter.name}` has no type", f"annotate it, as in `{parameter.name}: Id`"
        )
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
        raise ShapeError(
            "input-open",
            f"parameter `{parameter.name}` is not taken by its name alone",
            "name each parameter with its type, without `*`, `**` and `/`",
        )
    kind = hints[parameter.name]
    if parameter.default is None and not _takes_none(kind):
        raise ShapeError(
            "default-wrong",
            f"the default of `{parameter.name}` is None, which its type does not allow",
            f"annotate `{parameter.name}` with `| None`, or take the default out",
        )
    found = source(parameter.name, kind)
    return Parameter(
        name=parameter.name,
        source=found,
        type=without_none(kind),
        default=parameter.default,
        # A document takes all its variables from its call, because one that was not sent is not there.
        passed=found != "variable",
    )


def unannotated(kind: Any) -> Any:
    """The type inside `Annotated`."""
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


def bare(info: Any) -> Any:
    """A type as `msgspec.inspect` describes it, without its metadata."""
    return info.type if isinstance(info, msgspec.inspect.Metadata) else info


def without_none(kind: Any) -> Any:
    """`X | None` → X: in a query or path there is no null, only absence."""
    if get_origin(kind) not in (Union, types.UnionType):
        return kind
    members = tuple(member for member in get_args(kind) if member is not type(None))
    return Union[members] if members else kind  # noqa: UP007  (made from values, `|` has no form for that)


def holds(value: Any, kind: Any) -> bool:
    """Whether a value is of a type, its bounds included."""
    try:
        msgspec.convert(msgspec.to_builtins(value), kind)
    except (TypeError, ValueError):
        return False
    return True


def _takes_none(kind: Any) -> bool:
    try:
        msgspec.convert(None, kind)
    except Exception as error:  # a type that cannot be read raises anything, and is refused elsewhere
        return not isinstance(error, msgspec.ValidationError)
    return True


def _is_struct(kind: Any, base: type) -> bool:
    inner = unannotated(kind)
    return isinstance(inner, type) and issubclass(inner, base)


class Leaf(msgspec.Struct, frozen=True):
    """A place inside a type: its dotted path (`lines[].item_id`) and its type as msgspec describes it."""

    path: str
    info: Any


def leaves(kind: Any, name: str = "") -> Iterator[Leaf]:
    """Walk a type as `msgspec.inspect` describes it, every place once; types that contain themselves end there.

    Raises `ShapeError` behind `MOST_PLACES`: types that contain each other have a place for every way through them.
    """
    return walk(msgspec.inspect.type_info(kind), name)


def walk(info: Any, name: str = "") -> Iterator[Leaf]:
    """The same for what `msgspec.inspect` says of a type."""
    waiting = [_Place(info, name, frozenset())]
    for _ in range(MOST_PLACES):
        place = waiting.pop()
        yield Leaf(place.path, place.info)
        waiting += reversed(list(_below(place)))
        if not waiting:
            return
    raise ShapeError(
        "type-too-large",
        f"{_named(info)} has more than {MOST_PLACES} places",
        "give an object within it fewer fields, or leave out those that lead back to what contains it",
    )


def _named(info: Any) -> str:
    """What a person calls a type: its outermost class."""
    classes = (getattr(bare(leaf.info), "cls", None) for leaf in islice(walk(info), 100))
    return next((cls.__name__ for cls in classes if cls), "it")


class _Place(NamedTuple):
    """A place that is still to be walked; `seen` are the classes around it."""

    info: Any
    path: str
    seen: frozenset[type]


def _below(place: _Place) -> Iterator[_Place]:
    """The places directly within one."""
    path, seen = place.path, place.seen
    match bare(place.info):
        case (
            msgspec.inspect.StructType(cls=cls, fields=fields)
            | msgspec.inspect.DataclassType(cls=cls, fields=fields)
            | msgspec.inspect.TypedDictType(cls=cls, fields=fields)
            | msgspec.inspect.NamedTupleType(cls=cls, fields=fields)
        ) if cls not in seen:
            for field in fields:
                below = f"{path}.{field.encode_name}" if path else field.encode_name
                yield _Place(field.type, below, seen | {cls})
        case (
            msgspec.inspect.ListType(item_type=item)
            | msgspec.inspect.SetType(item_type=item)
            | msgspec.inspect.FrozenSetType(item_type=item)
            | msgspec.inspect.VarTupleType(item_type=item)
        ):
            yield _Place(item, f"{path}[]", seen)
        case msgspec.inspect.TupleType(item_types=items):
            for item in items:
                yield _Place(item, f"{path}[]", seen)
        case (
            msgspec.inspect.DictType(key_type=key, value_type=value)
            | msgspec.inspect.FrozenDictType(key_type=key, value_type=value)
        ):
            yield _Place(key, f"{path}{{}}", seen)
            yield _Place(value, f"{path}{{}}", seen)
        case msgspec.inspect.UnionType(types=members):
            for member in members:
                yield _Place(member, path, seen)


def id_places(shape: Shape) -> list[str]:
    """Every object id that a client sends: path parameters, and values of an `Id` type in query and body."""
    found = [parameter.name for parameter in shape.of("path")]
    for parameter in shape.of("query"):
        found += [leaf.path for leaf in leaves(parameter.type, parameter.name) if is_id(leaf.info)]
    if shape.body is not None:
        found += [leaf.path for leaf in leaves(shape.body.type) if is_id(leaf.info)]
    return list(dict.fromkeys(found))
