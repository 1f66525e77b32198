"""The JSON Schemas of what endpoints take and answer, made by msgspec from the types that also decode it."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from narrows.call import Page
from narrows.declare.endpoint import Endpoint
from narrows.plan.entries import Entry

Schema = dict[str, Any]
Place = tuple[str, str]

ANSWER = "return"
VARIABLES = "variables"
_REF = "#/components/schemas/{name}"


class Schemas:
    """The schema of every input and answer; types with a name of their own stand once, in `components`."""

    def __init__(self, entries: Iterable[Entry], problem: type) -> None:
        """Make all at once, so that two types of one name get different ones. `problem` is that of error answers."""
        places = [place for entry in entries for place in _places(entry)]
        # A list beside a list: a type whose Meta holds `extra` cannot be the key of a dictionary.
        made, components = msgspec.json.schema_components((problem, *(kind for _, kind in places)), ref_template=_REF)
        self.problem: Schema = made[0]
        self._by_place = dict(zip((place for place, _ in places), made[1:], strict=True))
        self.components = {name: _folded(schema) for name, schema in sorted(components.items())}

    def of(self, endpoint: Endpoint, name: str) -> Schema:
        """The schema of one parameter of an endpoint, of a document's `VARIABLES` together, or of its `ANSWER`."""
        return self._by_place[endpoint.id, name]


def _places(entry: Entry) -> Iterator[tuple[Place, Any]]:
    """What a client sends to and reads from an endpoint."""
    shape, endpoint = entry.shape, entry.endpoint
    for parameter in (*shape.of("path"), *shape.of("query"), *shape.of("body")):
        yield (endpoint.id, parameter.name), parameter.type
    if endpoint.document is not None:
        yield (endpoint.id, VARIABLES), endpoint.document.variables
    if shape.answer not in (None, Page):
        yield (endpoint.id, ANSWER), shape.answer


def _folded(schema: Schema) -> Schema:
    """The same schema, the indentation of its docstring folded."""
    return schema | {"description": inspect.cleandoc(schema["description"])} if "description" in schema else schema
