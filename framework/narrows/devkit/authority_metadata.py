"""What the embedded authorization server says about itself (RFC 8414)."""

from __future__ import annotations

from typing import Any

from narrows.devkit.authority_assertion import ALGORITHMS
from narrows.devkit.authority_clients import CONFIDENTIAL, JWT_BEARER, TOKEN_EXCHANGE
from narrows.devkit.authority_realm import Realm


def metadata(realm: Realm) -> dict[str, Any]:
    """The metadata document; every URL is built from the issuer, never from a request."""
    issuer = realm.issuer
    dialects = [JWT_BEARER] if realm.on_behalf_of else []
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/authorize",
        "token_endpoint": f"{issuer}/token",
        "jwks_uri": f"{issuer}/jwks",
        "introspection_endpoint": f"{issuer}/introspect",
        "revocation_endpoint": f"{issuer}/revoke",
        "scopes_supported": sorted({scope for api in realm.apis.values() for scope in api.scopes}),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "client_credentials", TOKEN_EXCHANGE, *dialects],
        "token_endpoint_auth_methods_supported": ["none", *CONFIDENTIAL],
        "token_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
        "introspection_endpoint_auth_methods_supported": list(CONFIDENTIAL),
        "introspection_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
        "revocation_endpoint_auth_methods_supported": ["none", *CONFIDENTIAL],
        "revocation_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,
    }
