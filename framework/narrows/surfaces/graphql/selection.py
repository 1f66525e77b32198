"""The type of a document's answer: what it selects of the answers of endpoints, and nothing else."""

from __future__ import annotations

import types as python
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec
from graphql import FieldNode, FragmentDefinitionNode, InlineFragmentNode, OperationDefinitionNode, SelectionSetNode

from narrows.declare.types import Narrow
from narrows.surfaces.graphql.schema import Schema


class Selecting:
    """Makes types of selections; `fragments` are those of the document."""

    def __init__(self, schema: Schema, fragments: dict[str, FragmentDefinitionNode]) -> None:
        self._schema = schema
        self._fragments = fragments

    def data(self, name: str, operation: OperationDefinitionNode) -> type[msgspec.Struct]:
        """The type of the `data` of an operation."""
        fields: list[Any] = []
        for node in self._fields(operation.selection_set):
            root = self._schema.roots[node.name.value]
            fields.append((_key(node), self._narrowed(root.shape.answer, node, f"{name}_{_key(node)}")))
        return msgspec.defstruct(f"{name}_data", fields, bases=(Narrow,), kw_only=True)

    def _fields(self, selection: SelectionSetNode) -> list[FieldNode]:
        found: list[FieldNode] = []
        for node in selection.selections:
            if isinstance(node, FieldNode):
                found.append(node)
            elif isinstance(node, InlineFragmentNode):
                found += self._fields(node.selection_set)
            else:
                found += self._fields(self._fragments[node.name.value].selection_set)
        return found

    def _narrowed(self, hint: Any, node: FieldNode, name: str) -> Any:
        # Each object has a name of its own by its path: a schema knows types by their names.
        if node.selection_set is None:
            return hint
        origin, inner = get_origin(hint), get_args(hint)
        if origin is Annotated:
            return Annotated[(self._narrowed(inner[0], node, name), *inner[1:])]  # type: ignore[return-value]
        if origin in (Union, python.UnionType):
            return Union[tuple(self._narrowed(one, node, name) for one in inner)]  # noqa: UP007
        if origin in (list, tuple, set, frozenset):
            return list[self._narrowed(inner[0], node, name)]  # type: ignore[misc]
        if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
            own = {field.encode_name: field.type for field in msgspec.structs.fields(hint)}
            fields = [
                (_key(one), self._narrowed(own[one.name.value], one, f"{name}_{_key(one)}"))
                for one in self._fields(node.selection_set)
            ]
            return msgspec.defstruct(name, fields, bases=(Narrow,), kw_only=True)
        return hint


def _key(node: FieldNode) -> str:
    return node.alias.value if node.alias else node.name.value
