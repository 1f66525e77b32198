# mypy: allow-subclassing-any
# Authlib ships no types, so its classes are Any.
"""Which audience and which scopes a request may have; what is not open is refused by name and written down."""

from __future__ import annotations

from collections.abc import Collection, Sequence, Set

from authlib.oauth2.rfc6749 import InvalidRequestError, InvalidScopeError, OAuth2Error

from narrows.devkit.authority_config import Client, Person
from narrows.devkit.authority_realm import Realm


class InvalidTargetError(OAuth2Error):
    """The audience is unknown, or not open to this client (RFC 8707, 2; RFC 8693, 2.2.2)."""

    error = "invalid_target"


def target(named: Sequence[str], open_to_client: Collection[str], *, default: bool) -> str:
    """The one audience that `audience` and `resource` name.

    With `default` a client with a single audience may leave it out. Raises `InvalidTargetError` for an audience that is
    not open or a second one, and `InvalidRequestError` for none.
    """
    asked = set(named)
    if not asked and default and len(open_to_client) == 1:
        return next(iter(open_to_client))
    if not asked:
        raise InvalidRequestError("audience is missing. Name the API that the token is for in audience or resource.")
    if len(asked) > 1 or not asked <= set(open_to_client):
        raise InvalidTargetError("audience must be one API that is open to this client. Register it in the client.")
    return asked.pop()


def check_scopes(
    realm: Realm,
    client: Client,
    audience: str,
    asked: str | None,
    open_to_client: Set[str],
    person: Person | None = None,
) -> tuple[str, ...]:
    """The scopes asked for, without repetition.

    Raises `InvalidScopeError`, and writes a line `scope_refused`, if one is not open to the client at this audience or
    not to the person.
    """
    scopes = tuple(dict.fromkeys((asked or "").split()))
    if not scopes:
        raise InvalidScopeError("scope is missing. Name each scope that is needed.")
    allowed = open_to_client & set(realm.apis[audience].scopes)
    if person is not None and person.scopes is not None:
        allowed &= person.scopes
    if refused := [scope for scope in scopes if scope not in allowed]:
        _write_refusal(realm, client, audience, refused, person)
        raise InvalidScopeError(f"scope {' '.join(refused)} is not open here. Leave it out or have it granted.")
    return scopes


def _write_refusal(realm: Realm, client: Client, audience: str, refused: Sequence[str], person: Person | None) -> None:
    subject = person.subject if person else None
    realm.journal.write(
        "scope_refused", client_id=client.client_id, scope=" ".join(refused), audience=audience, subject=subject
    )
