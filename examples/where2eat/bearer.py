"""Each service checks the access token it is given itself (RFC 6750, RFC 9068), trusting nobody in front of it."""

import asyncio
import math
from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar
from urllib.parse import urlsplit

import httpx
import msgspec
from joserfc import jwk, jws, jwt
from joserfc.errors import JoseError

from .problem import Refusal

ALGORITHMS = ["ES256", "RS256", "PS256", "Ed25519"]
MAX_TOKEN = 8_192  # characters
MAX_DOCUMENT = 262_144  # bytes of issuer metadata or of a key set
KEEP_KEYS = 300.0  # seconds until the issuer is asked again
ASK_AGAIN = 5.0  # seconds between two questions about unknown keys, so that forged `kid`s do not flood the issuer

_TIMEOUT = httpx.Timeout(5.0).as_dict()
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


_T = TypeVar("_T")


class Bearer(msgspec.Struct, frozen=True):
    """Who calls: `subject` on whose behalf, `actors` (RFC 8693 `act`, the current one first), with which `scopes`."""

    subject: str
    actors: tuple[str, ...]
    audience: tuple[str, ...]
    scopes: tuple[str, ...]

    def require(self, scope: str) -> None:
        """Raise a 403 Refusal unless the token holds this scope (RFC 6750, 3.1)."""
        if scope not in self.scopes:
            challenge = f'Bearer error="insufficient_scope", scope="{scope}"'
            raise Refusal(
                403, "insufficient-scope", f"The token lacks the scope {scope}.", {"www-authenticate": challenge}
            )


class _Actor(msgspec.Struct):
    sub: str | None = None
    client_id: str | None = None
    act: "_Actor | None" = None


class _Claims(msgspec.Struct):
    iss: str
    aud: str | list[str]
    sub: Annotated[str, msgspec.Meta(min_length=1)]
    exp: float
    nbf: float = -math.inf
    scope: str = ""
    act: _Actor | None = None


class _Metadata(msgspec.Struct):
    issuer: str
    jwks_uri: str


class _JwkSet(msgspec.Struct):
    keys: list[dict[str, Any]]


def _unauthorized(detail: str, error: str = 'Bearer error="invalid_token"') -> Refusal:
    return Refusal(401, "invalid-token", detail, {"www-authenticate": error})


def _unavailable(detail: str) -> Refusal:
    return Refusal(503, "issuer-unavailable", detail)


def _safe(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)


def metadata_urls(issuer: str) -> tuple[str, str]:
    """Where the issuer's metadata may lie: RFC 8414 (3.1, inserted before the path), then OpenID Connect Discovery."""
    parts = urlsplit(issuer)
    path = parts.path.rstrip("/")
    origin = f"{parts.scheme}://{parts.netloc}"
    return (
        f"{origin}/.well-known/oauth-authorization-server{path}",
        f"{origin}{path}/.well-known/openid-configuration",
    )


class IssuerKeys:
    """The issuer's signature keys by `kid`, fetched through `transport` when first needed, kept `KEEP_KEYS` seconds."""

    def __init__(self, issuer: str, transport: httpx.AsyncBaseTransport, now: Callable[[], float]) -> None:
        if not _safe(issuer):
            raise ValueError(f"issuer {issuer!r}: must be https, or http on loopback")
        self._issuer = issuer
        self._transport = transport
        self._now = now
        self._lock = asyncio.Lock()
        self._keys: dict[str, jwk.Key] = {}
        self._fetched = -math.inf

    async def key(self, kid: str) -> jwk.Key:
        """The key named so; 401 Refusal if the issuer has none, 503 if the issuer cannot be asked."""
        async with self._lock:
            if self._due(kid):
                self._keys = await self._fetch()
                self._fetched = self._now()
        if kid not in self._keys:
            raise _unauthorized("The token is signed with a key its issuer does not publish.")
        return self._keys[kid]

    def _due(self, kid: str) -> bool:
        age = self._now() - self._fetched
        return age >= KEEP_KEYS or (kid not in self._keys and age >= ASK_AGAIN)

    async def _fetch(self) -> dict[str, jwk.Key]:
        metadata = await self._metadata()
        if metadata.issuer != self._issuer or not _safe(metadata.jwks_uri):
            raise _unavailable("The issuer's metadata is not its own.")
        body = await self._get(metadata.jwks_uri)
        if body is None:
            raise _unavailable("The issuer publishes no keys.")
        return _signature_keys(_decode(body, _JwkSet))

    async def _metadata(self) -> _Metadata:
        for url in metadata_urls(self._issuer):
            body = await self._get(url)
            if body is not None:
                return _decode(body, _Metadata)
        raise _unavailable("The issuer publishes no metadata.")

    async def _get(self, url: str) -> bytes | None:
        request = httpx.Request("GET", url, headers={"accept": "application/json"}, extensions={"timeout": _TIMEOUT})
        try:
            response = await self._transport.handle_async_request(request)
            try:
                body = await response.aread()
            finally:
                await response.aclose()
        except httpx.HTTPError as error:
            raise _unavailable("The issuer does not answer.") from error
        if len(body) > MAX_DOCUMENT:
            raise _unavailable("The issuer's answer is too large.")
        return body if response.status_code == 200 else None


def _decode(body: bytes, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.DecodeError as error:
        raise _unavailable("The issuer's answer cannot be read.") from error


def _signature_keys(published: _JwkSet) -> dict[str, jwk.Key]:
    """The usable ones: a key type that is unknown here must not make the others unusable (RFC 7517, 5)."""
    keys: dict[str, jwk.Key] = {}
    for data in published.keys:
        if data.get("kty") in {"EC", "RSA", "OKP"} and data.get("use", "sig") == "sig" and "kid" in data:
            try:
                keys[data["kid"]] = jwk.import_key(data)
            except JoseError:
                continue
    return keys


def _token(credentials: Sequence[str]) -> str:
    if not credentials:
        raise _unauthorized("A bearer token is needed.", "Bearer")
    scheme, _, token = credentials[0].partition(" ")
    if len(credentials) > 1 or scheme.lower() != "bearer" or not 0 < len(token) <= MAX_TOKEN:
        raise _unauthorized("Exactly one bearer token is needed.", 'Bearer error="invalid_request"')
    return token


def _kid(token: str) -> str:
    """The key's name, once the header is that of an access token (RFC 9068, 4)."""
    header = jws.extract_compact(token.encode()).headers()
    if str(header.get("typ", "")).lower() not in {"at+jwt", "application/at+jwt"}:
        raise _unauthorized("The token is not an access token (typ at+jwt).")
    kid = header.get("kid")
    if not isinstance(kid, str):
        raise _unauthorized("The token names no key (kid).")
    return kid


def _actors(act: _Actor | None) -> tuple[str, ...]:
    chain = []
    while act is not None:
        chain.append(act.sub or act.client_id or "")
        act = act.act
    return tuple(chain)


class TokenCheck:
    """Checks access tokens of one `issuer` for one `audience`; `now` gives seconds since the epoch."""

    def __init__(
        self, issuer: str, audience: str, transport: httpx.AsyncBaseTransport, now: Callable[[], float]
    ) -> None:
        self._issuer = issuer
        self._audience = audience
        self._now = now
        self._keys = IssuerKeys(issuer, transport, now)

    async def check(self, credentials: Sequence[str]) -> Bearer:
        """The caller behind the Authorization headers of a request.

        Raises:
            Refusal: 401 with a challenge if there is no valid token, 503 if the issuer's keys cannot be had.
        """
        token = _token(credentials)
        try:
            key = await self._keys.key(_kid(token))
            claims = msgspec.convert(jwt.decode(token, key, algorithms=ALGORITHMS).claims, _Claims)
        except (JoseError, ValueError) as error:
            raise _unauthorized("The token cannot be verified.") from error
        return self._accept(claims)

    def _accept(self, claims: _Claims) -> Bearer:
        audience = (claims.aud,) if isinstance(claims.aud, str) else tuple(claims.aud)
        if claims.iss != self._issuer:
            raise _unauthorized("The token is another issuer's.")
        if self._audience not in audience:
            raise _unauthorized(f"The token is not meant for {self._audience}.")
        if not claims.nbf <= self._now() < claims.exp:
            raise _unauthorized("The token is not valid at this time.")
        return Bearer(claims.sub, _actors(claims.act), audience, tuple(claims.scope.split()))
