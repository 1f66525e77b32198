"""The problems that an endpoint can answer with, and how the contract shows them (RFC 9457)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, groupby
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from narrows import errors
from narrows.declare.endpoint import counts
from narrows.pipeline.quota import LIMITS
from narrows.plan.entries import Entry
from narrows.sdk.keys import keys
from narrows.sdk.schemas import Schema
from narrows.upstreams.send import Sendables

Kind = type[errors.Problem]
Group = tuple[Kind, ...]

GRAPHQL_MEDIA_TYPES = ("application/json", "application/graphql-response+json")
"""The media types of what a document answers; `Accept` says which."""

_EVERYWHERE: tuple[Kind, ...] = (
    errors.MalformedRequest,
    errors.InvalidInput,
    errors.RequestTimeout,
    errors.ContentTooLarge,
    errors.UnsupportedMediaType,
    errors.WrongHost,
    errors.InternalError,
    errors.Unavailable,
)
_WITH_CREDENTIALS: tuple[Kind, ...] = (
    errors.AmbiguousCredentials,
    errors.CredentialsMissing,
    errors.InvalidToken,
    errors.ConnectorRefused,
    errors.QuotaExceeded,
    errors.UpstreamTimeout,
)
_ON_WRITES: tuple[Kind, ...] = (
    errors.AlreadyAttempted,
    errors.EffectsDrifted,
    errors.KeyInUse,
    errors.ReceiptRefused,
    errors.KeyReused,
    errors.ConfirmationRequired,
    errors.ReceiptRequired,
)
_HEADERS: Mapping[Kind, tuple[str, ...]] = {
    errors.AmbiguousCredentials: ("WWW-Authenticate",),
    errors.CredentialsMissing: ("WWW-Authenticate",),
    errors.InvalidToken: ("WWW-Authenticate",),
    errors.InteractionRequired: ("WWW-Authenticate",),
    errors.ScopeMissing: ("WWW-Authenticate",),
    errors.KeyInUse: ("Retry-After",),
    errors.QuotaExceeded: ("Retry-After", *LIMITS),
    errors.VolumeExhausted: ("Retry-After",),
    errors.Unavailable: ("Retry-After",),
}


class Short(msgspec.Struct, kw_only=True):
    """A budget or volume that does not suffice; amounts are told of the caller's own alone."""

    of: Annotated[Literal["tenant", "connector", "caller"], Meta(description="Whose it is.")]
    period: Literal["day", "week", "month"]
    renews_at: Annotated[str, Meta(description="When it is whole again (RFC 3339, UTC).")]
    limit: str | UnsetType = UNSET
    remaining: str | UnsetType = UNSET
    needed: str | UnsetType = UNSET


class Problem(msgspec.Struct, kw_only=True):
    """What went wrong and what to do about it (RFC 9457). Other members may stand beside these."""

    type: Annotated[str, Meta(description="Names the kind of problem; it never changes.")]
    title: Annotated[str, Meta(description="The kind of problem in words.")]
    status: Annotated[int, Meta(ge=400, le=599, description="The HTTP status of the answer.")]
    detail: Annotated[str, Meta(description="What is wrong with this request.")] | UnsetType = UNSET
    remedy: Annotated[str, Meta(description="What to do about it.")]
    errors: Annotated[list[errors.FieldError], Meta(description="Every field that does not hold.")] | UnsetType = UNSET
    trace_id: Annotated[str, Meta(description="Leads the owner to this call.")] | UnsetType = UNSET
    effects: Annotated[list[str], Meta(description="The writes that did happen before the problem.")] | UnsetType = (
        UNSET
    )
    effects_unknown: (
        Annotated[list[str], Meta(description="The writes of which nobody knows whether they happened.")] | UnsetType
    ) = UNSET
    violated_policies: (
        Annotated[list[str], Meta(description="The rates that are used up, as `RateLimit-Policy` names them.")]
        | UnsetType
    ) = msgspec.field(name="violated-policies", default=UNSET)
    budgets: Annotated[list[Short], Meta(description="The budgets that do not cover it.")] | UnsetType = UNSET
    volumes: Annotated[list[Short], Meta(description="The volumes that do not cover it.")] | UnsetType = UNSET
    scope: Annotated[str, Meta(description="The scope that the token lacks.")] | UnsetType = UNSET
    commit: (
        Annotated[Literal["receipt", "confirmed"], Meta(description="What a live write needs here.")] | UnsetType
    ) = UNSET
    rehearse_url: Annotated[str, Meta(description="Where to rehearse this very request.")] | UnsetType = UNSET
    confirm_url: Annotated[str, Meta(description="Where the person confirms the rehearsal.")] | UnsetType = UNSET
    reason: Annotated[str, Meta(description="Why a receipt does not hold.")] | UnsetType = UNSET


class Problems:
    """The problems of every endpoint: each stands once in `examples`, and each group of one status in `components`."""

    def __init__(self, entries: Iterable[Entry], sendables: Sendables, schema: Schema) -> None:
        """`schema` is that of `Problem`."""
        known = {entry.endpoint.id: entry for entry in entries}
        self._by_endpoint = {
            entry.endpoint: _grouped(problems_of(entry, sendables, _fields(entry, known))) for entry in known.values()
        }
        documents = {endpoint for endpoint in self._by_endpoint if endpoint.document is not None}
        groups = _ordered(self._by_endpoint[one] for one in self._by_endpoint if one not in documents)
        self._keys = dict(zip(groups, keys(f"Problem{group[0].status}" for group in groups), strict=True))
        answers = _ordered(self._by_endpoint[one] for one in documents)
        self._answers = dict(zip(answers, keys(f"Errors{group[0].status}" for group in answers), strict=True))
        every = sorted(set(chain(*groups)), key=_order)
        named = dict(zip(every, keys(problem.slug for problem in every), strict=True))
        self.components = {key: _response(group, named, schema) for group, key in self._keys.items()}
        self.components |= {key: _errors(group, schema) for group, key in self._answers.items()}
        self.examples = {key: _example(problem) for problem, key in named.items()}

    def responses(self, entry: Entry) -> dict[str, Any]:
        """The responses of an endpoint that are problems, by status."""
        groups = self._by_endpoint[entry.endpoint]
        named = self._keys if entry.endpoint.document is None else self._answers
        return {str(group[0].status): _ref("responses", named[group]) for group in groups}


def _grouped(problems: list[Kind]) -> list[Group]:
    """Problems in the order of their status, those of one status together."""
    return [tuple(group) for _, group in groupby(problems, key=lambda problem: problem.status)]


def _ordered(found: Iterable[Iterable[Group]]) -> list[Group]:
    """Every group once, in an order that is the same in every process."""
    return sorted(set(chain(*found)), key=lambda group: list(map(_order, group)))


def _response(group: Group, named: Mapping[Kind, str], schema: Schema) -> dict[str, Any]:
    """A Response Object for the problems of one status; which one it is, `type` says."""
    examples = {named[problem]: _ref("examples", named[problem]) for problem in group}
    return _told(group) | {
        "content": {errors.PROBLEM_MEDIA_TYPE: {"schema": _narrowed(group, schema), "examples": examples}}
    }


def _errors(group: Group, schema: Schema) -> dict[str, Any]:
    """The same as a document answers it: one error of GraphQL, whose `extensions` are the problem."""
    error: Schema = {
        "type": "object",
        "required": ["message", "extensions"],
        "properties": {
            "message": {"type": "string"},
            "path": {"type": "array", "items": {"type": ["string", "integer"]}},
            "extensions": _narrowed(group, schema),
        },
    }
    several = {"type": "array", "minItems": 1, "maxItems": 1, "items": error}
    answer = {"type": "object", "required": ["errors"], "properties": {"errors": several}}
    return _told(group) | {"content": {media: {"schema": answer} for media in GRAPHQL_MEDIA_TYPES}}


def _told(group: Group) -> dict[str, Any]:
    return {
        "description": "\n".join(f"- **{problem.title}**: {problem.remedy}" for problem in group),
        "headers": {name: _ref("headers", name) for problem in group for name in _HEADERS.get(problem, ())},
    }


def _narrowed(group: Group, schema: Schema) -> Schema:
    kinds = list(dict.fromkeys(problem.type for problem in group))
    return {"allOf": [schema], "properties": {"type": {"enum": kinds}, "status": {"const": group[0].status}}}


def problems_of(entry: Entry, sendables: Sendables, fields: Iterable[Entry] = ()) -> list[Kind]:
    """Every problem that a call of an endpoint can end in, by status; 405 belongs to a path, not to an endpoint.

    `fields` are the endpoints of a document, which ends in the problems that they end in.
    """
    return sorted({*_of_narrows(entry, sendables), *chain(*map(_declared, (entry, *fields)))}, key=_order)


def _fields(entry: Entry, known: Mapping[str, Entry]) -> list[Entry]:
    document = entry.endpoint.document
    return [known[field.endpoint] for field in document.fields] if document is not None else []


def _of_narrows(entry: Entry, sendables: Sendables) -> Iterator[Kind]:
    """The problems of the pipeline, as far as its steps can come to them for this endpoint."""
    endpoint, used = entry.endpoint, entry.uses
    yield from _EVERYWHERE
    if endpoint.public is None:
        yield from _WITH_CREDENTIALS
    # Also for the header `Rehearsal` with an id that leads to nothing.
    if entry.shape.of("path") or not endpoint.builtin:
        yield errors.NotFound
    if endpoint.kind == "write" and not endpoint.builtin:
        yield from _ON_WRITES
    if endpoint.scope is not None:
        yield errors.ScopeMissing
    if not endpoint.builtin:
        yield from (errors.Forbidden, errors.VolumeExhausted)
        yield from () if endpoint.for_services else (errors.PersonRequired,)
    if entry.ceiling is not None:
        yield errors.BudgetExhausted
    if used:
        yield errors.UpstreamFailed
    if any(sendables[operation].settings.identity == "caller" for operation in used):
        yield errors.InteractionRequired


def _declared(entry: Entry) -> Iterator[Kind]:
    """The problems that the team declares, and with a document the one that belongs to its media types."""
    yield from () if entry.endpoint.document is None else (errors.NotAcceptable,)
    yield from entry.endpoint.problems
    for operation in counts(entry.endpoint.uses or ()):
        yield from operation.problems.values()
    for operation in entry.uses:
        # A guard's read that fails otherwise is answered as `Forbidden`, so that nobody learns what exists.
        yield from (p for p in operation.problems.values() if p.status >= 500 or p.status in (401, 429))


def _order(problem: Kind) -> tuple[Any, ...]:
    """An order that is the same in every process, whatever sets do."""
    return problem.status, problem.type, problem.title, problem.remedy, problem.__module__, problem.__qualname__


def _example(problem: Kind) -> dict[str, Any]:
    """The members that never change."""
    value = {"type": problem.type, "title": problem.title, "status": problem.status, "remedy": problem.remedy}
    return {"summary": problem.title, "value": value}


def _ref(kind: str, key: str) -> dict[str, str]:
    return {"$ref": f"#/components/{kind}/{key}"}
