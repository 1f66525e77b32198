"""What the URL of a PostgreSQL must say, as its own client reads it: where it is, and TLS off this machine."""

from __future__ import annotations

import psycopg
from psycopg.conninfo import conninfo_to_dict

from narrows.errors import SettingsError
from narrows.settings import Secret, is_loopback

_FORM = "write postgresql://role:password@host/database?sslmode=verify-full&sslrootcert=/path/of/the/ca.pem"


def parameters(conninfo: Secret) -> dict[str, str]:
    """The parameters of a URL or connection string. Raises `SettingsError`, which repeats nothing of it."""
    try:
        given = {name: str(value) for name, value in conninfo_to_dict(conninfo.reveal()).items()}
    except (psycopg.Error, UnicodeError):
        raise refused("nobody can read its URL", _FORM) from None
    hosts = [host for name in ("host", "hostaddr") if given.get(name) for host in given[name].split(",")]
    # Without a host, variables and files of this machine would say where it is.
    if not all(hosts) or not hosts or "service" in given:
        raise refused("its URL does not say where it is", _FORM)
    if given.get("sslmode") != "verify-full" and not all(map(_is_own, hosts)):
        raise refused(
            "off this machine what is kept would go over the wire to whoever answers: its URL does not ask for TLS "
            "with a certificate of that name",
            "add ?sslmode=verify-full&sslrootcert=/path/of/the/ca.pem to the URL, or sslrootcert=system for a CA that "
            "this machine knows",
        )
    return given


def refused(rule: str, remedy: str) -> SettingsError:
    """The refusal of a PostgreSQL, or of its URL."""
    return SettingsError(f"stores.postgres: {rule}. Remedy: {remedy}.")


def _is_own(host: str) -> bool:
    """Whether a host is this machine: a socket in a folder, or loopback."""
    return host.startswith(("/", "@")) or is_loopback(f"https://[{host}]" if ":" in host else f"https://{host}")
