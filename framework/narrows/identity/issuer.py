"""An authorization server: where it says what it is (RFC 8414), and where its keys and its token endpoint are."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

import httpx
import msgspec

from narrows.errors import Refusal
from narrows.identity.keys import KeySet, KeysRefused, read_keys
from narrows.identity.ring import KeyRing
from narrows.settings import IssuerSettings, is_loopback
from narrows.transport import Dial, Failure, fetch, new_request

DOCUMENT_BYTES = 256 * 1024

_JSON = frozenset({"application/json", "application/jwk-set+json"})
# What an issuer answers when it is there but has nothing at that address; anything else may pass by itself.
_ABSENT = frozenset({"absent", "media-type", "redirect", "encoded", "too-large"})


class Metadata(msgspec.Struct, frozen=True):
    """What is read of an authorization server's metadata (RFC 8414, 2)."""

    issuer: str
    jwks_uri: str
    token_endpoint: str | None = None
    authorization_endpoint: str | None = None
    names_itself: bool = msgspec.field(default=False, name="authorization_response_iss_parameter_supported")


class MetadataRefused(KeysRefused):
    """The metadata must not be believed; `rule` and `remedy` say what to change."""

    def __init__(self, kind: str, rule: str, remedy: str) -> None:
        super().__init__(kind)
        self.rule = rule
        self.remedy = remedy


class Issuer:
    """One authorization server of the settings, its metadata and its keys. `ca` is a file of trusted certificates."""

    def __init__(
        self, name: str, settings: IssuerSettings, *, ca: str | None, dial: Dial, now: Callable[[], float]
    ) -> None:
        self.name = name
        self.settings = settings
        self.metadata: Metadata | None = None
        self._ca = ca
        self._dial = dial
        self._transport: httpx.AsyncBaseTransport | None = None
        self.ring = KeyRing(
            name,
            self._fetch_keys,
            max_age_s=settings.keys_max_age_s,
            stale_s=settings.keys_stale_s,
            cooldown_s=settings.keys_cooldown_s,
            now=now,
        )

    async def start(self) -> Refusal | None:
        """Find the metadata and fetch the keys; returns why the start must be refused.

        An issuer that is away for a moment does not stop the start: its tokens are answered with 503 until it is back.
        """
        try:
            check_issuer(self.settings)
            self._transport = self._dial(self._ca)
        except OSError:
            refused = MetadataRefused(
                "issuer-ca", "the file of its certificates cannot be read", f"correct issuers.{self.name}.ca"
            )
            return self._refusal(refused)
        except MetadataRefused as refused:
            return self._refusal(refused)
        await self.ring.refresh()
        fault = self.ring.fault
        return self._refusal(fault) if isinstance(fault, MetadataRefused) else None

    async def close(self) -> None:
        """End what is under way and close the connections."""
        await self.ring.close()
        if self._transport is not None:
            await self._transport.aclose()

    def token_endpoint(self) -> str:
        """Where tokens are exchanged. Raises `Unavailable` while the metadata cannot be had."""
        if self.metadata is None or self.metadata.token_endpoint is None:
            raise self.ring.unavailable()
        return self.metadata.token_endpoint

    def authorization_endpoint(self) -> tuple[str, bool]:
        """Where persons sign in, and whether its answer names it (RFC 9207). Raises `Unavailable` while not known."""
        if self.metadata is None or self.metadata.authorization_endpoint is None:
            raise self.ring.unavailable()
        return self.metadata.authorization_endpoint, self.metadata.names_itself

    async def _fetch_keys(self) -> KeySet:
        if self._transport is None:
            raise Failure("connect", sent=False)
        if self.metadata is None:
            self.metadata = await discover(self._transport, self.settings)
        body = await _read_document(self._transport, self.metadata.jwks_uri, self.settings.deadline_s)
        return read_keys(body, self.settings.algorithms)

    def _refusal(self, refused: MetadataRefused) -> Refusal:
        return Refusal(
            code=refused.kind,
            subject=f"issuers.{self.name}",
            where="settings",
            rule=refused.rule,
            remedy=refused.remedy,
        )


def check_issuer(settings: IssuerSettings) -> None:
    """Hold the configured URLs (RFC 8414, 2: https, no query, no fragment). Raises `MetadataRefused`."""
    if not is_allowed(settings.url, settings.url) or "?" in settings.url:
        raise MetadataRefused(
            "issuer-insecure",
            "its url is not a plain https URL",
            "set url to an https URL without user, query and fragment (http only on loopback)",
        )
    if settings.metadata_url is not None and not is_allowed(settings.metadata_url, settings.url):
        raise MetadataRefused(
            "issuer-insecure",
            "its metadata_url is not an https URL",
            "set metadata_url to an https URL without user and fragment (loopback only for a loopback issuer)",
        )


async def discover(transport: httpx.AsyncBaseTransport, settings: IssuerSettings) -> Metadata:
    """Find and check the metadata. Raises `MetadataRefused`, or `Failure` for what may pass by itself."""
    for url in metadata_urls(settings):
        try:
            body = await _read_document(transport, url, settings.deadline_s)
        except Failure as failure:
            if failure.kind not in _ABSENT:
                raise
        else:
            return _read_metadata(body, settings)
    raise MetadataRefused(
        "issuer-metadata-absent", "it has no metadata (RFC 8414)", "correct its url, or set metadata_url"
    )


def metadata_urls(settings: IssuerSettings) -> tuple[str, ...]:
    """Where the metadata may be: the form of RFC 8414, 3.1, then that of OpenID Connect Discovery, 4."""
    if settings.metadata_url is not None:
        return (settings.metadata_url,)
    parts = urlsplit(settings.url)
    origin, path = f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")
    return (
        f"{origin}/.well-known/oauth-authorization-server{path}",
        f"{origin}{path}/.well-known/openid-configuration",
    )


def _read_metadata(body: bytes, settings: IssuerSettings) -> Metadata:
    """Believe the metadata only when it names exactly the configured issuer (RFC 8414, 3.3)."""
    try:
        metadata = msgspec.json.decode(body, type=Metadata)
    except (ValueError, RecursionError):
        raise MetadataRefused(
            "issuer-metadata-broken", "its metadata is not readable (RFC 8414)", "ask its operator; check its url"
        ) from None
    if metadata.issuer != settings.url:
        raise MetadataRefused(
            "issuer-differs",
            "its metadata names another issuer (RFC 8414, 3.3)",
            "set its url to exactly what the authorization server calls itself",
        )
    for name in ("jwks_uri", "token_endpoint", "authorization_endpoint"):
        url = getattr(metadata, name)
        if url is not None and not is_allowed(url, settings.url):
            raise MetadataRefused(
                "issuer-endpoint-insecure",
                f"the {name} of its metadata is not an https URL",
                f"let the authorization server publish an https {name} (loopback only for a loopback issuer)",
            )
    if settings.client is not None and metadata.token_endpoint is None:
        raise MetadataRefused(
            "issuer-token-endpoint-absent",
            "its metadata names no token_endpoint, which this BFF's client needs",
            "remove the issuer's client, or let the authorization server publish its token_endpoint",
        )
    return metadata


def is_allowed(url: str, issuer: str) -> bool:
    """Allow https anywhere but loopback, and loopback only for an issuer that is itself on loopback."""
    try:
        parts = httpx.URL(url)
        is_local = is_loopback(url)
    except (ValueError, httpx.InvalidURL):
        return False
    if not parts.host or parts.userinfo or parts.fragment:
        return False
    return is_loopback(issuer) if is_local else parts.scheme == "https"


async def _read_document(transport: httpx.AsyncBaseTransport, url: str, deadline_s: float) -> bytes:
    """Get a JSON document of an issuer. Raises `Failure`: those of `fetch`, `unavailable`, `absent`, `media-type`."""
    request = new_request("GET", url, {"Accept": "application/json"})
    answer = await fetch(transport, request, deadline_s=deadline_s, max_bytes=DOCUMENT_BYTES)
    if answer.status == httpx.codes.TOO_MANY_REQUESTS or answer.status >= httpx.codes.INTERNAL_SERVER_ERROR:
        raise Failure("unavailable")
    if answer.status != httpx.codes.OK:
        raise Failure("absent")
    if answer.media_type not in _JSON:
        raise Failure("media-type")
    return answer.body
