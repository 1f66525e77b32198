"""Abuse cases 1 to 13 and 27: tokens that look right, against the identity room itself."""

import hashlib
import hmac
import json
import logging
import time
import warnings

import httpx
import pytest
from joserfc.jwk import OctKey, RSAKey

from narrows.errors import InvalidToken
from narrows.identity.jwt import Reason
from narrows.settings import ClientSettings, Secret
from tests.abuse.tokens import (
    ISSUER,
    NOW,
    Authority,
    Clock,
    ec,
    encode,
    good_claims,
    mint,
    public,
    rsa,
    sign,
    started,
)


async def refused(token: str, authority: Authority | None = None, **changes: object) -> Reason:
    """Verify a token that must be refused; returns the reason and holds that nothing of the token is told."""
    server = authority or Authority()
    identity = await started(server, **changes)
    with pytest.raises(InvalidToken) as caught:
        await identity.verify(token)
    assert identity.known(token) is None
    assert caught.value.__cause__ is None
    await identity.close()
    return Reason(str(caught.value))


def unsigned(algorithm: object) -> str:
    """A token with an algorithm that signs nothing."""
    header = json.dumps({"alg": algorithm, "typ": "at+jwt", "kid": "rsa-1"}).encode()
    return f"{encode(header)}.{encode(json.dumps(good_claims()).encode())}."


@pytest.mark.parametrize("algorithm", ["none", "NONE", "nOnE", "None", "", None, 1, ["none"], {"none": 1}])
async def test_case_01_no_algorithm(algorithm: object) -> None:
    """A token without a signature is refused, with an empty signature and with any other."""
    assert await refused(unsigned(algorithm)) is Reason.MALFORMED
    assert await refused(unsigned(algorithm) + "AAAA") is Reason.ALGORITHM


@pytest.mark.parametrize("form", ["PEM", "DER"])
async def test_case_02_hmac_with_the_public_key(form: str) -> None:
    """The public key is never used as an HMAC secret."""
    secret = rsa().as_pem(private=False) if form == "PEM" else rsa().as_der(private=False)
    header = encode(json.dumps({"alg": "HS256", "typ": "at+jwt", "kid": "rsa-1"}).encode())
    signed = f"{header}.{encode(json.dumps(good_claims()).encode())}"
    forged = f"{signed}.{encode(hmac.new(secret, signed.encode(), hashlib.sha256).digest())}"
    assert await refused(forged) is Reason.ALGORITHM


@pytest.mark.parametrize("kid", ["rsa-1", None])
@pytest.mark.parametrize("member", ["jwk", "jku", "x5u", "x5c"])
async def test_case_03_key_of_the_sender(member: str, kid: str | None) -> None:
    """A key that the token brings or points to is never used and never fetched."""
    attacker = RSAKey.generate_key(2048, {"kid": "rsa-1"})
    brought = {
        "jwk": public(attacker),
        "jku": "https://evil.example/jwks",
        "x5u": "https://evil.example/x5u",
        "x5c": ["MIIB"],
    }
    authority = Authority()
    forged = mint(attacker, header={member: brought[member], "kid": kid})
    assert await refused(forged, authority) is Reason.HEADER
    assert all(request.url.host == "login.example" for request in authority.requests)
    assert authority.fetches == 1


@pytest.mark.parametrize("crit", [["exp"], ["urn:unknown"], ["b64"], [], "exp", None, 7])
async def test_case_04_critical_header(crit: object) -> None:
    """A header that must be understood is refused, as none is."""
    header = {"alg": "RS256", "typ": "at+jwt", "kid": "rsa-1", "crit": crit}
    token = sign(header, json.dumps(good_claims()).encode(), rsa())
    assert await refused(token) is Reason.HEADER


@pytest.mark.parametrize("value", [False, True])
async def test_case_05_unencoded_payload(value: bool) -> None:
    """RFC 7797 is not spoken, whatever the header says."""
    assert await refused(mint(header={"b64": value})) is Reason.HEADER
    assert await refused(mint(header={"b64": value, "crit": ["b64"]})) is Reason.HEADER


@pytest.mark.parametrize(
    "typ",
    [
        "JWT",
        "id_token",
        "txntoken+jwt",
        "oauth-id-jag+jwt",
        "secevent+jwt",
        "dpop+jwt",
        "logout+jwt",
        "at+jwt ",
        "at+JWT;v=1",
        "",
        None,
        7,
        ["at+jwt"],
    ],
)
async def test_case_06_other_kinds_of_tokens(typ: object) -> None:
    """A token of another kind by the same issuer is not an access token."""
    assert await refused(mint(header={"typ": typ})) is Reason.TYPE


@pytest.mark.parametrize("mark", ["at_hash", "c_hash", "s_hash", "nonce", "events"])
async def test_case_06_id_token_of_a_loose_issuer(mark: str) -> None:
    """Where access tokens are plain JWTs, the claims of other tokens tell them apart."""
    assert await refused(mint(header={"typ": "JWT"}, **{mark: "x"}), typ=("JWT",)) is Reason.TYPE


@pytest.mark.parametrize(
    "audience",
    [
        "https://people.example",
        "https://api.example.evil",
        "https://api.example/",
        "https://API.example",
        "api.example",
        ["https://api.example.evil", "https://people.example"],
        [["https://api.example"]],
        {"https://api.example": 1},
        [],
        "",
        None,
        7,
    ],
)
async def test_case_07_audience_of_another_service(audience: object) -> None:
    """A token for another service is refused; audiences are compared as whole members."""
    assert await refused(mint(aud=audience)) is Reason.AUDIENCE


@pytest.mark.parametrize(
    "issuer",
    [
        f"{ISSUER}/",
        ISSUER.upper(),
        "https://Login.example",
        f"{ISSUER}:443",
        "http://login.example",
        " " + ISSUER,
        "",
        None,
        7,
        [ISSUER],
        {ISSUER: 1},
    ],
)
async def test_case_08_issuer_nearly_equal(issuer: object) -> None:
    """The issuer is compared character by character, and an unknown one causes no request."""
    authority = Authority()
    assert await refused(mint(iss=issuer), authority) is Reason.ISSUER
    assert authority.fetches == 1


FORMS = [
    ('"exp": "1800000300"', Reason.CLAIMS),
    ('"exp": true', Reason.CLAIMS),
    ('"exp": null', Reason.CLAIMS),
    ('"exp": [1800000300]', Reason.CLAIMS),
    ('"exp": -1', Reason.CLAIMS),
    (f'"exp": {"9" * 400}', Reason.CLAIMS),
    ('"exp": 1e400', Reason.MALFORMED),
    (f'"exp": {"9" * 5000}', Reason.MALFORMED),
    ('"exp": NaN', Reason.MALFORMED),
    ('"exp": Infinity', Reason.MALFORMED),
    ('"exp": 1e308', Reason.CLAIMS),
    ('"exp": 1799999940', Reason.EXPIRED),
    ('"exp": 1800172801', Reason.LIFE),
    ('"exp": 1800000300, "nbf": 1800000061', Reason.EARLY),
    ('"exp": 1800000300, "nbf": "now"', Reason.CLAIMS),
    ('"exp": 1800000300, "iat": 1800000061', Reason.EARLY),
    ('"exp": 1800000300, "iat": null', Reason.CLAIMS),
    ('"exp": 1800000300, "iat": false', Reason.CLAIMS),
    ('"x": 1', Reason.CLAIMS),
]


@pytest.mark.parametrize(("dates", "reason"), FORMS)
async def test_case_09_dates(dates: str, reason: Reason) -> None:
    """Dates that are missing, of another type, endless or out of time are refused, and never a fault."""
    claims = good_claims(exp=None, iat=None if '"iat"' in dates else int(NOW))
    payload = json.dumps(claims)[:-1] + f", {dates}}}"
    token = sign({"alg": "RS256", "typ": "at+jwt", "kid": "rsa-1"}, payload.encode(), rsa())
    assert await refused(token) is reason


HOSTILE_IDS = ["../../etc/passwd", "' OR 1=1 --", "x" * 10_000, "x" * 129, "a\nb", "\x1b[31m", "", 7, ["rsa-1"], "ключ"]


@pytest.mark.parametrize("kid", HOSTILE_IDS)
async def test_case_10_hostile_key_id(kid: object, caplog: pytest.LogCaptureFixture) -> None:
    """A key id is text of a stranger: it is looked up in memory only, and never written anywhere."""
    authority = Authority()
    with caplog.at_level(logging.DEBUG):
        reason = await refused(mint(header={"kid": kid}), authority)
    assert reason in {Reason.HEADER, Reason.KEY, Reason.MALFORMED}
    assert [str(request.url) for request in authority.requests] == [
        f"{ISSUER}/.well-known/oauth-authorization-server",
        f"{ISSUER}/jwks",
    ]
    assert not [record for record in caplog.records if record.name.startswith("narrows")]


HUGE = [
    "a" * 1_000_000,
    "." * 100_000,
    "a." * 50_000,
    "ä" * 100,
    "a.b.ä",
    "\ud800.a.b",
    "a.b",
    "a.b.c.d.e",
    "a b.c.d",
    "",
]


@pytest.mark.parametrize("text", HUGE, ids=range(len(HUGE)))
async def test_case_12_huge_and_foreign_text(text: str) -> None:
    """Text that cannot be a token is refused in less than 50 ms."""
    identity = await started(Authority())
    began = time.thread_time()
    assert identity.known(text) is None
    with pytest.raises(InvalidToken):
        await identity.verify(text)
    assert time.thread_time() - began < 0.05


@pytest.mark.parametrize("depth", [3_000, 6_000])
async def test_case_12_deep_nesting(depth: int) -> None:
    """Nesting as deep as the cap allows is refused, and does not exhaust the stack."""
    bomb = encode(b'{"a":' + b"[" * (depth // 2) + b"]" * (depth // 2) + b"}")
    token = f"{encode(json.dumps({'alg': 'RS256', 'typ': 'at+jwt', 'kid': 'rsa-1'}).encode())}.{bomb}.AAAA"
    assert await refused(token) is Reason.MALFORMED


@pytest.mark.parametrize(
    "payload",
    [
        b'{"sub":"anna","sub":"berta"}',
        b'{"a":{"b":1,"b":2}}',
        b'{"sub":"\\ud800"}',
        b'{"sub":"\xff"}',
        b"[]",
        b'"text"',
        b"{",
        b"\xef\xbb\xbf{}",
    ],
)
async def test_case_12_ambiguous_json(payload: bytes) -> None:
    """A text that two parsers may read as two tokens is none."""
    token = sign({"alg": "RS256", "typ": "at+jwt", "kid": "rsa-1"}, payload, rsa())
    assert await refused(token) is Reason.MALFORMED


async def test_case_12_two_spellings_of_one_token() -> None:
    """A base64 text with loose bits at its end is not a second spelling of the same token."""
    token = mint()
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    twin = token[:-1] + last[(last.index(token[-1]) & ~3) + 1]
    assert twin != token
    assert await refused(twin) is Reason.MALFORMED


def weak_rsa() -> RSAKey:
    """An RSA key of 1024 bits."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return RSAKey.generate_key(1024, {"kid": "weak"})


async def test_case_13_weak_rsa_key(caplog: pytest.LogCaptureFixture) -> None:
    """A short RSA key is left out with an alarm, and the other keys stay in use."""
    authority = Authority()
    weak = weak_rsa()
    authority.published.append(public(weak))
    assert await refused(mint(weak), authority) is Reason.KEY
    identity = await started(authority)
    assert (await identity.verify(mint())).subject == "anna"
    ring = identity.issuers["corp"].ring
    assert (ring.last_error, ring.alarms) == ("rsa-key-size", 1)
    assert "rsa-key-size" in caplog.text


async def test_case_13_short_hmac_key() -> None:
    """A published HMAC key, of any length, spoils the whole set."""
    authority = Authority()
    authority.published.append(OctKey.import_key(b"x" * 31, {"kid": "mac"}).as_dict(private=True))
    identity = await started(authority)
    assert identity.issuers["corp"].ring.last_error == "symmetric-key"
    assert not identity.issuers["corp"].ring.keys


@pytest.mark.parametrize(
    "members", [{"use": "enc"}, {"key_ops": ["encrypt"]}, {"key_ops": "verify!"}, {"alg": "RS512"}, {"alg": "rs256"}]
)
async def test_case_13_key_for_another_use(members: dict[str, object]) -> None:
    """A key for encryption, or for another algorithm, verifies nothing."""
    authority = Authority()
    authority.published = [public(rsa(), **members), public(ec())]
    assert await refused(mint(), authority) is Reason.KEY


async def test_case_13_key_id_twice() -> None:
    """Two keys with one id spoil the set: which one is meant could be the attacker's choice."""
    authority = Authority()
    authority.published.append(public(ec(), kid="rsa-1"))
    identity = await started(authority)
    assert identity.issuers["corp"].ring.last_error == "key-id-twice"


async def test_case_13_algorithm_of_another_key() -> None:
    """One key has one algorithm: a PS256 signature by a key for RS256 is refused."""
    authority = Authority()
    authority.published = [public(rsa(), alg="RS256")]
    token = mint(header={"alg": "PS256"})
    assert await refused(token, authority, algorithms=("RS256", "PS256")) is Reason.KEY
    assert await refused(token, Authority()) is Reason.ALGORITHM


OURS = ClientSettings(id="bff", secret=Secret("s"))


@pytest.mark.parametrize(
    "may_act",
    [
        {"sub": "other"},
        {"sub": "bff", "client_id": "other"},
        {"sub": "bff", "iss": "https://evil.example"},
        {"iss": ISSUER},
        {},
        "bff",
        ["bff"],
        None,
    ],
)
async def test_case_27_another_may_act(may_act: object) -> None:
    """A token that lets somebody else act is refused, also when it lets nobody."""
    token = mint(claims={**good_claims(), "may_act": may_act})
    assert await refused(token, client=OURS) is Reason.ACTOR


async def test_case_27_nobody_is_named_without_a_client() -> None:
    """Without a client of its own the BFF is never the one who may act."""
    assert await refused(mint(may_act={"sub": "bff"})) is Reason.ACTOR


async def test_case_27_chain_too_deep() -> None:
    """A chain of actors longer than the limit, or with a link that names nobody, is refused."""
    chain: dict[str, object] = {"sub": "a5"}
    for name in ("a4", "a3", "a2", "a1"):
        chain = {"sub": name, "act": chain}
    assert await refused(mint(act=chain)) is Reason.ACTOR
    assert await refused(mint(act={"sub": "a1", "act": {"client_id": "x"}})) is Reason.ACTOR
    assert await refused(mint(act="a1")) is Reason.ACTOR


async def test_case_27_actor_is_not_the_subject() -> None:
    """The caller is `sub`; an actor is recorded, nearest first, and decides nothing."""
    identity = await started(Authority(), client=OURS)
    token = mint(act={"sub": "portal", "act": {"sub": "gateway"}}, may_act={"sub": "bff"})
    credential = await identity.verify(token)
    assert credential.subject == "anna"
    assert credential.actors == ("portal", "gateway")
    assert await refused(mint(sub=None, act={"sub": "portal"})) is Reason.CLAIMS


async def test_case_32_bound_token_as_bearer() -> None:
    """A token bound to a key or a certificate of the client is not a bearer token."""
    assert await refused(mint(cnf={"jkt": "x"})) is Reason.BOUND
    assert await refused(mint(cnf={"x5t#S256": "x"})) is Reason.BOUND


async def test_case_10_refusals_never_quote_the_token(caplog: pytest.LogCaptureFixture) -> None:
    """Neither the error nor its problem document nor a log holds a part of the token."""
    authority = Authority()
    clock = Clock()
    identity = await started(authority, clock)
    clock.forward(31)
    authority.answers["/jwks"] = httpx.Response(500)
    token = mint(sub="canary", header={"kid": "canary-kid"})
    with caplog.at_level(logging.DEBUG), pytest.raises(InvalidToken) as caught:
        await identity.verify(token)
    told = f"{caught.value!r} {caught.value.body()} {caplog.text}"
    assert "canary" not in told
    assert not any(part in told for part in token.split("."))
