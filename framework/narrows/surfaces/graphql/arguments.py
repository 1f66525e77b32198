"""The arguments of a field, made ready at start: literals are values already, and variables are only put in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from graphql import (
    FieldNode,
    GraphQLArgument,
    GraphQLList,
    ListValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    Undefined,
    ValueNode,
    VariableNode,
    get_nullable_type,
    type_from_ast,
    value_from_ast,
)

from narrows.surfaces.graphql.schema import Schema

Variables = Mapping[str, Any]
Arguments = Callable[[Variables], dict[str, Any]]
_Value = Callable[[Variables], Any]


def arguments(declared: Mapping[str, GraphQLArgument], node: FieldNode, defaults: Variables) -> Arguments:
    """What gives the arguments of a field for the variables of a call; one that is not given is not there.

    The endpoint or the function that takes them has its own defaults; `defaults` are those of the variables.
    """
    return _object(
        {one.name.value: _value(one.value, declared[one.name.value].type, defaults) for one in node.arguments or ()}
    )


def defaults_of(schema: Schema, operation: OperationDefinitionNode) -> dict[str, Any]:
    """The values of variables that are not sent."""
    found: dict[str, Any] = {}
    for one in operation.variable_definitions or ():
        kind: Any = type_from_ast(schema.core, one.type)
        if one.default_value is not None:
            found[one.variable.name.value] = value_from_ast(one.default_value, kind)
    return found


def _is_fixed(value: ValueNode) -> bool:
    """Whether a value holds no variable."""
    if isinstance(value, ObjectValueNode):
        return all(_is_fixed(field.value) for field in value.fields)
    if isinstance(value, ListValueNode):
        return all(map(_is_fixed, value.values))
    return not isinstance(value, VariableNode)


def _value(value: ValueNode, kind: Any, defaults: Variables) -> _Value:
    """A value that holds variables; validation has seen to it that it is of its type."""
    if isinstance(value, VariableNode):
        name, default = value.name.value, defaults.get(value.name.value, Undefined)
        return lambda variables: variables.get(name, default)
    if _is_fixed(value):
        fixed = value_from_ast(value, kind)
        return lambda _: fixed
    inner: Any = get_nullable_type(kind)
    if isinstance(inner, GraphQLList):
        items = value.values if isinstance(value, ListValueNode) else (value,)
        return _list([_value(item, inner.of_type, defaults) for item in items])
    written: Any = value
    return _object(
        {
            field.name.value: _value(field.value, inner.fields[field.name.value].type, defaults)
            for field in written.fields
        }
    )


def _list(items: list[_Value]) -> _Value:
    def make(variables: Variables) -> list[Any]:
        made = [item(variables) for item in items]
        # In a list, a variable that was not sent is null (GraphQL, 3.11).
        return [None if item is Undefined else item for item in made]

    return make


def _object(fields: dict[str, _Value]) -> _Value:
    def make(variables: Variables) -> dict[str, Any]:
        made = {name: field(variables) for name, field in fields.items()}
        return {name: value for name, value in made.items() if value is not Undefined}

    return make
