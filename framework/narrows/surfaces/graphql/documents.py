"""Documents become endpoints, once at start: parsed, validated, with the types of their variables and their answers."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from inspect import Parameter as Argument
from inspect import Signature
from typing import Any, get_args

import msgspec
from graphql import (
    FragmentDefinitionNode,
    GraphQLError,
    NoSchemaIntrospectionCustomRule,
    OperationDefinitionNode,
    OperationType,
    parse,
    print_ast,
    specified_rules,
    validate,
)

from narrows.call import Call
from narrows.declare.bff import Bff
from narrows.declare.commit import Commit, strictest
from narrows.declare.document import Document, Field, Graphql
from narrows.declare.endpoint import Endpoint
from narrows.declare.types import Money
from narrows.errors import StartRefused
from narrows.surfaces.graphql.execution import execution
from narrows.surfaces.graphql.files import read_documents
from narrows.surfaces.graphql.ids import id_refusals
from narrows.surfaces.graphql.limits import has_tokens, is_ending, refuse_large
from narrows.surfaces.graphql.schema import Schema
from narrows.surfaces.graphql.selection import Selecting
from narrows.surfaces.graphql.source import Parsed, Source
from narrows.surfaces.graphql.variables import Variables, variables_of

# What a schema holds is for those who write documents: `narrows graphql schema` shows it.
_RULES = (*specified_rules, NoSchemaIntrospectionCustomRule)

_FIT = "correct the document; `narrows graphql schema` prints what it can ask for"


def make_documents(bff: Bff, surface: Graphql, schema: Schema) -> list[Endpoint]:
    """The documents of a BFF as endpoints. Raises `StartRefused` with all that do not hold, and why."""
    sources, refusals = read_documents(bff, surface)
    refusals += id_refusals(bff)
    ceiling = Money.parse(surface.ceiling) if surface.ceiling is not None else None
    made = [_make(bff.name, schema, surface, ceiling, source) for source in sources]
    refusals += [refusal for source in sources for refusal in source.refusals]
    if refusals:
        raise StartRefused(refusals)
    return [endpoint for endpoint in made if endpoint is not None]


def _make(bff: str, schema: Schema, surface: Graphql, ceiling: Money | None, source: Source) -> Endpoint | None:
    """One document as an endpoint; None if it does not hold."""
    try:
        parsed = parsed_of(source, surface, schema)
        return None if parsed is None else _endpoint(bff, schema, ceiling, source, parsed)
    except RecursionError:
        source.refuse("document-depth", "it nests too deep to be read", "make several documents of it")
        return None


def parsed_of(source: Source, bounds: Graphql, schema: Schema) -> Parsed | None:
    """The tree of a document that is sound and within its bounds; None if it is not, with its refusals in `source`."""
    if not has_tokens(source, bounds.tokens):
        return None
    try:
        tree = parse(source.text, allow_empty_selection_sets=False)
    except GraphQLError as fault:
        source.refuse("document-invalid", fault.message, "correct the document", fault)
        return None
    operations = [one for one in tree.definitions if isinstance(one, OperationDefinitionNode)]
    for one in tree.definitions:
        if not isinstance(one, OperationDefinitionNode | FragmentDefinitionNode):
            source.refuse("document-operation", "it defines types", "take them out: the schema has them", one)
    _refuse_operations(source, operations)
    if source.refusals:
        return None
    parsed = Parsed(tree, operations[0])
    if is_ending(source, parsed):
        refuse_large(source, parsed, bounds)
    if not source.refusals:
        for wrong in validate(schema.core, tree, specified_rules if source.ad_hoc else _RULES):
            source.refuse("document-invalid", wrong.message, _FIT, wrong)
    return None if source.refusals else parsed


def _refuse_operations(source: Source, operations: list[OperationDefinitionNode]) -> None:
    """A document has one operation, of its own name."""
    if len(operations) != 1:
        rule = f"it has {len(operations)} operations"
        source.refuse("document-operation", rule, f"write one, as in `query {source.name} {{ … }}`")
        return
    [one] = operations
    if one.operation is OperationType.SUBSCRIPTION:
        source.refuse("document-operation", "it is a subscription", "make a query of it", one)
    elif not source.ad_hoc and (one.name is None or one.name.value != source.name):
        rule = "its operation does not have the name of its file"
        source.refuse("document-operation", rule, f"write `{one.operation.value} {source.name}`", one)


def ad_hoc_endpoint(bff: str, schema: Schema, surface: Graphql, source: Source, parsed: Parsed) -> Endpoint | None:
    """Text that was not registered as an endpoint; None if it does not hold. Services may call it if all its fields."""
    ceiling = Money.parse(surface.ceiling) if surface.ceiling is not None else None
    made = _endpoint(bff, schema, ceiling, source, parsed)
    if made is None:
        return None
    fields = {root.endpoint.id: root.endpoint.for_services for root in schema.roots.values()}
    for_services = all(fields[field.endpoint] for field in made.document.fields) if made.document else False
    return msgspec.structs.replace(made, for_services=for_services)


def _endpoint(bff: str, schema: Schema, ceiling: Money | None, source: Source, parsed: Parsed) -> Endpoint | None:
    variables = variables_of(schema, source, parsed)
    if source.refusals:
        return None
    selecting = Selecting(schema, parsed)
    is_write = parsed.operation.operation is OperationType.MUTATION
    document = Document(
        name=source.name,
        source=source.text,
        sha256=source.sha256,
        normalised=hashlib.sha256(print_ast(parsed.tree).encode()).hexdigest(),
        operation="mutation" if is_write else "query",
        variables=variables.kind,
        also=variables.also,
        defaults=variables.defaults,
        fields=_fields(schema, selecting),
        ceiling=ceiling,
        ids=source.declared.ids,
        operation_name=parsed.operation.name.value if parsed.operation.name is not None else None,
        ad_hoc=source.ad_hoc,
    )
    answer = msgspec.defstruct(source.name, [("data", selecting.data(source.name))], kw_only=True)
    return Endpoint(
        id=source.id,
        bff=bff,
        kind="write" if is_write else "read",
        method="POST" if is_write else "GET",
        path=f"/graphql/{source.name}",
        function=_function(source, execution(schema, parsed.tree), variables, answer),
        where=source.declared.where,
        status=200,
        document=document,
        uses=tuple(selecting.uses),
        **{**source.declared.guards, **_commit(schema, document, source)},
    )


def _commit(schema: Schema, document: Document, source: Source) -> dict[str, Commit]:
    """How a live write must come: as its strictest field asks; what is no such word is left for the start to refuse."""
    asked = {root.endpoint.id: root.endpoint.commit for root in schema.roots.values()}
    declared = source.declared.guards.get("commit", "open")
    commits = [declared, *(asked[field.endpoint] for field in document.fields)]
    return {"commit": strictest(*commits)} if all(one in get_args(Commit) for one in commits) else {}


def _fields(schema: Schema, selecting: Selecting) -> tuple[Field, ...]:
    """The endpoints that are asked, and how often at the most: what `@skip` may leave out counts too."""
    asked = [one.name for one in selecting.roots() if one.name != "__typename"]
    used = Counter(schema.roots[name].endpoint.id for name in asked)
    return tuple(Field(endpoint=name, times=times) for name, times in used.items())


def _function(
    source: Source, execute: Callable[[Call, Mapping[str, Any]], Any], variables: Variables, answer: Any
) -> Callable[..., Any]:
    """The function of a document's endpoint: its parameters are the variables."""

    async def document(_call: Call) -> Any:
        return {"data": await execute(_call, _call.arguments)}

    arguments = [
        Argument(f.name, Argument.KEYWORD_ONLY, annotation=f.type, default=Argument.empty if f.required else f.default)
        for f in msgspec.structs.fields(variables.kind)
    ]
    # No variable begins so: its name is its own.
    call = Argument("_call", Argument.KEYWORD_ONLY, annotation=Call)
    document.__name__ = document.__qualname__ = source.name
    document.__doc__ = source.description
    document.__signature__ = Signature([call, *arguments], return_annotation=answer)  # type: ignore[attr-defined]
    document.__annotations__ = {a.name: a.annotation for a in (call, *arguments)} | {"return": answer}
    return document
