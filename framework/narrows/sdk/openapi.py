"""The OpenAPI 3.1 document of a BFF, written once at start from the plan that also answers the calls."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from narrows.declare.bff import Bff
from narrows.pipeline.scenario import HEADER, SCENARIOS
from narrows.plan import Plan
from narrows.sdk.keys import keys
from narrows.sdk.operations import PARAMETERS, SCENARIO, is_described, operations
from narrows.sdk.problems import Problem, Problems
from narrows.sdk.schemas import Schemas
from narrows.settings import Settings

_VERSION = "3.1.0"
_METADATA = "/.well-known/oauth-protected-resource"
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")

_SERVERS = (
    ("", "Live: what is asked for happens."),
    ("/rehearse", "Rehearsal: all is real but the writes, which are listed as effects and never sent."),
    ("/sandbox", "Sandbox: a rehearsal on made-up data; nothing behind this API is called."),
)
_ABOUT = """\
Every path is answered by three servers: the live one, one that rehearses, and a sandbox; status and schema are the
same in all. The answer of a rehearsal carries a `Link` to what would have happened. Whatever fails is answered as
`application/problem+json` (RFC 9457) with a remedy; under `/graphql/` the same stands in one error of GraphQL."""

_HEADERS: dict[str, Any] = {
    "Link": {
        "description": "In a rehearsal and in the sandbox only: leads to the rehearsal (RFC 8288, `describedby`).",
        "schema": {"type": "string"},
    },
    "Rehearsal-Receipt": {
        "description": "In a rehearsal only: to be sent with the one live call that it is for.",
        "schema": {"type": "string"},
    },
    "Idempotency-Replayed": {
        "description": "Live only: `true` when the answer was kept from an earlier request with this key.",
        "schema": {"type": "string", "enum": ["true"]},
    },
    "Retry-After": {
        "description": "How many seconds to wait before the next attempt (RFC 9110, 10.2.3).",
        "schema": {"type": "string", "pattern": "^[0-9]+$"},
    },
    "RateLimit-Policy": {
        "description": "What is allowed (draft-ietf-httpapi-ratelimit-headers): a list of names, each with `q` "
        "requests in `w` seconds, or at once; `pk` tells buckets apart.",
        "schema": {"type": "string"},
    },
    "RateLimit": {
        "description": "What is left after this call (same draft): `r` requests until `t` seconds have passed. Rates "
        "that are shared by a tenant or all callers of an endpoint stand here only when they are used up.",
        "schema": {"type": "string"},
    },
    "WWW-Authenticate": {
        "description": "The challenge (RFC 6750, 3), which leads to where to sign in or names what is missing.",
        "schema": {"type": "string"},
    },
}

_PARAMETERS: dict[str, Any] = {
    SCENARIO: {
        "name": HEADER,
        "in": "header",
        "required": False,
        "description": "Under `/sandbox` only, and without effect elsewhere: a bad day to be shown. `slow`: upstreams "
        "do not answer in time (504); `unavailable`: they cannot be reached (503); `empty`: lists are empty and "
        "optional fields absent; `denied`: the caller is denied (403).",
        "schema": {"type": "string", "enum": list(SCENARIOS)},
    }
}


def document(plan: Plan) -> bytes:
    """Write the document as JSON; the same declarations and settings give the same bytes."""
    entries = [entry for entry in plan.entries if is_described(entry)]
    schemas = Schemas(entries, Problem)
    problems = Problems(entries, plan.sendables, schemas.problem)
    schemes = _schemes(plan.settings)
    paths: dict[str, Any] = {}
    for entry in entries:
        path = paths.setdefault(entry.endpoint.path, {})
        path |= operations(entry, schemas, problems, list(schemes), plan.sendables)
    return msgspec.json.encode(
        {
            "openapi": _VERSION,
            "info": _info(plan.bff),
            "servers": _servers(plan.settings),
            "tags": _tags(plan.bff),
            "paths": paths,
            "components": {
                "schemas": schemas.components,
                "responses": problems.components,
                "headers": _HEADERS,
                "parameters": _PARAMETERS | PARAMETERS,
                "examples": problems.examples,
                "securitySchemes": schemes,
            },
        }
    )


def _info(bff: Bff) -> dict[str, Any]:
    """The facts of the BFF."""
    owner = bff.owner or ""
    return {
        "title": bff.name,
        "summary": bff.purpose,
        "description": f"{bff.purpose}\n\n{_ABOUT}",
        "version": bff.version,
        "contact": {"name": owner, "email": owner} if _EMAIL.fullmatch(owner) else {"name": owner},
        "x-narrows": {
            "owner": bff.owner,
            "exposure": bff.exposure,
            "sensitivity": bff.sensitivity,
            "importance": bff.importance,
            "review_by": bff.review_by,
        },
    }


def _servers(settings: Settings) -> list[dict[str, str]]:
    """The three base paths as absolute URLs, so that a client need not know where it got the document from."""
    base = settings.public_url.rstrip("/")
    return [{"url": base + path, "description": description} for path, description in _SERVERS]


def _tags(bff: Bff) -> list[dict[str, str | None]]:
    return [
        {"name": bff.name, "description": bff.purpose},
        {"name": "narrows", "description": "What every BFF answers: health, metadata, this document, rehearsals."},
    ]


def _schemes(settings: Settings) -> dict[str, Any]:
    """One scheme an issuer. Its endpoints stand in its own metadata, which is read at sign-in and not copied here."""
    metadata = f"{settings.public_url.rstrip('/')}{_METADATA}"
    return {
        key: {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": f"An access token of the issuer `{name}`; {metadata} says where to sign in.",
        }
        for key, name in zip(keys(settings.issuers), settings.issuers, strict=True)
    }
