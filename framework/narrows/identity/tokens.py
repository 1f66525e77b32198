"""What a token says of its caller, once its signature holds: the credential, its scopes and its actors (RFC 8693)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from narrows.call import Credential
from narrows.identity.jwt import Reason, client_of, is_text, refuse
from narrows.settings import IssuerSettings, Secret


def digest_of(token: str) -> bytes:
    """The SHA-256 of a token (ASCII): the only name under which it is remembered."""
    return hashlib.sha256(token.encode("ascii")).digest()


def make_credential(name: str, issuer: IssuerSettings, token: str, claims: Mapping[str, Any]) -> Credential:
    """Make the credential of a token whose signature and claims hold. Raises `InvalidToken`.

    `name` is the issuer's name in the settings. The subject is always `sub`, whatever `act` says.
    """
    _check_may_act(claims, issuer)
    return Credential(
        issuer=name,
        subject=claims["sub"],
        client_id=client_of(claims, issuer),
        scopes=_scopes(claims),
        expires_at=float(claims["exp"]),
        token=Secret(token),
        token_digest=digest_of(token),
        claims=MappingProxyType(dict(claims)),
        actors=_actors(claims, issuer.act_depth),
    )


def is_service(credential: Credential) -> bool:
    """Tell whether a token was given to a program for itself, not for a person.

    In doubt it is a service, as a service may do less: RFC 9068, 2.2 (`sub` is the client), Entra (`idtyp`, or an Entra
    token without `scp`), Keycloak and Auth0 (names they reserve for it).
    """
    claims = credential.claims
    return (
        credential.subject in (credential.client_id, f"{credential.client_id}@clients")
        or claims.get("idtyp") == "app"
        or claims.get("gty") == "client-credentials"
        or claims.get("preferred_username") == f"service-account-{credential.client_id}"
        or ("tid" in claims and "scp" not in claims and claims.get("idtyp") != "user")
    )


def token_id(credential: Credential) -> str:
    """The name of a token among its issuer's: its `jti`, or the SHA-256 of what is signed.

    Never a digest of the whole token: an ECDSA signature can be rewritten into a second one that holds as well.
    """
    jti = credential.claims.get("jti")
    if jti is not None:
        return str(jti)
    signed, _, _ = credential.token.reveal().rpartition(".")
    return hashlib.sha256(signed.encode("ascii")).hexdigest()


def _scopes(claims: Mapping[str, Any]) -> frozenset[str]:
    """Read `scope` (RFC 9068, 2.2.3), else `scp`, which some issuers use as text and some as a list."""
    if "scope" in claims:
        value = claims["scope"]
    else:
        value = claims.get("scp", "")
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return frozenset(value)
    if not isinstance(value, str):
        raise refuse(Reason.CLAIMS)
    return frozenset(value.split(" ")) - {""}


def _actors(claims: Mapping[str, Any], depth: int) -> tuple[str, ...]:
    """Read the chain of `act` claims, the nearest first (RFC 8693, 4.1); longer than `depth` is refused."""
    actors: list[str] = []
    holder: Mapping[str, Any] = claims
    while "act" in holder:
        actor = holder["act"]
        if not isinstance(actor, dict) or not is_text(actor.get("sub")) or len(actors) >= depth:
            raise refuse(Reason.ACTOR)
        actors.append(actor["sub"])
        holder = actor
    return tuple(actors)


def _check_may_act(claims: Mapping[str, Any], issuer: IssuerSettings) -> None:
    """A token that says who may act with it is refused unless it means this BFF's own client (RFC 8693, 4.4)."""
    if "may_act" not in claims:
        return
    named = claims["may_act"]
    if not isinstance(named, dict) or issuer.client is None or named.get("iss", issuer.url) != issuer.url:
        raise refuse(Reason.ACTOR)
    parties = [named[name] for name in ("sub", "client_id") if name in named]
    if not parties or any(party != issuer.client.id for party in parties):
        raise refuse(Reason.ACTOR)
