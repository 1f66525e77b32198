import json

import httpx
import pytest
from litestar import Litestar, asgi
from litestar.types import Receive, Scope, Send

from narrows.devkit.authority import Authority
from tests.unit.devkit.world import BFF, ISSUER, ORIGIN, World, authorize_url

WELL_KNOWN = "/.well-known/oauth-authorization-server"
OPENID = "/.well-known/openid-configuration"


@pytest.mark.parametrize(
    "path",
    [f"/as{WELL_KNOWN}", f"/as{OPENID}", f"{WELL_KNOWN}/as", f"{OPENID}/as", WELL_KNOWN, OPENID],
)
async def test_metadata_is_where_clients_look_for_it(world, path):
    """After the issuer, and with the issuer's path at the end (RFC 8414, 3.1), the document is the same."""
    answered = await world.http.get(ORIGIN + path)
    found = answered.json()
    assert answered.headers["content-type"] == "application/json"
    assert found["issuer"] == ISSUER
    assert found["code_challenge_methods_supported"] == ["S256"]
    assert found["token_endpoint"] == f"{ISSUER}/token"
    assert "data:export" in found["scopes_supported"]
    assert not any("jwt-bearer" in grant for grant in found["grant_types_supported"])


async def test_metadata_names_the_entra_dialect_when_it_is_on():
    """The grant is in the document only if the server answers it."""
    found = (await World(on_behalf_of=True).http.get(OPENID)).json()
    assert "urn:ietf:params:oauth:grant-type:jwt-bearer" in found["grant_types_supported"]


async def test_an_issuer_without_a_path_works():
    """The root of a host can be the issuer."""
    world = World(issuer="http://127.0.0.1:9000")
    assert (await world.http.get(ORIGIN + WELL_KNOWN)).json()["issuer"] == "http://127.0.0.1:9000"
    page = await world.http.get(authorize_url().replace("/as/", "/"))
    assert "Path=/authorize;" in page.headers["set-cookie"]


async def through(app, url=ISSUER + "/jwks", **more):
    """What an application answers at a URL."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app, **more)) as client:
        return await client.get(url)


async def test_it_can_be_mounted_below_its_path(world):
    """A Litestar host that cuts the path off, and a host that leaves it on with a root path, both reach it."""

    @asgi("/as", is_mount=True, copy_scope=True)
    async def mounted(scope: Scope, receive: Receive, send: Send) -> None:
        await world.authority.app(scope, receive, send)

    host = Litestar([mounted], openapi_config=None, logging_config=None)
    assert (await through(host)).json() == world.authority.jwks()
    assert (await through(host, authorize_url())).status_code == 200
    assert (await through(world.authority.app, root_path="/as")).json() == world.authority.jwks()


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:1", "localhost:8000", "[::1]:9000", "LOCALHOST", "as.example"]
)
async def test_loopback_and_the_issuers_host_are_served(host):
    """Any loopback name and the issuer's own host reach the server."""
    world = World(issuer="https://as.example")
    assert (await world.http.get("/jwks", headers={"Host": host})).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "evil.example:9000", "127.0.0.1@evil", "", "127.0.0.2", "127.0.0.1:x"],
)
@pytest.mark.parametrize("path", ["/jwks", "/nothing/here", "/token"])
async def test_another_host_is_refused(world, host, path):
    """A name that points to 127.0.0.1 (DNS rebinding) gets a 421, also where there is no route."""
    answered = await world.http.get(path, headers={"Host": host})
    assert answered.status_code == 421
    assert answered.json()["error_description"].startswith("This host is not served here")
    assert world.events("request_refused")[0]["status"] == 421


async def test_forwarded_headers_have_no_effect(world):
    """They neither open the door nor get into any answer."""
    forged = {
        "Forwarded": "host=127.0.0.1", "X-Forwarded-Host": "127.0.0.1", "X-Forwarded-Proto": "https",
        "X-Forwarded-Prefix": "/evil", "X-Original-URL": "/as/jwks", "X-HTTP-Method-Override": "GET",
    }  # fmt: skip
    closed = await world.http.get("/jwks", headers={**forged, "Host": "evil.example"})
    assert closed.status_code == 421
    plain = await world.http.get(WELL_KNOWN[1:])
    told = await world.http.get(WELL_KNOWN[1:], headers={**forged, "X-Forwarded-Host": "evil.example"})
    assert told.json() == plain.json()
    assert (await world.http.post("/token", headers={**forged, "Host": "evil.example"})).status_code == 421


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://["},
        {"Origin": "127.0.0.1:9000"},
        {"Origin": "http://127.0.0.1:8000"},
        {"Origin": "http://127.0.0.1:9000.evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
@pytest.mark.parametrize("path", ["/token", "/authorize", "/revoke", "/introspect", "/nothing"])
async def test_a_form_of_another_origin_is_refused(world, headers, path):
    """A page of another origin, also of another port, cannot post here."""
    answered = await world.http.post(path, data={"a": "b"}, headers=headers)
    assert answered.status_code == 403
    assert (await world.http.options(path, headers=headers)).status_code == 403


async def test_a_form_of_the_own_origin_is_served(world):
    """The page's own form passes the door."""
    headers = {"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin"}
    assert (await world.http.post("/token", data={"a": "b"}, headers=headers)).status_code == 400


@pytest.mark.parametrize("name", ["host", "origin", "authorization", "content-type", "cookie"])
async def test_a_deciding_header_comes_once(world, name):
    """Two of them are refused, so that nobody reads one and acts on the other."""
    headers = [("host", "127.0.0.1"), (name, "a"), (name, "b")]
    assert (await world.http.get("/jwks", headers=headers)).status_code == 400


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nothing", 404), ("GET", "/token", 405), ("DELETE", "/jwks", 405), ("POST", "/token", 400)],
)
async def test_what_is_not_there_says_little(world, method, path, status):
    """Unknown paths and methods, and an empty post, get their status and no detail of the server."""
    answered = await world.http.request(method, path)
    assert answered.status_code == status
    assert answered.json()["error"] == "invalid_request"
    if status == 405:
        assert "allow" in answered.headers


async def test_a_large_body_is_refused(world):
    """More than 64 kB is a 413."""
    assert (await world.post("/token", {"a": "b" * 70_000})).status_code == 413


@pytest.mark.parametrize(
    "body", [b"\xff", b"a=%ff", b"a", b"=", b"&&", b"grant_type=%00", b"grant_type=%22", b"client_id=%5C&scope=%0a"]
)
async def test_garbage_is_an_invalid_request(world, body):
    """Whatever the body holds, the answer is a 4xx in the form of RFC 6749, 5.2."""
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    for path in ("/token", "/introspect", "/revoke"):
        answered = await world.http.post(path, content=body, headers=headers)
        assert answered.status_code in (400, 401)
        assert "error" in answered.json()


async def test_an_error_of_the_server_says_nothing():
    """A fault inside is a 500 without any detail."""

    def broken(count):
        raise ZeroDivisionError("a detail")

    world = World()
    world.authority._realm.tokens._random = broken
    form = {"grant_type": "client_credentials", "scope": "bookings:read"}
    world.transport.raise_app_exceptions = False
    answered = await world.post("/token", form, "people")
    assert (answered.status_code, answered.text) == (500, '{"error":"server_error"}')


async def test_other_protocols_pass_the_door(world):
    """Start-up and shutdown reach the application, so it can be served as it is."""
    sent = []
    incoming = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])

    async def receive():
        return next(incoming)

    async def send(message):
        sent.append(message["type"])

    await world.authority.app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, receive, send)
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


def test_an_authority_prints_its_issuer_only():
    """Neither keys nor people show when it is printed."""
    assert repr(Authority(ISSUER, algorithm="ES256")) == f"Authority('{ISSUER}')"


async def test_the_key_set_holds_for_the_tokens(world):
    """What the endpoint shows is what the tokens were signed with."""
    token = world.authority.issue("ann-1", "copilot", BFF, "dining:read")
    from joserfc import jwt
    from joserfc.jwk import KeySet

    keys = KeySet.import_key_set(json.loads((await world.http.get("/jwks")).text))
    assert jwt.decode(token, keys, algorithms=["ES256"]).claims["sub"] == "ann-1"
