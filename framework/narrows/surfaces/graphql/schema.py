"""The schema: the endpoints of a BFF are the fields of Query and Mutation, and their types are those of the answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import Parameter as Argument
from inspect import Signature
from typing import Any

import msgspec
import strawberry
from graphql import GraphQLSchema
from strawberry.schema.config import StrawberryConfig

from narrows.declare.bff import Bff
from narrows.declare.endpoint import Endpoint
from narrows.declare.shape import Shape, endpoint_shape
from narrows.surfaces.graphql.types import SCALARS, Types


class Root(msgspec.Struct, frozen=True, eq=False):
    """A field of Query or Mutation: the endpoint that resolves it, and its shape."""

    endpoint: Endpoint
    shape: Shape


class Schema(msgspec.Struct, frozen=True, eq=False):
    """The schema as graphql-core knows it, and what Narrows knows of it."""

    core: GraphQLSchema
    roots: Mapping[str, Root]
    structs: Mapping[str, type[msgspec.Struct]]


def make_schema(bff: Bff) -> Schema:
    """Make the schema of a BFF."""
    types = Types()
    roots = {e.id.partition(".")[2]: Root(e, endpoint_shape(e)) for e in bff.endpoints}
    query = _root("Query", roots, types, "read")
    mutation = _root("Mutation", roots, types, "write")
    made = strawberry.Schema(
        query=query, mutation=mutation, config=StrawberryConfig(auto_camel_case=False, scalar_map=SCALARS)
    )
    core: GraphQLSchema = made._schema
    for parent in filter(None, (core.query_type, core.mutation_type)):
        for name, field in parent.fields.items():
            # Strawberry would make objects of its own of the arguments, which the child call decodes by their types.
            field.resolve = _resolver(roots[name].endpoint.id)
    return Schema(core, roots, types.structs)


def _root(name: str, roots: Mapping[str, Root], types: Types, kind: str) -> Any:
    fields = {
        field: strawberry.field(resolver=_declared(root, types), description=root.endpoint.summary)
        for field, root in roots.items()
        if root.endpoint.kind == kind
    }
    return strawberry.type(type(name, (), fields)) if fields else None


def _declared(root: Root, types: Types) -> Callable[..., Any]:
    """A function with the signature of an endpoint, for Strawberry to read."""

    async def resolve(**_: Any) -> Any: ...

    shape = root.shape
    taken = [p for p in shape.parameters.values() if p.source in ("path", "query", "body")]
    arguments = [
        Argument(
            p.name,
            Argument.KEYWORD_ONLY,
            default=Argument.empty if p.required else strawberry.UNSET,
            annotation=types.input(p.type) if p.required else types.input(p.type) | None,
        )
        for p in taken
    ]
    answer = types.output(shape.answer) if shape.answer is not None else bool
    resolve.__signature__ = Signature(arguments, return_annotation=answer)  # type: ignore[attr-defined]
    resolve.__annotations__ = {a.name: a.annotation for a in arguments} | {"return": answer}
    return resolve


def _resolver(endpoint: str) -> Callable[..., Any]:
    async def resolve(_: Any, info: Any, **arguments: Any) -> Any:
        return await info.context.field(endpoint, arguments)

    return resolve
