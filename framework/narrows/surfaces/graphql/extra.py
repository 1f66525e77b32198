"""The extra that GraphQL needs: whether it is installed, before anything of it is imported."""

from __future__ import annotations

from importlib import import_module

from narrows.declare.document import Graphql
from narrows.errors import Refusal, StartRefused

INSTALL = "pip install 'narrows[graphql]'"


def missing() -> str | None:
    """What is not there, or not of a version that fits; None if GraphQL can be answered."""
    try:
        import_module("narrows.surfaces.graphql.schema")
        import_module("narrows.surfaces.graphql.documents")
    except ImportError as error:
        return str(error)
    return None


def refuse_without_extra(bff: str, surface: Graphql) -> None:
    """Raise `StartRefused` at the line of `bff.graphql(…)` if the extra is not installed."""
    said = missing()
    if said is None:
        return
    rule = f"GraphQL needs the extra `graphql`, which is not installed here: {said}"
    remedy = f"{INSTALL}, or take bff.graphql() out"
    raise StartRefused([Refusal(code="graphql-extra", subject=bff, where=surface.where, rule=rule, remedy=remedy)])
