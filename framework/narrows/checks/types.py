"""The types of a declaration: whole, closed, and with defaults that hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from msgspec import inspect as mi

from narrows.checks.patterns import is_slow
from narrows.checks.refusing import refuse
from narrows.declare.endpoint import Endpoint
from narrows.declare.shape import Parameter, Shape, ShapeError, bare, holds, leaves
from narrows.declare.upstream import Operation
from narrows.errors import Refusal

Declared = Endpoint | Operation[..., Any]

# These take or give keys that nobody declared, or cannot say that they do not.
_LOOSE = (mi.DataclassType, mi.TypedDictType, mi.NamedTupleType)
_ANYTHING = (mi.AnyType, mi.RawType, mi.CustomType)


def unreadable(declared: Declared, shape: Shape) -> Iterator[Refusal]:
    """Types that msgspec cannot take in or give out, such as a union of two Structs without tags, and endless ones."""
    kinds = [(p.name, p.type) for p in shape.parameters.values() if p.source in ("path", "query", "body")]
    for name, kind in (*kinds, ("its answer", shape.answer)):
        try:
            msgspec.json.Decoder(kind)
        except Exception as error:  # msgspec raises whatever resolving the hints of foreign classes raises
            rule = f"the type of {name} cannot be read ({error})"
            yield refuse("type-unsupported", declared, rule, "use types that msgspec supports")
            continue
        try:
            yield from _slow(declared, [bare(leaf.info) for leaf in leaves(kind)])
        except ShapeError as error:
            yield refuse(error.code, declared, f"the type of {name}: {error.rule}", error.remedy)


def _slow(declared: Declared, infos: Iterable[Any]) -> Iterator[Refusal]:
    """Patterns that a client's or an upstream's text could keep busy."""
    texts = {(i.pattern, i.max_length) for i in infos if isinstance(i, mi.StrType) and i.pattern is not None}
    for pattern in sorted({pattern for pattern, longest in texts if is_slow(pattern, longest)}):
        rule = f"the pattern {pattern!r} can be tried in so many ways that a text keeps it busy for ever"
        remedy = "repeat only what begins with another character than what follows, as in ^[a-z]+(-[a-z]+)*$"
        yield refuse("pattern-slow", declared, rule, remedy)


def type_refusals(endpoint: Endpoint, shape: Shape) -> Iterator[Refusal]:
    """What the steps do not refuse themselves: lists in a path, loose objects, defaults of a body, open answers."""
    for parameter in (*shape.of("path"), *shape.of("query")):
        yield from _lists(endpoint, parameter)
    for parameter in shape.of("body"):
        yield from _loose(endpoint, parameter)
        yield from wrong_defaults(endpoint, parameter.type)
        yield from _asked_twice(endpoint, shape, parameter)
    yield from open_answers(endpoint, shape)


def _lists(endpoint: Endpoint, parameter: Parameter) -> Iterator[Refusal]:
    """A path holds no list, and a query no list of lists."""
    depth = max(leaf.path.count("[]") for leaf in leaves(parameter.type))
    if depth > (0 if parameter.source == "path" else 1):
        rule = f"`{parameter.name}` is a list, which {parameter.source} cannot hold so"
        yield refuse("input-object", endpoint, rule, "take a single value in the path, a list of values in the query")


def _loose(endpoint: Endpoint, parameter: Parameter) -> Iterator[Refusal]:
    for leaf in leaves(parameter.type, parameter.name):
        info = bare(leaf.info)
        if isinstance(info, _LOOSE):
            name = info.cls.__name__
            yield refuse("input-open", endpoint, f"{name} takes unknown keys", f"derive {name} from narrows.Input")


def wrong_defaults(declared: Declared, kind: Any) -> Iterator[Refusal]:
    """Defaults inside a Struct, which msgspec hands out without a look."""
    infos = (bare(leaf.info) for leaf in leaves(kind))
    for cls in dict.fromkeys(info.cls for info in infos if isinstance(info, mi.StructType)):
        for field in msgspec.structs.fields(cls):
            if not field.required and not holds(_default_of(field), field.type):
                rule = f"the default of `{cls.__name__}.{field.name}` is not of its own type"
                yield refuse("default-wrong", declared, rule, f"give `{field.name}` a default within its bounds")


def _default_of(field: msgspec.structs.FieldInfo) -> Any:
    return field.default_factory() if field.default is msgspec.NODEFAULT else field.default


def _asked_twice(endpoint: Endpoint, shape: Shape, body: Parameter) -> Iterator[Refusal]:
    """A value in the query and one in the body under one name: a guard would look at one, the handler at the other."""
    in_query = {parameter.name for parameter in shape.of("query")}
    for field in msgspec.structs.fields(bare_struct(body.type)):
        if field.encode_name in in_query:
            rule = f"`{field.encode_name}` is taken from the query and from the body"
            yield refuse("name-twice", endpoint, rule, "take it once")


def bare_struct(kind: Any) -> type[msgspec.Struct]:
    """The Struct that a body is, whatever it is annotated with."""
    found = bare(mi.type_info(kind))
    return found.cls  # type: ignore[no-any-return]  # msgspec describes the class of a Struct as Any


def open_answers(declared: Declared, shape: Shape) -> Iterator[Refusal]:
    """An object whose keys nobody named would let through whatever it is given."""
    for leaf in leaves(shape.answer, "answer"):
        info = bare(leaf.info)
        if isinstance(info, mi.DictType | mi.FrozenDictType) and _takes_any_key(bare(info.key_type)):
            rule = f"`{leaf.path}` is an object of any keys"
            yield refuse(
                "answer-open", declared, rule, "name its fields in a narrows.Narrow, or bound its keys: dict[Id, …]"
            )


def _takes_any_key(info: Any) -> bool:
    text = isinstance(info, mi.StrType) and info.max_length is None and info.pattern is None
    return text or isinstance(info, mi.AnyType)


def untyped_answers(declared: Declared, shape: Shape) -> Iterator[Refusal]:
    """What an upstream sends is narrowed by its type; `Any` narrows nothing."""
    for leaf in leaves(shape.answer, "answer"):
        if isinstance(bare(leaf.info), _ANYTHING):
            yield refuse("answer-untyped", declared, f"`{leaf.path}` is anything", f"give `{leaf.path}` a type")
