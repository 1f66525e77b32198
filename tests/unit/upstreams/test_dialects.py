import json

import pytest

from narrows.settings import IssuerSettings
from narrows.upstreams.dialects import (
    ACCESS_TOKEN,
    AnswerRefused,
    Ask,
    ClientCredentials,
    EntraClientCredentials,
    EntraOnBehalfOf,
    Rfc8693,
    for_callers,
    for_services,
    peek,
    read_object,
)
from tests.unit.upstreams.fake_authority import answer, credential, jwt

AUDIENCE = "api://people"
SCOPES = frozenset({"profiles:read", "teams:read"})
TOKEN = "opaque-token"


def ask(scopes=SCOPES, **changes):
    """What is wanted for Alice."""
    return Ask(audience=AUDIENCE, scopes=scopes, client_id="bff", credential=credential("alice", **changes))


def own(scopes=SCOPES):
    """What the BFF wants for itself."""
    return Ask(audience=AUDIENCE, scopes=scopes, client_id="bff")


def body(token=TOKEN, **members):
    """A token response, with these members changed."""
    return json.dumps(answer(token, **members)).encode()


def claims(**members):
    """A JWT for Alice, with these claims changed or, if None, left out."""
    document = {"sub": "alice", "aud": AUDIENCE, "scope": "profiles:read", **members}
    return jwt(**{name: value for name, value in document.items() if value is not None})


def refusal(dialect, asked, raw):
    """Why an answer is refused."""
    with pytest.raises(AnswerRefused) as refused:
        dialect.read(asked, raw)
    return refused.value


def test_rfc_8693_sends_exactly_these_fields():
    """RFC 8693, 2.1: typed subject token, audience, sorted scopes, and no actor token."""
    assert Rfc8693().fields(ask()) == {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token": "alice~inbound",
        "subject_token_type": ACCESS_TOKEN,
        "requested_token_type": ACCESS_TOKEN,
        "audience": AUDIENCE,
        "scope": "profiles:read teams:read",
    }


def test_entra_sends_exactly_these_fields():
    """The on-behalf-of flow: the audience stands before each scope that has no slash of its own."""
    asked = ask(frozenset({"profiles:read", "https://graph.microsoft.com/User.Read", "other/x"}))
    assert EntraOnBehalfOf().fields(asked) == {
        "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "client_id": "bff",
        "assertion": "alice~inbound",
        "requested_token_use": "on_behalf_of",
        "scope": "api://people/profiles:read https://graph.microsoft.com/User.Read other/x",
    }


def test_client_credentials_send_exactly_these_fields():
    """RFC 6749, 4.4.2, and in Entra's form the one scope that it takes."""
    assert ClientCredentials().fields(own()) == {
        "grant_type": "client_credentials",
        "audience": AUDIENCE,
        "scope": "profiles:read teams:read",
    }
    assert EntraClientCredentials().fields(own()) == {
        "grant_type": "client_credentials",
        "client_id": "bff",
        "scope": "api://people/.default",
    }


def test_without_scopes_no_scope_is_asked_for():
    """An endpoint without scopes sends none; Entra wants one, and gets the one that always is."""
    assert "scope" not in Rfc8693().fields(ask(frozenset()))
    assert "scope" not in ClientCredentials().fields(own(frozenset()))
    assert EntraOnBehalfOf().fields(ask(frozenset()))["scope"] == "api://people/.default"


def test_the_settings_choose_the_dialects():
    """`exchange` of the issuer decides for callers and for services, and hands its extra scopes on."""
    plain = IssuerSettings(url="https://a", audience="b", extra_scopes=("profile",))
    entra = IssuerSettings(url="https://a", audience="b", exchange="entra")
    assert (for_callers(plain), for_services(plain)) == (
        Rfc8693(frozenset({"profile"})),
        ClientCredentials(frozenset({"profile"})),
    )
    assert (for_callers(entra), for_services(entra)) == (EntraOnBehalfOf(), EntraClientCredentials())
    assert len({d.name for d in (Rfc8693, EntraOnBehalfOf, ClientCredentials, EntraClientCredentials)}) == 4


@pytest.mark.parametrize(
    "raw",
    [
        body(),
        body(token_type="bearer", scope="teams:read profiles:read", refresh_token="ignored", unknown=[1]),
        body(scope="profile profiles:read"),
        body(claims()),
        body(claims(aud=["other", AUDIENCE], scope=["teams:read"])),
        body(claims(scope=None, scp=["profiles:read", "profile"])),
        body("two.dots.opaque"),
        body("five.parts.of.a.jwe"),
    ],
)
def test_an_answer_that_holds_is_believed(raw):
    """Opaque tokens and JWTs, scopes in any order or left out, and scopes that the settings call harmless."""
    issued = Rfc8693(frozenset({"profile"})).read(ask(), raw)
    assert (issued.token.reveal(), issued.lifetime_s) == (json.loads(raw)["access_token"], 300)


def test_a_lifetime_may_be_left_out():
    """Without `expires_in` the token holds, but its life is unknown."""
    assert Rfc8693().read(ask(), body(expires_in=None)).lifetime_s is None


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"<html>",
        b"[]",
        b'"text"',
        b"\xff\xfe{}",
        b"\xef\xbb\xbf{}",
        b"[" * 60_000,
        b'{"access_token":"a","access_token":"b"}',
        b'{"access_token":' + b"1" * 5000 + b"}",
    ],
    ids=["empty", "html", "list", "text", "no utf-8", "bom", "deep", "twice", "long number"],
)
def test_what_is_no_token_response_is_told_apart(raw):
    """Garbage of any kind is refused as unreadable, so that it counts as a fault of the server."""
    assert refusal(Rfc8693(), ask(), raw).readable is False


@pytest.mark.parametrize(
    ("members", "rule"),
    [
        ({"token": None}, "access_token is missing"),
        ({"token": 7}, "access_token is missing"),
        ({"token": ""}, "access_token is missing"),
        ({"token": "a b"}, "access_token is missing"),
        ({"token": "a\r\nX: y"}, "access_token is missing"),
        ({"token": "a\n"}, "access_token is missing"),
        ({"token": "a" * 16_385}, "access_token is missing"),
        ({"token": "alice~inbound"}, "the caller's own token"),
        ({"issued_token_type": None}, "issued_token_type"),
        ({"issued_token_type": "urn:ietf:params:oauth:token-type:id_token"}, "issued_token_type"),
        ({"token_type": None}, "token_type is not Bearer"),
        ({"token_type": "N_A"}, "token_type is not Bearer"),
        ({"token_type": "MAC"}, "token_type is not Bearer"),
        ({"token_type": "DPoP"}, "token_type is not Bearer"),
        ({"token_type": ["Bearer"]}, "token_type is not Bearer"),
        ({"expires_in": 0}, "expires_in"),
        ({"expires_in": -1}, "expires_in"),
        ({"expires_in": 10**7}, "expires_in"),
        ({"expires_in": 1e12}, "expires_in"),
        ({"expires_in": True}, "expires_in"),
        ({"expires_in": "300"}, "expires_in"),
        ({"scope": "profiles:read admin"}, "scope is broader"),
        ({"scope": 7}, "scope is neither"),
        ({"scope": ["profiles:read", 7]}, "scope is neither"),
        ({"token": claims(sub="bob")}, "sub is not the caller's"),
        ({"token": claims(sub=None)}, "sub is not the caller's"),
        ({"token": claims(sub=["alice"])}, "sub is not the caller's"),
        ({"token": claims(aud="api://tables")}, "aud does not name"),
        ({"token": claims(aud="api://people.evil")}, "aud does not name"),
        ({"token": claims(aud="other api://people")}, "aud does not name"),
        ({"token": claims(aud=None)}, "aud does not name"),
        ({"token": claims(aud=7)}, "aud is neither"),
        ({"token": claims(scope="profiles:read admin")}, "token's scope is broader"),
        ({"token": claims(scp=["admin"])}, "token's scp is broader"),
        ({"token": claims().split(".")[0] + ".e30x.c2ln"}, "JWT without claims"),
        ({"token": claims().split(".")[0] + "..c2ln"}, "JWT without claims"),
        ({"token": claims().split(".")[0] + ".~~.c2ln"}, "JWT without claims"),
    ],
)
def test_an_answer_that_is_not_what_was_asked_for_is_refused(members, rule):
    """Each check refuses on its own, in words of ours without the value."""
    refused = refusal(Rfc8693(), ask(), body(**members))
    assert rule in refused.rule
    assert refused.readable


def test_entra_answers_are_compared_without_the_audience():
    """Entra spells scopes with the audience in the answer and without it in the token."""
    token = claims(scope=None, scp="profiles:read teams:read")
    raw = body(token, issued_token_type=None, scope="api://people/teams:read api://people/profiles:read")
    assert EntraOnBehalfOf().read(ask(), raw).token.reveal() == token
    wide = body(issued_token_type=None, scope="api://tables/profiles:read")
    assert "broader" in refusal(EntraOnBehalfOf(), ask(), wide).rule


@pytest.mark.parametrize("aud", ["api://people", "people", ["people"]])
def test_entra_tokens_name_the_application_with_or_without_its_scheme(aud):
    """Which form `aud` has depends on the version of tokens that the API takes."""
    assert EntraOnBehalfOf().read(ask(), body(claims(aud=aud), issued_token_type=None))


def test_entra_persons_are_told_by_their_object_id():
    """`sub` differs from API to API; object id and tenant do not, and without them `sub` has to do."""
    mine = {"oid": "o1", "tid": "t1"}
    dialect, asked = EntraOnBehalfOf(), ask(claims=mine)
    assert dialect.read(asked, body(claims(sub="pairwise", **mine), issued_token_type=None))
    for wrong in ({"oid": "o2", "tid": "t1"}, {"oid": "o1", "tid": "t2"}, {}):
        raw = body(claims(sub="alice", **wrong), issued_token_type=None)
        assert "is not the caller's" in refusal(dialect, asked, raw).rule
    without = ask(claims={"tid": "t1"})
    assert dialect.read(without, body(claims(), issued_token_type=None))
    assert "sub is not" in refusal(dialect, without, body(claims(sub="bob"), issued_token_type=None)).rule


def test_a_services_token_has_its_own_subject():
    """For the BFF itself `sub` is whatever the server calls it; audience and scopes still hold."""
    raw = body(claims(sub="service-account-bff"), issued_token_type=None)
    assert ClientCredentials().read(own(), raw)
    assert "aud" in refusal(ClientCredentials(), own(), body(claims(aud="x"), issued_token_type=None)).rule
    assert EntraClientCredentials().read(own(), body(claims(scope=None, roles=["Everything"]), issued_token_type=None))


def test_only_a_jwt_is_looked_into():
    """Three parts make a JWT only with a header that says an algorithm."""
    assert peek("opaque") is None
    assert peek("a.b.c.d.e") is None
    assert peek("e30.e30.c2ln") is None
    assert peek(jwt(sub="a")) == {"sub": "a"}


def test_duplicate_keys_are_refused_at_every_depth():
    """The last of two keys never wins."""
    assert read_object(b'{"a": {"b": 1, "b": 2}}') is None
    assert read_object(b'{"a": {"b": 1}}') == {"a": {"b": 1}}
