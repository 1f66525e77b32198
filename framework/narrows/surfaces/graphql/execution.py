"""A document is carried out: its fields are asked of endpoints, side by side in a query, in turn in a mutation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from graphql import DocumentNode, execute

from narrows.call import Call
from narrows.surfaces.graphql.schema import Schema


def execution(schema: Schema, document: DocumentNode) -> Callable[[Call, Mapping[str, Any]], Any]:
    """What carries out one document; raises the first problem that a field ends in: a document answers whole."""

    async def carry_out(call: Call, variables: Mapping[str, Any]) -> Any:
        plain = msgspec.to_builtins(dict(variables))
        result: Any = execute(schema.core, document, context_value=call, variable_values=plain)
        if hasattr(result, "__await__"):
            result = await result
        if result.errors:
            call.at = tuple(result.errors[0].path or ())
            raise result.errors[0].original_error or result.errors[0]
        return result.data

    return carry_out
