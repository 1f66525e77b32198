import base64

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey

from narrows.errors import SettingsError
from narrows.settings import ClientSettings, Secret
from narrows.upstreams.client_auth import ASSERTION_TYPE, client_auth

RSA = RSAKey.generate_key(2048)
EC = ECKey.generate_key("P-256")
ED = OKPKey.generate_key("Ed25519")
NOW = 1_800_000_000.7


def pem(key, **options):
    """A private key as the settings hold it."""
    return Secret(key.as_pem(private=True, **options).decode())


def made(**fields):
    """The proof of a client with these settings, and ids a, b, c, ..."""
    return client_auth(ClientSettings(id="bff", **fields), now=lambda: NOW, new_id=iter("abcdef").__next__)


def small_key():
    """A key that is too short for today."""
    key = rsa.generate_private_key(65537, 1024)  # noqa: S505 - refusing it is what is tested
    return Secret(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode())


def test_the_secret_goes_form_encoded_into_basic():
    """RFC 6749, 2.3.1 and appendix B: id and secret are encoded before they are joined, so a colon stays apart."""
    client = ClientSettings(id="b:ff", secret=Secret(" %&+£€"))
    proof = client_auth(client, now=lambda: NOW).prove("https://corp.test")
    scheme, _, value = proof.headers["Authorization"].partition(" ")
    assert (scheme, base64.b64decode(value)) == ("Basic", b"b%3Aff:+%25%26%2B%C2%A3%E2%82%AC")
    assert proof.fields == {}


@pytest.mark.parametrize(
    ("algorithm", "key"), [("RS256", RSA), ("PS256", RSA), ("ES256", EC), ("Ed25519", ED)], ids=lambda v: str(v)[:7]
)
def test_an_assertion_is_signed_for_one_server(algorithm, key):
    """RFC 7523, 3: issuer and subject are the client, the audience is one server, and it lives for a minute."""
    proof = made(private_key=pem(key), private_key_algorithm=algorithm, private_key_id="k1").prove("https://corp.test")
    assert proof.headers == {}
    assert proof.fields["client_assertion_type"] == ASSERTION_TYPE
    token = jwt.decode(proof.fields["client_assertion"], key, algorithms=[algorithm])
    assert token.header == {"alg": algorithm, "typ": "JWT", "kid": "k1"}
    issued = int(NOW)
    assert token.claims == {
        "iss": "bff",
        "sub": "bff",
        "aud": "https://corp.test",
        "jti": "b",
        "iat": issued,
        "exp": issued + 60,
    }


def test_no_two_assertions_are_alike():
    """Each request has its own `jti`, so that a server can refuse a replay."""
    auth = client_auth(ClientSettings(id="bff", private_key=pem(RSA)), now=lambda: NOW)
    proofs = {auth.prove("https://corp.test").fields["client_assertion"] for _ in range(3)}
    assert len(proofs) == 3


def test_a_key_may_be_named_by_its_certificate():
    """Where the server knows keys by their certificate, the id goes into that header field, and no `kid` is sent."""
    client = ClientSettings(id="bff", private_key=pem(RSA), private_key_id="thumb")
    proof = client_auth(client, now=lambda: NOW, key_header="x5t#S256").prove("https://corp.test")
    header = jwt.decode(proof.fields["client_assertion"], RSA, algorithms=["RS256"]).header
    assert header == {"alg": "RS256", "typ": "JWT", "x5t#S256": "thumb"}


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({}, "needs one of"),
        ({"secret": Secret("x"), "private_key": pem(RSA)}, "needs one of"),
        ({"private_key": Secret("CANARY")}, "no unencrypted private key"),
        ({"private_key": Secret(RSA.as_pem(private=False).decode())}, "no unencrypted private key"),
        ({"private_key": pem(RSA, password="CANARY")}, "no unencrypted private key"),
        ({"private_key": pem(EC)}, "no unencrypted private key"),
        ({"private_key": pem(RSA), "private_key_algorithm": "Ed25519"}, "no unencrypted private key"),
        ({"private_key": pem(EC), "private_key_algorithm": "ES384"}, "does not fit ES384"),
        ({"private_key": small_key()}, "less than 2048 bits"),
    ],
    ids=lambda v: v.replace(" ", "-") if isinstance(v, str) else "client",
)
def test_a_client_that_cannot_prove_itself_stops_the_start(fields, rule):
    """The error names the client, the rule and the remedy, and nothing of the key."""
    with pytest.raises(SettingsError, match=rule) as refused:
        made(**fields)
    assert "'bff'" in str(refused.value)
    assert "Remedy:" in str(refused.value)
    assert "CANARY" not in str(refused.value)
    assert "BEGIN" not in str(refused.value)


def test_a_proof_does_not_print_its_secret():
    """A proof in a log or a traceback shows nothing."""
    assert repr(made(secret=Secret("CANARY")).prove("https://corp.test")) == "Proof(***)"
