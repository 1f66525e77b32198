# mypy: allow-subclassing-any
# Authlib ships no types, so its classes are Any.
"""Client authentication with a signed assertion (`private_key_jwt`, RFC 7523)."""

from __future__ import annotations

from typing import Any

from authlib.oauth2.rfc6749 import InvalidClientError
from authlib.oauth2.rfc7523 import JWTBearerClientAssertion
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from narrows.devkit.authority_clients import PRIVATE_KEY_JWT, KnownClient
from narrows.devkit.authority_realm import Realm

ALGORITHMS = ("RS256", "PS256", "ES256")

_LEEWAY = 30
_LONGEST = 600


class ClientAssertion(JWTBearerClientAssertion):
    """Accepts an assertion once, for this issuer or its token endpoint, at the realm's clock."""

    CLIENT_AUTH_METHOD = PRIVATE_KEY_JWT

    def __init__(self, realm: Realm) -> None:
        super().__init__(leeway=_LEEWAY)
        self._realm = realm
        self._seen: dict[tuple[str, str], float] = {}

    def get_audiences(self) -> list[str]:
        """What an assertion may be meant for."""
        return [self._realm.issuer, f"{self._realm.issuer}/token"]

    def resolve_client_public_key(self, client: KnownClient) -> KeySet:
        """The registered keys; a client without any authenticates itself otherwise."""
        keys = client.public_keys()
        if not keys:
            raise InvalidClientError("The client has no registered keys.")
        return KeySet.import_key_set({"keys": keys})

    def extract_assertion(self, assertion: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """Header and claims before any check, with an OAuth error for whatever is no JWT."""
        try:
            header, claims = super().extract_assertion(assertion)
        except (ValueError, RecursionError) as error:  # Authlib expects errors of joserfc only
            raise InvalidClientError("The client assertion is not a JWT.") from error
        return header, claims

    def process_assertion_claims(self, assertion: str, resolve_key: KeySet) -> dict[str, Any]:
        """The claims, once signature and claims hold; Authlib would take any algorithm of joserfc and no clock."""
        wanted: dict[str, Any] = {name: {"essential": True} for name in ("iss", "sub", "exp", "jti")}
        wanted["aud"] = {"essential": True, "values": self.get_audiences()}
        rules = jwt.JWTClaimsRegistry(now=lambda: int(self._realm.now()), leeway=self.leeway, **wanted)
        try:
            claims = jwt.decode(assertion, resolve_key, algorithms=ALGORITHMS).claims
            rules.validate(claims)
        except (JoseError, ValueError) as error:
            raise InvalidClientError("The client assertion does not hold. Check key, aud, exp and jti.") from error
        if claims["iss"] != claims["sub"] or not self._first_use(claims):
            raise InvalidClientError("The client assertion does not hold. iss must be sub, and jti new.")
        return claims

    def _first_use(self, claims: dict[str, Any]) -> bool:
        now, used = self._realm.now(), (claims["sub"], claims["jti"])
        self._seen = {key: until for key, until in self._seen.items() if until > now}
        if used in self._seen or claims["exp"] > now + _LONGEST:
            return False
        self._seen[used] = claims["exp"] + _LEEWAY
        return True
