"""Documents become endpoints, once at start: parsed, validated, with the types of their variables and their answers."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from inspect import Parameter as Argument
from inspect import Signature
from typing import Any

import msgspec
from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    ListValueNode,
    NonNullTypeNode,
    ObjectValueNode,
    OperationDefinitionNode,
    ValueNode,
    VariableNode,
    parse,
    validate,
)

from narrows.call import Call
from narrows.declare.bff import Bff
from narrows.declare.document import Declared, Document, Field
from narrows.declare.endpoint import Endpoint
from narrows.declare.types import Input
from narrows.errors import Refusal, StartRefused
from narrows.surfaces.graphql.execution import execution
from narrows.surfaces.graphql.ids import id_refusals
from narrows.surfaces.graphql.schema import Schema
from narrows.surfaces.graphql.selection import Selecting


def make_documents(bff: Bff, schema: Schema) -> list[Endpoint]:
    """The documents of a BFF as endpoints. Raises `StartRefused` for those that do not hold."""
    found: list[Endpoint] = []
    if bff.graphql_surface is None:
        return found
    if faults := [*id_refusals(bff)]:
        raise StartRefused(faults)
    for declared in bff.documents:
        path = bff.graphql_surface.queries / f"{declared.name}.graphql"
        found.append(_compile(bff, schema, declared, path.read_bytes().decode("utf-8"), str(path)))
    return found


def _compile(bff: Bff, schema: Schema, declared: Declared, source: str, where: str) -> Endpoint:
    tree: DocumentNode = parse(source)
    if faults := validate(schema.core, tree):
        raise StartRefused(
            [
                Refusal(
                    code="document-invalid",
                    subject=f"{bff.name}.{declared.name}",
                    where=where,
                    rule=fault.message,
                    remedy="correct the document",
                )
                for fault in faults
            ]
        )
    operation = next(one for one in tree.definitions if isinstance(one, OperationDefinitionNode))
    fragments = {one.name.value: one for one in tree.definitions if isinstance(one, FragmentDefinitionNode)}
    selecting = Selecting(schema, fragments)
    data = selecting.data(declared.name, operation)
    hints = _variables(schema, selecting, operation)
    variables = msgspec.defstruct(
        f"{declared.name}_variables", _fields_of(operation, hints), bases=(Input,), kw_only=True
    )
    used = Counter(schema.roots[node.name.value].endpoint.id for node in selecting._fields(operation.selection_set))
    document = Document(
        name=declared.name,
        source=source,
        sha256=hashlib.sha256(source.encode()).hexdigest(),
        operation="mutation" if operation.operation.value == "mutation" else "query",
        operation_name=operation.name.value if operation.name else None,
        variables=variables,
        fields=tuple(Field(endpoint=name, times=times) for name, times in used.items()),
        ids=declared.ids,
    )
    return Endpoint(
        id=f"{bff.name}.{declared.name}",
        bff=bff.name,
        kind="write" if document.operation == "mutation" else "read",
        method="POST" if document.operation == "mutation" else "GET",
        path=f"/graphql/{declared.name}",
        function=_function(declared.name, source, execution(schema, tree), variables, data),
        where=where,
        status=200,
        document=document,
        **{"uses": (), **declared.guards},
    )


def _variables(schema: Schema, selecting: Selecting, operation: OperationDefinitionNode) -> dict[str, Any]:
    """The type of each variable: that of the argument which it stands for."""
    hints: dict[str, Any] = {}
    for node in selecting._fields(operation.selection_set):
        parameters = schema.roots[node.name.value].shape.parameters
        for argument in node.arguments or ():
            _place(argument.value, parameters[argument.name.value].type, hints)
    return hints


def _place(value: ValueNode, hint: Any, hints: dict[str, Any]) -> None:
    if isinstance(value, VariableNode):
        hints.setdefault(value.name.value, hint)
    elif isinstance(value, ObjectValueNode):
        own = {field.encode_name: field.type for field in msgspec.structs.fields(hint)}
        for field in value.fields:
            _place(field.value, own[field.name.value], hints)
    elif isinstance(value, ListValueNode):
        for one in value.values:
            _place(one, hint.__args__[0], hints)


def _fields_of(operation: OperationDefinitionNode, hints: Mapping[str, Any]) -> list[Any]:
    fields: list[Any] = []
    for one in operation.variable_definitions or ():
        name = one.variable.name.value
        if isinstance(one.type, NonNullTypeNode) and one.default_value is None:
            fields.append((name, hints[name]))
        else:
            fields.append((name, hints[name] | None | msgspec.UnsetType, msgspec.UNSET))
    return fields


def _function(
    name: str,
    source: str,
    execute: Callable[[Call, Mapping[str, Any]], Any],
    variables: type[msgspec.Struct],
    data: type[msgspec.Struct],
) -> Callable[..., Any]:
    async def document(call: Call) -> Any:
        return {"data": await execute(call, call.arguments)}

    answer = msgspec.defstruct(name, [("data", data)], kw_only=True)
    arguments = [
        Argument(f.name, Argument.KEYWORD_ONLY, annotation=f.type, default=Argument.empty if f.required else f.default)
        for f in msgspec.structs.fields(variables)
    ]
    call = Argument("call", Argument.KEYWORD_ONLY, annotation=Call)
    document.__name__ = document.__qualname__ = name
    document.__doc__ = "\n".join(line[1:].strip() for line in source.splitlines() if line.startswith("#"))
    document.__signature__ = Signature([call, *arguments], return_annotation=answer)  # type: ignore[attr-defined]
    document.__annotations__ = {a.name: a.annotation for a in (call, *arguments)} | {"return": answer}
    return document
