"""The type of a document's answer: what it selects of the answers of endpoints, and nothing else.

A field that `@skip` or `@include` may leave out may be absent; what stands several times under one key is one field.
"""

from __future__ import annotations

import keyword
from collections.abc import Iterator, Sequence
from functools import reduce
from operator import or_
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin

import msgspec
from graphql import BooleanValueNode, DirectiveNode, FieldNode, SelectionNode, SelectionSetNode

from narrows.declare.types import Narrow
from narrows.declare.upstream import Times
from narrows.surfaces.graphql.hints import LISTS, Hints, alternatives, bare, members, most_items, takes_null
from narrows.surfaces.graphql.schema import Schema
from narrows.surfaces.graphql.source import Parsed

Selections = Sequence[tuple[SelectionSetNode, bool]]


class Chosen(NamedTuple):
    """A field as a document selects it; `sure` unless `@skip` or `@include` may leave it out."""

    node: FieldNode
    sure: bool


class Selected(NamedTuple):
    """What a document selects under one key of an object: the same field, however often it stands there."""

    key: str
    name: str
    chosen: Sequence[Chosen]

    @property
    def sure(self) -> bool:
        """Whether it is answered in any case."""
        return any(one.sure for one in self.chosen)

    @property
    def selections(self) -> Selections:
        """What is selected of it; not for sure what one of several places adds that may be left out itself."""
        # Of a single place, what it selects is there whenever the field is.
        alone = len(self.chosen) == 1
        return [(one.node.selection_set, alone or one.sure) for one in self.chosen if one.node.selection_set]


class Case(NamedTuple):
    """A type that a field may have, and what is selected of it; there are several only within unions."""

    hint: Any
    selections: Selections


class Selecting:
    """Reads the selections of one document, and makes types of them."""

    def __init__(self, schema: Schema, parsed: Parsed) -> None:
        self._names: set[str] = set()
        self._core = schema.core
        self._hints = Hints(schema)
        self._parsed = parsed
        self.uses: list[Times] = []
        """What joins send, once for each place; known when the types have been made."""
        self.root = "Mutation" if parsed.operation.operation.value == "mutation" else "Query"

    def roots(self) -> list[Selected]:
        """The fields of Query or Mutation, in their order."""
        return self.of(self.root, [(self._parsed.operation.selection_set, True)])

    def of(self, parent: str, selections: Selections) -> list[Selected]:
        """What is selected of an object of one type, by key."""
        found: dict[str, list[Chosen]] = {}
        for selection, sure in selections:
            for one in self._flat(parent, selection, sure):
                found.setdefault(key_of(one.node), []).append(one)
        return [Selected(key, chosen[0].node.name.value, chosen) for key, chosen in found.items()]

    def _flat(self, parent: str, selection: SelectionSetNode, sure: bool) -> Iterator[Chosen]:
        for node in selection.selections:
            conditions = {_condition(directive) for directive in node.directives or ()}
            certain = sure and None not in conditions
            if False in conditions:
                continue
            if isinstance(node, FieldNode):
                yield Chosen(node, certain)
            elif (inner := self._fragment(node, parent)) is not None:
                yield from self._flat(parent, inner, certain)

    def _fragment(self, node: SelectionNode, parent: str) -> SelectionSetNode | None:
        """What a fragment selects of objects of one type; None if it is one of others."""
        found = self._parsed.fragment(node)
        condition = found.type_condition.name.value if found.type_condition else parent
        wide: Any = self._core.type_map[condition]
        narrow: Any = self._core.type_map[parent]
        return found.selection_set if wide is narrow or self._core.is_sub_type(wide, narrow) else None

    def data(self, name: str) -> type[msgspec.Struct]:
        """The type of the `data` of the operation."""
        return self._struct([(self.root, [(self._parsed.operation.selection_set, True)])], f"{name}_data")

    def _struct(self, parents: Sequence[tuple[str, Selections]], name: str) -> type[msgspec.Struct]:
        """A type of objects for what is selected of one type, or of each that a union has.

        A union becomes one type: what not all of its members have may be absent.
        """
        found: dict[str, list[tuple[str, Selected]]] = {}
        for parent, selections in parents:
            for one in self.of(parent, selections):
                found.setdefault(one.key, []).append((parent, one))
        fields: list[Any] = []
        renamed = {}
        for index, (key, several) in enumerate(found.items()):
            kind = self._field(several, f"{name}_{key}")
            attribute = _attribute(key, index)
            renamed[attribute] = key
            always = len(several) == len(parents) and all(one.sure for _, one in several)
            fields.append((attribute, kind) if always else (attribute, kind | msgspec.UnsetType, msgspec.UNSET))
        return msgspec.defstruct(self._own(name), fields, bases=(Narrow,), kw_only=True, rename=renamed)

    def _own(self, name: str) -> str:
        """A name that no other type of this document has: schemas know types by their names."""
        own = name if name not in self._names else f"{name}_{len(self._names)}"
        self._names.add(own)
        return own

    def _field(self, several: Sequence[tuple[str, Selected]], name: str) -> Any:
        """The type of one field, of each type of objects that has it."""
        if several[0][1].name == "__typename":
            return Literal[tuple(parent for parent, _ in several)]
        for parent, one in several:
            self.uses += self._hints.sends(parent, one.name)
        return self._of([Case(self._hints.field(parent, one.name), one.selections) for parent, one in several], name)

    def _of(self, cases: Sequence[Case], name: str) -> Any:
        """A type with what is selected of it. Whatever may stand under one key is of one form (GraphQL, 5.3.2)."""
        if not cases[0].selections:
            return _together([_answered(case.hint) for case in cases])
        within = [Case(member, case.selections) for case in cases for member in members(case.hint)]
        if any(get_origin(case.hint) in LISTS for case in within):
            items = self._of([Case(get_args(case.hint)[0], case.selections) for case in within], name)
            found = _bounded(list[items], [case.hint for case in cases])  # type: ignore[valid-type]
        else:
            found = self._struct([(self._hints.name_of(case.hint), case.selections) for case in within], name)
        return found | None if any(takes_null(case.hint) for case in cases) else found


def key_of(node: FieldNode) -> str:
    """The name under which a field is answered."""
    return node.alias.value if node.alias else node.name.value


def _answered(hint: Any) -> Any:
    """The type of a value that nothing is selected of; what may be absent in REST is null in GraphQL."""
    return reduce(or_, (None if one is msgspec.UnsetType else one for one in alternatives(hint)))


def _together(hints: Sequence[Any]) -> Any:
    """One type for values of each; bounds that differ are none, since msgspec knows no union of them."""
    if len(set(hints)) == 1:
        return hints[0]
    return reduce(or_, dict.fromkeys(bare(one) for hint in hints for one in alternatives(hint)))


def _bounded(kind: Any, hints: Sequence[Any]) -> Any:
    """A list that may be as long as the longest of those that it stands for."""
    lengths = [most_items(hint) for hint in hints]
    longest = [length for length in lengths if length is not None]
    return Annotated[kind, msgspec.Meta(max_length=max(longest))] if len(longest) == len(lengths) else kind


def _condition(directive: DirectiveNode) -> bool | None:
    """Whether `@skip` or `@include` lets something stand; None where a variable says so. There are no others."""
    [argument] = directive.arguments or ()
    if isinstance(argument.value, BooleanValueNode):
        return argument.value.value is (directive.name.value == "include")
    return None


def _attribute(key: str, index: int) -> str:
    """A name for an attribute of Python; GraphQL allows names that Python, or msgspec, keep for themselves."""
    return f"_{index}" if keyword.iskeyword(key) or key.startswith("_") else key
