import json
from base64 import urlsafe_b64decode

import pytest

from narrows.devkit.authority_keys import Keyring
from narrows.devkit.authority_tokens import Minted, Tokens, audiences
from tests.unit.devkit.world import BFF, ISSUER, Clock, World, claims


def read(world, token):
    """The claims of a token, if the authority reads it."""
    return world.authority._realm.tokens.read(token)


def test_an_issued_token_is_an_access_token_of_rfc_9068():
    """Header and claims are those of RFC 9068, with the person's own claims and the times of the clock."""
    world = World(lifetime=120)
    token = world.authority.issue("ann-1", "copilot", BFF, "dining:read")
    head, _, _ = token.split(".")
    header = json.loads(urlsafe_b64decode(head + "=="))
    assert header == {"alg": "ES256", "kid": world.authority.jwks()["keys"][0]["kid"], "typ": "at+jwt"}
    found = claims(token)
    assert len(found.pop("jti")) == 22
    assert found == {
        "iss": ISSUER, "exp": 1_800_000_120, "iat": 1_800_000_000, "aud": BFF, "sub": "ann-1",
        "client_id": "copilot", "scope": "dining:read", "roles": ["member"],
    }  # fmt: skip
    assert read(world, token)["sub"] == "ann-1"


def test_claims_and_header_can_be_replaced_and_left_out():
    """Tests can mint what no server should accept: other claims, missing claims, another typ."""
    world = World()
    token = world.authority.issue("x", "y", [BFF, "z"], "s", header={"typ": "JWT", "crit": ["b64"]}, exp=None, sub="w")
    found = claims(token)
    assert "exp" not in found
    assert (found["sub"], found["aud"]) == ("w", [BFF, "z"])
    assert read(world, token) is None


@pytest.mark.parametrize(
    "changed",
    [
        {"exp": None}, {"exp": "1800000300"}, {"exp": True}, {"exp": 1e999}, {"exp": float("nan")},
        {"exp": 1_800_000_000}, {"nbf": 1_800_000_001}, {"nbf": "soon"}, {"iss": ISSUER + "/"}, {"iss": None},
        {"sub": None}, {"sub": 7}, {"client_id": None}, {"jti": None}, {"jti": 1}, {"scope": None},
        {"header": {"typ": "JWT"}}, {"header": {"typ": None}}, {"header": {"kid": "other"}}, {"header": {"kid": []}},
        {"header": {"alg": "none"}}, {"header": {"alg": "HS256"}}, {"header": {"crit": ["x"], "x": 1}},
        {"header": {"jku": "https://evil.example"}}, {"padding": "x" * 9000},
    ],
)  # fmt: skip
def test_a_token_that_does_not_hold_is_not_read(changed):
    """Every claim and header that is wrong alone makes the token invalid."""
    world = World()
    given = {"subject": "ann-1", "client_id": "copilot", "audience": BFF, "scope": "dining:read", **changed}
    assert read(world, world.authority.issue(**given)) is None


@pytest.mark.parametrize(
    "text", ["", "x", "a.b", "a.b.c", "..", "W1tb" * 1500 + ".e30.x", "\udcff.a.b", "é.é.é", "a.b.c.d", "\x00"]
)
def test_what_is_no_token_is_not_read(text):
    """Garbage is an invalid token and never an error."""
    assert read(World(), text) is None


def test_a_token_of_another_server_is_not_read():
    """A token signed by another key of the same issuer does not hold."""
    assert read(World(), World().authority.issue("ann-1", "copilot", BFF, "dining:read")) is None


def test_rotation_keeps_or_ends_older_tokens():
    """After a rotation old tokens hold while the old key is published, and not when it is dropped."""
    world = World()
    old = world.authority.issue("ann-1", "copilot", BFF, "dining:read")
    kid = world.authority.rotate_keys()
    new = world.authority.issue("ann-1", "copilot", BFF, "dining:read")
    assert [key["kid"] for key in world.authority.jwks()["keys"]][1] == kid
    assert read(world, old)
    assert read(world, new)
    last = world.authority.rotate_keys(keep_old=False)
    assert [key["kid"] for key in world.authority.jwks()["keys"]] == [last]
    assert read(world, old) is None


@pytest.mark.parametrize(("algorithm", "kty"), [("RS256", "RSA"), ("ES256", "EC")])
def test_published_keys_are_public_and_named(algorithm, kty):
    """The key set holds no private part, and says for what each key is."""
    world = World(algorithm=algorithm)
    [key] = world.authority.jwks()["keys"]
    assert (key["kty"], key["use"], key["alg"]) == (kty, "sig", algorithm)
    assert not {"d", "p", "q", "dp", "dq", "qi", "k"} & set(key)
    assert read(world, world.authority.issue("ann-1", "copilot", BFF, "dining:read"))


def test_rs256_is_the_default():
    """Without a choice tokens are signed with RS256, which every verifier knows."""
    from narrows.devkit.authority import Authority

    assert Authority(ISSUER).jwks()["keys"][0]["alg"] == "RS256"


def test_revoking_a_subject_ends_its_tokens_and_no_others():
    """All tokens of the subject so far stop to hold, later ones and other people's do not."""
    world = World()
    mine = [world.authority.issue("ann-1", "copilot", BFF, "dining:read") for _ in range(2)]
    other = world.authority.issue("bob-2", "copilot", BFF, "dining:read")
    assert world.authority.revoke_subject("ann-1") == 2
    later = world.authority.issue("ann-1", "copilot", BFF, "dining:read")
    assert [read(world, token) for token in mine] == [None, None]
    assert read(world, other)
    assert read(world, later)
    assert world.authority.revoke_subject("nobody") == 0
    world.authority._realm.tokens.revoke("unknown")
    assert read(world, later)


def test_expired_tokens_are_forgotten():
    """What revocation remembers of expired tokens is swept, so that memory does not grow with the day."""
    clock = Clock()
    tokens = Tokens(ISSUER, Keyring("ES256"), lifetime=300, now=clock, random=lambda _: str(clock.at).encode())
    for _ in range(1500):
        clock.at += 1
        tokens.revoke(tokens.mint("ann-1", "copilot", BFF, "s").jti)
        tokens.mint("bob-2", "copilot", BFF, "s", overrides={"jti": str(clock.at)})
    assert len(tokens._alive) + len(tokens._revoked) < 1700


def test_a_minted_token_hides_in_its_repr():
    """The value does not show when a minted token is printed."""
    assert repr(Minted("hidden", "j", "s", 1)) == "Minted('j', 's', 1)"


@pytest.mark.parametrize(("aud", "found"), [("a", ("a",)), (["a", 7, "b"], ("a", "b")), (None, ()), ({"a": 1}, ())])
def test_audiences_are_read_in_both_forms(aud, found):
    """`aud` is one text or a list of texts (RFC 7519, 4.1.3); anything else names nobody."""
    assert audiences({"aud": aud}) == found
