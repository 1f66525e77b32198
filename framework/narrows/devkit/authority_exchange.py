# mypy: allow-subclassing-any
# Authlib ships no types, so its classes are Any.
"""Token exchange (RFC 8693), and the same in Entra's on-behalf-of dialect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from authlib.oauth2.rfc6749 import (
    BaseGrant,
    InvalidGrantError,
    InvalidRequestError,
    OAuth2Error,
    TokenEndpointMixin,
    UnauthorizedClientError,
)

from narrows.devkit.authority_clients import CONFIDENTIAL, JWT_BEARER, TOKEN_EXCHANGE
from narrows.devkit.authority_config import Client, Person
from narrows.devkit.authority_grants import Answer, answer
from narrows.devkit.authority_realm import Exchange, Realm
from narrows.devkit.authority_scopes import InvalidTargetError, check_scopes, target
from narrows.devkit.authority_tokens import Minted, audiences

ATTRIBUTION = "urn:narrows:attribution"
ACCESS_TYPE = "urn:ietf:params:oauth:token-type:access_token"
MOST_ACTORS = 4

_CARRIED = ("auth_time", "acr", "amr")


class TokenExchange(BaseGrant, TokenEndpointMixin):
    """A client that was called with a person's token gets one for the next API (RFC 8693)."""

    GRANT_TYPE = TOKEN_EXCHANGE
    TOKEN_ENDPOINT_AUTH_METHODS = CONFIDENTIAL
    #: What a subject token that does not hold is answered with (RFC 8693, 2.2.2).
    BAD_SUBJECT = InvalidRequestError

    @property
    def realm(self) -> Realm:
        """What is decided on."""
        realm: Realm = self.server.realm
        return realm

    def validate_token_request(self) -> None:
        """Nothing yet: everything is decided in one place, when the token is made."""

    def create_token_response(self) -> Answer:
        """The exchanged token; every request is recorded with its outcome."""
        named = next(iter(self.request.targets), None)
        self.heard: dict[str, str | None] = {"client_id": None, "subject": None, "audience": named}
        self.asked = tuple((self.request.payload.scope or "").split())
        try:
            minted = self._exchanged()
        except OAuth2Error as error:
            self._record(str(error.error))
            raise
        self._record("issued")
        return self.present(minted)

    def present(self, minted: Minted) -> Answer:
        """The response (RFC 8693, 2.2.1)."""
        return answer(minted, issued_token_type=ACCESS_TYPE)

    def subject_token(self) -> str:
        """The token to exchange; raises `InvalidRequestError` for parameters that do not hold (RFC 8693, 2.1)."""
        data = self.request.payload.data
        if "actor_token" in data or "actor_token_type" in data:
            raise InvalidRequestError("actor_token is not supported. The authenticated client is the actor.")
        if data.get("subject_token_type") != ACCESS_TYPE:
            raise InvalidRequestError(f"subject_token_type must be {ACCESS_TYPE}.")
        if data.get("requested_token_type", ACCESS_TYPE) != ACCESS_TYPE:
            raise InvalidRequestError(f"requested_token_type must be {ACCESS_TYPE} or left out.")
        if "subject_token" not in data:
            raise InvalidRequestError("subject_token is missing.")
        token: str = data["subject_token"]
        return token

    def wanted(self, client: Client) -> tuple[str, str | None]:
        """Audience and scope asked for; raises `InvalidTargetError`."""
        return target(self.request.targets, client.may_exchange_to, default=False), self.request.payload.scope

    def _exchanged(self) -> Minted:
        client = self._client()
        claims = self._subject(client)
        audience, scope = self.wanted(client)
        self.heard["audience"] = audience
        person = self._person(claims)
        scopes = check_scopes(self.realm, client, audience, scope, client.may_exchange_to[audience], person)
        self.asked = scopes
        return self._mint(client, person, claims, audience, scopes)

    def _client(self) -> Client:
        self.request.client = self.authenticate_token_endpoint_client()
        client: Client = self.request.client.client
        self.heard["client_id"] = client.client_id
        if not self.request.client.check_grant_type(self.GRANT_TYPE):
            raise UnauthorizedClientError("This client may not exchange tokens. Give it the grant token_exchange.")
        return client

    def _subject(self, client: Client) -> Mapping[str, Any]:
        claims = self.realm.tokens.read(self.subject_token())
        if claims is None:
            raise self.BAD_SUBJECT("The subject token is not valid, expired or revoked.")
        self.heard["subject"] = claims["sub"]
        if client.audience not in audiences(claims):
            raise self.BAD_SUBJECT("The subject token was not issued for this client. Its aud must name it.")
        may_act = claims.get("may_act")
        if may_act is not None and (not isinstance(may_act, dict) or may_act.get("sub") != client.client_id):
            raise self.BAD_SUBJECT("The subject token names another actor in may_act.")
        return claims

    def _person(self, claims: Mapping[str, Any]) -> Person:
        person = self.realm.by_subject.get(claims["sub"])
        if person is None:
            raise self.BAD_SUBJECT("The subject token is not a person's.")
        return person

    def _mint(
        self, client: Client, person: Person, claims: Mapping[str, Any], audience: str, scopes: tuple[str, ...]
    ) -> Minted:
        left = int(claims["exp"] - self.realm.now())
        if left < 1:
            raise self.BAD_SUBJECT("The subject token expires within the second.")
        added = {**person.claims, **{name: claims[name] for name in _CARRIED if name in claims}}
        added["act"] = self._actors(client, claims)
        if "authorization_details" in self.request.payload.data:
            added["authorization_details"] = attribution(self.request.payload.data["authorization_details"])
        lifetime = min(self.realm.tokens.lifetime, left)
        scope = " ".join(scopes)
        return self.realm.tokens.mint(
            person.subject, client.client_id, audience, scope, lifetime=lifetime, claims=added
        )

    def _actors(self, client: Client, claims: Mapping[str, Any]) -> dict[str, Any]:
        """The chain of actors, this client outermost (RFC 8693, 4.1)."""
        before = claims.get("act", {"sub": claims["client_id"]})
        if _depth(before) >= MOST_ACTORS:
            raise self.BAD_SUBJECT(f"The subject token has gone through {MOST_ACTORS} actors or more.")
        return {"sub": client.client_id, "act": before}

    def _record(self, outcome: str) -> None:
        self.realm.record(Exchange(**self.heard, scopes=self.asked, outcome=outcome))


class InvalidDetailsError(OAuth2Error):
    """`authorization_details` of another form or type (RFC 9396, 5)."""

    error = "invalid_authorization_details"


def attribution(text: str) -> list[dict[str, str]]:
    """The one kind of authorization details that this server copies into tokens. Raises `InvalidDetailsError`."""
    try:
        details = msgspec.json.decode(text, type=list[Attribution])
    except msgspec.MsgspecError:
        raise InvalidDetailsError(f"authorization_details holds more than {ATTRIBUTION}.") from None
    if len(details) != 1 or details[0].type != ATTRIBUTION:
        raise InvalidDetailsError(f"authorization_details must be one object of type {ATTRIBUTION}.")
    return [msgspec.to_builtins(details[0])]


class Attribution(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """For which program a token is asked, as the exchanging client says; the caller is the token's own `sub`."""

    type: str
    tenant: str
    connector: str
    version: str
    purpose: str


class OnBehalfOf(TokenExchange):
    """The exchange as Entra ID speaks it: the jwt-bearer grant with `requested_token_use=on_behalf_of`.

    The audience stands before each scope (`api://people/profiles:read`), unless `audience` names it.
    """

    GRANT_TYPE = JWT_BEARER
    #: RFC 7523, 3.1.
    BAD_SUBJECT = InvalidGrantError

    def present(self, minted: Minted) -> Answer:
        """The response, with the scopes in the form in which they were asked for."""
        return answer(minted) if self.request.targets else self._qualified(answer(minted))

    def subject_token(self) -> str:
        """The assertion; raises `InvalidRequestError` for parameters that do not hold."""
        data = self.request.payload.data
        if data.get("requested_token_use") != "on_behalf_of":
            raise InvalidRequestError("requested_token_use must be on_behalf_of.")
        if "assertion" not in data:
            raise InvalidRequestError("assertion is missing.")
        token: str = data["assertion"]
        return token

    def wanted(self, client: Client) -> tuple[str, str | None]:
        """Audience and scope; raises `InvalidTargetError` for scopes of an API that is not open, or of two."""
        if self.request.targets:
            return super().wanted(client)
        asked = [tuple(scope.rpartition("/"))[::2] for scope in self.asked]
        named = {audience for audience, _ in asked}
        if len(named) != 1 or not named <= set(client.may_exchange_to):
            raise InvalidTargetError("scope must name scopes of one API that is open to this client.")
        return named.pop(), " ".join(scope for _, scope in asked)

    def _qualified(self, plain: Answer) -> Answer:
        status, body, headers = plain
        scope = " ".join(f"{self.heard['audience']}/{scope}" for scope in self.asked)
        return status, {**body, "scope": scope}, headers


def _depth(actor: Any) -> int:
    """How many actors a chain holds; what is no chain counts as too many."""
    depth = 0
    while isinstance(actor, dict) and depth < MOST_ACTORS:
        depth, actor = depth + 1, actor.get("act")
    return depth if actor is None else MOST_ACTORS
