"""What Strawberry made is told what msgspec knows: defaults as clients would write them, and enums of plain texts.

Nothing here resolves a field: documents are carried out by `execution.py`, and graphql-core only validates them.
"""

from __future__ import annotations

from typing import Any

from graphql import GraphQLEnumType, GraphQLInputObjectType, GraphQLSchema

from narrows.surfaces.graphql.scalars import same
from narrows.surfaces.graphql.types import Types


def finish(core: GraphQLSchema, types: Types) -> None:
    """Finish the types of a schema."""
    for name, kind in core.type_map.items():
        match kind:
            case GraphQLEnumType() if name in types.enums:
                _plain(kind)
            case GraphQLInputObjectType():
                for field in kind.fields.keys() & types.defaults.get(name, {}):
                    kind.fields[field].default_value = types.defaults[name][field]


def _plain(kind: Any) -> None:
    """Let an enum be its texts: Strawberry would make members of a class of its own of them."""
    kind.wrapped_cls = kind.coerce_input_value = kind.coerce_output_value = same
