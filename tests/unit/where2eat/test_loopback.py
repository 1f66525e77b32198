from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest

from examples.where2eat.loopback import SignInRefused, Token, sign_in
from narrows.devkit.pkce import challenge

API = "http://api.test"
ISSUER = "http://as.test/as"
METADATA = {
    "issuer": ISSUER,
    "authorization_endpoint": f"{ISSUER}/authorize",
    "token_endpoint": f"{ISSUER}/token",
}


class Servers:
    """The API and its authorization server; `sent` holds the forms that the token endpoint got."""

    def __init__(self, metadata=None, token_status=200):
        self.sent = []
        self._metadata = {**METADATA, **(metadata or {})}
        self._token_status = token_status

    def __call__(self, request):
        match str(request.url):
            case "http://api.test/.well-known/oauth-protected-resource":
                return httpx.Response(200, json={"authorization_servers": [ISSUER]})
            case "http://as.test/.well-known/oauth-authorization-server/as":
                return httpx.Response(200, json=self._metadata)
            case "http://as.test/as/token":
                self.sent.append({name: values[0] for name, values in parse_qs(request.content.decode()).items()})
                answer = {"access_token": "a token of the test", "token_type": "Bearer", "expires_in": 60}
                return httpx.Response(self._token_status, json=answer)
        return httpx.Response(404)


class Browser:
    """Brings the answer of the authorization server to the listener, over a real socket; `changed` replaces parts."""

    def __init__(self, **changed):
        self.asked = {}
        self.answers = []
        self._changed = changed

    async def __call__(self, url):
        self.asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        home = self.asked["redirect_uri"]
        back = {"code": "a code", "state": self.asked["state"], "iss": ISSUER, **self._changed}
        query = urlencode({name: value for name, value in back.items() if value is not None})
        async with httpx.AsyncClient(trust_env=False) as client:
            self.answers.append(await client.get(home.replace("/callback", "/favicon.ico")))
            self.answers.append(await client.get(f"{home}?{query}"))


async def signed_in(servers, browser):
    """Sign in at `servers` through `browser`."""
    async with httpx.AsyncClient(transport=httpx.MockTransport(servers)) as client:
        return await sign_in(client, API, "the copilot", ("a", "b"), browser)


async def test_a_code_that_came_back_over_loopback_becomes_a_token():
    """The listener takes the one redirect, and the code is redeemed with the verifier of its challenge (RFC 7636)."""
    servers, browser = Servers(), Browser()
    token = await signed_in(servers, browser)
    assert token.access_token == "a token of the test"
    assert browser.asked["scope"] == "a b"
    assert urlsplit(browser.asked["redirect_uri"]).hostname == "127.0.0.1"
    (form,) = servers.sent
    assert challenge(form["code_verifier"]) == browser.asked["code_challenge"]
    assert (form["code"], form["redirect_uri"]) == ("a code", browser.asked["redirect_uri"])
    icon, thanks = browser.answers
    assert (icon.status_code, thanks.status_code) == (404, 200)
    assert "close this window" in thanks.text


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"state": "another"}, "another sign-in"),
        ({"state": None}, "another sign-in"),
        ({"iss": "http://evil.test"}, "Another server"),
        ({"iss": None}, "Another server"),
        ({"code": None, "error": "access_denied"}, "access_denied"),
        ({"code": None}, "no reason"),
    ],
)
async def test_an_answer_that_does_not_belong_to_the_question_is_refused(changed, why):
    """A foreign state, a mixed-up issuer or an error ends the sign-in, and no code is sent anywhere."""
    servers = Servers()
    with pytest.raises(SignInRefused, match=why):
        await signed_in(servers, Browser(**changed))
    assert servers.sent == []


async def test_metadata_of_another_issuer_is_refused():
    """The document must name the issuer that it was asked of (RFC 8414, 3.3)."""
    with pytest.raises(SignInRefused, match="8414"):
        await signed_in(Servers({"issuer": "http://evil.test"}), Browser())


async def test_a_refused_code_gives_no_token():
    """What the token endpoint says ends the sign-in, and its body is not repeated."""
    with pytest.raises(SignInRefused, match=r"no token \(400\)"):
        await signed_in(Servers(token_status=400), Browser())


async def test_an_api_without_metadata_cannot_be_signed_in_to():
    """A server that is no protected resource is named as such by its status."""
    async with httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(404))) as client:
        with pytest.raises(SignInRefused, match="404"):
            await sign_in(client, API, "the copilot", ("a",), Browser())


def test_a_printed_token_shows_nothing_of_itself():
    """A token that lands in a log by mistake does no harm."""
    assert repr(Token("a token of the test", "Bearer", 60)) == "Token(expires_in=60)"
