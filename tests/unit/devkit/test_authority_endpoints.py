import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey

from narrows.devkit.authority import Client
from tests.unit.devkit.world import BFF, CLIENTS, ISSUER, PEOPLE, TABLES, WORKER_KEY, World, claims

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
SERVICE = {"grant_type": "client_credentials", "scope": "bookings:read"}


def assertion(key=WORKER_KEY, alg="ES256", header=None, **changed):
    """The worker's client assertion; `None` leaves a claim out."""
    given = {
        "iss": "worker", "sub": "worker", "aud": f"{ISSUER}/token", "exp": 1_800_000_060, "jti": "1", **changed,
    }  # fmt: skip
    found = {name: value for name, value in given.items() if value is not None}
    return jwt.encode({"alg": alg, "kid": WORKER_KEY.kid, **(header or {})}, found, key, algorithms=[alg])


def signed(text, **more):
    """A token request that carries an assertion."""
    return {**SERVICE, "client_assertion_type": ASSERTION_TYPE, "client_assertion": text, **more}


async def test_a_service_gets_a_token_for_itself(world):
    """Its subject is the client, and no person's claim is in it (RFC 6749, 4.4; RFC 9068, 2.2)."""
    body = (await world.post("/token", SERVICE, "people")).json()
    found = claims(body["access_token"])
    assert (found["sub"], found["client_id"], found["aud"]) == ("people", "people", TABLES)
    assert "auth_time" not in found
    assert body["scope"] == "bookings:read"


async def test_a_secret_may_come_in_the_form(world):
    """client_secret_post works as client_secret_basic does."""
    form = {**SERVICE, "client_id": "people", "client_secret": "people-secret"}
    assert (await world.post("/token", form)).status_code == 200


@pytest.mark.parametrize(
    ("headers", "form"),
    [
        ({}, {}),
        ({}, {"client_id": "people", "client_secret": "wrong"}),
        ({}, {"client_id": "people", "client_secret": 'wr"ong'}),
        ({}, {"client_id": "worker", "client_secret": "x"}),
        ({}, {"client_id": "copilot"}),
        ({"Authorization": "Basic !!"}, {}),
        ({"Authorization": "Basic /w=="}, {}),
        ({"Authorization": "Basic cGVvcGxlOndyb25n"}, {}),
        ({"Authorization": "Basic bm9ib2R5Ong="}, {}),
    ],
)
async def test_a_client_that_does_not_prove_itself_is_an_invalid_client(world, headers, form):
    """Whatever is wrong with the credentials, the answer is 401 with a challenge, and it is written down."""
    answered = await world.post("/token", {**SERVICE, **form}, headers=headers)
    assert (answered.status_code, answered.json()["error"]) == (401, "invalid_client")
    assert answered.headers["www-authenticate"].startswith("Basic ")
    assert len(world.events("client_refused")) == 1


async def test_two_ways_to_authenticate_are_an_invalid_request(world):
    """A client that sends header and form secret is refused (RFC 6749, 2.3)."""
    answered = await world.post(
        "/token", {**SERVICE, "client_id": "people", "client_secret": "people-secret"}, "people"
    )
    assert (answered.status_code, answered.json()["error"]) == (400, "invalid_request")


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"scope": "dining:read"}, "invalid_scope"),
        ({"scope": "data:export"}, "invalid_scope"),
        ({"audience": PEOPLE}, "invalid_target"),
    ],
)
async def test_a_service_gets_only_what_is_open_to_it(world, changed, error):
    """Scopes and audiences of others are refused."""
    answered = await world.post("/token", {**SERVICE, **changed}, "people")
    assert (answered.status_code, answered.json()["error"]) == (400, error)


async def test_a_client_signs_to_prove_itself(world):
    """private_key_jwt works with the token endpoint or the issuer as audience (RFC 7523)."""
    assert (await world.post("/token", signed(assertion()))).status_code == 200
    second = await world.post("/token", signed(assertion(jti="2", aud=[ISSUER])))
    assert claims(second.json()["access_token"])["sub"] == "worker"


async def test_an_assertion_is_good_once(world):
    """The same jti does not hold again while it could, and is forgotten afterwards."""
    text = assertion()
    assert (await world.post("/token", signed(text))).status_code == 200
    assert (await world.post("/token", signed(text))).status_code == 401
    world.clock.at += 100
    assert (await world.post("/token", signed(assertion(exp=1_800_000_160)))).status_code == 200


@pytest.mark.parametrize(
    "text",
    [
        assertion(exp=None), assertion(exp=1_799_999_900), assertion(exp=1_800_009_999), assertion(exp="soon"),
        assertion(aud="https://other.example"), assertion(aud=None), assertion(jti=None), assertion(jti=7),
        assertion(iss="people"), assertion(iss=None), assertion(sub=None), assertion(sub=7),
        assertion(sub="nobody", iss="nobody"), assertion(sub="people", iss="people"),
        assertion(key=ECKey.generate_key("P-256")), assertion(key=OctKey.generate_key(256), alg="HS256"),
        assertion(header={"kid": "other"}), assertion(exp=float("inf")),
        "x", "a.b.c", "..", "bm8.bm8.bm8", "eyJhbGciOiJFUzI1NiJ9.W10.x", "eyJhbGciOiJFUzI1NiJ9.bm8.x",
        "eyJhbGciOiJub25lIn0.e30.", "eyJhbGciOiJFUzI1NiJ9._w.x",
        "eyJhbGciOiJFUzI1NiJ9." + "W1tb" * 10_000 + ".x",
    ],
)  # fmt: skip
async def test_an_assertion_that_does_not_hold_is_an_invalid_client(world, text):
    """Each claim, key or algorithm that is wrong alone, and every garbage, is a 401 and never an error."""
    answered = await world.post("/token", signed(text))
    assert (answered.status_code, answered.json()["error"]) == (401, "invalid_client")
    assert text not in answered.text


async def test_an_assertion_of_another_type_is_none(world):
    """Without the type of RFC 7523 nothing was presented."""
    answered = await world.post("/token", signed(assertion(), client_assertion_type="saml"))
    assert answered.status_code == 401


async def test_a_client_with_keys_has_no_secret(world):
    """A client that has only keys is not let in by a secret or by its name alone."""
    assert (await world.post("/token", {**SERVICE, "client_id": "worker"})).status_code == 401


async def introspect(world, token, client="bff"):
    """What introspection tells a client about a token."""
    return (await world.post("/introspect", {"token": token}, client)).json()


async def test_introspection_tells_the_audience_and_the_client(world):
    """Who the token was issued for or to reads its claims (RFC 7662, 2.2); others read that it is not active."""
    token = world.authority.issue("ann-1", "people", BFF, "dining:read")
    for client in ("bff", "people"):
        told = await introspect(world, token, client)
        assert (told["active"], told["token_type"], told["sub"]) == (True, "Bearer", "ann-1")
        assert (told["scope"], told["aud"], told["iss"], told["roles"]) == ("dining:read", BFF, ISSUER, ["member"])
    assert await introspect(world, token, "page") == {"active": False}


@pytest.mark.parametrize("changed", [{"exp": 1_800_000_000}, {"header": {"typ": "JWT"}}, {"iss": "x"}])
async def test_introspection_of_what_does_not_hold_says_no_more(world, changed):
    """An expired or foreign token is just not active."""
    token = world.authority.issue("ann-1", "people", BFF, "dining:read", **changed)
    assert await introspect(world, token) == {"active": False}
    assert await introspect(world, "garbage") == {"active": False}


@pytest.mark.parametrize("path", ["/introspect", "/revoke"])
async def test_token_endpoints_need_a_client_and_a_token(world, path):
    """Without credentials it is a 401, without a token or with an unknown type of token a 400."""
    token = world.authority.issue("ann-1", "bff", BFF, "dining:read")
    nobody = await world.post(path, {"token": token})
    missing = await world.post(path, {"x": "y"}, "bff")
    odd = await world.post(path, {"token": token, "token_type_hint": "saml"}, "bff")
    assert (nobody.status_code, nobody.json()["error"]) == (401, "invalid_client")
    assert (missing.status_code, missing.json()["error"]) == (400, "invalid_request")
    assert (odd.status_code, odd.json()["error"]) == (400, "unsupported_token_type")


async def test_a_public_client_may_not_introspect(world):
    """Introspection needs a client that proves itself."""
    token = world.authority.issue("ann-1", "copilot", BFF, "dining:read")
    assert (await world.post("/introspect", {"token": token, "client_id": "copilot"})).status_code == 401


async def test_a_client_ends_its_own_token(world):
    """A revoked token is not active any longer; an unknown one is answered with 200 too (RFC 7009, 2.2)."""
    token = world.authority.issue("ann-1", "copilot", BFF, "dining:read")
    for text in (token, token, "garbage"):
        answered = await world.post("/revoke", {"token": text, "client_id": "copilot"})
        assert answered.status_code == 200
    assert await introspect(world, token) == {"active": False}


async def test_a_client_cannot_end_the_token_of_another(world):
    """Revocation by a client that does not own the token is refused, and the token still holds."""
    token = world.authority.issue("ann-1", "copilot", BFF, "dining:read")
    answered = await world.post("/revoke", {"token": token}, "people")
    assert (answered.status_code, answered.json()["error"]) == (400, "invalid_grant")
    assert (await introspect(world, token))["active"]


async def test_rotation_is_seen_from_outside(world):
    """The key set endpoint shows the new key at once."""
    kid = world.authority.rotate_keys(keep_old=False)
    keys = (await world.http.get("/jwks")).json()["keys"]
    assert [key["kid"] for key in keys] == [kid]


async def test_a_client_may_have_secret_and_keys():
    """Both ways are open then, one at a time."""
    both = Client(
        "both", "both-secret", "service", grants={"client_credentials"}, scopes={"bookings:read"}, audiences=[TABLES],
        public_keys=[WORKER_KEY.as_dict(private=False)],
    )  # fmt: skip
    world = World(clients=[*CLIENTS, both])
    assert (await world.post("/token", SERVICE, "both")).status_code == 200
    assert (await world.post("/token", signed(assertion(iss="both", sub="both")))).status_code == 200
