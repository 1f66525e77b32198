"""Which object ids an endpoint binds; one that nothing binds is how a caller reaches another's object (OWASP API1)."""

from __future__ import annotations

from narrows.declare.shape import id_places, needed_by, placeholders
from narrows.pipeline.step import Preparing


def refuse_unbound(preparing: Preparing) -> None:
    """Refuse every id that neither `within`, `given` nor `inside` binds and `unbound` does not explain."""
    endpoint = preparing.endpoint
    # What the variables of a document reach are endpoints, each of which binds the ids that it takes.
    places = id_places(preparing.shape) if endpoint.document is None else []
    bound = _proven(preparing, _bound_by_domain(preparing))
    for place in places:
        if place not in bound and place not in endpoint.unbound and place not in endpoint.inside:
            preparing.refuse(
                "id-unbound",
                f"nothing binds the object id `{place}`",
                'read its object first with given={"thing": Upstream.read} and within="team:{thing.team_id}"; '
                f'or prove it with inside={{"{place}": (Upstream.read, "field")}}; '
                f'or explain it with unbound={{"{place}": "why this is safe"}}; '
                f'or, only if the id names the domain itself, write within="team:{{{place}}}"',
            )
    for name, (operation, field) in endpoint.inside.items():
        if name in places and name not in bound:
            preparing.refuse(
                "inside-loose",
                f"inside `{name}` proves nothing: {operation.id} does not take it, or nothing binds `{field}`",
                f"name a read that takes `{name}`, and a field that `within` binds",
            )
    for name in (*endpoint.unbound, *endpoint.inside):
        if name not in places:
            preparing.refuse("id-unknown", f"there is no object id `{name}`", f"take `{name}` out, or correct it")
    for name, reason in endpoint.unbound.items():
        if not reason.strip():
            preparing.refuse("reason-missing", f"`unbound` gives no reason for `{name}`", "say why this is safe")


def _bound_by_domain(preparing: Preparing) -> set[str]:
    """The ids in `within`, and those that lead to an object whose field is in `within`."""
    endpoint = preparing.endpoint
    bound: set[str] = set()
    for name in placeholders(endpoint.within or ""):
        head, _, field = name.partition(".")
        if field and head in endpoint.given:
            bound |= {parameter.name for parameter in needed_by(endpoint.given[head])}
        else:
            bound.add(head)
    return bound


def _proven(preparing: Preparing, bound: set[str]) -> set[str]:
    """What is bound, and the ids that `inside` leads to it, in one step or in several."""
    inside = preparing.endpoint.inside
    takes = {name: {p.name for p in needed_by(operation)} for name, (operation, _) in inside.items()}
    for _ in inside:
        bound = bound | {name for name, (_, field) in inside.items() if field in bound and name in takes[name]}
    return bound
