"""What an endpoint takes, as the fields of a form; and what it takes and answers, as rows to read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from random import Random
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

import msgspec
from msgspec import inspect as mi

from narrows.call import Page
from narrows.declare.shape import REQUIRED, Parameter, Shape, bare, leaves
from narrows.pipeline.fields import describe, escape
from narrows.upstreams.synthetic import CannotMake, Generator

FieldKind = Literal["text", "number", "boolean", "choice", "json"]

_DEEPEST = 3


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """One field of a form.

    `pointer` is that of the errors (`/body/seats`); `example` is text as it would be typed, `filled` whether the form
    begins with it; `rule` says in words what holds, the same words as an error.
    """

    pointer: str
    name: str
    source: str
    kind: FieldKind
    required: bool
    rule: str
    example: str
    filled: bool
    choices: list[str] = []
    default: str = ""


class Row(msgspec.Struct, frozen=True):
    """A place in what is taken or answered, and what holds there."""

    path: str
    rule: str


class Examples:
    """Makes values to begin with; `known` holds those of the objects that the made-up people belong to."""

    def __init__(self, known: Mapping[str, Any], now: datetime) -> None:
        self._known = known
        self._now = now

    def of(self, name: str, kind: Any, place: str) -> Any:
        """A value of a type, the same for the same place; None where none can be made."""
        if name in self._known and _is_of(self._known[name], kind):
            return self._known[name]
        try:
            chance = Random(place)  # noqa: S311  (made-up data must be repeatable, not unpredictable)
            return Generator.build(kind).make(chance, now=self._now, echo=self._known)
        except CannotMake:
            return None


def fields_of(endpoint: str, shape: Shape, examples: Examples) -> list[Field]:
    """The fields of the form, in the order of path, query, variables and body."""
    found = [_parameter(endpoint, p, examples) for p in (*shape.of("path"), *shape.of("query"))]
    for variable in shape.of("variable"):
        found += _variable(endpoint, variable, examples)
    if shape.body is not None:
        example = examples.of(shape.body.name, shape.body.type, f"{endpoint} body")
        plain = msgspec.to_builtins(example) if example is not None else {}
        found += _body(mi.type_info(shape.body.type), "/body", plain if isinstance(plain, dict) else {})
    return found


def rows_of(kind: Any, name: str = "") -> list[Row]:
    """Every place of a type with its rule; the type itself has no name."""
    if kind is None or kind is Page:
        return []
    rows = [Row(leaf.path or "the answer", describe(leaf.info)[0]) for leaf in leaves(kind, name)]
    return list({row.path: row for row in reversed(rows)}.values())[::-1]


def taken_rows(shape: Shape) -> list[Row]:
    """What an endpoint takes: path, query, variables and body."""
    found: list[Row] = []
    for source in ("path", "query", "variable", "body"):
        for parameter in shape.of(source):
            found += rows_of(_sent(parameter), f"body:{parameter.name}" if source == "body" else parameter.name)
    return found


def _sent(parameter: Parameter) -> Any:
    """The type of what is sent: what may be left out of a document's variables is not there then."""
    members = get_args(parameter.type) if get_origin(parameter.type) in (Union, UnionType) else ()
    kept = [member for member in members if member is not msgspec.UnsetType]
    return Union[tuple(kept)] if kept else parameter.type  # noqa: UP007 # made of what is only known now


def _variable(endpoint: str, parameter: Parameter, examples: Examples) -> Iterator[Field]:
    """A variable of a document; an object that must be sent brings a field for each of its own."""
    kind, pointer = _sent(parameter), f"/variables/{escape(parameter.name)}"
    example = examples.of(parameter.name, kind, f"{endpoint} {parameter.name}")
    plain = msgspec.to_builtins(example)
    info = mi.type_info(kind)
    if isinstance(bare(info), mi.StructType) and parameter.required:
        yield from _body(info, pointer, plain if isinstance(plain, dict) else {}, source="variables")
        return
    yield Field(
        pointer=pointer,
        name=parameter.name,
        source="variables",
        kind=_kind(info),
        required=parameter.required,
        rule=describe(info)[0],
        example=_text(plain),
        filled=parameter.required,
        choices=_choices(info),
    )


def _parameter(endpoint: str, parameter: Parameter, examples: Examples) -> Field:
    needed = parameter.required or parameter.source == "path"
    example = examples.of(parameter.name, parameter.type, f"{endpoint} {parameter.name}")
    info = mi.type_info(parameter.type)
    many = parameter.many
    return Field(
        pointer=f"/{parameter.source}/{escape(parameter.name)}",
        name=parameter.name,
        source=parameter.source,
        kind="json" if many else _kind(info),
        required=needed,
        rule=describe(info)[0],
        example=_text(msgspec.to_builtins(example)),
        filled=needed,
        choices=_choices(info),
        default="" if parameter.default in (REQUIRED, None) else _text(msgspec.to_builtins(parameter.default)),
    )


def _body(info: Any, pointer: str, example: Mapping[str, Any], depth: int = 0, source: str = "body") -> Iterator[Field]:
    """The fields of an object; an object within it brings its own, anything deeper is written as JSON."""
    for field in bare(info).fields:
        name = field.encode_name
        inner = bare(field.type)
        below = f"{pointer}/{escape(name)}"
        value = example.get(name)
        if isinstance(inner, mi.StructType) and depth < _DEEPEST and field.required:
            yield from _body(inner, below, value if isinstance(value, dict) else {}, depth + 1, source)
            continue
        yield Field(
            pointer=below,
            name=".".join(below.split("/")[2:]),
            source=source,
            kind=_kind(field.type),
            required=field.required,
            rule=describe(field.type)[0],
            example=_text(value),
            filled=field.required,
            choices=_choices(field.type),
            default=_default(field),
        )


def _default(field: mi.Field) -> str:
    if field.default is msgspec.NODEFAULT or field.default is None:
        return ""
    return _text(msgspec.to_builtins(field.default))


def _kind(info: Any) -> FieldKind:
    match bare(info):
        case mi.BoolType():
            return "boolean"
        case mi.IntType() | mi.FloatType():
            return "number"
        case mi.EnumType() | mi.LiteralType() if _choices(info):
            return "choice"
        case mi.UnionType(types=members):
            kinds = {_kind(member) for member in members if not isinstance(member, mi.NoneType)}
            return kinds.pop() if len(kinds) == 1 else "json"
        case (
            mi.StructType()
            | mi.DictType()
            | mi.ListType()
            | mi.SetType()
            | mi.FrozenSetType()
            | mi.VarTupleType()
            | mi.TupleType()
            | mi.LiteralType()
            | mi.EnumType()
        ):
            return "json"
    return "text"


def _choices(info: Any) -> list[str]:
    """The texts that may be sent, if they are texts all."""
    match bare(info):
        case mi.EnumType(cls=cls):
            values = [member.value for member in cls]
        case mi.LiteralType(values=listed):
            values = list(listed)
        case mi.UnionType(types=members):
            return next((found for member in members if (found := _choices(member))), [])
        case _:
            return []
    return values if all(isinstance(value, str) for value in values) else []


def _text(value: Any) -> str:
    """A plain value as a person would type it."""
    if value is None:
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _is_of(value: Any, kind: Any) -> bool:
    try:
        msgspec.convert(value, kind)
    except (TypeError, ValueError):
        return False
    return True
