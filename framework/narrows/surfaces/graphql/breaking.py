"""What a change of the schema breaks: which documents do not fit any more, and which would be answered otherwise."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec
from graphql import (
    ArgumentNode,
    FieldNode,
    GraphQLError,
    GraphQLInputObjectType,
    GraphQLSchema,
    Node,
    TypeInfo,
    TypeInfoVisitor,
    VariableDefinitionNode,
    Visitor,
    assert_valid_schema,
    build_schema,
    find_breaking_changes,
    find_dangerous_changes,
    get_named_type,
    parse,
    type_from_ast,
    validate,
    visit,
)

from narrows.surfaces.graphql.manifest import ManifestError

# A change names what changed as `Type.field` or `Type.field(argument:)`.
_PLACE = re.compile(r"\b(?P<type>[A-Za-z_]\w*)\.(?P<field>[A-Za-z_]\w*)(?:\((?P<argument>\w+):\))?")


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A change of the schema, in words; one that breaks nobody for certain may still surprise."""

    said: str
    breaking: bool


class Broken(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with a document, and in which line of it."""

    line: int
    said: str


def schema_of(text: str, where: str) -> GraphQLSchema:
    """A schema that was saved as text. Raises `ManifestError`."""
    try:
        made = build_schema(text)
        assert_valid_schema(made)
    except (GraphQLError, TypeError) as error:
        # A schema that does not hold is a TypeError of graphql-core, whose message lists why.
        said = ascii(str(error).splitlines()[0][:300])[1:-1]
        raise ManifestError(f"{where}: no schema ({said}). Remedy: save one with narrows graphql schema.") from None
    return made


def changes(before: GraphQLSchema, after: GraphQLSchema) -> list[Change]:
    """What changed between two schemas, as far as a client may notice; what breaks comes first."""
    return [
        *(Change(said=one.description, breaking=True) for one in find_breaking_changes(before, after)),
        *(Change(said=one.description, breaking=False) for one in find_dangerous_changes(before, after)),
    ]


def broken(source: str, after: GraphQLSchema, before: GraphQLSchema | None, found: Iterable[Change]) -> list[Broken]:
    """What of a document does not hold any more under a schema.

    A document that still fits is broken too, if what it uses of the schema `before` is what was changed: its answers
    would come in another type, or values that were taken would be refused.
    """
    try:
        tree = parse(source)
    except GraphQLError as error:
        return [Broken(line=_line(error), said=error.message)]
    told = [Broken(line=_line(error), said=error.message) for error in validate(after, tree)]
    if before is not None and not validate(before, tree):
        types = TypeInfo(before)
        using = _Using(before, types)
        visit(tree, TypeInfoVisitor(types, using))
        lines = {one.line for one in told}
        told += (one for one in _touched(using.places, found) if one.line not in lines)
    return sorted(told, key=lambda one: one.line)


def _touched(places: Mapping[str, int], found: Iterable[Change]) -> Iterator[Broken]:
    for change in found:
        named = _PLACE.search(change.said)
        if not change.breaking or named is None:
            continue
        place = f"{named['type']}.{named['field']}" + (f"({named['argument']})" if named["argument"] else "")
        # Of an input everything may be sent, and what is new in it may have to be.
        line = places.get(place) or places.get(f"input {named['type']}")
        if line is not None:
            yield Broken(line=line, said=change.said)


class _Using(Visitor):
    """Puts down what a sound document uses of a schema, and in which line first: fields, arguments, types of inputs."""

    def __init__(self, schema: GraphQLSchema, types: TypeInfo) -> None:
        super().__init__()
        self.places: dict[str, int] = {}
        self._schema = schema
        self._types = types
        self._field = ""

    def enter_field(self, node: FieldNode, *_: Any) -> None:
        """A field of a type; its arguments come next."""
        self._field = f"{self._types.get_parent_type()}.{node.name.value}"
        self.places.setdefault(self._field, _at(node))

    def enter_argument(self, node: ArgumentNode, *_: Any) -> None:
        """An argument of a field; those of `@skip` and `@include` do not change."""
        argument: Any = self._types.get_argument()
        if self._types.get_directive() is None:
            self.places.setdefault(f"{self._field}({node.name.value})", _at(node))
            self._input(get_named_type(argument.type), _at(node))

    def enter_variable_definition(self, node: VariableDefinitionNode, *_: Any) -> None:
        """A variable, into which anything may be put that its type takes."""
        self._input(get_named_type(type_from_ast(self._schema, node.type)), _at(node))

    def _input(self, kind: Any, line: int) -> None:
        """An input type, and those within it."""
        if f"input {kind.name}" in self.places:
            return
        self.places[f"input {kind.name}"] = line
        if isinstance(kind, GraphQLInputObjectType):
            for field in kind.fields.values():
                self._input(get_named_type(field.type), line)


def _at(node: Node) -> int:
    place: Any = node.loc  # which what was parsed always has
    line: int = place.start_token.line
    return line


def _line(error: GraphQLError) -> int:
    places: Any = error.locations  # which faults of a document always have
    line: int = places[0].line
    return line
