# mypy: allow-subclassing-any
# Authlib ships no types, so its classes are Any.
"""Introspection (RFC 7662) and revocation (RFC 7009) on Authlib's endpoints."""

from __future__ import annotations

from typing import Any

from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7662 import IntrospectionEndpoint

from narrows.devkit.authority_clients import CONFIDENTIAL, KnownClient
from narrows.devkit.authority_http import AuthlibRequest
from narrows.devkit.authority_tokens import audiences


class IssuedToken:
    """A token that holds, in the words that Authlib asks of it."""

    def __init__(self, claims: dict[str, Any]) -> None:
        self.claims = claims

    def is_expired(self) -> bool:
        """False: an expired token is not found in the first place."""
        return False

    def is_revoked(self) -> bool:
        """False: a revoked token is not found in the first place."""
        return False

    def check_client(self, client: KnownClient) -> bool:
        """Whether it was issued to this client."""
        return bool(self.claims["client_id"] == client.client_id)


class Introspection(IntrospectionEndpoint):
    """Tells a client about the tokens that were issued to it or for it."""

    CLIENT_AUTH_METHODS = CONFIDENTIAL

    def query_token(self, token_string: str, _hint: str | None) -> IssuedToken | None:
        """The token, if it holds."""
        return _find(self, token_string)

    def check_permission(self, token: IssuedToken, client: KnownClient, _request: AuthlibRequest) -> bool:
        """Whether the client is the one it was issued to, or its audience."""
        return token.check_client(client) or client.client.audience in audiences(token.claims)

    def introspect_token(self, token: IssuedToken) -> dict[str, Any]:
        """All claims, and the type by which the token is sent."""
        return {**token.claims, "active": True, "token_type": "Bearer"}


class Revocation(RevocationEndpoint):
    """Lets a client end a token that was issued to it."""

    CLIENT_AUTH_METHODS = ("none", *CONFIDENTIAL)

    def query_token(self, token_string: str, _hint: str | None) -> IssuedToken | None:
        """The token, if it holds."""
        return _find(self, token_string)

    def revoke_token(self, token: IssuedToken, _request: AuthlibRequest) -> None:
        """Let the token hold no longer."""
        self.server.realm.tokens.revoke(token.claims["jti"])


def _find(endpoint: Any, token: str) -> IssuedToken | None:
    claims = endpoint.server.realm.tokens.read(token)
    return IssuedToken(claims) if claims is not None else None
