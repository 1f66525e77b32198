"""The schema: the endpoints of a BFF are the fields of Query and Mutation, and their types are those of the answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import strawberry
from graphql import GraphQLSchema, print_schema
from strawberry.schema.config import StrawberryConfig

from narrows.declare.bff import Bff
from narrows.declare.endpoint import Endpoint, Kind
from narrows.declare.shape import Parameter, Shape, ShapeError, endpoint_shape
from narrows.errors import StartRefused
from narrows.surfaces.graphql.added import Added, added_by
from narrows.surfaces.graphql.finishing import finish
from narrows.surfaces.graphql.naming import Names, Place
from narrows.surfaces.graphql.scalars import NAMES, SCALARS
from narrows.surfaces.graphql.types import Extra, Types

_TAKEN = ("path", "query", "body")


class Root(msgspec.Struct, frozen=True, eq=False):
    """A field of Query or Mutation: the endpoint that resolves it, and its shape."""

    endpoint: Endpoint
    shape: Shape

    @property
    def parameters(self) -> list[Parameter]:
        """The arguments of the field."""
        return [parameter for parameter in self.shape.parameters.values() if parameter.source in _TAKEN]


class Schema(msgspec.Struct, frozen=True, eq=False):
    """The schema as graphql-core knows it, and what Narrows knows of it.

    `roots` are the fields of Query and Mutation by name, `structs` the output types by their names in GraphQL, `unions`
    those that are one of several Structs, and `added` the fields that the team adds, by type and name.
    """

    core: GraphQLSchema
    roots: Mapping[str, Root]
    structs: Mapping[str, type[msgspec.Struct]]
    unions: Mapping[str, tuple[type[msgspec.Struct], ...]] = {}
    added: Mapping[tuple[str, str], Added] = {}

    @property
    def joins(self) -> dict[tuple[str, str], Added]:
        """The joins by type and name: what one asks for (`uses`) counts once for each place in a document."""
        return {key: added for key, added in self.added.items() if added.uses is not None}

    def type_of(self, struct: type[msgspec.Struct], field: str) -> Any:
        """The type of a field of an object, also of one that was added. Raises `KeyError`."""
        for known in msgspec.structs.fields(struct):
            if known.encode_name == field:
                return known.type
        return self.added[struct.__name__, field].answer

    def arguments_of(self, parent: str, field: str) -> Mapping[str, Parameter]:
        """The arguments of a field of a type, `Query` and `Mutation` included, by name; fields of Structs have none."""
        if parent in ("Query", "Mutation"):
            return {parameter.name: parameter for parameter in self.roots[field].parameters}
        added = self.added.get((parent, field))
        return added.parameters if added is not None else {}

    def sdl(self) -> str:
        """The schema as text, the same for the same declarations (GraphQL, 3.2: the type system's own language)."""
        return print_schema(self.core) + "\n"


def make_schema(bff: Bff) -> Schema:
    """Make the schema of a BFF. Raises `StartRefused` with all that GraphQL cannot express at once."""
    names = Names(NAMES)
    added = added_by(bff, names)
    types = Types(names, _extras(added))
    roots = _roots(bff, names)
    query, mutation = _object("Query", "read", roots, types), _object("Mutation", "write", roots, types)
    if query is None and not names.refusals:
        place = Place(bff.name, bff.where, "Query")
        names.refuse("graphql-empty", place, "it has no read, and GraphQL knows no schema without", "add a @bff.read")
    _refuse_unreachable(added, types)
    if names.refusals:
        raise StartRefused(names.refusals)
    config = StrawberryConfig(auto_camel_case=False, scalar_map=SCALARS)
    made = strawberry.Schema(query=query, mutation=mutation, config=config)
    by_name = {(one.on.__name__, one.name): one for one in added}
    schema = Schema(made._schema, roots, types.structs, types.unions, by_name)
    finish(schema.core, types)
    _show_defaults(schema)
    return schema


def _extras(added: Iterable[Added]) -> dict[type[msgspec.Struct], list[Extra]]:
    extras: dict[type[msgspec.Struct], list[Extra]] = {}
    for one in added:
        extras.setdefault(one.on, []).append(
            Extra(
                name=one.name,
                place=one.place.at(f"{one.on.__name__}.{one.name}"),
                parameters=one.parameters,
                answer=one.answer,
                description=one.description,
                deprecated=one.deprecated,
            )
        )
    return extras


def _roots(bff: Bff, names: Names) -> dict[str, Root]:
    """The endpoints by the names of their functions."""
    roots: dict[str, Root] = {}
    for endpoint in bff.endpoints:
        name = endpoint.id.partition(".")[2]
        place = Place(endpoint.id, endpoint.where, name)
        try:
            shape = endpoint_shape(endpoint)
        except ShapeError as error:
            names.refuse(error.code, place, error.rule, error.remedy)
            continue
        if name in roots:
            names.refuse("graphql-name-twice", place, f"two endpoints are called {name}", "rename one of the functions")
        roots.setdefault(name, Root(endpoint, shape))
    return roots


def _object(name: str, kind: Kind, roots: Mapping[str, Root], types: Types) -> Any:
    """Query or Mutation, as Strawberry has it; None without endpoints of its kind."""
    fields = {
        f"x_{field}": types.field(
            Extra(
                name=field,
                place=Place(root.endpoint.id, root.endpoint.where, field),
                parameters={parameter.name: parameter for parameter in root.parameters},
                answer=root.shape.answer,
                description=root.endpoint.description,
                deprecated=_ageing(root.endpoint),
            )
        )
        for field, root in roots.items()
        if root.endpoint.kind == kind
    }
    return strawberry.type(type(name, (), fields)) if fields else None


def _ageing(endpoint: Endpoint) -> str | None:
    """Why an endpoint should not be used any more; days that cannot be read are refused elsewhere."""
    if endpoint.deprecated is None:
        return None
    gone = f", may be gone from {endpoint.sunset}" if endpoint.sunset else ""
    return f"deprecated from {endpoint.deprecated}{gone}"


def _refuse_unreachable(added: Iterable[Added], types: Types) -> None:
    for one in added:
        if types.structs.get(one.on.__name__) is not one.on:
            rule = f"no endpoint answers {one.on.__name__}, to which {one.name} is added"
            types.names.refuse("graphql-unreachable", one.place, rule, "add it to a type that is answered")


def _show_defaults(schema: Schema) -> None:
    """Show what an argument is when it is left out."""
    for parent in ("Query", "Mutation", *schema.structs):
        core: Any = schema.core.type_map.get(parent)
        for field in core.fields if core is not None else ():
            for name, parameter in schema.arguments_of(parent, field).items():
                if not parameter.required:
                    core.fields[field].args[name].default_value = msgspec.to_builtins(parameter.default)
