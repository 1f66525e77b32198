"""The URL of a server says where it is, and asks for TLS off this machine, as the server's own client reads it."""

import pytest

from narrows.errors import SettingsError
from narrows.settings import Secret, StoreSettings
from narrows.stores.servers import Servers

PROVEN = "sslmode=verify-full"


def opened(kind, url):
    """The server of a URL; nothing is asked of it."""
    return getattr(Servers(StoreSettings(**{kind: Secret(url)})), kind)


@pytest.mark.parametrize(
    ("kind", "url"),
    [
        ("postgres", "postgresql://narrows@127.0.0.1/narrows"),
        ("postgres", "postgres://narrows@localhost:5433/narrows"),
        ("postgres", "postgresql://[::1]/narrows"),
        ("postgres", "postgresql:///narrows?host=/run/postgresql"),
        ("postgres", "host=/run/postgresql dbname=narrows"),
        ("postgres", f"postgresql://narrows:p@db.example.com/narrows?{PROVEN}&sslrootcert=system"),
        ("postgres", f"postgresql://one.example.com,two.example.com/narrows?{PROVEN}&target_session_attrs=read-write"),
        ("redis", "redis://127.0.0.1:6379/0"),
        ("redis", "redis://[::1]"),
        ("redis", "redis://"),
        ("redis", "unix:///run/redis.sock"),
        ("redis", "rediss://user:p@cache.example.com:6380/0"),
        ("redis", "rediss://cache.example.com?ssl_cert_reqs=required&ssl_check_hostname=yes"),
    ],
)
def test_this_machine_or_tls_with_a_proven_name_is_taken(kind, url):
    """Nothing else is asked for."""
    assert opened(kind, url) is not None


@pytest.mark.parametrize(
    ("kind", "url", "rule"),
    [
        ("postgres", "postgresql://u:canary@db.example.com/x", "does not ask for TLS"),
        ("postgres", "postgresql://u:canary@db.example.com/x?sslmode=require", "does not ask for TLS"),
        ("postgres", "postgresql://u:canary@db.example.com/x?sslmode=verify-ca", "does not ask for TLS"),
        ("postgres", "postgresql://u:canary@127.0.0.1,db.example.com/x", "does not ask for TLS"),
        ("postgres", "postgresql://u:canary@127.0.0.1/x?hostaddr=10.0.0.1", "does not ask for TLS"),
        ("postgres", "postgresql://u:canary@127.0.0.1/x?host=db.example.com", "does not ask for TLS"),
        ("postgres", "postgresql://u:canary@127.0.0.1/x#?host=db.example.com", "does not ask for TLS"),
        ("postgres", "host=db.example.com password=canary", "does not ask for TLS"),
        ("postgres", "postgresql://u:canary@/x", "does not say where"),
        ("postgres", "postgresql://u:canary@127.0.0.1,/x", "does not say where"),
        ("postgres", "postgresql://u:canary@127.0.0.1/x?service=other", "does not say where"),
        ("postgres", "canary", "nobody can read"),
        ("postgres", "postgresql://u:canary@127.0.0.1/x?canary=1", "nobody can read"),
        ("redis", "redis://u:canary@cache.example.com", "does not ask for TLS"),
        ("redis", "rediss://u:canary@cache.example.com?ssl_cert_reqs=none", "does not ask for TLS"),
        ("redis", "rediss://u:canary@cache.example.com?ssl_cert_reqs=optional", "does not ask for TLS"),
        ("redis", "rediss://u:canary@cache.example.com?ssl_check_hostname=no", "does not ask for TLS"),
        ("redis", "redis://?host=cache.example.com", "does not ask for TLS"),
        ("redis", "canary", "nobody can read"),
        ("redis", "rediss://u:canary@cache.example.com:port", "nobody can read"),
    ],
)
def test_anything_else_is_refused_without_its_secret(kind, url, rule):
    """Before anything is sent; the message has the key and the remedy, and nothing of the URL."""
    with pytest.raises(SettingsError, match=rf"stores\.{kind}: .*{rule}.* Remedy: ") as caught:
        opened(kind, url)
    for part in ("canary", "example.com", "10.0.0.1"):
        assert part not in str(caught.value)
