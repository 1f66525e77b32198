"""Settings: `narrows.toml` and `NARROWS_…` variables, one strict type, a section per environment.

Unknown keys are refused; secrets come from a file or a variable and are masked wherever they are printed.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import msgspec

from narrows.errors import SettingsError

Environment = Literal["development", "staging", "production"]
ConnectorKind = Literal["low-code", "copilot", "partner", "service"]
ConnectorState = Literal["draft", "trial", "live", "suspended", "revoked", "expired"]
Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"]

_PREFIX = "NARROWS_"
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


class Secret:
    """A secret value: it prints as `Secret(***)` and is read only by `reveal()`."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the secret itself."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash((Secret, self._value))


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the settings."""


class ClientSettings(_Part, frozen=True, kw_only=True):
    """The BFF's own client at an issuer: how it signs in for token exchange and client credentials.

    Give `secret` (client_secret_basic, RFC 6749 2.3.1) or `private_key` in PEM (private_key_jwt, RFC 7523).
    """

    id: str
    secret: Secret | None = None
    private_key: Secret | None = None
    private_key_algorithm: Algorithm = "RS256"
    private_key_id: str | None = None


class RoleClaim(_Part, frozen=True, kw_only=True):
    """One claim of a token that grants a role: each value of `claim` gives `role` in `domain`.

    `domain` is a template over the claim's value: `team:{value}` or, for a role in the whole BFF, `bff:where2eat`.
    With `value` set, only that value of the claim grants.
    """

    claim: str
    role: str
    domain: str
    value: str | int | bool | None = None


class IssuerSettings(_Part, frozen=True, kw_only=True):
    """An authorization server whose tokens are accepted.

    `audience` is this BFF's resource identifier; `algorithms` the only ones accepted from it; `typ` the accepted header
    types (RFC 9068; add `JWT` for issuers, such as Entra, that do not set `at+jwt`); `extra_scopes` harmless scopes
    that it may give although an exchange did not ask for them (Keycloak adds `profile`). Times are seconds.
    """

    url: str
    audience: str
    algorithms: tuple[Algorithm, ...] = ("RS256", "ES256")
    typ: tuple[str, ...] = ("at+jwt", "application/at+jwt")
    roles: tuple[RoleClaim, ...] = ()
    exchange: Literal["rfc8693", "entra"] = "rfc8693"
    extra_scopes: tuple[str, ...] = ()
    metadata_url: str | None = None
    client: ClientSettings | None = None
    ca: str | None = None
    deadline_s: float = 3.0
    keys_max_age_s: float = 600.0
    keys_stale_s: float = 3600.0
    keys_cooldown_s: float = 30.0
    act_depth: int = 4


class UpstreamSettings(_Part, frozen=True, kw_only=True):
    """Where an upstream is, and as whom it is called. Times are seconds, sizes bytes.

    `identity`: `caller` exchanges the caller's token for `audience`; `service` uses client credentials of `issuer`;
    `none` sends no token (for public data).
    """

    url: str
    audience: str | None = None
    identity: Literal["caller", "service", "none"] = "caller"
    issuer: str | None = None
    deadline_s: float = 5.0
    answer_bytes: int = 4 * 1024 * 1024
    ca: str | None = None
    breaker_failures: int = 5
    breaker_open_s: float = 10.0


class ConnectorSettings(_Part, frozen=True, kw_only=True):
    """A program that may call, known by (issuer, client_id)."""

    issuer: str
    client_id: str
    tenant: str
    kind: ConnectorKind
    state: ConnectorState = "draft"
    version: str = "1"


class LimitSettings(_Part, frozen=True, kw_only=True):
    """Limits that hold for every endpoint."""

    attempts: str = "600/minute"
    unverified: str = "120/minute"
    body_bytes: int = 64 * 1024
    target_bytes: int = 8 * 1024
    json_depth: int = 32
    call_s: float = 15.0
    tokens: int = 10_000


class StoreSettings(_Part, frozen=True, kw_only=True):
    """Where state that outlives a call is kept; `key` (32 bytes in base64) encrypts what is at rest."""

    rehearsals: str = "memory:"
    rehearsal_s: float = 3600.0
    key: Secret | None = None


class TelemetrySettings(_Part, frozen=True, kw_only=True):
    """Where traces and metrics go. Without `otlp_endpoint` nothing is exported.

    `sample_ratio` (0 to 1) is the part of all traces that is kept; the flag that a client sends does not count.
    """

    otlp_endpoint: str | None = None
    service_name: str | None = None
    sample_ratio: Annotated[float, msgspec.Meta(ge=0.0, le=1.0)] = 1.0


class ServingSettings(_Part, frozen=True, kw_only=True):
    """How the server listens. Times are seconds."""

    host: str = "127.0.0.1"
    port: int = 8000
    tls_certificate: str | None = None
    tls_key: str | None = None
    behind_tls_proxy: bool = False
    trusted_proxies: tuple[str, ...] = ()
    headers_s: float = 5.0
    body_s: float = 10.0
    idle_s: float = 15.0
    write_s: float = 15.0
    per_peer: int = 64
    connections: int = 1024


class Settings(_Part, frozen=True, kw_only=True):
    """The whole of the settings. See docs/reference/settings.md for every key."""

    public_url: str
    environment: Environment = "production"
    hosts: tuple[str, ...] = ()
    issuers: dict[str, IssuerSettings] = {}
    upstreams: dict[str, UpstreamSettings] = {}
    connectors: dict[str, ConnectorSettings] = {}
    policies: tuple[str, ...] = ()
    model: str | None = None
    policy_check_s: float = 1.0
    limits: LimitSettings = LimitSettings()
    stores: StoreSettings = StoreSettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    serving: ServingSettings = ServingSettings()
    page_client_id: str | None = None
    base: str = "."

    def accepted_hosts(self) -> frozenset[str]:
        """The values of `Host` that are answered, in lower case."""
        named = self.hosts or (urlsplit(self.public_url).netloc,)
        return frozenset(host.lower() for host in named)

    def path(self, name: str) -> Path:
        """Resolve a path of the settings against the folder of the settings file."""
        return Path(self.base) / name


def is_loopback(url: str) -> bool:
    """Tell whether a URL names this machine only (by name, not by look-up)."""
    host = urlsplit(url).hostname or ""
    return host in _LOOPBACK or host.startswith("127.")


def load_settings(path: str | Path = "narrows.toml", environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings file, lay the environment's section and then the variables over it.

    `NARROWS_ENVIRONMENT` chooses the section; `NARROWS_ISSUERS__CORP__URL=…` sets one key (two underscores a level).
    Raises `SettingsError`.
    """
    variables = os.environ if environ is None else environ
    file = Path(path)
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(f"{file}: there is no such file. Remedy: create it, or name it with --settings.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file}: not valid TOML ({error}). Remedy: correct that line.") from None
    chosen = variables.get(_PREFIX + "ENVIRONMENT") or document.get("environment") or "production"
    sections = document.pop("environments", {})
    document = merge(document, sections.get(chosen, {}))
    for name, value in variables.items():
        if name.startswith(_PREFIX):
            _set(document, name.removeprefix(_PREFIX).lower().split("__"), value, name)
    document |= {"environment": chosen, "base": str(file.parent)}
    return read_settings(document, where=str(file), environ=variables)


def merge(base: dict[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Lay one table over another, table by table; anything but a table replaces."""
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = merge(below, value) if isinstance(below, dict) and isinstance(value, Mapping) else value
    return merged


def read_settings(
    document: Mapping[str, Any], *, where: str = "settings", environ: Mapping[str, str] | None = None
) -> Settings:
    """Turn plain tables into `Settings`. Raises `SettingsError` naming the key and the remedy."""
    variables = os.environ if environ is None else environ
    base = Path(str(document.get("base", ".")))

    def secret(kind: type, value: Any) -> Any:
        if kind is Secret:
            return value if isinstance(value, Secret) else _read_secret(value, base, variables)
        raise NotImplementedError

    try:
        settings = msgspec.convert(document, Settings, strict=False, dec_hook=secret)
    except msgspec.ValidationError as error:
        raise SettingsError(f"{where}: {error}. Remedy: see docs/reference/settings.md for the keys.") from None
    _check_names(settings, where)
    return settings


def _set(document: dict[str, Any], path: list[str], value: str, name: str) -> None:
    """Put one variable's value at its place in the tables."""
    *tables, key = path
    table = document
    for part in tables:
        table = table.setdefault(part, {})
        if not isinstance(table, dict):
            raise SettingsError(f"{name}: `{part}` is a value, not a table. Remedy: name an existing key.")
    table[key] = value


def _read_secret(value: Any, base: Path, variables: Mapping[str, str]) -> Secret:
    """Read `{file = "…"}` or `{env = "…"}`; a secret written into the settings is refused."""
    match value:
        case {"file": str(name), **rest} if not rest:
            try:
                return Secret((base / name).read_text(encoding="utf-8").strip())
            except OSError:
                raise msgspec.ValidationError(f"the secret's file {name!r} cannot be read") from None
        case {"env": str(name), **rest} if not rest:
            if name in variables:
                return Secret(variables[name])
            raise msgspec.ValidationError(f"the secret's variable {name!r} is not set")
    raise msgspec.ValidationError('a secret is given as { file = "…" } or { env = "…" }, never as text')


def _check_names(settings: Settings, where: str) -> None:
    """Refuse a name that points to nothing."""
    for name, connector in settings.connectors.items():
        if connector.issuer not in settings.issuers:
            raise SettingsError(
                f"{where}: connectors.{name}.issuer names {connector.issuer!r}, which is not in [issuers]. "
                f"Remedy: add [issuers.{connector.issuer}] or correct the name."
            )
    known = {(c.issuer, c.client_id) for c in settings.connectors.values()}
    if len(known) != len(settings.connectors):
        raise SettingsError(f"{where}: two connectors share (issuer, client_id). Remedy: give each its own client.")
    for name, upstream in settings.upstreams.items():
        if upstream.issuer is not None and upstream.issuer not in settings.issuers:
            raise SettingsError(
                f"{where}: upstreams.{name}.issuer names {upstream.issuer!r}, which is not in [issuers]. "
                f"Remedy: add [issuers.{upstream.issuer}] or correct the name."
            )
