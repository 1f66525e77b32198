"""Made-up people, one for each role that the declarations ask for, one next door and a stranger."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from random import Random
from typing import Any

import msgspec

from narrows.declare.bff import Bff
from narrows.declare.endpoint import Endpoint
from narrows.declare.shape import ShapeError, endpoint_shape, operation_shape, placeholders
from narrows.settings import RoleClaim
from narrows.upstreams.synthetic import CannotMake, Generator

STRANGER = "stranger"
NEIGHBOUR = "neighbour"

_NEVER_A_NAME = re.compile(r"[^a-z0-9_-]+")
_HERE = ("7", "team-7", "00000000-0000-4000-8000-000000000007")
_THERE = ("8", "team-8", "00000000-0000-4000-8000-000000000008")


class MadeUpPerson(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody to act as; `holds` says it in words, `claims` is what their tokens say, `roles` what they hold."""

    name: str
    holds: list[str]
    claims: dict[str, Any] = {}
    roles: list[str] = []


class Places(msgspec.Struct, frozen=True):
    """The objects that the made-up people belong to: text by the kind of the domain, and values by field name."""

    here: dict[str, str]
    there: dict[str, str]
    fields: dict[str, Any]


def places_of(bff: Bff, claims: Iterable[RoleClaim] = ()) -> Places:
    """One object of each kind of domain, and another one next door; each is a value of the type that is declared."""
    kinds: dict[str, list[tuple[str, Any]]] = {}
    here: dict[str, str] = {}
    for endpoint in bff.endpoints:
        kind, _, rest = _domain(endpoint).partition(":")
        if names := placeholders(rest):
            kinds.setdefault(kind, []).append((names[0].rpartition(".")[2], _type_of(endpoint, names[0])))
        else:
            here[kind] = rest
    _add_documents(bff, kinds, here)
    fixed = {c.domain.partition(":")[0]: c.domain.partition(":")[2] for c in claims if "{value}" not in c.domain}
    there = dict(here)
    fields: dict[str, Any] = {}
    for kind, named in kinds.items():
        types = [declared for _, declared in named]
        here[kind] = fixed[kind] if kind in fixed else _value(types, _HERE)
        there[kind] = _value(types, _THERE)
        fields |= {
            field: msgspec.convert(here[kind], declared, strict=False)
            for field, declared in named
            if _holds(here[kind], declared)
        }
    return Places(here, there, fields)


def people_of(bff: Bff, claims: Iterable[RoleClaim], places: Places) -> list[MadeUpPerson]:
    """The people: each role's holder, who holds all of them next door, and who holds nothing."""
    claims = list(claims)
    wanted = sorted({(role, domain.partition(":")[0]) for role, domain in roles_in(bff)})
    made = [
        _holder(_name(role), [(r, kind) for r, kind in wanted if r == role], claims, places.here)
        for role in dict.fromkeys(role for role, _ in wanted)
    ]
    if any(places.here[kind] != text for kind, text in places.there.items()):
        made.append(_holder(NEIGHBOUR, wanted, claims, places.there))
    return [*made, MadeUpPerson(name=STRANGER, holds=[])]


def roles_in(bff: Bff) -> set[tuple[str, str]]:
    """Each role that endpoints and documents want, with the domain as they declare it."""
    found = {(role, _domain(endpoint)) for endpoint in bff.endpoints for role in endpoint.roles or ()}
    for declared in bff.documents:
        domain = declared.guards.get("within") or f"bff:{bff.name}"
        found |= {(role, domain) for role in declared.guards.get("roles") or ()}
    return found


def _add_documents(bff: Bff, kinds: dict[str, list[tuple[str, Any]]], here: dict[str, str]) -> None:
    """The domains of documents that no endpoint has: the types of their variables are not known yet."""
    for declared in bff.documents:
        kind, _, rest = (declared.guards.get("within") or f"bff:{bff.name}").partition(":")
        if kind in kinds or kind in here:
            continue
        if names := placeholders(rest):
            kinds[kind] = [(names[0].rpartition(".")[2], str)]
        else:
            here[kind] = rest


def _holder(
    name: str, wanted: Iterable[tuple[str, str]], claims: Iterable[RoleClaim], where: Mapping[str, str]
) -> MadeUpPerson:
    """Somebody whose claims grant these roles there, by the mapping of the issuer."""
    held: dict[str, list[Any]] = {}
    said: list[str] = []
    roles: list[str] = []
    for role, kind in wanted:
        said.append(f"{role} in {kind}:{where[kind]}")
        roles.append(role)
        for claim in claims:
            if claim.role == role and claim.domain.partition(":")[0] == kind:
                value = claim.value if claim.value is not None else _fitting(claim.domain, where[kind])
                held.setdefault(claim.claim, []).append(value)
    return MadeUpPerson(name=name, holds=said, claims=held, roles=roles)


def _fitting(domain: str, wanted: str) -> str:
    """What the claim must hold, so that its domain becomes the wanted one."""
    before, _, after = domain.partition(":")[2].partition("{value}")
    inner = wanted.removeprefix(before).removesuffix(after)
    return inner or wanted


def _domain(endpoint: Endpoint) -> str:
    return endpoint.within or f"bff:{endpoint.bff}"


def _type_of(endpoint: Endpoint, name: str) -> Any:
    """The type of what `within` names: a parameter, or a field of an object that `given` reads."""
    given, _, attribute = name.partition(".")
    try:
        if not attribute:
            return endpoint_shape(endpoint).parameters[name].type
        answer = operation_shape(endpoint.given[given]).answer
        return next(field.type for field in msgspec.structs.fields(answer) if field.name == attribute)
    except (ShapeError, KeyError, TypeError, StopIteration):
        return str  # the start refuses it, and says why


def _value(types: Iterable[Any], candidates: Iterable[str]) -> str:
    """The first text that is of all types; else one that is made of the first type."""
    types = list(types)
    for text in candidates:
        if all(_holds(text, declared) for declared in types):
            return text
    try:
        made = Generator.build(types[0]).make(Random(next(iter(candidates))), now=datetime.now(UTC))  # noqa: S311 # no secret
    except CannotMake:
        return next(iter(candidates))
    plain = msgspec.to_builtins(made)
    return plain if isinstance(plain, str) else msgspec.json.encode(plain).decode()


def _holds(text: str, declared: Any) -> bool:
    try:
        msgspec.convert(text, declared, strict=False)
    except (TypeError, ValueError):
        return False
    return True


def _name(role: str) -> str:
    return _NEVER_A_NAME.sub("-", role.lower()).strip("-") or "holder"
