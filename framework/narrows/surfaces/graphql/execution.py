"""A document is carried out: its fields are asked of endpoints, side by side in a query, in turn in a mutation.

All that does not depend on the call is made ready at start: the tree is not walked again, and of what endpoints answer
nothing is looked at that stays as it is. graphql-core parses and validates, and carries out nothing: what types there
are is no field of a document.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import product
from typing import Any, NamedTuple

from graphql import (
    DirectiveNode,
    DocumentNode,
    FragmentDefinitionNode,
    OperationDefinitionNode,
    VariableNode,
    Visitor,
    visit,
)

from narrows.call import Call
from narrows.errors import FieldError, InvalidInput
from narrows.surfaces.graphql.adding import Pending
from narrows.surfaces.graphql.arguments import Arguments, Variables, arguments, defaults_of
from narrows.surfaces.graphql.forming import Form, Forming
from narrows.surfaces.graphql.schema import Schema
from narrows.surfaces.graphql.turns import in_turn, side_by_side

Execution = Callable[[Call, Variables], Awaitable[Any]]
_MOST = 4
"""For so many variables in `@skip` and `@include` every plan is made at start: sixteen of them."""


class Asked(NamedTuple):
    """One field of Query or Mutation: the endpoint that it is asked of, with which arguments, and its form."""

    key: str
    endpoint: str
    arguments: Arguments
    form: Form | None


class Planned(NamedTuple):
    """What a document asks for; `keys` are its keys in their order, with the name of the root for `__typename`."""

    keys: Mapping[str, Any]
    asked: Sequence[Asked]


def execution(schema: Schema, document: DocumentNode) -> Execution:
    """What carries out one document; raises the first problem that a field ends in: a document answers whole."""
    planning = _Planning(schema, document)
    conditions = planning.conditions
    some = product((False, True), repeat=len(conditions)) if len(conditions) <= _MOST else ()
    plans = {values: planning.plan(values) for values in some}

    async def carry_out(call: Call, variables: Variables) -> Any:
        values = planning.values(call, variables) if conditions else ()
        plan = plans.get(values) or planning.plan(values)
        answers: dict[str, Any] = {}
        asking = [_ask(call, one, variables, answers) for one in plan.asked]
        try:
            await (in_turn(asking) if planning.in_turn else side_by_side(asking))
        except Exception:
            # All before the one that failed have been answered.
            call.at = (next(one.key for one in plan.asked if one.key not in answers),)
            raise
        return {**plan.keys, **answers}

    return carry_out


async def _ask(call: Call, asked: Asked, variables: Variables, answers: dict[str, Any]) -> None:
    """Ask one field, and put what it answers into `answers`."""
    answer = await call.field(asked.endpoint, asked.arguments(variables))
    answers[asked.key] = answer if asked.form is None else await _formed(call, asked.form, answer, variables)


async def _formed(call: Call, form: Form, answer: Any, variables: Variables) -> Any:
    """An answer with what is added to it: level by level, each place for all of its parents at once."""
    pending: Pending = {}
    formed = form(answer, pending)
    while pending:
        level, pending = pending, {}
        asking = [place.answers(call, variables, [parent for parent, _ in waiting]) for place, waiting in level.items()]
        for (place, waiting), answers in zip(level.items(), await side_by_side(asking), strict=True):
            place.put(answers, waiting, pending)
    return formed


class _Planning:
    """Makes the plans of one document: one for each way in which its conditions may turn out."""

    def __init__(self, schema: Schema, document: DocumentNode) -> None:
        self._schema = schema
        self._operation = next(one for one in document.definitions if isinstance(one, OperationDefinitionNode))
        self._fragments = {
            one.name.value: one for one in document.definitions if isinstance(one, FragmentDefinitionNode)
        }
        self._defaults = defaults_of(schema, self._operation)
        self.conditions = _conditions(document)
        self.in_turn = self._operation.operation.value == "mutation"

    def plan(self, values: tuple[bool, ...]) -> Planned:
        """The plan for these values of the conditions."""
        root: Any = self._schema.core.get_root_type(self._operation.operation)
        conditions = dict(zip(self.conditions, values, strict=True))
        forming = Forming(self._schema, self._fragments, self._defaults, conditions)
        chosen = forming.fields(root, [self._operation.selection_set])
        asked = [
            Asked(
                key,
                self._schema.roots[name].endpoint.id,
                arguments(root.fields[name].args, one.node, self._defaults),
                forming.of(root.fields[name].type, one.selections),
            )
            for key, one in chosen.items()
            if (name := one.node.name.value) != "__typename"
        ]
        return Planned(dict.fromkeys(chosen, root.name), asked)

    def values(self, call: Call, variables: Variables) -> tuple[bool, ...]:
        """The values of the conditions in one call. Raises `InvalidInput` for one that is null."""
        given = {**self._defaults, **variables}
        found: tuple[Any, ...] = tuple(given.get(name) for name in self.conditions)
        if None in found:
            name = self.conditions[found.index(None)]
            problem = InvalidInput(errors=[FieldError(f"/variables/{name}", "It is true or false.", "Send true.")])
            call.raised.append(problem)
            raise problem
        return found


def _conditions(document: DocumentNode) -> tuple[str, ...]:
    """The variables that `@skip` and `@include` name, each once."""
    found: dict[str, None] = {}

    class Finding(Visitor):
        def enter_directive(self, node: DirectiveNode, *_: Any) -> None:
            found.update(
                {one.value.name.value: None for one in node.arguments or () if isinstance(one.value, VariableNode)}
            )

    visit(document, Finding())
    return tuple(found)
