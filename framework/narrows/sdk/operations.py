"""One endpoint in the OpenAPI document: what it takes, what it answers, and what it may touch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from narrows.call import Page
from narrows.declare.endpoint import Endpoint
from narrows.declare.rate import Rate
from narrows.declare.shape import Parameter
from narrows.declare.slo import Slo
from narrows.pipeline.claim.header import IDEMPOTENCY_KEY, RECEIPT
from narrows.pipeline.quota import LIMITS
from narrows.plan.entries import Entry
from narrows.sdk.problems import GRAPHQL_MEDIA_TYPES, Problems
from narrows.sdk.schemas import ANSWER, VARIABLES, Schema, Schemas
from narrows.upstreams.send import Sendables

_JSON = "application/json"
_VARIABLES = "The variables of the document, as one JSON object; one that is left out is not null."

SCENARIO = "SandboxScenario"
"""The key of the one header that the sandbox takes, among the components."""
PARAMETERS: dict[str, Schema] = {
    "Idempotency-Key": {
        "name": "Idempotency-Key",
        "in": "header",
        "required": False,
        "description": "Names this request, so that one sent again after a failure is carried out once: a finished one "
        "is answered with what was kept. Between quotes (a String of RFC 9651) or bare. Nothing is kept of it in a "
        "rehearsal.",
        "schema": {"type": "string", "pattern": IDEMPOTENCY_KEY.pattern},
    },
    "Rehearsal-Receipt": {
        "name": "Rehearsal-Receipt",
        "in": "header",
        "required": False,
        "description": "The receipt of the rehearsal of this very request; it holds for one live call. `commit` of the "
        "rehearsal says whether it is needed, and whether the person has to confirm it.",
        "schema": {"type": "string", "pattern": RECEIPT.pattern},
    },
    "Rehearsal": {
        "name": "Rehearsal",
        "in": "header",
        "required": False,
        "description": "In a rehearsal and in the sandbox only: the id of an earlier one, whose stand-in ids are known "
        "here too. Refused in a live call.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 64, "pattern": "^[A-Za-z0-9_-]+$"},
    },
}

# What is served as bytes made at start has no type; all else that is served so is an asset of the page.
_DOCUMENTS: dict[str, Schema] = {
    "/.well-known/oauth-protected-resource": {
        "type": "object",
        "description": "The parameters of RFC 9728, 2.",
        "required": ["resource"],
    },
    "/openapi.json": {
        "type": "object",
        "description": "An OpenAPI 3.1 document.",
        "required": ["openapi", "info", "paths"],
    },
}


def is_described(entry: Entry) -> bool:
    """Whether an endpoint belongs to the contract; the assets of a page, and what a session is for, do not."""
    if entry.endpoint.session:
        return False
    return entry.shape.answer is not Page or entry.endpoint.path in _DOCUMENTS


def operations(
    entry: Entry, schemas: Schemas, problems: Problems, schemes: Sequence[str], sendables: Sendables
) -> dict[str, Any]:
    """The Operation Objects of an endpoint by method; a document that reads is asked by POST too."""
    endpoint = entry.endpoint
    found = {endpoint.method.lower(): operation(entry, schemas, problems, schemes, sendables)}
    if endpoint.document is not None and endpoint.kind == "read":
        posted = operation(entry, schemas, problems, schemes, sendables)
        posted["operationId"] += ".post"
        posted["parameters"] = posted["parameters"][1:]
        _take_variables(posted, entry, schemas, in_body=True)
        found["post"] = posted
    return found


def operation(
    entry: Entry, schemas: Schemas, problems: Problems, schemes: Iterable[str], sendables: Sendables
) -> dict[str, Any]:
    """The Operation Object of an endpoint; `schemes` are the keys of the security schemes."""
    endpoint, shape = entry.endpoint, entry.shape
    described: dict[str, Any] = {
        "operationId": endpoint.id,
        "summary": endpoint.summary,
        "description": endpoint.description,
        "tags": [endpoint.bff],
        "security": [] if endpoint.public is not None else [{scheme: [*entry.scopes]} for scheme in schemes],
        "parameters": [
            *(_parameter(endpoint, p, schemas) for p in (*shape.of("path"), *shape.of("query"))),
            *({"$ref": f"#/components/parameters/{name}"} for name in _headers(endpoint)),
        ],
    }
    if endpoint.deprecated is not None:
        described["deprecated"] = True
    if not endpoint.builtin:
        described["parameters"].append({"$ref": f"#/components/parameters/{SCENARIO}"})
    _take_variables(described, entry, schemas, in_body=endpoint.kind == "write")
    if shape.body is not None:
        described["requestBody"] = {"required": True, "content": _content(schemas.of(endpoint, shape.body.name))}
    described["responses"] = _success(entry, schemas, sendables) | problems.responses(entry)
    described["x-narrows"] = _facts(entry)
    return described


def _take_variables(described: dict[str, Any], entry: Entry, schemas: Schemas, *, in_body: bool) -> None:
    """Say how a document takes its variables, all in one JSON object."""
    document = entry.endpoint.document
    if document is None:
        return
    schema = schemas.of(entry.endpoint, VARIABLES)
    needed = any(field.required for field in msgspec.structs.fields(document.variables))
    if not in_body:
        parameter = {"name": VARIABLES, "in": "query", "required": needed, "description": _VARIABLES}
        described["parameters"].insert(0, parameter | {"content": _content(schema)})
        return
    body = {"type": "object", "properties": {VARIABLES: schema}, "additionalProperties": False}
    body |= {"required": [VARIABLES]} if needed else {}
    described["requestBody"] = {"required": True, "content": _content(body)}


def _headers(endpoint: Endpoint) -> list[str]:
    """The headers that an endpoint takes besides the credentials."""
    if endpoint.builtin:
        return []
    return list(PARAMETERS) if endpoint.kind == "write" else ["Rehearsal"]


def _parameter(endpoint: Endpoint, parameter: Parameter, schemas: Schemas) -> dict[str, Any]:
    """A Parameter Object; a list comes as its name repeated."""
    schema = schemas.of(endpoint, parameter.name)
    needed = parameter.required or parameter.source == "path"
    described: dict[str, Any] = {"name": parameter.name, "in": parameter.source, "required": needed}
    if "description" in schema:
        described["description"] = schema["description"]
    if parameter.many and parameter.source == "query":
        described |= {"style": "form", "explode": True}
    if not needed and parameter.default is not None:
        schema = schema | {"default": msgspec.to_builtins(parameter.default)}
    return described | {"schema": schema}


def _success(entry: Entry, schemas: Schemas, sendables: Sendables) -> dict[str, Any]:
    """The response of an endpoint that is no problem."""
    endpoint, answer = entry.endpoint, entry.shape.answer
    described: dict[str, Any] = {"description": "What was asked for."}
    if not endpoint.builtin:
        names = ["Link", "Rehearsal-Receipt", "Idempotency-Replayed"] if endpoint.kind == "write" else ["Link"]
        names += LIMITS
        described["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in names}
    if answer is None:
        return {"204": described | {"description": "Done; there is nothing to read."}}
    schema = _DOCUMENTS[endpoint.path] if answer is Page else schemas.of(endpoint, ANSWER)
    if endpoint.document is not None:
        return {
            str(endpoint.status): described | {"content": {media: {"schema": schema} for media in GRAPHQL_MEDIA_TYPES}}
        }
    return {str(endpoint.status): described | {"content": _content(schema, _examples(entry, sendables))}}


def _examples(entry: Entry, sendables: Sendables) -> dict[str, Any]:
    """The examples of the one operation that answers what the endpoint answers; with another it is not known which."""
    alike = [sendables[used] for used in entry.uses if sendables[used].shape.answer == entry.shape.answer]
    if len(alike) != 1:
        return {}
    name = alike[0].operation.id
    return {
        f"{name}-{number}": {"value": msgspec.json.decode(example.answer)}
        for number, example in enumerate(alike[0].examples, 1)
    }


def _content(schema: Schema, examples: Mapping[str, Any] | None = None) -> dict[str, Any]:
    return {_JSON: {"schema": schema, **({"examples": examples} if examples else {})}}


def _facts(entry: Entry) -> dict[str, Any]:
    """What a reviewer asks of an endpoint: who may call it, what it may touch, and what that costs at most."""
    endpoint, used = entry.endpoint, entry.uses
    return {
        "kind": endpoint.kind,
        "roles": sorted(endpoint.roles or ()),
        "within": None if endpoint.builtin else endpoint.within or f"bff:{endpoint.bff}",
        "scope": endpoint.scope,
        **_of_document(entry),
        "for_services": endpoint.for_services,
        "unbound": dict(endpoint.unbound),
        "uses": [
            {"operation": o.id, "kind": o.kind, "times": times, "asks": o.asks, "price": o.price}
            for o, times in used.items()
        ],
        "effects": [o.id for o in used if o.kind == "write"],
        "rate": [str(Rate.parse(rate)) for rate in endpoint.rates or ()],
        "slo": None if endpoint.slo is None else str(Slo.parse(endpoint.slo)),
        "price": None if entry.ceiling is None else str(entry.ceiling),
        "deprecated": endpoint.deprecated,
        "sunset": endpoint.sunset,
        "public": endpoint.public,
        "owned": endpoint.owned,
    }


def _of_document(entry: Entry) -> dict[str, Any]:
    """What stands beside a document alone: the id that clients may name it by, and what its fields come to."""
    document = entry.endpoint.document
    if document is None:
        return {}
    return {
        "document": f"sha256:{document.sha256}",
        "scopes": [*entry.scopes],
        "fields": [{"endpoint": field.endpoint, "times": field.times} for field in document.fields],
    }
