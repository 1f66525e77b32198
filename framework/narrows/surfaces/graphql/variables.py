"""The variables of a document: their types are those of all places where they stand, and literals hold there too."""

from __future__ import annotations

import keyword
from typing import Any

import msgspec
from graphql import (
    ArgumentNode,
    DirectiveNode,
    FieldNode,
    ListValueNode,
    NonNullTypeNode,
    ObjectValueNode,
    TypeInfo,
    TypeInfoVisitor,
    ValueNode,
    VariableDefinitionNode,
    VariableNode,
    Visitor,
    value_from_ast_untyped,
    visit,
)

from narrows.declare.types import Input
from narrows.surfaces.graphql.hints import Hints, Place, item, own_fields, struct_of, takes_null
from narrows.surfaces.graphql.schema import Schema
from narrows.surfaces.graphql.source import Parsed, Source

_NO = object()


class Variables(msgspec.Struct, frozen=True):
    """What variables are decoded by, what else they must be, and what stands for those that were not sent."""

    kind: type[msgspec.Struct]
    also: dict[str, tuple[Any, ...]]
    defaults: dict[str, Any]


def variables_of(schema: Schema, source: Source, parsed: Parsed) -> Variables:
    """The types of the variables of a document; what does not hold is refused of `source`."""
    places = _Places(schema, source)
    info = TypeInfo(schema.core)
    visit(parsed.tree, TypeInfoVisitor(info, _Visitor(places, info)))
    fields: list[Any] = []
    also: dict[str, tuple[Any, ...]] = {}
    defaults: dict[str, Any] = {}
    for one in parsed.operation.variable_definitions or ():
        name = one.variable.name.value
        if keyword.iskeyword(name) or name.startswith("_"):
            source.refuse("document-variable", f"`${name}` is no name for a variable", f"rename `${name}`", one)
            continue
        hints = places.found.get(name)
        if hints is None:
            # A place that is itself refused, or no place at all, which validation tells.
            continue
        kinds = list(dict.fromkeys(map(_nullable if _takes_null(one, hints) else _hint, hints)))
        fields.append(_field(one, name, kinds[0]))
        also |= {name: tuple(kinds[1:])} if kinds[1:] else {}
        if one.default_value is not None:
            defaults |= places.default(name, one.default_value, kinds)
    kind = msgspec.defstruct(f"{source.name}.variables", fields, bases=(Input,), kw_only=True)
    return Variables(kind, also, defaults)


def _hint(place: Place) -> Any:
    return place.hint


def _nullable(place: Place) -> Any:
    return place.hint if takes_null(place.hint) else place.hint | None


def _takes_null(one: VariableDefinitionNode, places: list[Place]) -> bool:
    """Whether a variable may be null: it says so, and so does each of its places."""
    return not isinstance(one.type, NonNullTypeNode) and all(place.null for place in places)


def _field(one: VariableDefinitionNode, name: str, kind: Any) -> Any:
    if isinstance(one.type, NonNullTypeNode) and one.default_value is None:
        return name, kind
    return name, kind | msgspec.UnsetType, msgspec.UNSET


class _Places:
    """Where variables stand, and whether the literals beside them hold."""

    def __init__(self, schema: Schema, source: Source) -> None:
        self._hints = Hints(schema)
        self._source = source
        self.found: dict[str, list[Place]] = {}

    def arguments(self, parent: str, node: FieldNode) -> None:
        """Look at the arguments of a field."""
        if node.arguments:
            places = self._hints.arguments(parent, node.name.value)
            for argument in node.arguments:
                self._value(argument.value, places[argument.name.value], f"`{argument.name.value}`")

    def directive(self, argument: ArgumentNode) -> None:
        """Look at the argument of `@skip` or `@include`."""
        self._value(argument.value, Place(bool, False), f"`{argument.name.value}`")

    def default(self, name: str, value: ValueNode, kinds: list[Any]) -> dict[str, Any]:
        """What a variable stands for that was not sent; its type is that of all places."""
        made = [self._literal(value, kind, f"the default of `${name}`") for kind in kinds]
        return {} if _NO in made else {name: made[0]}

    def _value(self, value: ValueNode, place: Place, said: str) -> None:
        """Judge a value; what of it a client sends is kept with its place."""
        if isinstance(value, VariableNode):
            self.found.setdefault(value.name.value, []).append(place)
        elif isinstance(value, ObjectValueNode) and (struct := struct_of(place.hint)) is not None and _is_open(value):
            own = own_fields(struct)
            for field in value.fields:
                name = field.name.value
                inner = own[name].type
                self._value(field.value, Place(inner, takes_null(inner)), f"{said}.`{name}`")
        elif isinstance(value, ListValueNode) and (kind := item(place.hint)) is not None and _is_open(value):
            for one in value.values:
                self._value(one, Place(kind, takes_null(kind)), said)
        elif _is_open(value):
            rule = f"{said} holds a variable where nothing says of which type it is"
            self._source.refuse("document-variable", rule, "make a variable of the whole argument", value)
        else:
            self._literal(value, _nullable(place) if place.null else place.hint, said)

    def _literal(self, value: ValueNode, kind: Any, said: str) -> Any:
        """The value of a literal; one that no client could send is refused."""
        try:
            return msgspec.convert(value_from_ast_untyped(value), kind)
        except (ValueError, OverflowError) as error:
            remedy = "write a value of its type, as a client would send it: a list as a list, an id of digits as text"
            self._source.refuse("document-literal", f"{said} does not hold ({error})", remedy, value)
            return _NO


def _is_open(value: ValueNode) -> bool:
    """Whether a variable stands somewhere in a value."""
    match value:
        case VariableNode():
            return True
        case ListValueNode():
            return any(map(_is_open, value.values))
        case ObjectValueNode():
            return any(_is_open(field.value) for field in value.fields)
    return False


class _Visitor(Visitor):
    """Hands over each argument of a document."""

    def __init__(self, places: _Places, info: TypeInfo) -> None:
        super().__init__()
        self._places = places
        self._info = info

    def enter_field(self, node: FieldNode, *_: Any) -> None:
        """A field, with the type that has it."""
        parent: Any = self._info.get_parent_type()
        self._places.arguments(parent.name, node)

    def enter_directive(self, node: DirectiveNode, *_: Any) -> None:
        """`@skip` and `@include`; validation knows no other."""
        for argument in node.arguments or ():
            self._places.directive(argument)
