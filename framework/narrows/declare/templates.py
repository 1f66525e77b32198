"""The templates of connectors: the most that a record may ask for. They are versioned data, and never change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

import msgspec

from narrows.declare.bff import Bff
from narrows.declare.commit import Commit
from narrows.declare.connectors import ConnectorRecord
from narrows.declare.endpoint import Endpoint
from narrows.declare.rate import Rate


class Template(msgspec.Struct, frozen=True, kw_only=True):
    """What a record of this template may hold at the most.

    `writes` whether it may name writes, `commit` how a live write must come at the least, `rate` the cap of its rate
    for the connector as a whole, `price` the cap of its price ceiling in whatever currency, `credential_days` how old
    a credential may be.
    """

    name: str
    writes: bool
    commit: Commit
    rate: Rate
    price: Decimal
    credential_days: int


_ALL = (
    Template(
        name="read-only@1",
        writes=False,
        commit="open",
        rate=Rate.parse("120/minute per connector"),
        price=Decimal("0.10"),
        credential_days=90,
    ),
    Template(
        name="limited-write@1",
        writes=True,
        commit="receipt",
        rate=Rate.parse("120/minute per connector"),
        price=Decimal("1.00"),
        credential_days=90,
    ),
)
TEMPLATES: Mapping[str, Template] = {template.name: template for template in _ALL}
"""By `name@version`. A stricter or looser template is a new version; a record names the one it was approved in."""


class Outside(NamedTuple):
    """One way in which a record is outside its template: the field, the rule, and what to do."""

    field: str
    rule: str
    remedy: str


def outside(
    record: ConnectorRecord, bff: Bff, issuers: Sequence[str], documents: Sequence[Endpoint] = ()
) -> list[Outside]:
    """What of a record its template, its kind and its BFF do not allow; `issuers` are those of the settings.

    `documents` are those of the BFF, as endpoints.
    """
    template = TEMPLATES.get(record.template)
    if template is None:
        return [Outside("template", f"there is no template {record.template!r}", f"use one of: {', '.join(TEMPLATES)}")]
    return [
        *_named(record, bff, issuers),
        *_endpoints(record, bff, template, documents),
        *_amounts(record, template),
        *_partner(record),
    ]


def _named(record: ConnectorRecord, bff: Bff, issuers: Sequence[str]) -> Iterator[Outside]:
    if record.issuer not in issuers:
        yield Outside("issuer", f"{record.issuer!r} is not in [issuers]", f"name one of: {', '.join(issuers) or '-'}")
    if bff.sensitivity in ("personal", "secret") and not record.sensitive:
        yield Outside(
            "sensitive",
            f"the data of {bff.name} are {bff.sensitivity}, which needs an approval of its own",
            "add sensitive = true, so that whoever approves it sees it",
        )


def _endpoints(
    record: ConnectorRecord, bff: Bff, template: Template, documents: Sequence[Endpoint]
) -> Iterator[Outside]:
    known: dict[str, Endpoint] = {endpoint.id: endpoint for endpoint in (*bff.endpoints, *documents)}
    for name in record.endpoints:
        endpoint = known.get(name)
        if endpoint is None:
            yield Outside("endpoints", f"{bff.name} has no endpoint {name!r}", f"name some of: {', '.join(known)}")
        elif endpoint.kind == "write" and not template.writes:
            yield Outside("endpoints", f"{name} is a write, and {template.name} has reads alone", "leave it out")
        else:
            for scope in _scopes(endpoint, known):
                if scope not in record.scopes:
                    yield Outside("scopes", f"{name} needs the scope {scope!r}", f"add {scope!r}")


def _scopes(endpoint: Endpoint, known: Mapping[str, Endpoint]) -> list[str]:
    """The scopes that an endpoint needs; a document needs those of its fields too."""
    fields = endpoint.document.fields if endpoint.document else ()
    asked = (endpoint, *(known[field.endpoint] for field in fields))
    return list(dict.fromkeys(one.scope for one in asked if one.scope is not None))


def _amounts(record: ConnectorRecord, template: Template) -> Iterator[Outside]:
    cap = template.rate
    if not any(rate.per == "connector" and within(rate, cap) for rate in record.limits()):
        rule = f"no rate for the connector as a whole is within {cap}, the cap of {template.name}"
        yield Outside("rates", rule, f'add "{cap.amount}/minute" or less')
    ceiling = record.ceiling()
    for budget in record.spending():
        if ceiling is None or budget.unit != ceiling.currency:
            rule = f"{budget} limits nothing: its calls cost {ceiling.currency if ceiling else 'nothing'}"
            yield Outside("budgets", rule, "write it in the currency of price_ceiling")
    if ceiling is not None and ceiling.amount > template.price:
        rule = f"{ceiling} is above {template.price}, the cap of {template.name}"
        yield Outside("price_ceiling", rule, f'write "{template.price} {ceiling.currency}" or less')


def _partner(record: ConnectorRecord) -> Iterator[Outside]:
    for name in ("agreement", "expires") if record.kind == "partner" else ():
        if getattr(record, name) is None:
            yield Outside(name, "a partner has an agreement, and a day on which it ends", f"add {name} = …")


def within(rate: Rate, cap: Rate) -> bool:
    """Whether one rate lets through no more than another: neither at once nor in the long run.

    What counts at once and what counts in a time do not bound each other.
    """
    if rate.is_concurrent != cap.is_concurrent or rate.amount > cap.amount:
        return False
    return rate.amount * cap.seconds <= cap.amount * rate.seconds
