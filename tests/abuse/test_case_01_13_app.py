"""Cases 1 to 13 through the whole application: the answer that a client reads, and that no upstream hears of it."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import time
from typing import Any

import pytest
from joserfc.jwk import ECKey

from narrows.testing import bearer
from tests.abuse.attack import Got, ask, claims_of, part, post, rewritten, to_upstreams
from tests.flow.world import BFF, world

PATH = "/teams/7/dining-suggestions"
CHALLENGE = f'Bearer resource_metadata="{BFF}/.well-known/oauth-protected-resource"'


def assert_invalid(got: Got) -> None:
    """401, the challenge of RFC 6750 with its error code, and a body that says nothing of the token."""
    assert (got.status, got.kind) == (401, "invalid-token")
    assert got.header("www-authenticate") == f'{CHALLENGE}, error="invalid_token"'
    assert got.header("cache-control") == "private, no-store"


async def refused(forge: Any, *paths: str) -> None:
    """A forged token gets 401 in each mode, nothing leaves for an upstream, and no record names the caller."""
    async with world() as w:
        token = forge(w)
        for path in paths or (PATH, f"/rehearse{PATH}", f"/sandbox{PATH}"):
            got = await ask(w.app, path, token=token)
            assert_invalid(got)
            assert not any(piece and piece.encode() in got.body for piece in token.split("."))
        assert to_upstreams(w) == []
        assert w.authority.exchanges == []
        assert {record["caller"] for record in w.records.calls()} == {None}
        assert {record["problem"] for record in w.records.calls()} == {"urn:narrows:problem:invalid-token"}


@pytest.mark.parametrize("algorithm", ["none", "NONE", "nOnE"])
@pytest.mark.parametrize("signature", ["AAAA", None])
async def test_case_01_an_unsigned_token_is_refused(algorithm: str, signature: str | None) -> None:
    """`alg: none` in any spelling is 401, with a made-up signature and with that of the honest token."""
    await refused(lambda w: rewritten(w.token(), {"alg": algorithm}, signature))


async def test_case_01_an_empty_signature_is_refused() -> None:
    """A token that ends in its second dot is no token, and is 401 too."""
    await refused(lambda w: rewritten(w.token(), {"alg": "none"}, ""))


@pytest.mark.parametrize("form", ["PEM", "DER"])
async def test_case_02_the_public_key_is_no_secret(form: str) -> None:
    """An HMAC under the issuer's public key verifies nowhere."""

    def forge(w: Any) -> str:
        key = ECKey.import_key(w.authority.jwks()["keys"][0])
        secret = key.as_pem(private=False) if form == "PEM" else key.as_der(private=False)
        signed = rewritten(w.token(), {"alg": "HS256"}).rpartition(".")[0]
        return f"{signed}.{part(hmac.digest(secret, signed.encode(), 'sha256'))}"

    await refused(forge)


@pytest.mark.parametrize("member", ["jwk", "jku", "x5u", "x5c"])
async def test_case_03_a_key_that_the_token_brings_is_not_used(member: str) -> None:
    """The attacker's own key is 401, and no request goes where its header points."""
    attacker = ECKey.generate_key("P-256", {"kid": "attacker"})
    brought = {
        "jwk": attacker.as_dict(private=False),
        "jku": "https://evil.test/jwks",
        "x5u": "https://evil.test/x5u",
        "x5c": ["MIIB"],
    }

    async with world() as w:
        fetched = len(w.network.sent)
        token = w.authority.issue(
            "anna", "where2eat-copilot", "where2eat-api", "dining:read", header={member: brought[member]}
        )
        assert_invalid(await ask(w.app, PATH, token=token))
        assert len(w.network.sent) == fetched


@pytest.mark.parametrize("header", [{"crit": ["urn:x"], "urn:x": 1}, {"crit": ["b64"], "b64": False}, {"b64": False}])
async def test_case_04_05_unknown_critical_and_unencoded_are_refused(header: dict[str, Any]) -> None:
    """A header that changes what a signature means is 401 although the issuer's own key has signed it."""
    await refused(
        lambda w: w.authority.issue("anna", "where2eat-copilot", "where2eat-api", "dining:read", header=header)
    )


@pytest.mark.parametrize(
    "typ", ["JWT", "id_token", "txntoken+jwt", "oauth-id-jag+jwt", "secevent+jwt", "dpop+jwt", "", None]
)
async def test_case_06_a_token_of_another_kind_is_refused(typ: str | None) -> None:
    """What the issuer signed for another use is no access token."""
    await refused(
        lambda w: w.authority.issue("anna", "where2eat-copilot", "where2eat-api", "dining:read", header={"typ": typ})
    )


@pytest.mark.parametrize(
    "audience",
    [
        "people-api",
        "where2eat-api.evil",
        "https://where2eat-api",
        "where2eat-apI",
        ["where2eat-api.evil", "x where2eat-api"],
        ["people-api", "tables-api"],
        [],
    ],
)
async def test_case_07_a_token_for_another_service_is_refused(audience: Any) -> None:
    """A token for an upstream, or for a name that only contains ours, does not open the BFF."""
    await refused(lambda w: w.token(audience=audience))


async def test_case_07_the_exchanged_token_does_not_come_back_in() -> None:
    """What an upstream was sent cannot be replayed at the BFF by that upstream."""
    async with world() as w:
        assert (await w.get(PATH)).status_code == 200
        sent = [r for r in w.network.to("people.test") if "authorization" in r.headers]
        before = len(to_upstreams(w))
        assert_invalid(await ask(w.app, PATH, token=sent[0].headers["authorization"].removeprefix("Bearer ")))
        assert len(to_upstreams(w)) == before


@pytest.mark.parametrize(
    "issuer", ["https://issuer.test/", "https://ISSUER.test", "https://issuer.test:443", "http://issuer.test", None]
)
async def test_case_08_an_issuer_that_nearly_fits_is_refused(issuer: str | None) -> None:
    """The issuer is compared to the letter."""
    await refused(lambda w: w.token(iss=issuer))


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": None},
        {"exp": "1764000300"},
        {"exp": True},
        {"exp": float("inf")},
        {"exp": float("nan")},
        {"exp": -1},
        {"exp": 1_763_999_000},
        {"nbf": 1_764_000_000 + 61},
        {"nbf": "soon"},
        {"iat": 1_764_000_000 + 100_000},
        {"iat": None},
        {"exp": 2**60},
    ],
)
async def test_case_09_dates_that_do_not_hold_are_refused(claims: dict[str, Any]) -> None:
    """A date that is missing, of another type, not finite or out of time is 401, never 500."""
    await refused(lambda w: w.token(**claims), PATH)


@pytest.mark.parametrize("kid", ["../../etc/passwd", "' OR 1=1 --", "x" * 10_000, "a\nb: c", "\x1b[31m", 7, ["a"]])
async def test_case_10_a_hostile_key_id_is_text_and_nothing_else(kid: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A key id is looked up in memory only; neither record nor log nor answer repeats it."""
    async with world() as w:
        token = w.authority.issue("anna", "where2eat-copilot", "where2eat-api", "dining:read", header={"kid": kid})
        with caplog.at_level(logging.DEBUG):
            got = await ask(w.app, PATH, token=token)
        assert_invalid(got)
        text = kid if isinstance(kid, str) else json.dumps(kid)
        for place in (got.body, *w.records.lines, caplog.text.encode()):
            assert text.encode() not in place or len(text) < 3
        assert {str(request.url) for request in w.network.sent} == {
            "https://issuer.test/.well-known/oauth-authorization-server",
            "https://issuer.test/jwks",
        }


AMBIGUOUS = {
    "in the query": (f"{PATH}?access_token=TOKEN", []),
    "in the query and the header": (f"{PATH}?access_token=TOKEN", [("authorization", "Bearer TOKEN")]),
    "in the query, encoded": (f"{PATH}?%61ccess_token=TOKEN", []),
    "in two headers": (PATH, [("authorization", "Bearer TOKEN"), ("authorization", "Bearer TOKEN")]),
    "in two headers of two schemes": (PATH, [("authorization", "Bearer TOKEN"), ("authorization", "Basic eA==")]),
    "joined by a comma": (PATH, [("authorization", "Bearer TOKEN, Bearer TOKEN")]),
    "joined by a comma alone": (PATH, [("authorization", "Bearer TOKEN,TOKEN")]),
    "with a blank": (PATH, [("authorization", "Bearer TOKEN TOKEN")]),
    "with a tab": (PATH, [("authorization", "Bearer \tTOKEN")]),
    "with parameters": (PATH, [("authorization", 'Bearer realm="x", token="TOKEN"')]),
    "empty": (PATH, [("authorization", "Bearer ")]),
}
OTHER_SCHEMES = ["TOKEN", "DPoP TOKEN", "Basic TOKEN", "Bearer\tTOKEN", "Bearer:TOKEN", "Bearer", "", " Bearer TOKEN"]


@pytest.mark.parametrize("name", AMBIGUOUS)
async def test_case_11_a_token_that_comes_otherwise_than_once_in_its_header_is_refused(name: str) -> None:
    """400 `invalid_request` with its challenge (RFC 6750, 3.1), before anything is verified or sent."""
    target, headers = AMBIGUOUS[name]
    async with world() as w:
        token = w.token()
        got = await ask(
            w.app,
            target.replace("TOKEN", token),
            headers=[(key, value.replace("TOKEN", token)) for key, value in headers],
        )
        assert (got.status, got.kind) == (400, "ambiguous-credentials")
        assert got.header("www-authenticate") == f'{CHALLENGE}, error="invalid_request"'
        assert token.encode() not in got.body
        assert to_upstreams(w) == []
        assert token.encode() not in b"".join(w.records.lines)


@pytest.mark.parametrize("value", OTHER_SCHEMES)
async def test_case_11_a_token_under_another_scheme_is_none(value: str) -> None:
    """Without the scheme `Bearer` there are no credentials: the challenge has no error code (RFC 6750, 3), or 400."""
    async with world() as w:
        got = await ask(w.app, PATH, headers=[("authorization", value.replace("TOKEN", w.token()))])
        assert (got.status, got.kind) in ((401, "credentials-missing"), (400, "ambiguous-credentials"))
        assert got.status == 400 or got.header("www-authenticate") == CHALLENGE
        assert to_upstreams(w) == []


@pytest.mark.parametrize("with_header", [True, False])
async def test_case_11_a_token_in_the_body_is_refused(with_header: bool) -> None:
    """A form that carries `access_token` (RFC 6750, 2.2) opens nothing, and one in JSON is an unknown field."""
    async with world() as w:
        token = w.token()
        credentials = token if with_header else None
        form = await ask(
            w.app,
            "/teams/7/bookings",
            "POST",
            token=credentials,
            headers=[("content-type", "application/x-www-form-urlencoded")],
            body=f"access_token={token}".encode(),
        )
        body = {"place_id": "node-1", "starts_at": "2025-12-24T12:00:00Z", "seats": 4, "access_token": token}
        json_ = await post(w.app, "/teams/7/bookings", body, token=credentials)
        assert form.status == 415
        assert json_.status == (400 if with_header else 401)
        assert to_upstreams(w) == []
        assert token.encode() not in form.body + json_.body + b"".join(w.records.lines)


@pytest.mark.parametrize(
    "header", ["x-access-token", "x-forwarded-access-token", "cookie", "proxy-authorization", "authorization_"]
)
async def test_case_11_a_token_in_another_header_is_none(header: str) -> None:
    """Only `Authorization` is read."""
    async with world() as w:
        got = await ask(w.app, PATH, headers=[(header, f"Bearer {w.token()}")])
        assert (got.status, got.kind) == (401, "credentials-missing")
        assert got.header("www-authenticate") == CHALLENGE


HUGE = {
    "1 MB": "a" * 1_000_000,
    "1 MB and a foreign end": "a" * 1_000_000 + "!",
    "100k dots": "." * 100_000,
    "padding": "a" + "=" * 500_000 + "a",
    "latin-1": "\xe4" * 100,
    "8 kB": "a" * 4000 + "." + "b" * 4000 + ".c",
}


@pytest.mark.parametrize("name", HUGE)
async def test_case_12_text_that_cannot_be_a_token_is_refused_at_once(name: str) -> None:
    """A megabyte, dots without end and foreign letters are refused within 50 ms."""
    async with world() as w:
        await ask(w.app, PATH, token="a.b.c")
        took = []
        for _ in range(3):
            began = time.thread_time()
            got = await ask(w.app, PATH, token=HUGE[name])
            took.append(time.thread_time() - began)
        assert got.status in (400, 401, 413)
        assert len(got.body) < 1000
        assert min(took) < 0.05
        assert to_upstreams(w) == []


async def test_case_13_weak_keys_in_the_set_open_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """A key for encryption is left out, a doubled key id spoils the new set, and honest tokens go on working."""
    async with world() as w:
        honest = w.token()
        assert (await ask(w.app, PATH, token=honest)).status == 200
        published = w.authority.jwks()["keys"]
        attacker = ECKey.generate_key("P-256", {"kid": "attacker"})
        forged_header = {"alg": "ES256", "kid": "attacker", "typ": "at+jwt"}
        signed = f"{part(forged_header)}.{part(claims_of(honest))}"
        from joserfc.jws import JWSRegistry

        forged = f"{signed}.{part(JWSRegistry.algorithms['ES256'].sign(signed.encode(), attacker))}"
        public = attacker.as_dict(private=False)
        for poison in ({"use": "enc"}, {"key_ops": ["encrypt"]}, {"kid": published[0]["kid"]}, {"alg": "HS256"}):
            keys = {"keys": [*published, {**public, **poison}]}
            w.network.add({"issuer.test": Keys(w.authority.app, keys)})
            w.clock.move(31)
            assert_invalid(await ask(w.app, PATH, token=forged))
            assert (
                await ask(w.app, PATH, token=w.token(jti=hashlib.sha256(str(poison).encode()).hexdigest()))
            ).status == 200
        assert "key-id-twice" in caplog.text


class Keys:
    """The issuer with another set of keys."""

    def __init__(self, app: Any, keys: dict[str, Any]) -> None:
        self._app = app
        self._body = json.dumps(keys).encode()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] != "/jwks":
            await self._app(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": self._body})


async def test_case_13_none_of_this_keeps_an_honest_token_out() -> None:
    """The same request with an honest token is answered, so that the refusals above are for their own reasons."""
    async with world() as w:
        answer = await w.client.get(PATH, headers=bearer(w.token()))
        assert answer.status_code == 200
        assert answer.json()
