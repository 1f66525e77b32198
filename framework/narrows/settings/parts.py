"""The type of the settings: strict, bounded, and with secrets that do not print."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from narrows.settings.alerting import AlertSettings
from narrows.settings.basis import Amount, Part, Pause, Port, Seconds, Secret, Text

Environment = Literal["development", "staging", "production"]
ConnectorKind = Literal["low-code", "copilot", "partner", "service"]
ConnectorState = Literal["draft", "trial", "live", "suspended", "revoked", "expired"]
Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"]


class ClientSettings(Part, frozen=True, kw_only=True):
    """The BFF's own client at an issuer: how it signs in for token exchange and client credentials.

    Give `secret` (client_secret_basic, RFC 6749 2.3.1) or `private_key` in PEM (private_key_jwt, RFC 7523).
    `sign_in_scope` is what it asks for when a person signs in on the confirmation page.
    """

    id: Text
    secret: Secret | None = None
    private_key: Secret | None = None
    private_key_algorithm: Algorithm = "RS256"
    private_key_id: str | None = None
    sign_in_scope: Text = "openid"


class RoleClaim(Part, frozen=True, kw_only=True):
    """One claim of a token that grants a role: each value of `claim` gives `role` in `domain`.

    `domain` is a template over the claim's value: `team:{value}` or, for a role in the whole BFF, `bff:where2eat`.
    With `value` set, only that value of the claim grants.
    """

    claim: Text
    role: Text
    domain: Text
    value: str | int | bool | None = None


class IssuerSettings(Part, frozen=True, kw_only=True):
    """An authorization server whose tokens are accepted.

    `audience` is this BFF's resource identifier; `algorithms` the only ones accepted from it; `typ` the accepted header
    types (RFC 9068; add `JWT` for issuers, such as Entra, that do not set `at+jwt`); `extra_scopes` harmless scopes
    that it may give although an exchange did not ask for them (Keycloak adds `profile`); `attribution` whether an
    exchange tells which connector it is for (RFC 9396). Times are seconds.
    """

    url: Text
    audience: Text
    algorithms: Annotated[tuple[Algorithm, ...], Meta(min_length=1)] = ("RS256", "ES256")
    typ: Annotated[tuple[Text, ...], Meta(min_length=1)] = ("at+jwt", "application/at+jwt")
    roles: tuple[RoleClaim, ...] = ()
    exchange: Literal["rfc8693", "entra"] = "rfc8693"
    extra_scopes: tuple[str, ...] = ()
    attribution: Literal["none", "authorization_details"] = "none"
    metadata_url: str | None = None
    client: ClientSettings | None = None
    ca: str | None = None
    deadline_s: Seconds = 3.0
    keys_max_age_s: Seconds = 600.0
    keys_stale_s: Pause = 3600.0
    keys_cooldown_s: Pause = 30.0
    act_depth: Annotated[int, Meta(ge=0, le=32)] = 4


class UpstreamSettings(Part, frozen=True, kw_only=True):
    """Where an upstream is, and as whom it is called. Times are seconds, sizes bytes.

    `identity`: `caller` exchanges the caller's token for `audience`; `service` uses client credentials of `issuer`;
    `none` sends no token (for public data).
    """

    url: Text
    audience: Text | None = None
    identity: Literal["caller", "service", "none"] = "caller"
    issuer: str | None = None
    deadline_s: Seconds = 5.0
    answer_bytes: Amount = 4 * 1024 * 1024
    ca: str | None = None
    breaker_failures: Amount = 5
    breaker_open_s: Seconds = 10.0


class ConnectorSettings(Part, frozen=True, kw_only=True):
    """A program that may call, known by (issuer, client_id): for development alone, where no registry is at hand.

    Without `commit`, a live write may come as the connector's kind asks for, as in the registry.
    """

    issuer: Text
    client_id: Text
    tenant: Text
    kind: ConnectorKind
    state: ConnectorState = "draft"
    version: Text = "1"
    purpose: str = ""
    commit: Literal["open", "receipt", "confirmed"] | None = None


class TenantSettings(Part, frozen=True, kw_only=True):
    """What all connectors of one organisation share: rates such as `5000/hour`, budgets such as `50.00 EUR/month`.

    `volumes` are the most that they may answer, such as `1 GB/day` or `50000 records/day`.
    """

    rates: tuple[Text, ...] = ()
    budgets: tuple[Text, ...] = ()
    volumes: tuple[Text, ...] = ()


class LimitSettings(Part, frozen=True, kw_only=True):
    """Limits that hold for every endpoint; from the part `budget_soft` of a budget on the operators are told."""

    attempts: str = "600/minute"
    unverified: str = "120/minute"
    body_bytes: Amount = 64 * 1024
    target_bytes: Amount = 8 * 1024
    json_depth: Annotated[int, Meta(ge=1, le=256)] = 32
    call_s: Seconds = 15.0
    tokens: Amount = 10_000
    budget_soft: Annotated[float, Meta(gt=0, le=1)] = 0.8
    sandbox_bytes: Annotated[int, Meta(ge=1024, le=16 * 1024 * 1024)] = 64 * 1024


class StoreSettings(Part, frozen=True, kw_only=True):
    """Where state that outlives a call is kept; `key` (32 bytes in base64) encrypts what is at rest.

    Each store is `memory:`, `sqlite:<path>`, or lies on a server: `redis:` or `postgres:`, whose URLs are `redis` and
    `postgres`. Without `audit`, the audit log is in memory in development, else in `sqlite:audit.db`.
    """

    rehearsals: str = "memory:"
    rehearsal_s: float = 3600.0
    commits: str = "memory:"
    commit_s: float = 86_400.0
    connectors: str = "memory:"
    budgets: str = "memory:"
    tokens: str = "memory:"
    audit: str | None = None
    limits: str = "memory:"
    redis: Secret | None = None
    postgres: Secret | None = None
    key: Secret | None = None


class GovernanceSettings(Part, frozen=True, kw_only=True):
    """Who may approve connectors; nobody approves a connector of their own."""

    approvers: tuple[Text, ...] = ()


class AuditSettings(Part, frozen=True, kw_only=True):
    """What signs how far the audit log goes, every `checkpoint_s` seconds in which it grew.

    `key` has 32 bytes in base64; what `old_key` signed still holds, and it signs too, until nobody needs it any more.
    `origin` names the log in its checkpoints: without it, the host of `public_url` and the name of the BFF. `queue` is
    how many records may wait for the disk before nothing new is begun. `readers` may learn who is behind a hash of the
    log, `erasers` may have somebody forgotten in it.
    """

    key: Secret | None = None
    old_key: Secret | None = None
    origin: Text | None = None
    checkpoint_s: Seconds = 60.0
    queue: Amount = 4096
    readers: tuple[Text, ...] = ()
    erasers: tuple[Text, ...] = ()


class ReceiptKey(Part, frozen=True, kw_only=True):
    """A key that signs receipts: `key` has 32 bytes in base64, `kid` is its name in them."""

    kid: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,32}(?!\n)$")]
    key: Secret


class ReceiptSettings(Part, frozen=True, kw_only=True):
    """What signs receipts: the first key; what a second signed still holds. Without one, a key made of `stores.key`."""

    keys: Annotated[tuple[ReceiptKey, ...], Meta(max_length=2)] = ()


class TelemetrySettings(Part, frozen=True, kw_only=True):
    """Where traces and metrics go. Without `otlp_endpoint` and `prometheus` nothing is exported.

    `prometheus` is the address (`host:port`) of a listener of its own from which the metrics are read, and
    `prometheus_ports` how many ports from there on may be tried: each worker takes one. `sample_ratio` (0 to 1) is the
    part of all traces that is kept; the flag that a client sends does not count.
    """

    otlp_endpoint: str | None = None
    prometheus: str | None = None
    prometheus_ports: Annotated[int, Meta(ge=1, le=256)] = 1
    prometheus_off_loopback: bool = False
    service_name: str | None = None
    sample_ratio: Annotated[float, Meta(ge=0.0, le=1.0)] = 1.0


class ServingSettings(Part, frozen=True, kw_only=True):
    """How the server listens. Times are seconds."""

    host: str = "127.0.0.1"
    port: Port = 8000
    tls_certificate: str | None = None
    tls_key: str | None = None
    behind_tls_proxy: bool = False
    trusted_proxies: tuple[str, ...] = ()
    headers_s: Seconds = 5.0
    body_s: Seconds = 10.0
    idle_s: Seconds = 15.0
    write_s: Seconds = 15.0
    per_peer: Amount = 64
    connections: Amount = 1024


class Settings(Part, frozen=True, kw_only=True):
    """The whole of the settings. See docs/reference/settings.md for every key."""

    public_url: Text
    environment: Environment = "production"
    hosts: tuple[str, ...] = ()
    issuers: dict[str, IssuerSettings] = msgspec.field(default_factory=dict)
    upstreams: dict[str, UpstreamSettings] = msgspec.field(default_factory=dict)
    connectors: dict[str, ConnectorSettings] = msgspec.field(default_factory=dict)
    tenants: dict[str, TenantSettings] = msgspec.field(default_factory=dict)
    policies: tuple[str, ...] = ()
    model: str | None = None
    policy_check_s: Pause = 1.0
    limits: LimitSettings = LimitSettings()
    stores: StoreSettings = StoreSettings()
    governance: GovernanceSettings = GovernanceSettings()
    receipts: ReceiptSettings = ReceiptSettings()
    audit: AuditSettings = AuditSettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    alerts: AlertSettings = AlertSettings()
    serving: ServingSettings = ServingSettings()
    base: str = "."

    def accepted_hosts(self) -> frozenset[str]:
        """The values of `Host` that are answered, in lower case."""
        named = self.hosts or (urlsplit(self.public_url).netloc,)
        return frozenset(host.lower() for host in named)

    def path(self, name: str) -> Path:
        """Resolve a path of the settings against the folder of the settings file."""
        return Path(self.base) / name


def is_loopback(url: str) -> bool:
    """Tell whether an HTTP URL names this machine only (by name, not by look-up)."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        own = host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        own = False
    return own and parts.scheme in ("http", "https")
