"""BFFs whose endpoints answer and take whatever a test says."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import pytest

from narrows import Bff, Id
from narrows.errors import Refusal, StartRefused
from narrows.surfaces.graphql.schema import Schema, make_schema
from tests.flow.minimal import FACTS, without

EMPTY = inspect.Parameter.empty


def function(name: str, answer: Any, arguments: Mapping[str, Any] | None = None) -> Any:
    """A handler; an argument is a type, or a type and its default."""

    async def handler(**_: Any) -> Any: ...

    pairs = {key: one if isinstance(one, tuple) else (one, EMPTY) for key, one in (arguments or {}).items()}
    handler.__name__ = handler.__qualname__ = name
    handler.__doc__ = f"What is called {name}."
    handler.__annotations__ = {**{key: kind for key, (kind, _) in pairs.items()}, "return": answer}
    handler.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, default=default) for key, (_, default) in pairs.items()]
    )
    return handler


def bff_of(answer: Any = str, arguments: Mapping[str, Any] | None = None, *, body: Any = None, **over: Any) -> Bff:
    """A BFF with the read `found`, and with the write `put` if there is a body."""
    bff = Bff("lunch", **FACTS)
    bff.read("/teams/{team_id}", **without(**over))(function("found", answer, {"team_id": Id, **(arguments or {})}))
    if body is not None:
        bff.write("/teams/{team_id}", **without())(function("put", None, {"team_id": Id, "sent": body}))
    bff.graphql()
    return bff


def schema_of(answer: Any = str, arguments: Mapping[str, Any] | None = None, **over: Any) -> Schema:
    """The schema of such a BFF."""
    return make_schema(bff_of(answer, arguments, **over))


def refused(answer: Any = str, arguments: Mapping[str, Any] | None = None, **over: Any) -> list[Refusal]:
    """Why it has none."""
    return refusals(bff_of(answer, arguments, **over))


def refusals(bff: Bff) -> list[Refusal]:
    """Why a BFF has no schema."""
    with pytest.raises(StartRefused) as caught:
        make_schema(bff)
    return list(caught.value.refusals)


def codes(found: list[Refusal]) -> list[str]:
    """Their codes."""
    return [refusal.code for refusal in found]


def type_of(schema: Schema, path: str) -> str:
    """The type of a field, `Query.found`."""
    parent, _, field = path.partition(".")
    kind: Any = schema.core.type_map[parent]
    return str(kind.fields[field].type)
