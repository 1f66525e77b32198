"""Where an issuer's metadata is looked for, and what of it is believed."""

from typing import Any

import httpx
import pytest

from narrows.errors import StartRefused, Unavailable
from narrows.identity import Identity
from narrows.identity.issuer import is_allowed, metadata_urls
from narrows.settings import ClientSettings, Settings
from tests.abuse.tokens import AUDIENCE, ISSUER, Authority, Clock, issuer_settings, mint, new_settings, started

WELL_KNOWN = "/.well-known/oauth-authorization-server"


async def codes(authority: Authority, **changes: Any) -> list[str]:
    """Why the start is refused."""
    with pytest.raises(StartRefused) as caught:
        await started(authority, **changes)
    for refusal in caught.value.refusals:
        assert refusal.subject == "issuers.corp"
        assert refusal.rule
        assert refusal.remedy
    return [refusal.code for refusal in caught.value.refusals]


@pytest.mark.parametrize(
    ("url", "urls"),
    [
        (
            "https://a.example",
            (
                "https://a.example/.well-known/oauth-authorization-server",
                "https://a.example/.well-known/openid-configuration",
            ),
        ),
        (
            "https://a.example/tenant/1/",
            (
                "https://a.example/.well-known/oauth-authorization-server/tenant/1",
                "https://a.example/tenant/1/.well-known/openid-configuration",
            ),
        ),
    ],
)
def test_places_of_the_metadata(url: str, urls: tuple[str, ...]) -> None:
    """The form of RFC 8414 comes first, with the path after the well-known part; then that of OpenID Connect."""
    assert metadata_urls(issuer_settings(url=url)) == urls


async def test_a_named_place_is_the_only_one() -> None:
    """With `metadata_url` nothing else is asked."""
    authority = Authority()
    place = "https://meta.example/custom?appid=1"
    authority.answers["/custom"] = httpx.Response(200, json=authority.metadata)
    await started(authority, metadata_url=place)
    assert [str(request.url) for request in authority.requests] == [place, f"{ISSUER}/jwks"]
    assert await codes(Authority(), metadata_url="https://meta.example/absent") == ["issuer-metadata-absent"]


@pytest.mark.parametrize(
    "first",
    [
        httpx.Response(404),
        httpx.Response(200, html="<p>a page for every path</p>"),
        httpx.Response(302, headers={"location": "https://evil.example"}),
    ],
    ids=["404", "html", "redirect"],
)
async def test_the_second_place_is_tried(first: httpx.Response) -> None:
    """A server that has nothing at the first place is asked at the second."""
    authority = Authority()
    authority.answers[WELL_KNOWN] = first
    authority.answers["/.well-known/openid-configuration"] = httpx.Response(200, json=authority.metadata)
    identity = await started(authority)
    assert (await identity.verify(mint())).issuer == "corp"


async def test_requests_carry_nothing_but_what_is_needed() -> None:
    """The issuer is asked for JSON without encoding, with no cookie, token or other header."""
    authority = Authority()
    await started(authority)
    for request in authority.requests:
        assert set(request.headers) == {"host", "accept", "accept-encoding"}
        assert request.headers["accept-encoding"] == "identity"


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"issuer": 1, "jwks_uri": 2}', b"\xff", b'{"x":' + b"[" * 90_000]
)
async def test_broken_metadata_refuses_the_start(body: bytes) -> None:
    """What is not metadata is no ground to start on."""
    authority = Authority()
    authority.answers[WELL_KNOWN] = httpx.Response(200, content=body, headers={"content-type": "application/json"})
    assert await codes(authority) == ["issuer-metadata-broken"]


BAD_ENDPOINTS = [
    "http://login.example/x",
    "https://127.0.0.1/x",
    "https://localhost:8443/x",
    "http://[::1]/x",
    "file:///etc/passwd",
    "ftp://login.example/x",
    "//login.example/x",
    "/x",
    "",
    "https://",
    "https://user:pass@login.example/x",
    "https://login.example/x#f",
    "https://login.example:port/x",
    "https://[::1/x",
    "https://login.example/\x00",
]


@pytest.mark.parametrize("url", BAD_ENDPOINTS)
@pytest.mark.parametrize("name", ["jwks_uri", "token_endpoint", "authorization_endpoint"])
async def test_endpoints_must_be_https(name: str, url: str) -> None:
    """Neither keys nor tokens go over plain HTTP, to this machine, or to what is not a URL."""
    authority = Authority()
    authority.metadata[name] = url
    assert await codes(authority) == ["issuer-endpoint-insecure"]
    assert authority.fetches == 0


@pytest.mark.parametrize("url", ["http://127.0.0.1:9000", "http://localhost:9000/realm", "https://[::1]:9000"])
async def test_a_loopback_issuer_may_use_http_on_loopback(url: str) -> None:
    """An issuer on this machine may have its keys and its token endpoint there too, or elsewhere with https."""
    authority = Authority(url=url)
    identity = await started(authority, url=url)
    assert identity.token_endpoint("corp") == f"{url}/token"
    assert is_allowed("https://other.example/jwks", url)
    assert not is_allowed("http://other.example/jwks", url)


@pytest.mark.parametrize(
    "url",
    ["http://login.example", "https://login.example?x=1", "https://login.example#f", "login.example", "https://[x"],
)
async def test_the_issuer_itself_must_be_https(url: str) -> None:
    """A configured URL that could be listened to, or is no issuer, is refused before any request."""
    authority = Authority(url=url)
    assert await codes(authority, url=url) == ["issuer-insecure"]
    assert authority.requests == []


async def test_the_named_place_must_be_https() -> None:
    """`metadata_url` has to hold the same rule."""
    assert await codes(Authority(), metadata_url="http://meta.example/x") == ["issuer-insecure"]


async def test_a_missing_file_of_certificates_refuses_the_start() -> None:
    """A `ca` that cannot be read is found at the start; it is looked for beside the settings."""
    asked: list[str | None] = []

    def dial(ca: str | None) -> httpx.AsyncBaseTransport:
        asked.append(ca)
        raise FileNotFoundError

    settings = new_settings(ca="corp.pem")
    with pytest.raises(StartRefused, match="issuer-ca"):
        await Identity(settings, dial=dial).start()
    assert asked == [str(settings.path("corp.pem"))]


async def test_a_client_needs_a_token_endpoint() -> None:
    """With a client of its own the BFF will exchange tokens, so the endpoint must be there from the start."""
    authority = Authority()
    del authority.metadata["token_endpoint"]
    assert await codes(authority, client=ClientSettings(id="bff")) == ["issuer-token-endpoint-absent"]
    identity = await started(authority)
    with pytest.raises(Unavailable):
        identity.token_endpoint("corp")


async def test_persons_sign_in_where_the_metadata_say() -> None:
    """An issuer that names no such place signs nobody in, and that keeps nothing else from starting."""
    authority = Authority()
    identity = await started(authority)
    with pytest.raises(Unavailable):
        identity.authorization_endpoint("corp")
    authority.metadata["authorization_endpoint"] = f"{ISSUER}/authorize"
    assert (await started(authority)).authorization_endpoint("corp") == (f"{ISSUER}/authorize", False)
    authority.metadata["authorization_response_iss_parameter_supported"] = True
    assert (await started(authority)).authorization_endpoint("corp") == (f"{ISSUER}/authorize", True)


async def test_an_issuer_that_is_away_does_not_stop_the_start() -> None:
    """While it is away its tokens get 503, and no sooner than it is back they are verified."""
    authority, clock = Authority(), Clock()
    authority.answers[WELL_KNOWN] = httpx.ConnectError("away")
    identity = await started(authority, clock)
    with pytest.raises(Unavailable):
        await identity.verify(mint())
    with pytest.raises(Unavailable):
        identity.token_endpoint("corp")
    assert len(authority.requests) == 1
    authority.answers.clear()
    clock.forward(30)
    assert (await identity.verify(mint())).subject == "anna"
    assert identity.token_endpoint("corp") == f"{ISSUER}/token"


async def test_metadata_is_read_once() -> None:
    """A renewal fetches the keys alone."""
    authority, clock = Authority(), Clock()
    identity = await started(authority, clock)
    await identity.issuers["corp"].ring.refresh()
    assert [request.url.path for request in authority.requests] == [WELL_KNOWN, "/jwks", "/jwks"]


async def test_metadata_that_is_refused_later_never_counts() -> None:
    """An issuer that comes back as another one is not believed after the start either."""
    authority, clock = Authority(), Clock()
    authority.answers[WELL_KNOWN] = httpx.Response(503)
    identity = await started(authority, clock)
    authority.answers.clear()
    authority.metadata["issuer"] = "https://evil.example"
    clock.forward(30)
    with pytest.raises(Unavailable):
        await identity.verify(mint())
    assert identity.issuers["corp"].ring.last_error == "issuer-differs"


async def test_nothing_is_verified_before_the_start() -> None:
    """Without a start there are no keys; closing what never started does no harm."""
    identity = Identity(new_settings(), dial=Authority().dial, now=Clock())
    with pytest.raises(Unavailable):
        await identity.verify(mint())
    await identity.close()


async def test_every_issuer_that_is_refused_is_named() -> None:
    """All reasons come at once, with two names for one issuer among them."""
    authority = Authority()
    settings = Settings(
        public_url=AUDIENCE,
        issuers={
            "one": issuer_settings(),
            "two": issuer_settings(),
            "three": issuer_settings(url="http://plain.example"),
        },
    )
    with pytest.raises(StartRefused) as caught:
        await Identity(settings, dial=authority.dial).start()
    assert [(r.subject, r.code) for r in caught.value.refusals] == [
        ("issuers.three", "issuer-insecure"),
        ("issuers.one", "issuer-twice"),
    ]
