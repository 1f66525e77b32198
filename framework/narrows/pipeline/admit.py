"""Step 3: the connector's state and record allow this, the token holds the scope, and attempts have a number."""

from __future__ import annotations

from collections.abc import Mapping

from narrows.call import Call, Connector, Mode
from narrows.declare.endpoint import Endpoint
from narrows.declare.rate import Rate
from narrows.declare.types import Money
from narrows.errors import ConnectorRefused, PersonRequired, ScopeMissing
from narrows.pipeline.challenge import challenge
from narrows.pipeline.quota import Counted, policy_of
from narrows.pipeline.step import Preparing, Step, Who, who
from narrows.settings import ConnectorState, Settings

_BASE_PATH = (
    "Use a base path that its state allows, or have it approved. "
    "States: draft (sandbox only), trial (reads and rehearsals), live."
)
# Of these no base path helps, nor an approval.
_REMEDIES: Mapping[ConnectorState, str] = {
    "suspended": "Ask who answers for it why it was stopped. It goes on after: narrows connector resume.",
    "expired": "Ask its owner for a record with a later `expires`, which is then applied and approved.",
    "revoked": "This is for good. Use another program, or ask its owner to have a new one registered.",
}


def prepare(preparing: Preparing) -> Step | None:
    """Make the step for one endpoint; a public built-in needs none."""
    endpoint, settings = preparing.endpoint, preparing.ground.settings
    if endpoint.public is not None:
        return None
    if endpoint.scope is None and not endpoint.owned:
        preparing.refuse("scope-missing", "it does not say which scope the token must hold", 'add scope="…:read"')
    attempts = policy_of(Rate.parse(settings.limits.attempts), f"attempts {settings.limits.attempts}")
    limiter, quotas = preparing.ground.limiter, preparing.ground.quotas
    writes = endpoint.kind == "write"
    for_services = endpoint.for_services or endpoint.owned

    async def admit(call: Call) -> None:
        known = who(call)
        counted = Counted(attempts, quotas.bucket(_key(known)))
        # `preparing.ceiling` is worked out by the step of rates, which is made ready after this one.
        strict = call.mode != "sandbox" and (writes or preparing.ceiling is not None)
        allowed = await limiter.take([(counted.bucket, attempts.rate)], strict=strict)
        if not allowed.allowed:
            raise quotas.refuse(call, [counted], allowed, kind="attempts", detail="Too many attempts")
        check_state(known.connector, call.mode, write=writes)
        check_credentials(known.connector, call.now_s())
        if not endpoint.owned:
            check_record(known.connector, endpoint, preparing.ceiling)
        if known.caller.kind == "service" and not for_services:
            raise PersonRequired()
        if endpoint.scope is not None and endpoint.scope not in known.credential.scopes:
            raise _scope_missing(settings, endpoint.scope)

    return admit


def check_state(connector: Connector, mode: Mode, *, write: bool) -> None:
    """Refuse what a connector's state does not allow. Raises `ConnectorRefused`."""
    match connector.state:
        case "live":
            return
        case "trial" if not (write and mode == "live"):
            return
        case "draft" if mode == "sandbox":
            return
    raise ConnectorRefused(
        f"The connector is in state {connector.state!r}.",
        remedy=_REMEDIES.get(connector.state, _BASE_PATH),
    )


def check_credentials(connector: Connector, now: float) -> None:
    """Refuse a connector whose credentials are all past their age. Raises `ConnectorRefused`."""
    if connector.credentials_until is not None and now >= connector.credentials_until:
        raise ConnectorRefused(
            "The connector has no credential that still holds: each has its age, or there is none.",
            remedy="Ask its owner for a new credential: narrows connector rotate.",
        )


def check_record(connector: Connector, endpoint: Endpoint, ceiling: Money | None) -> None:
    """Refuse what is not in a connector's record: endpoints, scopes, prices. Raises `ConnectorRefused`."""
    if connector.endpoints is not None and endpoint.id not in connector.endpoints:
        raise ConnectorRefused(f"The record of the connector does not name the endpoint {endpoint.id!r}.")
    if connector.scopes is not None and endpoint.scope is not None and endpoint.scope not in connector.scopes:
        raise ConnectorRefused(f"The record of the connector does not name the scope {endpoint.scope!r}.")
    if connector.priced and ceiling is not None and not _covers(connector.price_ceiling, ceiling):
        raise ConnectorRefused(
            f"One call can cost {ceiling}, and the record of the connector allows {connector.price_ceiling or 'none'}."
        )


def _covers(allowed: Money | None, ceiling: Money) -> bool:
    return allowed is not None and allowed.currency == ceiling.currency and ceiling.amount <= allowed.amount


def _key(known: Who) -> str:
    """The bucket of one caller and connector; the only part that nobody of ours chose stands last."""
    caller, connector, _ = known
    return f"attempt|{connector.tenant}|{connector.id}|{caller.issuer}|{caller.subject}"


def _scope_missing(settings: Settings, scope: str) -> ScopeMissing:
    return ScopeMissing(
        f"The token does not hold the scope {scope!r}.",
        headers=challenge(settings, "insufficient_scope", scope),
        members={"scope": scope},
    )
