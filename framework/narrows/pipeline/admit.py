"""Step 3: the connector's state and record allow this, the token holds the scope, and attempts have a number."""

from __future__ import annotations

from narrows.call import Call
from narrows.declare.rate import Rate
from narrows.pipeline.admission import (
    NeededScopes,
    check_credentials,
    check_kind,
    check_ladder,
    check_named,
    check_price,
    check_scopes,
    check_state,
)
from narrows.pipeline.quota import Counted, policy_of
from narrows.pipeline.step import Preparing, Step, Who, who


def prepare(preparing: Preparing) -> Step | None:
    """Make the step for one endpoint; a public built-in needs none."""
    endpoint, settings = preparing.endpoint, preparing.ground.settings
    if endpoint.public is not None:
        return None
    if endpoint.scope is None and not (endpoint.owned or endpoint.ad_hoc):
        preparing.refuse("scope-missing", "it does not say which scope the token must hold", 'add scope="…:read"')
    attempts = policy_of(Rate.parse(settings.limits.attempts), f"attempts {settings.limits.attempts}")
    limiter, quotas = preparing.ground.limiter, preparing.ground.quotas
    writes = endpoint.kind == "write"
    for_services = endpoint.for_services or endpoint.owned
    _refuse_persons(preparing)
    # A document needs what its fields need.
    scopes = NeededScopes(settings, preparing.scopes())
    # No record names what was not registered, so it must name each of its fields.
    named = [field.id for field, _ in preparing.fields] if endpoint.ad_hoc else [endpoint.id]

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
            check_ladder(known.connector, call.raw.posed)
            for name in named:
                check_named(known.connector, name)
            check_scopes(known.connector, scopes.all)
            check_price(known.connector, preparing.ceiling)
        check_kind(known.caller, for_services=for_services)
        scopes.check(known.credential.scopes)

    return admit


def _refuse_persons(preparing: Preparing) -> None:
    """A document is for services only if all of its fields are, else none of their calls could end well."""
    if preparing.endpoint.for_services:
        for field, _ in preparing.fields:
            if not field.for_services:
                preparing.refuse(
                    "field-for-persons",
                    f"services may call it, and its field {field.id} is for persons alone",
                    f"declare {field.id} with for_services=True, or take it from the document",
                )


def _key(known: Who) -> str:
    """The bucket of one caller and connector; the only part that nobody of ours chose stands last."""
    caller, connector, _ = known
    return f"attempt|{connector.tenant}|{connector.id}|{caller.issuer}|{caller.subject}"
