"""The entries: every endpoint made ready by the steps, and all that is wrong refused at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from narrows import checks
from narrows.call import Allowance
from narrows.declare.bff import Bff
from narrows.declare.endpoint import Endpoint, counts
from narrows.declare.shape import Shape
from narrows.declare.types import Money
from narrows.declare.upstream import Operation, Times
from narrows.errors import PolicyError, Refusal, StartRefused
from narrows.identity.roles_live import LiveRoles
from narrows.identity.roles_names import is_object
from narrows.pipeline import prepare
from narrows.pipeline.step import Ground, Preparing, Step
from narrows.settings import Settings
from narrows.upstreams.send import Sendables

Counts = dict[Operation[..., Any], int]
Watch = Callable[[Step], Step] | None
Fields = Sequence[tuple[Endpoint, int]]


class Entry(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One endpoint, ready to be called.

    `uses` counts what one call can send, for a document by its fields too, where `allowance` is what it sends itself.
    `ceiling` is the most that one call can cost; `scopes` are those that a token must hold, for a document those of its
    fields too; `declaration` is a digest of a write's declaration.
    """

    endpoint: Endpoint
    shape: Shape
    steps: tuple[Step, ...]
    child_steps: tuple[Step, ...]
    allowance: Allowance
    uses: Counts
    ceiling: Money | None
    scopes: tuple[str, ...] = ()
    declaration: str = ""


def make_entries(
    bff: Bff,
    settings: Settings,
    builtins: Sequence[Endpoint],
    make_documents: Callable[[], Sequence[Endpoint]],
    ground_of: Callable[[Sendables, LiveRoles], Ground],
    watch: Watch,
) -> tuple[Sendables, tuple[Entry, ...]]:
    """Run every check and every step's `prepare`: what may be sent, and the entries.

    `ground_of` gives what the steps stand on. Raises `StartRefused` with all that is wrong at once.
    """
    refusals = list(checks.bff_refusals(bff))
    documents = () if _add(refusals, checks.graphql_refusals(bff)) else _documents(make_documents, refusals)
    endpoints = [e for e in (*bff.endpoints, *documents) if not _add(refusals, checks.form_refusals(e))]
    refusals += checks.collisions((*builtins, *endpoints))
    used = {endpoint: _counts(endpoint) for endpoint in (*endpoints, *builtins)}
    fields = {endpoint: _fields(endpoint, used) for endpoint in used}
    every = {endpoint: _with_fields(endpoint, fields[endpoint], used) for endpoint in used}
    operations = _operations(bff, used.values())
    refusals += checks.problem_refusals(endpoints, operations)
    refusals += checks.hole_refusals(endpoints, operations)
    refusals += checks.settings_refusals(settings, {o.upstream.key for o in operations if o.upstream})
    sendables: Sendables = checks.sendables_of(operations, settings, refusals)
    ground = ground_of(sendables, _roles(settings, endpoints, refusals))
    if _add(refusals, checks.limit_refusals(settings)):
        raise StartRefused(refusals)
    entries = []
    for endpoint in used:
        # Without a sound shape, the steps can only tell what is missing altogether.
        shape = checks.shape_of(endpoint, builtins, refusals)
        preparing = Preparing(
            endpoint=endpoint,
            shape=shape or Shape({}, None),
            ground=ground,
            counts=every[endpoint],
            own=used[endpoint],
            fields=fields[endpoint],
        )
        entries.append(_entry(preparing, watch))
        preparing.refusals += checks.ceiling_refusals(endpoint, preparing.ceiling)
        refusals += (refusal for refusal in preparing.refusals if shape or refusal.code.endswith("-missing"))
    if refusals:
        raise StartRefused(_causes(refusals))
    return sendables, tuple(entries)


def improvise(endpoint: Endpoint, entries: Iterable[Entry], ground: Ground, watch: Watch) -> Entry:
    """Make an endpoint ready that nobody declared, over entries that are ready: ad-hoc text in `narrows dev`.

    Raises `StartRefused`.
    """
    used: dict[Endpoint, Mapping[Operation[..., Any], int]] = {e.endpoint: e.allowance.counts for e in entries}
    fields = _fields(endpoint, used)
    used[endpoint] = _counts(endpoint)
    refusals: list[Refusal] = []
    preparing = Preparing(
        endpoint=endpoint,
        shape=checks.shape_of(endpoint, (), refusals) or Shape({}, None),
        ground=ground,
        counts=_with_fields(endpoint, fields, used),
        own=used[endpoint],
        fields=fields,
    )
    entry = _entry(preparing, watch)
    refusals += checks.ceiling_refusals(endpoint, entry.ceiling)
    if refusals or preparing.refusals:
        raise StartRefused(refusals or preparing.refusals)
    return entry


def _operations(bff: Bff, used: Iterable[Counts]) -> list[Operation[..., Any]]:
    """Every operation that may be sent, those of joins included that no document selects yet."""
    joined = (use.operation if isinstance(use, Times) else use for join in bff.joins for use in join.uses or ())
    # What is no operation is refused where the schema is made.
    known = (operation for operation in joined if isinstance(operation, Operation))
    return list(dict.fromkeys([*(operation for allowed in used for operation in allowed), *known]))


def _entry(preparing: Preparing, watch: Watch) -> Entry:
    """Make one endpoint ready."""
    (steps, child_steps), used = prepare(preparing), preparing.own
    return Entry(
        endpoint=preparing.endpoint,
        shape=preparing.shape,
        steps=tuple(map(watch, steps)) if watch else steps,
        child_steps=child_steps,
        allowance=allowance_of(used),
        uses=dict(preparing.counts),
        ceiling=preparing.ceiling,
        scopes=tuple(preparing.scopes()),
        declaration=preparing.declaration,
    )


def allowance_of(used: Mapping[Operation[..., Any], int]) -> Allowance:
    """What may be sent, if these operations may be, each as often as it says."""
    return Allowance(used, _asks(used), _asks({o: n for o, n in used.items() if o.kind == "read"}))


def _documents(make: Callable[[], Sequence[Endpoint]], refusals: list[Refusal]) -> Sequence[Endpoint]:
    """The documents; if one of them does not hold, none, so that each reason is told once."""
    try:
        return make()
    except StartRefused as error:
        refusals += error.refusals
        return ()


def _roles(settings: Settings, endpoints: Iterable[Endpoint], refusals: list[Refusal]) -> LiveRoles:
    # What cannot be named in a policy is refused at its own line.
    declared = [(role, e.id) for e in endpoints if is_object(e.id) for role in sorted(e.roles or ())]
    try:
        return LiveRoles(
            declared,
            [settings.path(name) for name in settings.policies],
            settings.path(settings.model) if settings.model else None,
            settings.policy_check_s,
        )
    except PolicyError as error:
        refusals += checks.policy_refusals(error)
        return LiveRoles(declared)


def _add(refusals: list[Refusal], found: Iterable[Refusal]) -> bool:
    """Add what was found, and tell whether that was anything."""
    before = len(refusals)
    refusals += found
    return len(refusals) > before


def _causes(refusals: Sequence[Refusal]) -> list[Refusal]:
    """Each refusal once, without those that only follow from another: a policy that does not load grants nothing."""
    follow = "role-ungrantable" if any(r.code == "policy-unloadable" for r in refusals) else None
    return [refusal for refusal in dict.fromkeys(refusals) if refusal.code != follow]


def _counts(endpoint: Endpoint) -> Counts:
    """How often each operation may run in one call, the reads of the guards included."""
    allowed = counts(endpoint.uses or ())
    guards = [*endpoint.given.values(), *(operation for operation, _ in endpoint.inside.values())]
    for operation in (*guards, *((endpoint.roles_from,) if endpoint.roles_from else ())):
        allowed[operation] = allowed.get(operation, 0) + 1
    return allowed


def _fields(endpoint: Endpoint, known: Iterable[Endpoint]) -> list[tuple[Endpoint, int]]:
    """The endpoints that a document asks for, and how often; of what was refused there is none."""
    if endpoint.document is None:
        return []
    found = {one.id: one for one in known}
    return [(found[field.endpoint], field.times) for field in endpoint.document.fields if field.endpoint in found]


def _with_fields(
    endpoint: Endpoint, fields: Fields, used: Mapping[Endpoint, Mapping[Operation[..., Any], int]]
) -> Counts:
    """How often each operation may run in one call, those of the child calls of a document included."""
    total = dict(used[endpoint])
    for field, times in fields:
        for operation, count in used[field].items():
            total[operation] = total.get(operation, 0) + count * times
    return total


def _asks(operations: Iterable[Operation[..., Any]]) -> dict[str, frozenset[str]]:
    """The scopes asked for at each upstream: those of its operations, and no other."""
    asked: dict[str, set[str]] = {}
    for operation in operations:
        if operation.upstream is not None:
            asked.setdefault(operation.upstream.key, set()).update({operation.asks} if operation.asks else ())
    return {key: frozenset(scopes) for key, scopes in asked.items()}
