"""Run an application: what listens, what it trusts, and what is refused before it listens."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Sequence
from ipaddress import ip_address, ip_network
from typing import Any, TypedDict, Unpack

import msgspec
import uvicorn

from narrows.addresses import Network
from narrows.errors import Refusal, StartRefused
from narrows.settings import ServingSettings, Settings
from narrows.surfaces.serving_peers import Peers
from narrows.surfaces.serving_protocol import GuardedProtocol, ReceiptLimits, guarded

__all__ = [
    "GuardedConfig",
    "GuardedProtocol",
    "Listening",
    "ReceiptLimits",
    "Tls",
    "guarded",
    "listening",
    "make_config",
    "make_server",
    "serve",
]


class Tls(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The server's certificate chain and its key: paths of PEM files."""

    certificate: str
    key: str

    def context(self) -> ssl.SSLContext:
        """Load both. Raises `OSError` (`ssl.SSLError` among them) when they cannot be used."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        # Without a password OpenSSL would ask the terminal for that of an encrypted key, and the start would hang.
        context.load_cert_chain(self.certificate, self.key, password="")
        return context


class Listening(TypedDict, total=False):
    """How a server listens.

    - `host`, `port`: address and port to bind (127.0.0.1, 8000; port 0 takes a free one)
    - `limits`: what a client may take before its request is one
    - `tls`: serve HTTPS with this certificate
    - `behind_tls_proxy`: a proxy in front ends TLS, so plain HTTP may be served off loopback
    - `trusted_proxies`: addresses or networks whose X-Forwarded-For and X-Forwarded-Proto are believed (nobody else's
      are), and which are not held to `limits.per_peer`
    - `grace_s`: how long, in whole seconds, running calls may go on after the server was told to stop (10)
    """

    host: str
    port: int
    limits: ReceiptLimits
    tls: Tls | None
    behind_tls_proxy: bool
    trusted_proxies: Sequence[str]
    grace_s: int


class GuardedConfig(uvicorn.Config):
    """uvicorn's configuration, which makes the protocol class where it is loaded."""

    def __init__(
        self, app: Any, *, limits: ReceiptLimits, tls: Tls | None, proxies: Sequence[Network], **more: Any
    ) -> None:
        self.receipt_limits = limits
        self.tls = tls
        self.proxies = tuple(proxies)
        super().__init__(app, http=GuardedProtocol, **more)

    def load(self) -> None:
        """Load the application and bind the protocol class to this process."""
        super().load()
        limits = self.receipt_limits
        peers = Peers(per_peer=limits.per_peer, total=limits.connections, exempt=self.proxies)
        self.http_protocol_class = guarded(limits, peers, self.tls.context() if self.tls else None)


def make_config(
    app: Any,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    limits: ReceiptLimits = ReceiptLimits(),  # noqa: B008 # a frozen value
    tls: Tls | None = None,
    behind_tls_proxy: bool = False,
    trusted_proxies: Sequence[str] = (),
    grace_s: int = 10,
) -> GuardedConfig:
    """Check and put together how `app` (an ASGI application) is served.

    Raises `StartRefused` with every reason at once; see `Listening` for the arguments.
    """
    found = [
        _plain_http(host) if not (_is_loopback(host) or tls or behind_tls_proxy) else None,
        _unusable_tls(tls) if tls else None,
        *(_no_network(text) for text in trusted_proxies if _network(text) is None),
    ]
    if refusals := [refusal for refusal in found if refusal]:
        raise StartRefused(refusals)
    return GuardedConfig(
        app,
        host=host,
        port=port,
        limits=limits,
        tls=tls,
        proxies=[network for text in trusted_proxies if (network := _network(text))],
        proxy_headers=bool(trusted_proxies),
        forwarded_allow_ips=list(trusted_proxies),
        ws="none",
        lifespan="on",
        server_header=False,
        access_log=False,
        log_config=None,
        # Below INFO uvicorn logs whole requests, Authorization included.
        log_level=logging.INFO,
        timeout_graceful_shutdown=grace_s,
        h11_max_incomplete_event_size=limits.header_bytes,
    )


def make_server(app: Any, **how: Unpack[Listening]) -> uvicorn.Server:
    """Make a server of one process that is not running yet. Raises `StartRefused`."""
    return uvicorn.Server(make_config(app, **how))


def serve(app: Any, **how: Unpack[Listening]) -> None:
    """Serve until a signal (INT, TERM) stops it. Raises `StartRefused`, and `SystemExit` when the start fails."""
    make_server(app, **how).run()


def listening(settings: Settings) -> Listening:
    """Read `[serving]` of the settings; its files lie in the settings file's folder. Raises `StartRefused`."""
    serving = settings.serving
    if bool(serving.tls_certificate) != bool(serving.tls_key):
        raise StartRefused([_half_tls()])
    how = Listening(
        host=serving.host,
        port=serving.port,
        behind_tls_proxy=serving.behind_tls_proxy,
        trusted_proxies=serving.trusted_proxies,
        limits=_limits(serving),
    )
    if serving.tls_certificate and serving.tls_key:
        certificate, key = (str(settings.path(name)) for name in (serving.tls_certificate, serving.tls_key))
        how["tls"] = Tls(certificate=certificate, key=key)
    return how


def _limits(serving: ServingSettings) -> ReceiptLimits:
    """Take over the limits, which the settings call by the same names and have checked."""
    given = msgspec.structs.asdict(serving)
    return ReceiptLimits(**{name: given[name] for name in ReceiptLimits.__struct_fields__ if name in given})


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _network(text: str) -> Network | None:
    """Read an address or network; one that holds every address trusts nobody in particular, and is none."""
    try:
        network = ip_network(text)
    except ValueError:
        return None
    return network if network.prefixlen else None


def _refusal(code: str, key: str, rule: str, remedy: str) -> Refusal:
    return Refusal(code=code, subject=f"serving.{key}", where="narrows.toml", rule=rule, remedy=remedy)


def _plain_http(host: str) -> Refusal:
    rule = f"plain HTTP on {host!r} would carry tokens readable through the network"
    remedy = 'set tls_certificate and tls_key, or behind_tls_proxy = true, or host = "127.0.0.1"'
    return _refusal("plain-http", "host", rule, remedy)


def _half_tls() -> Refusal:
    rule = "a certificate without its key, or a key without its certificate, serves nothing"
    return _refusal("tls-incomplete", "tls_certificate", rule, "set both tls_certificate and tls_key")


def _unusable_tls(tls: Tls) -> Refusal | None:
    try:
        tls.context()
    except OSError as error:
        rule = f"certificate {tls.certificate!r} and key {tls.key!r} cannot be used ({type(error).__name__})"
        return _refusal("tls-unusable", "tls_certificate", rule, "name a PEM certificate chain and its own PEM key")
    return None


def _no_network(text: str) -> Refusal:
    rule = f"{text!r} is not an address or a network of some addresses"
    return _refusal("no-network", "trusted_proxies", rule, 'write trusted_proxies = ["10.1.2.3", "10.4.0.0/16"]')
