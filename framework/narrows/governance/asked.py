"""What a policy is asked: a connector's record and the BFF's declarations, as one plain document."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from narrows.declare.bff import Bff
from narrows.declare.endpoint import Endpoint, counts
from narrows.declare.upstream import Operation

Occasion = Literal["apply", "approve", "check"]

FACTS = ("name", "version", "owner", "purpose", "exposure", "sensitivity", "importance", "review_by")
# A policy meets every field, so that a condition on one that is left out cannot be undefined.
_LISTS = ("endpoints", "scopes", "rates", "budgets", "volumes")
_TEXTS = (
    *("id", "version", "issuer", "client_id", "tenant", "owner", "contact", "kind", "purpose", "template", "platform"),
    *("price_ceiling", "documents", "agreement", "expires", "digest"),
)


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """What an approver granted to exactly one record of a connector: `digest` is that record's."""

    grant: str
    digest: str
    by: str


def asked(
    occasion: Occasion,
    record: Any,
    bff: Bff,
    *,
    digest: str = "",
    grants: Sequence[Grant] = (),
    documents: Sequence[Endpoint] = (),
) -> dict[str, Any]:
    """The document. `record` is a connector's record, a Struct or a mapping; `digest` is that of the record.

    GraphQL documents of the BFF (`documents`) stand among its endpoints, and use what their fields use.

    Only grants of this digest are told, and every field of a record stands there: "" or [] where it is left out.
    """
    known = {endpoint.id: endpoint for endpoint in (*bff.endpoints, *documents)}
    fields = msgspec.to_builtins(record)
    texts = {name: fields.get(name) or "" for name in _TEXTS}
    lists = {name: list(fields.get(name) or ()) for name in _LISTS}
    own = {"digest": digest, "sensitive": fields.get("sensitive") is True}
    granted = [msgspec.to_builtins(grant) for grant in grants if grant.digest == digest]
    return {
        "asked": occasion,
        "connector": {**texts, **lists, **own, "grants": granted},
        "bff": {
            **{fact: getattr(bff, fact) or "" for fact in FACTS},
            "endpoints": [_endpoint(endpoint, known) for endpoint in known.values()],
        },
    }


def _endpoint(endpoint: Endpoint, known: Mapping[str, Endpoint]) -> Mapping[str, Any]:
    """An endpoint as its team declares it; what it lacks is refused by the start."""
    return {
        "id": endpoint.id,
        "kind": endpoint.kind,
        "method": endpoint.method,
        "path": endpoint.path,
        "summary": endpoint.summary,
        "roles": sorted(endpoint.roles or ()),
        "within": endpoint.within or "",
        "scope": endpoint.scope or "",
        "rates": list(endpoint.rates or ()),
        "commit": endpoint.commit,
        "for_services": endpoint.for_services,
        "uses": [
            {"id": o.id, "kind": o.kind, "asks": o.asks or "", "price": o.price or "", "times": times}
            for o, times in _uses(endpoint, known).items()
        ],
    }


def _uses(endpoint: Endpoint, known: Mapping[str, Endpoint]) -> Counter[Operation[..., Any]]:
    """How often it uses each operation; a document, by its own joins and by its fields."""
    used = Counter(counts(endpoint.uses or ()))
    for field in endpoint.document.fields if endpoint.document else ():
        for operation, times in counts(known[field.endpoint].uses or ()).items():
            used[operation] += times * field.times
    return used
