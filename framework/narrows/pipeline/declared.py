"""A digest of what an endpoint declares: a receipt holds only as long as the endpoint is what was rehearsed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from narrows.declare.endpoint import Endpoint
from narrows.declare.shape import Shape
from narrows.declare.upstream import Operation
from narrows.pipeline.step import Preparing
from narrows.upstreams.made import digest_of
from narrows.upstreams.sendable import Sendable

_SENT = ("path", "query", "body")


def declaration_digest(preparing: Preparing) -> str:
    """The digest of an endpoint, its operations and their types; prices are compared apart."""
    endpoint = preparing.endpoint
    return digest_of(
        {
            "endpoint": _endpoint(endpoint),
            "shape": _shape(preparing.shape),
            "uses": {
                operation.id: [times, *_operation(preparing.ground.sendables.get(operation), operation)]
                for operation, times in preparing.counts.items()
            },
            **_document(preparing),
        }
    )


def _document(preparing: Preparing) -> Mapping[str, Any]:
    """Of a document its source, and the guards of its fields: what decided a rehearsal decides the live call."""
    document = preparing.endpoint.document
    if document is None:
        return {}
    fields = {field.id: [times, _endpoint(field)] for field, times in preparing.fields}
    return {"document": document.sha256, "fields": fields}


def _endpoint(endpoint: Endpoint) -> Mapping[str, Any]:
    return {
        "id": endpoint.id,
        "method": endpoint.method,
        "path": endpoint.path,
        "status": endpoint.status,
        "roles": sorted(endpoint.roles or ()),
        "within": endpoint.within,
        "scope": endpoint.scope,
        "given": {name: operation.id for name, operation in endpoint.given.items()},
        "inside": {name: [operation.id, field] for name, (operation, field) in endpoint.inside.items()},
        "when": [rule.__name__ for rule in endpoint.when],
        "roles_from": endpoint.roles_from.id if endpoint.roles_from else None,
        "commit": endpoint.commit,
    }


def _operation(sendable: Sendable | None, operation: Operation[..., Any]) -> list[Any]:
    """An operation with where it goes; what is refused at start has no place."""
    said = [operation.kind, operation.method, operation.path, operation.asks]
    if sendable is None:
        return said
    return [*said, sendable.settings.url, sendable.settings.audience, _shape(sendable.shape)]


def _shape(shape: Shape) -> list[Any]:
    """Parameters and answer with the schemas of their types."""
    parameters = [[p.name, p.source, _schema(p.type)] for p in shape.parameters.values() if p.source in _SENT]
    return [parameters, None if shape.answer is None else _schema(shape.answer)]


def _schema(kind: Any) -> Any:
    """A type as JSON Schema; one that has no schema is refused at start, so that its name will do."""
    try:
        return msgspec.json.schema(kind)
    except (TypeError, ValueError, RecursionError):
        return repr(kind)
