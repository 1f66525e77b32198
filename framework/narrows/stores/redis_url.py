"""What the URL of a Redis or Valkey must say, as its own client reads it: where it is, and TLS off this machine."""

from __future__ import annotations

from redis.asyncio.connection import SSLConnection, UnixDomainSocketConnection, parse_url

from narrows.errors import SettingsError
from narrows.settings import Secret, is_loopback


def checked(url: Secret) -> str:
    """The URL. Raises `SettingsError`, which repeats nothing of it."""
    try:
        given = dict(parse_url(url.reveal()))
    except (ValueError, UnicodeError):
        raise _refused("nobody can read its URL", "write rediss://user:password@host:6380/0") from None
    host, kind = str(given.get("host", "localhost")), given.get("connection_class")
    is_own = kind is UnixDomainSocketConnection or is_loopback(
        f"https://[{host}]" if ":" in host else f"https://{host}"
    )
    if not is_own and not (kind is SSLConnection and _is_proven(given)):
        raise _refused(
            "off this machine what is kept would go over the wire to whoever answers: its URL does not ask for TLS "
            "with a certificate of that name",
            "write rediss://…, and take ssl_cert_reqs and ssl_check_hostname out of it; "
            "ssl_ca_certs=/path/of/the/ca.pem names a CA of your own",
        )
    return url.reveal()


def _is_proven(given: dict[str, object]) -> bool:
    """Whether the certificate of the server is looked at, as is the default."""
    return str(given.get("ssl_cert_reqs", "required")) == "required" and given.get("ssl_check_hostname") in (None, True)


def _refused(rule: str, remedy: str) -> SettingsError:
    return SettingsError(f"stores.redis: {rule}. Remedy: {remedy}.")
