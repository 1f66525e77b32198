"""The proof at start: one request without credentials to every route that is not public, in every mode, in-process.

All but the public must be stopped by step 2. A route that skips a guard is found here, before anybody else finds it.
"""

from __future__ import annotations

from narrows.call import Mode, Raw
from narrows.errors import CredentialsMissing, Refusal, StartRefused
from narrows.plan import Plan
from narrows.plan.entries import Entry

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
    reply = await plan.call(entry, mode, raw, way="self-test", span=plan.telemetry.silent())
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
