"""The proof at start: one request without credentials to every route that is not public, in every mode, in-process.

All but the public must be stopped by step 2. A route that skips a guard is found here, before anybody else finds it.
"""

from __future__ import annotations

from collections.abc import Iterator

from narrows.call import Mode, Raw, Reply
from narrows.errors import CredentialsMissing, Refusal, StartRefused
from narrows.plan import Plan
from narrows.plan.entries import Entry
from narrows.surfaces.graphql.dispatch import Dispatch, Incoming

_MODES: tuple[Mode, ...] = ("live", "rehearse", "sandbox")


async def prove(plan: Plan) -> None:
    """Call every route of a plan without credentials. Raises `StartRefused` for each that lets one in."""
    open_doors = [
        _refusal(entry, mode)
        for entry in plan.entries
        if entry.endpoint.public is None
        for mode in _MODES
        if not await _is_shut(plan, entry, mode)
    ]
    if open_doors:
        raise StartRefused(open_doors)


async def _is_shut(plan: Plan, entry: Entry, mode: Mode) -> bool:
    """Whether the endpoint answers the 401 of step 2."""
    path = {parameter.name: "1" for parameter in entry.shape.of("path")}
    content = {"content-type": ["application/json"]} if entry.shape.body else {}
    raw = Raw(path=path, headers=content, read_body=_empty_object)
    return _is_401(await plan.call(entry, mode, raw, way="self-test", span=plan.telemetry.silent()))


async def prove_graphql(plan: Plan, graphql: Dispatch) -> None:
    """Ask for documents without credentials, by name, by id and by their text. Raises `StartRefused` if one answers."""
    open_doors = [
        _refusal(entry, mode)
        for incoming in _incoming(plan)
        for mode in _MODES
        for entry, raw in (await graphql.lead(incoming),)
        if not _is_401(await plan.call(entry, mode, raw, way="self-test", span=plan.telemetry.silent()))
    ]
    if open_doors:
        raise StartRefused(open_doors)


def _incoming(plan: Plan) -> Iterator[Incoming]:
    """Requests for each document in every form, and for one that there is not."""
    for document in (entry.endpoint.document for entry in plan.entries):
        if document is not None:
            yield _get(document.name)
            yield _get(None, ("documentId", f"sha256:{document.sha256}"))
            yield _get(None, ("query", document.source))
    yield _get(None, ("documentId", "unknown"))
    yield Incoming(
        method="POST",
        name=None,
        query=(),
        headers={"content-type": ["application/json"]},
        peer="",
        read_body=_empty_object,
    )


def _get(name: str | None, *query: tuple[str, str]) -> Incoming:
    return Incoming(method="GET", name=name, query=query, headers={}, peer="", read_body=_empty_object)


def _is_401(reply: Reply) -> bool:
    return reply.status == CredentialsMissing.status and CredentialsMissing.type.encode() in reply.body


async def _empty_object(_: int) -> bytes:
    return b"{}"


def _refusal(entry: Entry, mode: Mode) -> Refusal:
    return Refusal(
        code="guard-skipped",
        subject=entry.endpoint.id,
        where=entry.endpoint.where,
        rule=f"a request without credentials got past step 2 ({mode})",
        remedy="this is a fault of Narrows or of an extension: do not serve this version",
    )
