"""Text that was not registered, for `narrows dev` alone: it is made ready like a document, without guards of its own.

It has the bounds of a document, its fields are child calls that their own guards decide on, and it draws on their rates
and budgets. A developer may ask for the schema too, which is told nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from graphql import OperationType, execute_sync

from narrows.call import Call, Page
from narrows.declare.document import Graphql
from narrows.declare.endpoint import Endpoint
from narrows.errors import FieldError, InvalidInput, Refusal, StartRefused
from narrows.pipeline.fields import CAP
from narrows.pipeline.strictjson import parse
from narrows.plan import Plan
from narrows.plan.entries import Entry
from narrows.surfaces.declaring import Declaring
from narrows.surfaces.graphql.accepting import RESPONSE
from narrows.surfaces.graphql.documents import ad_hoc_endpoint, parsed_of
from narrows.surfaces.graphql.gate import PATH
from narrows.surfaces.graphql.protocol import Wanted, other_operation
from narrows.surfaces.graphql.schema import Schema
from narrows.surfaces.graphql.selection import Selecting
from narrows.surfaces.graphql.source import Parsed, Source

KEPT = 32
"""How many texts stay ready: those that a page asks for again and again."""
_SCHEMA = ("__schema", "__type")


class Ready(msgspec.Struct, frozen=True):
    """A text that is ready, and the name of its operation."""

    entry: Entry
    operation: str | None


class AdHoc:
    """Makes entries of texts, and keeps the latest."""

    def __init__(self, plan: Plan, surface: Graphql, schema: Schema) -> None:
        self._plan = plan
        self._surface = surface
        self._schema = schema
        self._ready: dict[str, Ready] = {}

    def entry(self, wanted: Wanted, text: str) -> Entry:
        """The entry of a text. Raises `InvalidInput` with each reason why there is none, and its place in the text."""
        ready = self._ready.pop(text, None) or self._make(wanted.place, text)
        self._ready[text] = ready
        while len(self._ready) > KEPT:
            self._plan.forget(self._ready.pop(next(iter(self._ready))).entry)
        if wanted.operation not in (None, ready.operation):
            raise InvalidInput(errors=[other_operation(wanted.place)])
        return ready.entry

    def _make(self, place: str, text: str) -> Ready:
        source = Source.unregistered(self._plan.bff.name, text)
        try:
            parsed = parsed_of(source, self._surface, self._schema)
            endpoint = self._endpoint(source, parsed) if parsed is not None else None
            if parsed is None or endpoint is None:
                raise StartRefused(source.refusals)
            name = parsed.operation.name
            return Ready(self._plan.improvise(endpoint), name.value if name is not None else None)
        except StartRefused as refused:
            raise InvalidInput(errors=_told(place, refused.refusals)) from None
        except RecursionError:
            wrong = FieldError(f"{place}/query", "It nests too deep to be read.", "Ask for less.")
            raise InvalidInput(errors=[wrong]) from None

    def _endpoint(self, source: Source, parsed: Parsed) -> Endpoint | None:
        asked = [one.name for one in Selecting(self._schema, parsed).roots()]
        if all(name.startswith("__") for name in asked):
            return _introspection(self._schema, parsed, self._plan.settings.limits.json_depth)
        if any(name in _SCHEMA for name in asked):
            rule = "it asks for data and for the schema at once"
            source.refuse("document-invalid", rule, "ask for the schema apart", parsed.operation)
            return None
        return ad_hoc_endpoint(self._plan.bff.name, self._schema, self._surface, source, parsed)


def _told(place: str, refusals: Iterable[Refusal]) -> list[FieldError]:
    """The reasons as a client reads them; those about the text as a whole have no place in it."""
    return [
        FieldError(f"{place}/query", f"{_at(one)}{_sentence(one.rule)}", f"{one.remedy[:1].upper()}{one.remedy[1:]}.")
        for one in list(refusals)[:CAP]
    ]


def _sentence(said: str) -> str:
    """It ends once; graphql-core asks `Did you mean …?` too."""
    return said if said.endswith((".", "?")) else f"{said}."


def _at(refusal: Refusal) -> str:
    where = refusal.where.split(":")
    return f"Line {where[1]}, column {where[2]}: " if len(where) == 3 else ""


def _introspection(schema: Schema, parsed: Parsed, depth: int) -> Endpoint:
    """What tells of the schema and of nothing else, to whoever holds a token: an endpoint of Narrows."""

    async def introspection(call: Call) -> Page:
        """Tell of the schema."""
        result = execute_sync(schema.core, parsed.tree, variable_values=_variables(call, depth))
        if result.errors:
            wrong = [FieldError("/variables", one.message, "Send what the text asks for.") for one in result.errors]
            raise InvalidInput(errors=wrong[:CAP])
        posed = call.raw.posed
        return Page(msgspec.json.encode({"data": result.data}), posed.media if posed is not None else RESPONSE)

    writes = parsed.operation.operation is OperationType.MUTATION
    own = Declaring()
    own.add(
        PATH, introspection, kind="write" if writes else "read", method="POST", owned=True, problems=(InvalidInput,)
    )
    return own.endpoints[0]


def _variables(call: Call, depth: int) -> dict[str, object]:
    found: list[FieldError] = []
    values = parse(call.raw.variables or b"{}", depth, found, "/variables")
    if found or not isinstance(values, dict):
        raise InvalidInput(errors=found or [FieldError("/variables", "It must be an object.", "Send a JSON object.")])
    return values
