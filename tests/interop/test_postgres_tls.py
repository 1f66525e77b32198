"""A PostgreSQL off this machine proves its name: another certificate, or none, is told and gets no password."""

import datetime
import os

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from narrows.errors import SettingsError
from narrows.settings import Secret
from narrows.stores.postgres_ended import PostgresEnded
from narrows.stores.postgres_server import PostgresServer
from narrows.testing import Clock


def certificate(name, issuer=None, issuer_key=None):
    """A certificate of `localhost`, signed by an issuer or by itself; with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    begins = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(issuer_key or key, hashes.SHA256())
    )
    return made, key


@pytest.fixture
def authorities(postgres_peer, tmp_path):
    """The file of the CA that the server's certificate is of, and that of another; the server speaks TLS meanwhile."""
    ca, ca_key = certificate("the CA")
    other, _ = certificate("another CA")
    own, key = certificate("localhost", ca, ca_key)
    [(data,)] = postgres_peer.ask("SHOW data_directory")
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    files = {
        "server.crt": own.public_bytes(serialization.Encoding.PEM),
        "server.key": key.private_bytes(serialization.Encoding.PEM, *form),
    }
    for name, content in files.items():
        at = os.path.join(data, name)
        with open(os.open(at, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
            file.write(content)
        os.chown(at, os.stat(data).st_uid, -1)
    postgres_peer.ask("ALTER SYSTEM SET ssl = on")
    postgres_peer.ask("SELECT pg_reload_conf()")
    paths = [tmp_path / "ca.pem", tmp_path / "other.pem"]
    for path, one in zip(paths, (ca, other), strict=True):
        path.write_bytes(one.public_bytes(serialization.Encoding.PEM))
    yield paths
    postgres_peer.ask("ALTER SYSTEM RESET ssl")
    postgres_peer.ask("SELECT pg_reload_conf()")


@pytest.mark.parametrize(
    ("host", "ca", "is_taken"), [("localhost", 0, True), ("127.0.0.1", 0, False), ("localhost", 1, False)]
)
async def test_only_the_server_of_that_name_and_ca_is_spoken_to(authorities, postgres_url, host, ca, is_taken):
    """The certificate is of `localhost`; at its address, or with another CA, nothing begins."""
    proven = f"&sslmode=verify-full&sslrootcert={authorities[ca]}"
    server = PostgresServer(Secret(postgres_url.replace("127.0.0.1", host) + proven))
    store = PostgresEnded(server, Clock())
    if is_taken:
        await server.prepare()
        async with server.transaction("sessions") as connection:
            assert connection.pgconn.ssl_in_use
        assert await store.add("a", 2e9)
    else:
        with pytest.raises(SettingsError, match="its certificate is not accepted"):
            await server.prepare()
    await server.close()
