import base64
import json
import logging

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from narrows.errors import Forbidden, InteractionRequired, InvalidToken, SettingsError, Unavailable
from narrows.settings import ClientSettings, Secret
from tests.unit.upstreams.fake_authority import SERVICE, World, answer

KEY = RSAKey.generate_key(2048)
CLAIMS = '{"access_token":{"acrs":{"essential":true,"value":"c1"}}}'
ECHO = "CANARY of the server"


@pytest.fixture
def world():
    """An exchanger over a fake authorization server."""
    return World()


async def refused(world, kind, service=False):
    """The problem that a failed exchange ends with."""
    with pytest.raises(kind) as problem:
        await (world.exchanger.as_service(SERVICE, frozenset()) if service else world.exchange())
    assert type(problem.value) is kind
    assert ECHO not in str(problem.value.body()) + str(problem.value.headers)
    assert "corp.test" not in str(problem.value.body())
    return problem.value


async def test_the_request_is_a_form_with_our_own_proof(world):
    """A POST in the form of RFC 6749, authenticated as the BFF, asking for an answer without encoding."""
    await world.exchange()
    head = world.server.heads[0]
    assert head["content-type"] == "application/x-www-form-urlencoded"
    assert head["accept"] == "application/json"
    assert head["accept-encoding"] == "identity"
    assert head["authorization"] == "Basic " + base64.b64encode(b"bff:s3cret").decode()
    assert int(head["content-length"]) > 0
    assert "cookie" not in head


@pytest.mark.parametrize(
    ("exchange", "audience", "header"),
    [("rfc8693", "https://corp.test", "kid"), ("entra", "https://corp.test/token", "x5t#S256")],
)
async def test_a_key_signs_for_this_server_only(exchange, audience, header):
    """The assertion names the issuer's identifier; Entra wants its endpoint, and the key by its certificate."""
    client = ClientSettings(id="bff", private_key=Secret(KEY.as_pem(private=True).decode()), private_key_id="k")
    world = World(client=client, exchange=exchange)
    world.server.say(200, answer("opaque"))
    await world.exchange()
    form = world.server.forms[0]
    token = jwt.decode(form["client_assertion"], KEY, algorithms=["RS256"])
    assert (token.claims["aud"], token.header[header]) == (audience, "k")
    assert "authorization" not in world.server.heads[0]


def test_a_client_that_cannot_prove_itself_stops_the_start():
    """It is found when the exchanger is made, not with the first call."""
    with pytest.raises(SettingsError, match="needs one of"):
        World(client=ClientSettings(id="bff"))


@pytest.mark.parametrize(
    ("status", "options"),
    [
        (500, {"json": {"error": "invalid_request"}}),
        (503, {}),
        (200, {"text": "<html>"}),
        (200, {"content": b'{"a":' + b" " * 70_000 + b"1}"}),
        (200, {"json": answer("t"), "headers": {"Content-Encoding": "gzip"}}),
        (204, {}),
        (302, {"headers": {"Location": "https://evil.test/"}}),
        (400, {"text": "<html>"}),
        (400, {"json": {"error": 7}}),
        (400, {"json": {"error": "server_error", "error_description": ECHO}}),
        (400, {"json": {"error": "temporarily_unavailable"}}),
        (404, {}),
        (429, {"json": {"error": "slow_down"}}),
    ],
    ids=lambda v: str(v)[:40],
)
async def test_a_fault_of_the_server_is_a_503_and_counts(world, status, options):
    """Five in a row open the breaker; then the server gets no more bytes and `Retry-After` says how long."""
    world.server.respond = lambda _: httpx.Response(status, **options)
    for _ in range(4):
        problem = await refused(world, Unavailable)
        assert problem.headers == {"Retry-After": "5"}
    problem = await refused(world, Unavailable)
    assert problem.headers == {"Retry-After": "10"}
    assert len(world.server.forms) == 5
    world.at += 3
    assert (await refused(world, Unavailable)).headers == {"Retry-After": "7"}
    assert len(world.server.forms) == 5
    assert world.events == ["exchange", "failed"] * 5 + ["failed"]


async def test_the_breaker_is_each_issuers_own_and_closes_again(world):
    """While one issuer is away the other serves, and after the time one probe brings it back."""
    world.server.say(500)
    for _ in range(6):
        await refused(world, Unavailable)
    world.server.respond = world.server.mint
    assert await world.exchange(issuer="partner")
    await refused(world, Unavailable)
    world.at += 10
    assert await world.exchange()
    assert await world.exchange("bob")


@pytest.mark.parametrize("error", [httpx.ConnectError("x"), httpx.ReadError("x"), httpx.ReadTimeout("x")])
async def test_a_broken_connection_is_a_503(world, error):
    """Whatever breaks on the way, the caller reads a 503 and nothing of the cause."""

    def broken(form):
        raise error

    world.server.respond = broken
    assert (await refused(world, Unavailable)).headers == {"Retry-After": "5"}


async def test_a_bug_in_between_does_not_hold_the_probe(world):
    """An unexpected exception is no verdict on the server, and the next call may try."""
    world.server.say(500)
    for _ in range(5):
        await refused(world, Unavailable)
    world.at += 10

    def broken(form):
        raise KeyError

    world.server.respond = broken
    with pytest.raises(KeyError):
        await world.exchange()
    world.server.respond = world.server.mint
    assert await world.exchange()


async def test_an_answer_wrong_for_one_upstream_does_not_open_the_breaker(world, caplog):
    """A readable answer that is refused is a 503 each time, but the server counts as there; the log has the rule."""
    world.server.say(200, answer("t", scope="admin " + ECHO))
    for _ in range(7):
        assert (await refused(world, Unavailable)).headers == {"Retry-After": "5"}
    assert len(world.server.forms) == 7
    assert caplog.messages[0] == "issuer corp gave no token: scope is broader than what was asked for"
    assert ECHO not in caplog.text


@pytest.mark.parametrize("code", ["invalid_request", "invalid_grant"])
async def test_a_token_that_the_server_refuses_is_a_401(world, code):
    """RFC 8693, 2.2.2 and RFC 7523, 3.1: the caller's token is the fault, and the challenge says so."""
    world.server.say(400, {"error": code, "error_description": ECHO})
    problem = await refused(world, InvalidToken)
    assert problem.headers == {"WWW-Authenticate": 'Bearer error="invalid_token"'}
    assert world.events == ["exchange", "refused"]


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "invalid_target"),
        (400, "invalid_scope"),
        (403, "access_denied"),
        (400, "unauthorized_client"),
        (400, "invalid_resource"),
    ],
)
async def test_what_the_server_does_not_allow_is_a_403(world, status, code):
    """The text names neither audience nor scope, and says whom to ask."""
    world.server.say(status, {"error": code, "error_description": ECHO})
    problem = await refused(world, Forbidden)
    assert problem.detail == "The authorization server does not allow this endpoint's scopes for this caller."
    assert "owner of this endpoint" in problem.said_remedy


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (401, "invalid_client"),
        (400, "invalid_client"),
        (401, "unauthorized_client"),
        (400, "unsupported_grant_type"),
        (400, "CANARY of the server"),
    ],
)
async def test_our_own_fault_is_a_503_and_an_alarm(world, caplog, status, code):
    """A client that is not accepted is for the operators to mend; the log has no word of the server's own."""
    world.server.say(status, {"error": code, "error_description": ECHO})
    for _ in range(7):
        world.at += 2
        assert (await refused(world, Unavailable)).headers == {"Retry-After": "5"}
    assert len(world.server.forms) == 7
    assert {record.levelno for record in caplog.records} == {logging.ERROR}
    assert "issuer corp refuses a token for client bff" in caplog.messages[0]
    assert ECHO not in caplog.text


@pytest.mark.parametrize("code", ["invalid_grant", "invalid_scope", "interaction_required"])
async def test_a_refusal_of_the_bffs_own_token_is_never_the_callers_fault(world, code):
    """Whatever the code, a service's token is for the operators to mend."""
    world.server.say(400, {"error": code, "claims": CLAIMS})
    await refused(world, Unavailable, service=True)


@pytest.mark.parametrize(
    "said",
    [
        {"error": "interaction_required", "claims": CLAIMS},
        {"error": "invalid_grant", "suberror": "consent_required", "claims": CLAIMS},
        {"error": "invalid_grant", "claims": json.loads(CLAIMS)},
    ],
)
async def test_a_demand_for_interaction_carries_its_claims(world, said):
    """401 with the claims in base64, as text or object, under whichever code the server sends them."""
    world.server.say(400, {**said, "error_description": ECHO})
    challenge = (await refused(world, InteractionRequired)).headers["WWW-Authenticate"]
    start = 'Bearer error="insufficient_claims", claims="'
    assert challenge.startswith(start)
    assert json.loads(base64.b64decode(challenge.removeprefix(start).removesuffix('"'))) == json.loads(CLAIMS)


@pytest.mark.parametrize(
    "claims", [None, "not json", 7, "[1]", "{}", '{"a":"' + "x" * 5000 + '"}', '{"a":1,"a":2}', '"\ud800"']
)
@pytest.mark.parametrize("code", ["login_required", "consent_required"])
async def test_claims_that_are_none_are_left_out(world, code, claims):
    """Without claims, or with ones that no header should carry, the challenge still asks for the person."""
    world.server.say(400, content=json.dumps({"error": code, "claims": claims}).encode())
    problem = await refused(world, InteractionRequired)
    assert problem.headers == {"WWW-Authenticate": 'Bearer error="interaction_required"'}
