"""Step 2: the token tells who calls, on whose behalf, and with which program."""

from __future__ import annotations

import re
from collections.abc import Mapping

from narrows.addresses import bucket_of
from narrows.call import Call, Caller, Credential, Raw
from narrows.declare.rate import Rate
from narrows.errors import (
    AmbiguousCredentials,
    ConnectorRefused,
    CredentialsMissing,
    InvalidToken,
    Problem,
    Unavailable,
)
from narrows.identity.connectors import is_void
from narrows.identity.jwt import Reason, refuse
from narrows.identity.tokens import is_service
from narrows.pipeline.by_session import by_session
from narrows.pipeline.challenge import challenge
from narrows.pipeline.quota import Counted, Policy, policy_of
from narrows.pipeline.step import Ground, Preparing, Step, name_caller
from narrows.settings import Settings

# RFC 6750, 2.1, with the spaces and the case that RFC 9110, 11.1 allows: the scheme, and a token of the form b64token.
_BEARER = re.compile(r"(?i:bearer) +([A-Za-z0-9\-._~+/]+=*)")


def prepare(preparing: Preparing) -> Step | None:
    """Make the step for one endpoint; a public built-in needs none."""
    if preparing.endpoint.public is not None:
        return None
    ground = preparing.ground
    if preparing.endpoint.session:
        return by_session(ground, changes=preparing.endpoint.kind == "write")
    challenges = _challenges(ground.settings)
    limit = ground.settings.limits.unverified
    unverified = policy_of(Rate.parse(limit), f"unverified tokens {limit}")

    async def authenticate(call: Call) -> None:
        try:
            token = _token(call.raw)
            await ground.revoking.refresh()
            credential = ground.identity.known(token) or await _verify(ground, call, token, unverified)
            call.credential, call.caller = credential, _caller(credential)
            await name_caller(ground, call, call.caller)
            connector = await ground.directory.find(credential.issuer, credential.client_id)
            if connector is not None and is_void(connector, credential):
                raise refuse(Reason.REVOKED)
        except (AmbiguousCredentials, CredentialsMissing, InvalidToken) as problem:
            problem.headers.update(challenges[type(problem)])
            raise
        call.connector = connector
        if connector is None:
            raise ConnectorRefused("The program that this token was issued to is not registered here.")

    return authenticate


def _challenges(settings: Settings) -> Mapping[type[Problem], Mapping[str, str]]:
    """The challenge of each problem of this step (RFC 6750, 3.1)."""
    return {
        CredentialsMissing: challenge(settings),
        AmbiguousCredentials: challenge(settings, "invalid_request"),
        InvalidToken: challenge(settings, "invalid_token"),
    }


def _token(raw: Raw) -> str:
    """The one bearer token of a request; another scheme than `Bearer` brings no credentials that count here."""
    if any(name == "access_token" for name, _ in raw.query):
        raise AmbiguousCredentials("A token came in the URL, where it is logged and kept.")
    values = raw.headers.get("authorization", ())
    if len(values) > 1:
        raise AmbiguousCredentials("There is more than one `Authorization` header.")
    if not values or values[0].partition(" ")[0].lower() != "bearer":
        raise CredentialsMissing()
    match = _BEARER.fullmatch(values[0])
    if match is None:
        raise AmbiguousCredentials("`Authorization` does not hold exactly one bearer token.")
    return match[1]


async def _verify(ground: Ground, call: Call, token: str, unverified: Policy) -> Credential:
    """Verify a token seen for the first time; only one that is not valid counts against its address."""
    counted = Counted(unverified, ground.quotas.bucket(f"address|{bucket_of(call.raw.peer)}"))
    wanted = [(counted.bucket, unverified.rate)]
    allowed = await ground.addresses.take(wanted)
    if not allowed.allowed:
        detail = "Too many tokens that were not valid came from this address"
        raise ground.quotas.refuse(call, [counted], allowed, kind="addresses", detail=detail)
    try:
        credential = await ground.identity.verify(token)
    except Unavailable:
        # Nothing was found out about the token, so nothing speaks against the address.
        await ground.addresses.give_back(wanted)
        raise
    await ground.addresses.give_back(wanted)
    return credential


def _caller(credential: Credential) -> Caller:
    return Caller(
        issuer=credential.issuer,
        subject=credential.subject,
        kind="service" if is_service(credential) else "person",
        actors=credential.actors,
    )
