"""The form and the rules of an access token, without any I/O."""

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from narrows.errors import InvalidToken
from narrows.identity import jwt
from narrows.identity.jwt import Reason
from tests.abuse.tokens import NOW, encode, good_claims, issuer_settings, mint

STRICT = issuer_settings()
LOOSE = issuer_settings(typ=("JWT",))


def refusal(check: Any, *arguments: Any) -> Reason:
    """The reason with which a check refuses."""
    with pytest.raises(InvalidToken) as caught:
        check(*arguments)
    return Reason(str(caught.value))


def test_reading_takes_a_token_apart() -> None:
    """Header, claims and signed text come out as they went in."""
    token = mint()
    unverified = jwt.read(token)
    assert unverified.header == {"alg": "RS256", "typ": "at+jwt", "kid": "rsa-1"}
    assert unverified.claims == good_claims()
    assert unverified.signed.decode() == token.rpartition(".")[0]
    assert len(unverified.signature) == 256


@given(st.one_of(st.text(), st.text("ab.=-_"), st.lists(st.binary()).map(lambda raw: ".".join(map(encode, raw)))))
def test_reading_any_text_ends_in_a_refusal(text: str) -> None:
    """No text whatever makes the reader fail in another way than by refusing."""
    assert refusal(jwt.read, text) is Reason.MALFORMED


OUTCOMES = {None, *Reason}


def outcome(check: Any, *arguments: Any) -> str | None:
    """The reason with which a check refuses, or None."""
    try:
        check(*arguments)
    except InvalidToken as refused:
        return str(refused)
    return None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=4,
)
NAMES = ["iss", "aud", "sub", "exp", "iat", "nbf", "jti", "client_id", "cnf"]


@settings(max_examples=60)
@given(st.dictionaries(st.sampled_from(NAMES), JSON), st.dictionaries(st.sampled_from(["alg", "typ", "kid"]), JSON))
def test_any_claims_and_header_end_in_a_refusal_or_hold(claims: dict[str, Any], header: dict[str, Any]) -> None:
    """Values of any type in the places of the claims and headers never cause a fault."""
    with pytest.raises(InvalidToken):
        jwt.check_header({**header, "crit": []}, STRICT)
    assert outcome(jwt.check_header, {"alg": "RS256", "typ": "at+jwt", **header}, STRICT) in OUTCOMES
    assert outcome(jwt.check_claims, {**good_claims(), **claims}, STRICT, NOW) in OUTCOMES
    assert outcome(jwt.client_of, claims, LOOSE) in OUTCOMES


@pytest.mark.parametrize("segment", ["A", "AB", "AAAAA", "_-x"])
def test_base64_has_one_form(segment: str) -> None:
    """A segment that no encoder writes is refused."""
    header = encode(b"{}")
    assert refusal(jwt.read, f"{header}.{header}.{segment}") is Reason.MALFORMED


@pytest.mark.parametrize("typ", ["at+jwt", "AT+JWT", "application/at+jwt", "Application/At+Jwt"])
def test_the_type_is_compared_without_case(typ: str) -> None:
    """Media types have no case (RFC 9068, 4)."""
    assert jwt.check_header({"alg": "RS256", "typ": typ}, STRICT) == ("RS256", None)


@pytest.mark.parametrize("algorithm", ["rs256", "Rs256", "RS384", "HS256", "", None, ["RS256"]])
def test_the_algorithm_is_compared_with_case(algorithm: object) -> None:
    """Only the algorithms of the settings are taken, letter by letter."""
    assert refusal(jwt.check_header, {"alg": algorithm, "typ": "at+jwt"}, STRICT) is Reason.ALGORITHM


@pytest.mark.parametrize("kid", ["a", "x" * 128, "dGVz+/==", "urn:ietf:params:oauth:jwk-thumbprint:sha-256:x~@.-_"])
def test_key_ids_of_known_servers_are_read(kid: str) -> None:
    """The forms of key ids that are in use are accepted."""
    assert jwt.check_header({"alg": "ES256", "typ": "at+jwt", "kid": kid}, STRICT) == ("ES256", kid)


def test_unknown_headers_are_ignored() -> None:
    """A header that changes nothing is no reason to refuse (RFC 7515, 4); Entra sends `x5t`."""
    header = {"alg": "RS256", "typ": "at+jwt", "x5t": "abc", "x5t#S256": "abc", "nonce": "x"}
    assert jwt.check_header(header, STRICT) == ("RS256", None)


@pytest.mark.parametrize("name", ["iss", "exp", "aud", "sub", "iat", "jti"])
def test_required_claims(name: str) -> None:
    """Every claim that RFC 9068, 2.2 requires is required."""
    with pytest.raises(InvalidToken):
        jwt.check_claims(good_claims(**{name: None}), STRICT, NOW)


@pytest.mark.parametrize("name", ["sub", "jti", "client_id"])
@pytest.mark.parametrize("value", ["", "x" * 256, "a\nb", "a\u0000", "a\u202eb", "\ud800", 7, True, ["a"], {"a": 1}])
def test_names_are_short_and_printable(name: str, value: object) -> None:
    """What is stored, compared and recorded holds no control, no direction mark and no other type."""

    def check(claims: dict[str, Any]) -> None:
        jwt.check_claims(claims, STRICT, NOW)
        jwt.client_of(claims, STRICT)

    assert refusal(check, good_claims(**{name: value})) is Reason.CLAIMS


def test_a_strict_issuer_names_its_client_in_one_way() -> None:
    """`azp` and `appid` stand for the client only where tokens are plain JWTs."""
    assert jwt.client_of({"client_id": "a", "azp": "b"}, LOOSE) == "a"
    assert jwt.client_of({"azp": "b", "appid": "c"}, LOOSE) == "b"
    assert jwt.client_of({"appid": "c"}, LOOSE) == "c"
    assert refusal(jwt.client_of, {"azp": "b"}, STRICT) is Reason.CLAIMS


def test_a_loose_issuer_need_not_number_its_tokens() -> None:
    """Entra sets no `jti`; a broken one is refused all the same."""
    jwt.check_claims(good_claims(jti=None), LOOSE, NOW)
    assert refusal(jwt.check_claims, good_claims(jti=7), LOOSE, NOW) is Reason.CLAIMS


@pytest.mark.parametrize(
    "audience", ["https://api.example", ["https://other", "https://api.example"], [7, "https://api.example"]]
)
def test_the_audience_is_one_of_several(audience: object) -> None:
    """A token for several services is one for this service too."""
    jwt.check_claims(good_claims(aud=audience), STRICT, NOW)


def test_dates_have_a_leeway_of_a_minute() -> None:
    """Clocks may differ by 60 seconds and not by a second more."""
    claims = good_claims(iat=int(NOW) + 60, nbf=int(NOW) + 60, exp=NOW + 90.5)
    jwt.check_claims(claims, STRICT, NOW)
    jwt.check_claims(claims, STRICT, NOW + 150)
    assert refusal(jwt.check_claims, claims, STRICT, NOW + 150.5) is Reason.EXPIRED
    assert refusal(jwt.check_claims, claims, STRICT, NOW - 1) is Reason.EARLY
    jwt.check_claims(good_claims(nbf=None, exp=int(NOW + jwt.LIFE_S)), STRICT, NOW)


def test_a_token_of_the_largest_size_is_read_at_once() -> None:
    """A token as long as the cap allows, however made, is read in less than 50 ms."""
    many = json.dumps({f"claim{number}": [number] for number in range(250)})
    token = f"{encode(b'{}')}.{encode(many.encode())}."
    token += "A" * ((jwt.TOKEN_CHARACTERS - len(token)) // 4 * 4)
    began = time.thread_time()
    jwt.read(token)
    assert time.thread_time() - began < 0.05
    assert refusal(jwt.read, token + "AAAAAAAA") is Reason.MALFORMED


@pytest.mark.parametrize("name", ["crit", "b64", "zip", "jwk", "jku", "x5u", "x5c", "enc"])
def test_headers_that_change_the_rules(name: str) -> None:
    """A header that brings a key, a compression or another way to sign is refused, whatever it holds."""
    assert refusal(jwt.check_header, {"alg": "RS256", "typ": "at+jwt", name: None}, STRICT) is Reason.HEADER


@pytest.mark.parametrize("kid", ["", "x" * 129, "a b", "a\n", 7])
def test_key_ids_of_another_form(kid: object) -> None:
    """A key id is short plain text."""
    assert refusal(jwt.check_header, {"alg": "RS256", "typ": "at+jwt", "kid": kid}, STRICT) is Reason.HEADER


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"iss": "https://other.example"}, Reason.ISSUER),
        ({"exp": "soon"}, Reason.CLAIMS),
        ({"exp": int(NOW + jwt.LIFE_S) + 1}, Reason.LIFE),
        ({"cnf": {}}, Reason.BOUND),
    ],
)
def test_claims_that_are_refused(changes: dict[str, Any], reason: Reason) -> None:
    """Each rule has its own reason."""
    assert refusal(jwt.check_claims, good_claims(**changes), STRICT, NOW) is reason


def test_tokens_of_other_kinds_by_a_loose_issuer() -> None:
    """The claims of ID, logout and event tokens give them away."""
    assert refusal(jwt.check_claims, good_claims(nonce="x"), LOOSE, NOW) is Reason.TYPE
    jwt.check_claims(good_claims(nonce="x"), STRICT, NOW)


@pytest.mark.parametrize("payload", [b'{"a":1,"a":2}', b"[]", b"\xff", b'{"a":NaN}', b'{"a":' + b"[" * 3000])
def test_claims_that_are_no_clear_json(payload: bytes) -> None:
    """What two parsers may read in two ways is not read."""
    assert refusal(jwt.read, f"{encode(b'{}')}.{encode(payload)}.AAAA") is Reason.MALFORMED
