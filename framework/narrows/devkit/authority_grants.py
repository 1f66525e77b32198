# mypy: allow-subclassing-any
# Authlib ships no types, so its classes are Any.
"""Authorization code with proof key, and client credentials, on Authlib's grants."""

from __future__ import annotations

from typing import Any

from authlib.consts import default_json_headers
from authlib.oauth2.rfc6749 import (
    AuthorizationCodeGrant,
    ClientCredentialsGrant,
    InvalidGrantError,
    InvalidRequestError,
    OAuth2Error,
)
from authlib.oauth2.rfc7636 import CodeChallenge

from narrows.devkit.authority_clients import CONFIDENTIAL, KnownClient
from narrows.devkit.authority_codes import Code
from narrows.devkit.authority_config import Person
from narrows.devkit.authority_http import AuthlibRequest
from narrows.devkit.authority_realm import Realm
from narrows.devkit.authority_scopes import check_scopes, target
from narrows.devkit.authority_tokens import Minted

Answer = tuple[int, dict[str, Any], list[tuple[str, str]]]


def answer(minted: Minted, **members: str) -> Answer:
    """The token response (RFC 6749, 5.1), not to be stored by anyone."""
    body = {
        "access_token": minted.value,
        "token_type": "Bearer",
        "expires_in": minted.expires_in,
        "scope": minted.scope,
        **members,
    }
    return 200, body, list(default_json_headers)


class ProofKey(CodeChallenge):
    """RFC 7636 with S256 for every client; Authlib would let it be left out, and take `plain`."""

    SUPPORTED_CODE_CHALLENGE_METHOD = ("S256",)

    def validate_code_challenge(self, grant: CodeGrant, redirect_uri: str | None) -> None:
        """Refuse an authorization request without an S256 challenge."""
        data = grant.request.payload.data
        if "code_challenge" not in data or data.get("code_challenge_method") != "S256":
            raise InvalidRequestError("Send code_challenge, and code_challenge_method S256.")
        super().validate_code_challenge(grant, redirect_uri)


class CodeGrant(AuthorizationCodeGrant):
    """A person signs in, and the client gets a code (RFC 6749, 4.1)."""

    TOKEN_ENDPOINT_AUTH_METHODS = ("none", *CONFIDENTIAL)

    @property
    def realm(self) -> Realm:
        """What is decided on."""
        realm: Realm = self.server.realm
        return realm

    @property
    def audience(self) -> str:
        """The API that the request is for; raises `InvalidTargetError`."""
        return target(self.request.targets, self.request.client.client.audiences, default=True)

    @property
    def scopes(self) -> tuple[str, ...]:
        """The scopes asked for; raises `InvalidScopeError` if one is not open to the client."""
        client = self.request.client.client
        return check_scopes(self.realm, client, self.audience, self.request.payload.scope, client.scopes)

    @staticmethod
    def validate_authorization_redirect_uri(request: AuthlibRequest, client: KnownClient) -> str:
        """The redirect URI, if it is registered; Authlib would repeat it in the description."""
        uri: str | None = request.payload.redirect_uri
        if uri is None or not client.check_redirect_uri(uri):
            raise InvalidRequestError("redirect_uri is missing or not registered for this client.")
        return uri

    def validate_requested_scope(self) -> None:
        """Refuse scopes that are not open to the client."""
        _ = self.scopes

    def create_authorization_response(self, redirect_uri: str, grant_user: Person | None) -> Any:
        """Send the person back with a code, unless a scope is not open to the person."""
        if grant_user:
            client, scope = self.request.client.client, self.request.payload.scope
            try:
                check_scopes(self.realm, client, self.audience, scope, client.scopes, grant_user)
            except OAuth2Error as error:
                error.redirect_uri = redirect_uri
                raise
        return super().create_authorization_response(redirect_uri, grant_user)

    def generate_authorization_code(self) -> str:
        """A fresh code."""
        return self.realm.codes.new_value()

    def save_authorization_code(self, code: str, request: AuthlibRequest) -> None:
        """Keep what the code stands for."""
        kept = Code(
            client_id=request.client.client_id,
            redirect_uri=request.payload.redirect_uri,
            scope=" ".join(self.scopes),
            audience=self.audience,
            subject=request.user.subject,
            code_challenge=request.payload.data["code_challenge"],
            signed_in_at=int(self.realm.now()),
        )
        self.realm.codes.save(code, kept)

    def query_authorization_code(self, code: str, client: KnownClient) -> Code | None:
        """The code, used up by being looked at, so that nobody tries verifiers on it."""
        return self.realm.codes.spend(code, client.client_id)

    def create_token_response(self) -> Answer:
        """The access token for the code; Authlib would write it to its debug log."""
        code: Code = self.request.authorization_code
        asked = self.request.targets
        if asked and set(asked) != {code.audience}:
            raise InvalidGrantError("The code was issued for another audience.")
        person = self.realm.by_subject[code.subject]
        claims = {**person.claims, "auth_time": code.signed_in_at}
        minted = self.realm.tokens.mint(code.subject, code.client_id, code.audience, code.scope, claims=claims)
        code.jti = minted.jti
        return answer(minted)


class ClientCredentials(ClientCredentialsGrant):
    """A service acts for itself (RFC 6749, 4.4)."""

    TOKEN_ENDPOINT_AUTH_METHODS = CONFIDENTIAL

    def validate_requested_scope(self) -> None:
        """Checked with the audience, when the token is made."""

    def create_token_response(self) -> Answer:
        """The access token, whose subject is the client; Authlib would write it to its debug log."""
        realm: Realm = self.server.realm
        client = self.request.client.client
        audience = target(self.request.targets, client.audiences, default=True)
        scopes = check_scopes(realm, client, audience, self.request.payload.scope, client.scopes)
        return answer(realm.tokens.mint(client.client_id, client.client_id, audience, " ".join(scopes)))
