"""What a BFF says of its GraphQL, and what one of its documents may cost."""

from __future__ import annotations

from collections.abc import Iterator

from narrows.checks.refusing import refuse
from narrows.declare.bff import Bff
from narrows.declare.document import Declared, Graphql, Join
from narrows.declare.endpoint import Endpoint
from narrows.declare.types import Money
from narrows.errors import Refusal

_BOUNDS = ("depth", "aliases", "tokens")
_LEAST = {"aliases": 0}


def graphql_refusals(bff: Bff) -> Iterator[Refusal]:
    """Documents and joins of a BFF that answers no GraphQL, and bounds that are none."""
    surface = bff.graphql_surface
    if surface is not None:
        yield from _bounds(bff, surface)
        if surface.before is not None:
            rule = f"bff.graphql() is called a second time, after {surface.before}"
            remedy = "write one of them, with all that both say"
            yield Refusal(code="graphql-twice", subject=bff.name, where=surface.where, rule=rule, remedy=remedy)
        return
    found: list[Declared | Join] = [*bff.documents, *bff.joins]
    for declared in found:
        yield Refusal(
            code="graphql-missing",
            subject=f"{bff.name}.{declared.name}",
            where=declared.where,
            rule="its BFF answers no GraphQL",
            remedy="write bff.graphql() before it, or take it out",
        )


def _bounds(bff: Bff, surface: Graphql) -> Iterator[Refusal]:
    for name in _BOUNDS:
        value, least = getattr(surface, name), _LEAST.get(name, 1)
        if type(value) is not int or value < least:
            yield _unclear(bff, surface, f"`{name}` is no number from {least}", f"write {name}=10, or take it out")
    if surface.ceiling is not None and _price(surface.ceiling) is None:
        yield _unclear(bff, surface, "`ceiling` is no price", 'write ceiling="0.50 EUR", or take it out')


def _unclear(bff: Bff, surface: Graphql, rule: str, remedy: str) -> Refusal:
    return Refusal(code="graphql-unclear", subject=bff.name, where=surface.where, rule=rule, remedy=remedy)


def _price(text: object) -> Money | None:
    try:
        return Money.parse(text) if isinstance(text, str) else None
    except ValueError:
        return None


def ceiling_refusals(endpoint: Endpoint, costs: Money | None) -> Iterator[Refusal]:
    """A document that can cost more than its BFF lets one cost."""
    document = endpoint.document
    if document is None or costs is None or not costs.amount:
        return
    most = document.ceiling
    if most is None or most.currency != costs.currency or costs.amount > most.amount:
        allowed = f"{most} is" if most is not None else "nothing that costs is"
        rule = f"one call can cost {costs}, and {allowed} allowed"
        remedy = f'ask for less, or write bff.graphql(ceiling="{costs}")'
        yield refuse("document-ceiling", endpoint, rule, remedy)
