"""A registered client in the words of Authlib's core."""

from __future__ import annotations

from secrets import compare_digest
from typing import Any

from narrows.devkit.authority_config import Client
from narrows.devkit.authority_registry import RegisteredClients

TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"  # noqa: S105 - the name of a grant (RFC 8693, 2.1)
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
PRIVATE_KEY_JWT = "private_key_jwt"

CONFIDENTIAL = ("client_secret_basic", "client_secret_post", PRIVATE_KEY_JWT)
_WORDS = {TOKEN_EXCHANGE: "token_exchange", JWT_BEARER: "token_exchange"}


class KnownClient:
    """What Authlib's `ClientMixin` asks for, answered from the configured `Client`."""

    def __init__(self, client: Client, registered: RegisteredClients | None = None) -> None:
        self.client = client
        # What the registry of connectors says of a client counts instead of what the configuration says.
        self.registered = registered if registered and registered.knows(client.client_id) else None

    @property
    def client_id(self) -> str:
        """The id that it is registered with."""
        return self.client.client_id

    def get_default_redirect_uri(self) -> None:
        """None: every request names its redirect URI."""

    def get_allowed_scope(self, scope: str) -> str:
        """The scope as asked for; what is not open has been refused before."""
        return scope

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        """Whether a person may be sent there with a code."""
        return self.client.redirects_to(redirect_uri)

    def check_client_secret(self, client_secret: str) -> bool:
        """Whether this is its secret."""
        if self.registered is not None:
            return self.registered.proves(self.client_id, client_secret)
        known = self.client.secret
        return known is not None and compare_digest(known.encode(), client_secret.encode())

    def check_endpoint_auth_method(self, method: str, _endpoint: str) -> bool:
        """Whether it authenticates itself so, at whichever endpoint."""
        if method == PRIVATE_KEY_JWT:
            return bool(self.public_keys())
        if self.registered is not None:
            return method != "none" and self.registered.has_secret(self.client_id)
        return self.client.public if method == "none" else self.client.secret is not None

    def public_keys(self) -> list[dict[str, Any]]:
        """The public keys by which it may prove itself."""
        if self.registered is not None:
            return self.registered.keys(self.client_id)
        return [dict(key) for key in self.client.public_keys]

    def check_response_type(self, response_type: str) -> bool:
        """Whether it may ask for codes; there is no other response type."""
        return response_type == "code" and "authorization_code" in self.client.grants

    def check_grant_type(self, grant_type: str) -> bool:
        """Whether it may use this grant."""
        return _WORDS.get(grant_type, grant_type) in self.client.grants
