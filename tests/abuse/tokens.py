"""An issuer in the process, and tokens of it, honest and forged: shared by the abuse cases and the unit tests."""

from __future__ import annotations

import base64
import functools
import json
from collections.abc import Mapping
from typing import Any

import httpx
from joserfc import jws
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey

from narrows.identity import Identity
from narrows.settings import IssuerSettings, LimitSettings, Settings

ISSUER = "https://login.example"
AUDIENCE = "https://api.example"
NOW = 1_800_000_000.0


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def forward(self, seconds: float) -> None:
        """Move the clock."""
        self.now += seconds


@functools.cache
def rsa(kid: str = "rsa-1") -> RSAKey:
    """A private RSA key, the same for a key id in the whole run."""
    return RSAKey.generate_key(2048, {"kid": kid})


@functools.cache
def ec(kid: str = "ec-1", curve: str = "P-256") -> ECKey:
    """A private elliptic-curve key, the same for a key id in the whole run."""
    return ECKey.generate_key(curve, {"kid": kid})


@functools.cache
def ed25519(kid: str = "ed-1") -> OKPKey:
    """A private Ed25519 key, the same for a key id in the whole run."""
    return OKPKey.generate_key("Ed25519", {"kid": kid})


def public(key: Key, **members: Any) -> dict[str, Any]:
    """The public JWK of a key, with members laid over it; None removes one."""
    jwk = {**key.as_dict(private=False), **members}
    return {name: value for name, value in jwk.items() if value is not None}


class Authority:
    """An authorization server behind a `MockTransport`; it keeps every request that it got.

    Whatever is put into `answers` for a path is sent there instead: a response, or an exception that is raised.
    """

    def __init__(self, *keys: Key, url: str = ISSUER) -> None:
        self.url = url
        self.published = [public(key) for key in keys or (rsa(), ec())]
        self.metadata: dict[str, Any] = {
            "issuer": url,
            "jwks_uri": f"{url}/jwks",
            "token_endpoint": f"{url}/token",
        }
        self.answers: dict[str, httpx.Response | Exception] = {}
        self.requests: list[httpx.Request] = []

    @property
    def fetches(self) -> int:
        """How often the keys were asked for."""
        return sum(request.url.path.endswith("/jwks") for request in self.requests)

    async def handle(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        self.requests.append(request)
        planned = self.answers.get(request.url.path)
        if isinstance(planned, Exception):
            raise planned
        if planned is not None:
            return planned
        if request.url.path.endswith("/jwks"):
            return httpx.Response(200, json={"keys": self.published})
        if "/.well-known/oauth-authorization-server" in request.url.path:
            return httpx.Response(200, json=self.metadata)
        return httpx.Response(404)

    def dial(self, ca: str | None) -> httpx.AsyncBaseTransport:
        """Make the transport to this server."""
        return httpx.MockTransport(self.handle)


def issuer_settings(**changes: Any) -> IssuerSettings:
    """The settings of the issuer, with changes."""
    return IssuerSettings(**{"url": ISSUER, "audience": AUDIENCE, **changes})


def new_settings(*, tokens: int = 10_000, **changes: Any) -> Settings:
    """Settings with one issuer, `corp`, with changes to it."""
    return Settings(
        public_url=AUDIENCE, issuers={"corp": issuer_settings(**changes)}, limits=LimitSettings(tokens=tokens)
    )


async def started(authority: Authority, clock: Clock | None = None, **changes: Any) -> Identity:
    """An identity room that has started against the authority."""
    identity = Identity(new_settings(**changes), dial=authority.dial, now=clock or Clock())
    await identity.start()
    return identity


def good_claims(now: float = NOW, **changes: Any) -> dict[str, Any]:
    """Claims that hold (RFC 9068, 2.2), with changes laid over them; None removes one."""
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "anna",
        "client_id": "micro-app",
        "scope": "dining:read",
        "iat": int(now),
        "exp": int(now) + 3600,
        "jti": "token-1",
        **changes,
    }
    return {name: value for name, value in claims.items() if value is not None}


def mint(
    key: Key | None = None,
    claims: Mapping[str, Any] | None = None,
    header: Mapping[str, Any] | None = None,
    **changes: Any,
) -> str:
    """Sign a token with joserfc; `header` is laid over the usual header (None removes), `changes` over the claims."""
    signer = key or rsa()
    algorithm = {"RSA": "RS256", "EC": "ES256", "OKP": "Ed25519", "oct": "HS256"}[signer.key_type]
    full = {"alg": algorithm, "typ": "at+jwt", "kid": signer.kid, **(header or {})}
    payload = json.dumps(good_claims(**changes) if claims is None else dict(claims))
    return sign({name: value for name, value in full.items() if value is not None}, payload.encode(), signer)


def sign(header: Mapping[str, Any], payload: bytes, key: Key) -> str:
    """Sign any payload under any header, sound or not: joserfc signs, nothing is checked."""
    signed = f"{encode(json.dumps(dict(header)).encode())}.{encode(payload)}"
    signature = jws.JWSRegistry.algorithms[header["alg"]].sign(signed.encode(), key)
    return f"{signed}.{encode(signature)}"


def encode(raw: bytes) -> str:
    """Base64url without padding (RFC 7515, 2)."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
