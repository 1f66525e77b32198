import base64
import json

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from narrows.governance.rotation import jwks, proves, rotate
from narrows.stores.registry import credentials_until, holding
from tests.unit.declare.records import CARLA, Office, record

DAY = 86_400.0


async def prepared() -> Office:
    """An office with one connector."""
    office = Office()
    await office.apply(record(kind="service"))
    return office


async def give(office: Office, **how):
    """Rotate."""
    return await rotate(office.governor, "lunch-app", CARLA, now=office.clock, **how)


def pem(key, *, private: bool = False) -> bytes:
    """A key as a file."""
    if private:
        pkcs8, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        return key.private_bytes(serialization.Encoding.PEM, pkcs8, plain)
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, form)


ELLIPTIC = ec.generate_private_key(ec.SECP256R1())
SHORT = rsa.generate_private_key(65537, 1024)  # noqa: S505 - it is to be refused
LONG = rsa.generate_private_key(65537, 2048)


async def test_a_secret_is_told_once_and_not_kept():
    """What is kept proves it, and cannot be turned back into it."""
    office = await prepared()
    rotated = await give(office)
    secret = rotated.secret.reveal()
    assert len(base64.urlsafe_b64decode(secret + "=")) == 32
    assert secret not in repr(rotated)
    assert secret not in repr(await office.store.all())
    assert proves(rotated.entry.credentials, secret)
    assert not proves(rotated.entry.credentials, secret + "x")
    assert not proves((), secret)


async def test_the_old_one_holds_a_while_longer():
    """For the overlap, a day unless said; then the new one alone."""
    office = await prepared()
    first = (await give(office)).secret.reveal()
    office.clock.move(10)
    entry = (await give(office)).entry
    assert [one.ends for one in entry.credentials] == [office.clock() + DAY, None]
    assert proves(holding(entry, office.clock() + DAY - 1), first)
    assert not proves(holding(entry, office.clock() + DAY), first)
    office.clock.move(60)
    later = (await give(office, overlap_s=2 * DAY)).entry
    assert later.credentials[0].ends == entry.credentials[0].ends, "an end is never put off"
    office.clock.move(3 * DAY)
    assert len((await give(office)).entry.credentials) == 2, "what has ended is forgotten"


@pytest.mark.parametrize("overlap_s", [-1, 7 * DAY + 1])
async def test_an_overlap_has_its_bounds(overlap_s):
    """Nobody keeps an old secret for ever."""
    office = await prepared()
    assert "not within 0 and 7 days" in await office.refused(give(office, overlap_s=overlap_s))


async def test_a_compromised_one_ends_at_once():
    """There is no overlap, and every token issued until now is refused."""
    office = await prepared()
    first = (await give(office)).secret.reveal()
    before = await office.governor.find("lunch-app")
    office.clock.move(10)
    entry = (await give(office, compromised=True)).entry
    assert not proves(holding(entry, office.clock()), first)
    assert len(entry.credentials) == 1
    assert (entry.tokens_after, before.tokens_after) == (office.clock(), None)
    assert entry.generation > before.generation
    assert (await office.store.history())[-1].action == "rotate-compromised"
    at = office.clock()
    office.clock.move(10)
    assert (await give(office)).entry.tokens_after == at, "a rotation later does not forget it"


async def test_a_credential_grows_old():
    """After ninety days it is none any more."""
    office = await prepared()
    entry = (await give(office)).entry
    assert credentials_until(entry) == office.clock() + 90 * DAY
    assert holding(entry, office.clock() + 90 * DAY) == []


@pytest.mark.parametrize("key", [ELLIPTIC, LONG], ids=["EC", "RSA"])
async def test_a_public_key_is_kept_as_it_is_registered_elsewhere(key):
    """As PEM or JWK, with an id; and no secret is made."""
    office = await prepared()
    rotated = await give(office, public_key=pem(key))
    assert rotated.secret is None
    [jwk] = jwks(rotated.entry.credentials)["keys"]
    assert (jwk["use"], len(jwk["kid"])) == ("sig", 43)
    assert not {"d", "p", "q"} & jwk.keys()
    assert not proves(rotated.entry.credentials, "")
    other = await prepared()
    again = await give(other, public_key=json.dumps(jwk).encode())
    assert jwks(again.entry.credentials) == {"keys": [jwk]}
    assert "the key that it has already" in await other.refused(give(other, public_key=pem(key)))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (pem(ELLIPTIC, private=True), "a private key"),
        (pem(LONG, private=True), "a private key"),
        (pem(ed25519.Ed25519PrivateKey.generate()), "no public key"),
        (pem(SHORT), "shorter than 2048 bits"),
        (b"", "no public key"),
        (b"\xff", "no public key"),
        (b"[1]", "no public key"),
        (b"{}", "no public key"),
        (b'{"kty": "oct", "k": "AAAA"}', "no public key"),
    ],
)
async def test_what_is_no_public_key_is_refused(text, said):
    """Above all a private one, which must stay where it was made."""
    office = await prepared()
    assert said in await office.refused(give(office, public_key=text))
    assert (await office.governor.find("lunch-app")).credentials == ()
