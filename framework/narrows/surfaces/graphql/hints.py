"""The types of Python behind the fields and arguments of a schema."""

from __future__ import annotations

import types as python
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

import msgspec

from narrows.declare.upstream import Times
from narrows.surfaces.graphql.schema import Schema

NOTHING = (type(None), msgspec.UnsetType)
LISTS = (list, tuple, set, frozenset)
ROOTS = ("Query", "Mutation")


class Place(NamedTuple):
    """Where a value goes: its type, and whether it may be null there."""

    hint: Any
    null: bool


class Hints:
    """Finds the type of what a schema names."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._names = {struct: name for name, struct in schema.structs.items()}

    def field(self, parent: str, name: str) -> Any:
        """The type of a field of an object."""
        if parent in ROOTS:
            return self._schema.roots[name].shape.answer
        return self._schema.type_of(self._schema.structs[parent], name)

    def arguments(self, parent: str, name: str) -> Mapping[str, Place]:
        """Where the arguments of a field go."""
        parameters = self._schema.arguments_of(parent, name).values()
        return {p.name: Place(p.type, not p.required and p.default is None) for p in parameters}

    def sends(self, parent: str, name: str) -> tuple[Times, ...]:
        """What a field sends by itself each time that it stands in a document: nothing, unless it is a join."""
        added = self._schema.joins.get((parent, name))
        return () if added is None else tuple(Times(o, count) for o, count in (added.uses or {}).items())

    def name_of(self, struct: Any) -> str:
        """The name of a type of objects in the schema."""
        return self._names[struct]


def own_fields(struct: Any) -> dict[str, msgspec.structs.FieldInfo]:
    """The fields of a Struct as JSON names them."""
    return {field.encode_name: field for field in msgspec.structs.fields(struct)}


def bare(hint: Any) -> Any:
    """A type without its metadata."""
    return get_args(hint)[0] if get_origin(hint) is Annotated else hint


def alternatives(hint: Any) -> Sequence[Any]:
    """The types that a value may be of, with their metadata."""
    return get_args(hint) if get_origin(hint) in (Union, python.UnionType) else (hint,)


def members(hint: Any) -> list[Any]:
    """The types that a value may be of, without metadata and null."""
    if get_origin(hint) is Annotated:
        return members(bare(hint))
    if get_origin(hint) in (Union, python.UnionType):
        return [member for one in get_args(hint) for member in members(one)]
    return [] if hint in NOTHING else [hint]


def takes_null(hint: Any) -> bool:
    """Whether a value may be null in an answer, where what may be absent is null."""
    inner = bare(hint)
    return inner in NOTHING or (len(alternatives(inner)) > 1 and any(map(takes_null, alternatives(inner))))


def most_items(hint: Any) -> int | None:
    """How many items a list may have; None if nothing says so."""
    metas = [meta for one in alternatives(hint) for meta in getattr(one, "__metadata__", ())]
    return next((meta.max_length for meta in metas if isinstance(meta, msgspec.Meta) and meta.max_length), None)


def item(hint: Any) -> Any:
    """The type of the items of a list; None for what is no list of one type."""
    lists = [member for member in members(hint) if get_origin(member) in LISTS]
    return get_args(lists[0])[0] if len(lists) == 1 else None


def struct_of(hint: Any) -> Any:
    """The one type of objects that a value may be; None if there is none, or several."""
    found = [member for member in members(hint) if is_struct(member)]
    return found[0] if len(found) == 1 else None


def is_struct(hint: Any) -> bool:
    """Whether a type is one of objects."""
    base = get_origin(hint) or hint
    return isinstance(base, type) and issubclass(base, msgspec.Struct)
