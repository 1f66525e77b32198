"""Step 3: the connector's state allows this mode, the token holds the scope, and attempts are not without number."""

from __future__ import annotations

from narrows.call import Call, Connector, Mode
from narrows.declare.rate import Rate
from narrows.errors import ConnectorRefused, PersonRequired, QuotaExceeded, ScopeMissing
from narrows.pipeline.challenge import challenge
from narrows.pipeline.step import Preparing, Step, Who, retry_after, who
from narrows.settings import Settings

_STATES = "draft (sandbox only), trial (reads and rehearsals), live"


def prepare(preparing: Preparing) -> Step | None:
    """Make the step for one endpoint; a public built-in needs none."""
    endpoint, settings = preparing.endpoint, preparing.ground.settings
    if endpoint.public is not None:
        return None
    if endpoint.scope is None and not endpoint.owned:
        preparing.refuse("scope-missing", "it does not say which scope the token must hold", 'add scope="…:read"')
    attempts = Rate.parse(settings.limits.attempts)
    take = preparing.ground.limiter.take
    for_services = endpoint.for_services or endpoint.owned

    async def admit(call: Call) -> None:
        known = who(call)
        allowed = await take([(_key(known), attempts)])
        if not allowed.allowed:
            raise QuotaExceeded("Too many attempts.", headers=retry_after(allowed.retry_after_s))
        check_state(known.connector, call.mode, write=endpoint.kind == "write")
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
        remedy=f"Use a base path that its state allows, or have it approved. States: {_STATES}.",
    )


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
