import hashlib
import hmac
import json
from base64 import urlsafe_b64encode

import httpx
import pytest
from joserfc import jwk

from examples.where2eat import bearer
from examples.where2eat.people import people_app

READ = "profiles:read"
METADATA = "/.well-known/oauth-authorization-server"
DISCOVERY = "/.well-known/openid-configuration"


def good(issuer, **changes):
    """A token the directory takes, unless changed."""
    return issuer.token("people-api", READ, **changes)


async def status(people, token, **kwargs):
    """How the directory answers to a token."""
    return (await people.get("/teams/7", token=token, **kwargs)).status_code


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://other.test"},
        {"iss": "https://issuer.test/"},
        {"iss": None},
        {"aud": "places-api"},
        {"aud": ["places-api", "people-api-2"]},
        {"aud": None},
        {"sub": ""},
        {"sub": None},
        {"exp": None},
        {"exp": "soon"},
        {"scope": ["profiles:read"]},
        {"act": "bff"},
        {"header": {"typ": "JWT"}},
        {"header": {"typ": None}},
        {"header": {"kid": None}},
        {"header": {"kid": "two"}},
    ],
)
async def test_a_token_that_is_not_for_this_service_is_a_401(people, issuer, changes):
    """Issuer, audience, subject, times, type and key must all be right, whatever else is."""
    aud = changes.pop("aud", "people-api")
    token = issuer.token(aud, **{"scope": READ, **changes})
    answer = await people.get("/teams/7", token=token)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    assert answer.json()["type"] == "https://where2eat.example/problems/invalid-token"
    assert token not in answer.text


@pytest.mark.parametrize(
    ("changes", "expected"), [({"exp": 0}, 401), ({"exp": 1}, 200), ({"nbf": 0}, 200), ({"nbf": 1}, 401)]
)
async def test_a_token_counts_from_its_start_to_its_end(people, issuer, clock, changes, expected):
    """A token is valid from nbf on, and not at exp itself."""
    moved = {name: int(clock()) + seconds for name, seconds in changes.items()}
    assert await status(people, good(issuer, **moved)) == expected


@pytest.mark.parametrize("aud", ["people-api", ["people-api"], ["places-api", "people-api"]])
@pytest.mark.parametrize("typ", ["at+jwt", "AT+JWT", "application/at+jwt"])
async def test_a_good_token_is_let_in(people, issuer, aud, typ):
    """Audience as text or list and both spellings of the type are the same token (RFC 7519, RFC 9068)."""
    assert await status(people, issuer.token(aud, READ, header={"typ": typ})) == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Basic YTpi"},
        {"authorization": "Bearer"},
        {"authorization": "Bearer " + "a" * (bearer.MAX_TOKEN + 1)},
        {"authorization": "Bearer not-a-token"},
        {"authorization": "Bearer \u00e4.\u00e4.\u00e4".encode("latin-1")},
    ],
)
async def test_other_credentials_are_a_401(people, headers):
    """What is no bearer token is refused before anybody is asked about it."""
    answer = await people.get("/teams/7", headers=headers)
    assert answer.status_code == 401
    assert people.issuer.asked == []


async def test_no_credentials_are_challenged_without_an_error(people):
    """A request without a token learns the scheme and nothing else (RFC 6750, 3.1)."""
    transport = httpx.ASGITransport(people.app)
    answer = await transport.handle_async_request(httpx.Request("GET", "http://service.test/teams/7"))
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_two_tokens_are_refused(people, issuer):
    """Two Authorization headers never leave open which one counted."""
    headers = [("authorization", f"Bearer {good(issuer)}"), ("authorization", "Bearer other")]
    transport = httpx.ASGITransport(people.app)
    answer = await transport.handle_async_request(httpx.Request("GET", "http://s.test/teams/7", headers=headers))
    assert answer.status_code == 401


@pytest.mark.parametrize("scope", ["", "profiles:write", "profiles:read2", "places:read bookings:read"])
async def test_without_the_scope_it_is_a_403(people, issuer, scope):
    """A valid token without this scope is told which one is missing."""
    answer = await people.get("/teams/7", token=issuer.token("people-api", scope))
    assert answer.status_code == 403
    assert answer.headers["www-authenticate"] == 'Bearer error="insufficient_scope", scope="profiles:read"'


async def test_a_forged_signature_is_refused(people, issuer):
    """A token signed with another key under the name of the issuer's is refused."""
    forger = jwk.ECKey.generate_key("P-256", {"kid": "one"})
    assert await status(people, good(issuer, key=forger)) == 401


async def test_a_symmetric_algorithm_is_refused(people, issuer):
    """The public key cannot be used as a secret."""
    header = {"alg": "HS256", "typ": "at+jwt", "kid": "one"}
    parts = [header, {"iss": issuer.url, "aud": "people-api", "sub": "anna", "scope": READ, "exp": 2**40}]
    signed = b".".join(urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in parts)
    mac = hmac.digest(issuer.key.as_pem(private=False), signed, "sha256")
    token = (signed + b"." + urlsafe_b64encode(mac).rstrip(b"=")).decode()
    assert await status(people, token) == 401


@pytest.mark.parametrize(
    ("algorithm", "key"),
    [
        ("RS256", lambda: jwk.RSAKey.generate_key(2048, {"kid": "one"})),
        ("Ed25519", lambda: jwk.OKPKey.generate_key("Ed25519", {"kid": "one"})),
    ],
)
async def test_the_listed_algorithms_are_understood(people, issuer, algorithm, key):
    """An issuer may sign with any of the listed asymmetric algorithms."""
    issuer.key = key()
    issuer.published = [issuer.key.as_dict(private=False)]
    assert await status(people, good(issuer, algorithm=algorithm)) == 200


async def test_a_key_the_service_cannot_use_does_not_spoil_the_others(people, issuer):
    """Unknown kinds, keys for encryption, shared secrets and broken keys in the set are passed over."""
    issuer.published += [
        {"kty": "AKP", "kid": "new"},
        {"kty": "oct", "kid": "two", "k": "c2VjcmV0"},
        {"kty": "EC", "kid": "three", "use": "enc"},
        {"kty": "EC", "kid": "four", "crv": "P-256"},
        {"kty": "EC"},
    ]
    assert await status(people, good(issuer)) == 200
    assert await status(people, good(issuer, header={"kid": "four"})) == 401


async def test_keys_are_fetched_once_and_kept(people, issuer, clock):
    """Many requests ask the issuer once, until the keys are old."""
    for _ in range(3):
        assert await status(people, good(issuer)) == 200
    assert issuer.asked == [METADATA, "/jwks"]
    clock.at += bearer.KEEP_KEYS
    assert await status(people, good(issuer)) == 200
    assert issuer.asked == [METADATA, "/jwks"] * 2


async def test_a_new_key_is_learnt_but_strangers_do_not_flood_the_issuer(people, issuer, clock):
    """An unknown key name makes the service ask again, once in a few seconds at most."""
    assert await status(people, good(issuer)) == 200
    issuer.rotate("two")
    for _ in range(3):
        assert await status(people, good(issuer, header={"kid": "two"})) == 401
    assert issuer.asked.count("/jwks") == 1
    clock.at += bearer.ASK_AGAIN
    assert await status(people, good(issuer, header={"kid": "two"})) == 200
    assert issuer.asked.count("/jwks") == 2


@pytest.mark.parametrize(
    "pages",
    [
        {METADATA: httpx.ConnectError("down")},
        {METADATA: httpx.Response(200, text="<html>")},
        {METADATA: httpx.Response(200, content=b" " * (bearer.MAX_DOCUMENT + 1))},
        {METADATA: httpx.Response(200, json={"issuer": "https://evil.test", "jwks_uri": "https://issuer.test/jwks"})},
        {METADATA: httpx.Response(200, json={"issuer": "https://issuer.test", "jwks_uri": "http://issuer.test/jwks"})},
        {METADATA: httpx.Response(500), DISCOVERY: httpx.Response(404)},
        {"/jwks": httpx.Response(500)},
        {"/jwks": httpx.Response(200, json=[])},
    ],
)
async def test_an_issuer_that_cannot_be_asked_is_a_503(people, issuer, pages):
    """Without keys nobody is let in and nobody is called a forger; once the issuer answers, the next one is let in."""
    issuer.pages = pages
    answer = await people.get("/teams/7", token=good(issuer))
    assert answer.status_code == 503
    assert "issuer.test" not in answer.text
    issuer.pages = {}
    assert await status(people, good(issuer)) == 200


async def test_openid_discovery_will_do(people, issuer):
    """An issuer that publishes its metadata the OpenID Connect way is understood too."""
    issuer.pages[METADATA] = httpx.Response(404)
    issuer.pages[DISCOVERY] = httpx.Response(
        200, json={"issuer": "https://issuer.test", "jwks_uri": "https://issuer.test/jwks"}
    )
    assert await status(people, good(issuer)) == 200
    assert issuer.asked == [METADATA, DISCOVERY, "/jwks"]


def test_metadata_lies_where_the_rfcs_say():
    """RFC 8414 inserts the well-known part before the issuer's path, OpenID Connect appends it."""
    assert bearer.metadata_urls("https://as.test/realms/x") == (
        "https://as.test/.well-known/oauth-authorization-server/realms/x",
        "https://as.test/realms/x/.well-known/openid-configuration",
    )


@pytest.mark.parametrize("url", ["http://issuer.test", "ftp://127.0.0.1", "issuer.test", ""])
def test_an_issuer_over_plain_http_does_not_start(issuer, clock, url):
    """Keys are fetched over TLS, or on this machine."""
    with pytest.raises(ValueError, match="must be https"):
        people_app(url, issuer.transport, clock)


async def test_the_service_notes_who_called_and_never_the_token(people, issuer):
    """A test can prove which token came, on whose behalf and through whom, from its digest alone."""
    token = good(issuer, act={"sub": "where2eat-bff", "act": {"client_id": "copilot", "act": {}}})
    await people.get("/teams/7", token=token)
    entry = people.app.state.received[0]
    assert entry == {
        "method": "GET",
        "path": "/teams/7",
        "status": 200,
        "subject": "anna",
        "actors": ["where2eat-bff", "copilot", ""],
        "audience": ["people-api"],
        "scopes": ["profiles:read"],
        "token_sha256": hashlib.sha256(token.encode()).hexdigest(),
        "trace_id": "0" * 32,
    }
    shown = await people.get("/_received")
    assert shown.json() == [entry]
    assert token not in shown.text
    assert token.rpartition(".")[2] not in shown.text


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/nowhere", 404), ("POST", "/teams/7", 405), ("GET", "/teams/7", 401)]
)
async def test_what_is_refused_was_received_too(people, method, path, status):
    """A token sent to a wrong path, or a wrong token, is noted all the same, but names nobody."""
    await people.call(method, path, token="inbound")
    (entry,) = people.app.state.received
    assert (entry["method"], entry["path"], entry["status"], entry["subject"]) == (method, path, status, None)
    assert entry["token_sha256"] == hashlib.sha256(b"inbound").hexdigest()


async def test_a_missing_scope_is_noted_with_its_subject(people, issuer):
    """A token that verified names its subject even where its scope does not suffice."""
    await people.get("/teams/7", token=issuer.token("people-api", "other"))
    (entry,) = people.app.state.received
    assert (entry["status"], entry["subject"], entry["scopes"]) == (403, "anna", ["other"])


async def test_the_log_is_for_this_machine_only(people):
    """From elsewhere the log does not exist."""
    answer = await people.get("/_received", client=("192.0.2.7", 4711))
    assert answer.status_code == 404
    assert (await people.get("/_received", client=None)).status_code == 404


async def test_the_log_is_bounded(people, monkeypatch):
    """The oldest requests are forgotten, so that a service can run for long."""
    monkeypatch.setattr("examples.where2eat.received.KEPT", 2)
    for path in ("/a", "/b", "/c"):
        await people.get(path)
    assert [entry["path"] for entry in people.app.state.received] == ["/b", "/c"]


async def test_a_fault_says_nothing(people, caplog):
    """A fault of the service is a 500 without a word about it; the log has it."""
    people.app.state.tokens = None
    answer = await people.get("/teams/7")
    assert answer.status_code == 500
    assert answer.json() == {
        "type": "about:blank",
        "title": "Internal Server Error",
        "status": 500,
        "detail": "The service failed.",
    }
    assert [record.exc_info[0] for record in caplog.records if record.message == "fault"] == [AttributeError]
