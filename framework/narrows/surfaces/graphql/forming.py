"""The answers of endpoints become what a document selects; how, is prepared at start.

What a document takes under its own names is not touched at all: the answer is narrowed by the type that was made of the
selection. Only what has another name, or fields that a team added, is put into objects that have them; nothing is
looked up in the document during a call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any, NamedTuple, Union

import msgspec
from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLList,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLUnionType,
    SelectionNode,
    SelectionSetNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
)

from narrows.surfaces.graphql.adding import AddedPlace, Pending
from narrows.surfaces.graphql.arguments import Variables, arguments
from narrows.surfaces.graphql.schema import Schema

Form = Callable[[Any, Pending], Any]
_encode = msgspec.json.encode


class Chosen(NamedTuple):
    """A field under its key, and the selections of it: several where the document names it several times."""

    node: FieldNode
    selections: list[SelectionSetNode]


class _Taken(NamedTuple):
    """A field that becomes a key: the attribute that it is taken from, or the place where it is added."""

    key: str
    attribute: str | None = None
    form: Form | None = None
    place: AddedPlace | None = None


class Forming:
    """Makes the forms of one document.

    `defaults` are the values of variables that are not sent, `conditions` those of the variables that `@skip` and
    `@include` name.
    """

    def __init__(
        self,
        schema: Schema,
        fragments: Mapping[str, FragmentDefinitionNode],
        defaults: Variables,
        conditions: Mapping[str, bool],
    ) -> None:
        self._schema = schema
        self._fragments = fragments
        self._defaults = defaults
        self._conditions = conditions
        # Where a field may be left out, and within unions, the type of the answer is wider than what is selected.
        self._is_wide = bool(conditions)

    def fields(self, parent: GraphQLObjectType, selections: Sequence[SelectionSetNode]) -> dict[str, Chosen]:
        """What is selected of an object, by key, in its order (GraphQL, 6.3.2)."""
        found: dict[str, Chosen] = {}
        for selection in selections:
            for node in self._flat(parent, selection):
                key = node.alias.value if node.alias else node.name.value
                chosen = found.setdefault(key, Chosen(node, []))
                if node.selection_set is not None:
                    chosen.selections.append(node.selection_set)
        return found

    def _flat(self, parent: GraphQLObjectType, selection: SelectionSetNode) -> Iterator[FieldNode]:
        for node in selection.selections:
            if not self._is_wanted(node):
                continue
            if isinstance(node, FieldNode):
                yield node
                continue
            found: Any = self._fragments[node.name.value] if isinstance(node, FragmentSpreadNode) else node
            if found.type_condition is None or self._applies(found.type_condition.name.value, parent):
                yield from self._flat(parent, found.selection_set)

    def _is_wanted(self, node: SelectionNode) -> bool:
        """What `@skip` and `@include` say; there are no other directives."""
        for directive in node.directives or ():
            (argument,) = directive.arguments or ()
            value: Any = argument.value
            holds = self._conditions[value.name.value] if isinstance(value, VariableNode) else value.value
            if holds is (directive.name.value == "skip"):
                return False
        return True

    def _applies(self, condition: str, parent: GraphQLObjectType) -> bool:
        """Whether a fragment on one type applies to objects of another."""
        wide: Any = self._schema.core.type_map[condition]
        return wide is parent or (isinstance(wide, GraphQLUnionType) and parent in wide.types)

    def of(self, kind: Any, selections: Sequence[SelectionSetNode]) -> Form | None:
        """What makes the selected form of an answer; None when it is taken as it is."""
        named: GraphQLNamedType = get_named_type(kind)
        if isinstance(named, GraphQLUnionType):
            form: Form | None = self._union(named, selections)
        elif isinstance(named, GraphQLObjectType) and named.name in self._schema.structs:
            form = self._object(named, selections)
        else:
            return None
        return None if form is None else _within(kind, form)

    def _union(self, kind: GraphQLUnionType, selections: Sequence[SelectionSetNode]) -> Form:
        """What is selected of an object depends on which one it is."""
        structs = self._schema.unions[kind.name]
        types: Any = {one.name: one for one in kind.types}
        around, self._is_wide = self._is_wide, True
        forms = [(one, self._made(types[one.__name__], one, selections)) for one in structs]
        self._is_wide = around
        decode = msgspec.json.Decoder(Union[structs]).decode  # noqa: UP007  (made from values)

        def form_one(value: Any, pending: Pending) -> Any:
            form = next((form for struct, form in forms if isinstance(value, struct)), None)
            if form is None:
                value = decode(_encode(value))
                form = next(form for struct, form in forms if isinstance(value, struct))
            return form(value, pending)

        return form_one

    def _object(self, kind: GraphQLObjectType, selections: Sequence[SelectionSetNode]) -> Form | None:
        struct = self._schema.structs[kind.name]
        taken = self._taken(kind, struct, selections)
        # What a type leaves out where it is the default would be missing of the answer.
        narrowed = not self._is_wide and not struct.__struct_config__.omit_defaults
        if not narrowed or not all(_is_as_it_is(one, struct) for one in taken):
            return _object_form(struct, taken, kind.name)
        return None

    def _made(
        self, kind: GraphQLObjectType, struct: type[msgspec.Struct], selections: Sequence[SelectionSetNode]
    ) -> Form:
        return _object_form(struct, self._taken(kind, struct, selections), kind.name)

    def _taken(
        self, kind: GraphQLObjectType, struct: type[msgspec.Struct], selections: Sequence[SelectionSetNode]
    ) -> list[_Taken]:
        attributes = {field.encode_name: field.name for field in msgspec.structs.fields(struct)}
        taken: list[_Taken] = []
        for key, chosen in self.fields(kind, selections).items():
            name = chosen.node.name.value
            if name == "__typename":
                taken.append(_Taken(key))
                continue
            form = self.of(kind.fields[name].type, chosen.selections)
            if name in attributes:
                taken.append(_Taken(key, attributes[name], form))
                continue
            added = self._schema.added[kind.name, name]
            made = arguments(kind.fields[name].args, chosen.node, self._defaults)
            taken.append(_Taken(key, form=form, place=AddedPlace(added, made)))
        return taken


def _is_as_it_is(taken: _Taken, struct: type[msgspec.Struct]) -> bool:
    """Whether a field is answered as its object is written."""
    names = {field.name: field.encode_name for field in msgspec.structs.fields(struct)}
    return taken.attribute is not None and taken.form is None and names[taken.attribute] == taken.key


def _within(kind: Any, form: Form) -> Form:
    """The form of what a type holds: an object, or lists of them; nothing stays nothing."""
    inner = get_nullable_type(kind)
    if not isinstance(inner, GraphQLList):
        return lambda value, pending: None if value is None else form(value, pending)
    item = _within(inner.of_type, form)
    return lambda value, pending: None if value is None else [item(one, pending) for one in value]


def _object_form(struct: type[msgspec.Struct], taken: Sequence[_Taken], typename: str) -> Form:
    """What makes an object with the keys of a document."""
    # Those that are taken come first, in one piece; the type of the answer has the order of the document.
    ordered = sorted(taken, key=lambda one: one.attribute is None)
    made: Any = msgspec.defstruct(
        typename,
        [(f"f{number}", Any, None if one.place else typename) for number, one in enumerate(ordered)],
        rename={f"f{number}": one.key for number, one in enumerate(ordered)},
    )
    get = _getter([one.attribute for one in ordered if one.attribute is not None])
    formed = [(number, one.form) for number, one in enumerate(ordered) if one.attribute is not None and one.form]
    added = []
    for number, one in enumerate(ordered):
        if one.place is not None:
            one.place.form, one.place.attribute = one.form, f"f{number}"
            added.append(one.place)
    decode = msgspec.json.Decoder(struct).decode

    def form_object(value: Any, pending: Pending) -> Any:
        # Whatever a function answered: it is written and read by the type that it declares.
        known = value if isinstance(value, struct) else decode(_encode(value))
        values = get(known)
        if formed:
            values = list(values)
            for number, form in formed:
                values[number] = form(values[number], pending)
        one = made(*values)
        for place in added:
            pending.setdefault(place, []).append((known, one))
        return one

    return form_object


def _getter(attributes: Sequence[str]) -> Callable[[Any], Any]:
    """What gives several attributes at once."""
    if len(attributes) > 1:
        return attrgetter(*attributes)
    return lambda value: [getattr(value, attribute) for attribute in attributes]
