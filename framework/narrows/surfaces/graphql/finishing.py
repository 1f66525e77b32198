"""What Strawberry made is given its resolvers: endpoints for root fields, plain attributes, and what a team added.

Strawberry would make objects of its own of arguments and look for its own types in answers. Here arguments are decoded
by the types of msgspec, and answers are Structs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
)

from narrows.surfaces.graphql.added import Added
from narrows.surfaces.graphql.joins import Resolver, join_resolver, plain_resolver
from narrows.surfaces.graphql.scalars import same
from narrows.surfaces.graphql.types import Types


def finish(core: GraphQLSchema, types: Types, roots: Mapping[str, str], added: Mapping[tuple[str, str], Added]) -> None:
    """Give every type what it does; `roots` are the ids of endpoints by root field."""
    for name, kind in core.type_map.items():
        match kind:
            case GraphQLObjectType():
                _object(kind, types.structs.get(name), roots, added)
            case GraphQLUnionType():
                _set(kind, resolve_type=_names(types.unions[name]))
            case GraphQLEnumType() if name in types.enums:
                # Literals of documents are judged once, at start; values have been decoded by msgspec.
                _set(kind, wrapped_cls=same, coerce_input_value=same, coerce_output_value=same)
            case GraphQLInputObjectType():
                for field in kind.fields.keys() & types.defaults.get(name, {}):
                    kind.fields[field].default_value = types.defaults[name][field]


def _set(kind: Any, **values: Any) -> None:
    for name, value in values.items():
        setattr(kind, name, value)


def _object(
    kind: GraphQLObjectType,
    struct: type[msgspec.Struct] | None,
    roots: Mapping[str, str],
    added: Mapping[tuple[str, str], Added],
) -> None:
    """Give an object its resolvers: Query and Mutation are no Structs, and those of introspection have their own."""
    if struct is None:
        for name in kind.fields.keys() & roots if kind.name in ("Query", "Mutation") else ():
            kind.fields[name].resolve = _asks(roots[name])
        return
    kind.is_type_of = None
    attributes = {field.encode_name: field.name for field in msgspec.structs.fields(struct)}
    for name, field in kind.fields.items():
        if name in attributes:
            field.resolve = _reads(attributes[name])
            continue
        one = added[kind.name, name]
        field.resolve = plain_resolver(one) if one.uses is None else join_resolver(one)


def _reads(attribute: str) -> Resolver:
    def resolve(parent: Any, _: Any) -> Any:
        return getattr(parent, attribute)

    return resolve


def _asks(endpoint: str) -> Resolver:
    async def resolve(_: Any, info: Any, **arguments: Any) -> Any:
        return await info.context.field(endpoint, arguments)

    return resolve


def _names(structs: tuple[type[msgspec.Struct], ...]) -> Callable[..., str]:
    """What a value of a union is called: a Struct of a subclass is narrowed to what it derives from."""

    def resolve(value: Any, *_: Any) -> str:
        return next(struct.__name__ for struct in structs if isinstance(value, struct))

    return resolve
