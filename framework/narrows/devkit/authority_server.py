# mypy: allow-subclassing-any
# Authlib ships no types, so its classes are Any.
"""Authlib's authorization server, bound to the realm and to plain requests and replies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from authlib.oauth2.rfc6749 import AuthorizationServer, InvalidClientError, OAuth2Error, UnsupportedTokenTypeError

from narrows.devkit.authority_assertion import ClientAssertion
from narrows.devkit.authority_clients import PRIVATE_KEY_JWT, KnownClient
from narrows.devkit.authority_endpoints import Introspection, Revocation
from narrows.devkit.authority_exchange import OnBehalfOf, TokenExchange
from narrows.devkit.authority_grants import ClientCredentials, CodeGrant, ProofKey
from narrows.devkit.authority_http import AuthlibRequest, Inbound, Reply, checked, form, reply
from narrows.devkit.authority_realm import Realm

_BAD_REQUEST = 400
_UNAUTHORIZED = 401


class Server(AuthorizationServer):
    """The grants and endpoints, registered; `realm` is what they decide on."""

    def __init__(self, realm: Realm) -> None:
        super().__init__()
        self.realm = realm
        self.register_client_auth_method(PRIVATE_KEY_JWT, ClientAssertion(realm))
        self.register_grant(CodeGrant, [ProofKey(required=True)])
        self.register_grant(ClientCredentials)
        self.register_grant(TokenExchange)
        if realm.on_behalf_of:
            self.register_grant(OnBehalfOf)
        self.register_endpoint(Introspection)
        self.register_endpoint(Revocation)

    def token(self, inbound: Inbound) -> Reply:
        """The answer of the token endpoint."""
        return self._answer(inbound, self.create_token_response)

    def introspection(self, inbound: Inbound) -> Reply:
        """The answer of the introspection endpoint (RFC 7662)."""
        return self._answer(inbound, lambda request: self.create_endpoint_response("introspection", request))

    def revocation(self, inbound: Inbound) -> Reply:
        """The answer of the revocation endpoint (RFC 7009)."""
        return self._answer(inbound, lambda request: self.create_endpoint_response("revocation", request))

    def _answer(self, inbound: Inbound, create: Callable[[AuthlibRequest], Any]) -> Reply:
        try:
            answer: Reply = create(AuthlibRequest(inbound, checked(form(inbound))))
        except OAuth2Error as error:
            return self.handle_error_response(None, error)
        return answer

    def query_client(self, client_id: str) -> KnownClient | None:
        """The client of this id, in Authlib's words."""
        client = self.realm.clients.get(client_id)
        return KnownClient(client, self.realm.registered) if client else None

    def create_oauth2_request(self, request: AuthlibRequest) -> AuthlibRequest:
        """The request itself: it has been read before it reaches Authlib."""
        return request

    def send_signal(self, name: str, *args: object, **kwargs: object) -> None:
        """Nothing listens."""

    def handle_response(self, status: int, body: Any, headers: Sequence[tuple[str, str]]) -> Reply:
        """Authlib's triple as a reply."""
        return reply(status, body, headers)

    def handle_error_response(self, request: AuthlibRequest | None, error: OAuth2Error) -> Reply:
        """The error as RFC 6749, 5.2 wants it: 401 for a client that did not authenticate itself, else 400."""
        if isinstance(error, InvalidClientError):
            error.status_code = _UNAUTHORIZED
            self.realm.journal.write("client_refused", error=str(error.error))
        if isinstance(error, UnsupportedTokenTypeError):
            error.status_code = _BAD_REQUEST  # Authlib says 401
        answer: Reply = super().handle_error_response(request, error)
        return answer
