"""Which published keys are taken."""

import json
from typing import Any

import pytest

from narrows.identity.keys import KeySet, KeysRefused, read_keys
from tests.abuse.tokens import ec, ed25519, public, rsa

ALL = ("RS256", "PS256", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")


def read(*jwks: dict[str, Any], algorithms: tuple[str, ...] = ALL) -> KeySet:
    """Read a set of keys."""
    return read_keys(json.dumps({"keys": jwks}).encode(), algorithms)


def kind(*jwks: dict[str, Any]) -> str:
    """Why a set is refused."""
    with pytest.raises(KeysRefused) as caught:
        read(*jwks)
    return caught.value.kind


def test_every_accepted_type_of_key_is_taken() -> None:
    """RSA, elliptic curves and Ed25519 verify for their own algorithms and no other."""
    taken = read(*(public(key) for key in (rsa(), ec(), ec("ec-3", "P-384"), ec("ec-5", "P-521"), ed25519())))
    assert {kid: sorted(key.algorithms) for kid, key in taken.keys.items()} == {
        "rsa-1": ["PS256", "RS256"],
        "ec-1": ["ES256"],
        "ec-3": ["ES384"],
        "ec-5": ["ES512"],
        "ed-1": ["Ed25519", "EdDSA"],
    }
    assert taken.alarms == ()


@pytest.mark.parametrize("algorithm", ["EdDSA", "Ed25519"])
def test_ed25519_verifies_under_both_names(algorithm: str) -> None:
    """The old name of the algorithm is still in use, and causes no warning."""
    key = read(public(ed25519())).keys["ed-1"]
    private = ed25519().private_key
    assert private is not None
    assert key.verifies(algorithm, b"text", private.sign(b"text"))
    assert not key.verifies(algorithm, b"other", private.sign(b"text"))


@pytest.mark.parametrize(
    "jwk",
    [
        {"kty": "AKP", "alg": "ML-DSA-65", "pub": "x"},
        {"kty": "OKP", "crv": "X25519", "x": "AAAA"},
        {"kty": "EC", "crv": "secp256k1", "x": "AAAA", "y": "AAAA"},
        {"kty": "EC", "crv": "Ed25519", "x": "AAAA"},
        {"kty": "EC", "crv": ["P-256"]},
        {"kty": ["RSA"]},
        {},
    ],
)
def test_keys_of_other_types_are_passed_over(jwk: dict[str, Any]) -> None:
    """A key that is not understood does not hurt the others (RFC 7517, 5)."""
    taken = read({"kid": "x", **jwk}, public(ec()))
    assert list(taken.keys) == ["ec-1"]
    assert taken.alarms == ()


@pytest.mark.parametrize(
    ("changes", "alarm"),
    [
        ({"n": "AQAB"}, "rsa-key-size"),
        ({"n": "A" * 1000}, "rsa-key-size"),
        ({"n": "_" * 1367}, "rsa-key-size"),
        ({"n": "_" * 100_000}, "rsa-key-size"),
        ({"n": None}, "rsa-key-size"),
        ({"n": 7}, "rsa-key-size"),
        ({"n": "ä"}, "rsa-key-size"),
        ({"e": "AQ"}, "broken-key"),
        ({"e": None}, "broken-key"),
        ({"e": ""}, "broken-key"),
        ({"e": ["AQAB"]}, "broken-key"),
    ],
)
def test_a_broken_rsa_key_is_left_out_with_an_alarm(changes: dict[str, Any], alarm: str) -> None:
    """One bad key is not taken and not overlooked."""
    taken = read(public(rsa(), **changes), public(ec()))
    assert list(taken.keys) == ["ec-1"]
    assert taken.alarms == (alarm,)
    assert kind(public(rsa(), **changes)) == alarm


@pytest.mark.parametrize("changes", [{"x": "AAAA"}, {"x": None}, {"y": "!"}, {"x": {}}])
def test_a_point_off_its_curve_is_left_out(changes: dict[str, Any]) -> None:
    """A key whose point is not on the curve is broken."""
    assert kind(public(ec(), **changes)) == "broken-key"


def test_members_that_name_other_places_are_not_looked_at() -> None:
    """Certificates and URLs in a key change nothing and are not even read."""
    taken = read(public(rsa(), x5u=7, x5c="x", use="sig", key_ops=["verify"], alg="RS256"))
    assert taken.keys["rsa-1"].algorithms == {"RS256"}


def test_a_single_key_needs_no_id() -> None:
    """A set may hold one key without an id, and two such keys spoil it."""
    assert list(read(public(rsa(), kid=None)).keys) == [None]
    assert kind(public(rsa(), kid=None), public(ec(), kid=None)) == "key-id-twice"


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"keys":{}}', b'{"keys":[1]}', b'{"keys":[{"kid":"\xff"}]}'])
def test_what_is_no_set_is_refused(body: bytes) -> None:
    """Anything but a set of keys is refused as a whole."""
    with pytest.raises(KeysRefused, match="not-a-key-set"):
        read_keys(body, ALL)


def test_a_key_says_little_of_itself() -> None:
    """The repr names the algorithms only."""
    assert repr(read(public(ec())).keys["ec-1"]) == "VerifyKey(['ES256'])"


def test_a_secret_or_private_key_spoils_the_set() -> None:
    """Who publishes such a key may not be the issuer, so none of the set is believed."""
    assert kind(public(rsa()), {"kty": "oct", "k": "AAAA"}) == "symmetric-key"
    assert kind(public(rsa()), public(ec(), k="AAAA")) == "symmetric-key"
    assert kind(public(rsa()), ec().as_dict(private=True)) == "private-key"
    assert kind(public(rsa()), public(ec(), kid=7)) == "broken-key-id"


@pytest.mark.parametrize("members", [{"use": "enc"}, {"key_ops": ["sign"]}, {"key_ops": "verify"}, {"alg": "RSA-OAEP"}])
def test_keys_for_another_use_are_passed_over(members: dict[str, Any]) -> None:
    """A key for encryption is no reason for an alarm."""
    taken = read(public(rsa(), **members), public(ec()))
    assert list(taken.keys) == ["ec-1"]
    assert taken.alarms == ()


def test_a_set_without_keys_withdraws_all() -> None:
    """An issuer that takes back all its keys is believed, with an alarm."""
    assert read() == KeySet({}, ("no-keys",))
    assert read(public(rsa(), use="enc")) == KeySet({}, ("no-keys",))
