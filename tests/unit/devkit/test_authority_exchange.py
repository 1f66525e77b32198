import pytest

from narrows.devkit.authority import Client, Exchange, Person
from tests.unit.devkit.world import (
    ACCESS_TYPE,
    ANN,
    BFF,
    BOB,
    CLIENTS,
    JWT_BEARER,
    PEOPLE,
    TABLES,
    World,
    claims,
)  # fmt: skip


async def test_a_client_exchanges_the_token_it_was_called_with(world):
    """The answer has all members of RFC 8693, 2.2.1, and the token names person, audience, scope and actors."""
    answered = await world.post("/token", world.exchange_form(), "bff")
    assert answered.status_code == 200
    assert answered.headers["cache-control"] == "no-store"
    body = answered.json()
    found = claims(body.pop("access_token"))
    assert body == {
        "issued_token_type": ACCESS_TYPE, "token_type": "Bearer", "expires_in": 300, "scope": "profiles:read",
    }  # fmt: skip
    assert (found["sub"], found["aud"], found["scope"]) == ("ann-1", PEOPLE, "profiles:read")
    assert found["client_id"] == "bff"
    assert found["act"] == {"sub": "bff", "act": {"sub": "copilot"}}
    assert found["roles"] == ["member"]


async def test_exchanges_are_recorded_without_tokens(world):
    """Each request is kept and written down with what was asked and how it ended; no token is in it."""
    form = world.exchange_form()
    await world.post("/token", form, "bff")
    await world.post("/token", {**form, "scope": "profiles:write"}, "bff")
    await world.post("/token", form)
    assert world.authority.exchanges == [
        Exchange("bff", "ann-1", PEOPLE, ("profiles:read",), "issued"),
        Exchange("bff", "ann-1", PEOPLE, ("profiles:write",), "invalid_scope"),
        Exchange(None, None, PEOPLE, ("profiles:read",), "invalid_client"),
    ]
    assert [line["outcome"] for line in world.events("exchange")] == ["issued", "invalid_scope", "invalid_client"]
    assert form["subject_token"] not in "".join(world.lines)
    assert world.events("scope_refused")[0]["client_id"] == "bff"


async def test_the_exchanged_token_does_not_outlive_its_subject(world):
    """`expires_in` is capped by what the subject token has left."""
    token = world.authority.issue("ann-1", "copilot", BFF, "dining:read", exp=1_800_000_042)
    body = (await world.post("/token", world.exchange_form(subject_token=token), "bff")).json()
    assert body["expires_in"] == 42
    assert claims(body["access_token"])["exp"] == 1_800_000_042


async def test_a_long_subject_token_does_not_lengthen_the_exchanged_one(world):
    """The server's own lifetime is the other cap."""
    token = world.authority.issue("ann-1", "copilot", BFF, "dining:read", exp=1_900_000_000)
    body = (await world.post("/token", world.exchange_form(subject_token=token), "bff")).json()
    assert body["expires_in"] == 300


async def test_how_the_person_signed_in_is_carried_on(world):
    """acr, amr and auth_time go into the exchanged token, other claims of the subject token do not."""
    token = world.authority.issue("ann-1", "copilot", BFF, "dining:read", acr="high", amr=["pwd"], extra=1)
    found = claims((await world.post("/token", world.exchange_form(subject_token=token), "bff")).json()["access_token"])
    assert (found["acr"], found["amr"]) == ("high", ["pwd"])
    assert "extra" not in found


async def test_the_chain_of_actors_grows_outwards(world):
    """A second hop puts itself outermost and keeps the ones before (RFC 8693, 4.1)."""
    first = (await world.post("/token", world.exchange_form(), "bff")).json()["access_token"]
    form = world.exchange_form(subject_token=first, audience=TABLES, scope="bookings:read")
    found = claims((await world.post("/token", form, "people")).json()["access_token"])
    assert found["act"] == {"sub": "people", "act": {"sub": "bff", "act": {"sub": "copilot"}}}


def chain(depth):
    """A chain of this many actors."""
    actor = {"sub": "x"}
    for _ in range(depth - 1):
        actor = {"sub": "x", "act": actor}
    return actor


@pytest.mark.parametrize(
    ("act", "status"), [(chain(3), 200), (chain(4), 400), (chain(40), 400), ("x", 400), ({"act": "x"}, 400)]
)
async def test_a_chain_that_is_too_deep_or_no_chain_is_refused(world, act, status):
    """Four actors are the most; what is no chain is refused as well."""
    token = world.authority.issue("ann-1", "copilot", BFF, "dining:read", act=act)
    answered = await world.post("/token", world.exchange_form(subject_token=token), "bff")
    assert answered.status_code == status


@pytest.mark.parametrize(
    ("may_act", "status"),
    [({"sub": "bff"}, 200), ({"sub": "other"}, 400), ({}, 400), ("bff", 400), (["bff"], 400), ({"sub": ["bff"]}, 400)],
)
async def test_may_act_decides_who_may_be_the_actor(world, may_act, status):
    """A subject token that names another actor is not exchanged (RFC 8693, 4.4)."""
    token = world.authority.issue("ann-1", "copilot", BFF, "dining:read", may_act=may_act)
    answered = await world.post("/token", world.exchange_form(subject_token=token), "bff")
    assert answered.status_code == status
    assert answered.json().get("error") == (None if status == 200 else "invalid_request")


@pytest.mark.parametrize(
    "given",
    [
        {"audience": PEOPLE}, {"audience": f"{BFF}.evil.example"}, {"audience": [PEOPLE, "other"]},
        {"exp": 1_800_000_000}, {"exp": 1_800_000_000.5}, {"header": {"typ": "JWT"}}, {"iss": "http://127.0.0.1/as"},
        {"subject": "nobody"}, {"subject": "bff", "client_id": "bff"},
    ],
)  # fmt: skip
async def test_a_subject_token_that_does_not_hold_is_an_invalid_request(world, given):
    """Another audience, expired, another type or issuer, or no person's: invalid_request (RFC 8693, 2.2.2)."""
    known = {"subject": "ann-1", "client_id": "copilot", "audience": BFF, "scope": "dining:read", **given}
    token = world.authority.issue(**known)
    answered = await world.post("/token", world.exchange_form(subject_token=token), "bff")
    assert (answered.status_code, answered.json()["error"]) == (400, "invalid_request")


async def test_a_subject_token_may_be_for_several_audiences(world):
    """The client's own audience among others is enough."""
    token = world.authority.issue("ann-1", "copilot", ["other", BFF], "dining:read")
    assert (await world.post("/token", world.exchange_form(subject_token=token), "bff")).status_code == 200


async def test_a_revoked_subject_token_is_an_invalid_request(world):
    """After the subject has been revoked its tokens are not exchanged."""
    form = world.exchange_form()
    world.authority.revoke_subject("ann-1")
    assert (await world.post("/token", form, "bff")).json()["error"] == "invalid_request"


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"subject_token": None}, "invalid_request"),
        ({"subject_token": "garbage"}, "invalid_request"),
        ({"subject_token_type": None}, "invalid_request"),
        ({"subject_token_type": "urn:ietf:params:oauth:token-type:id_token"}, "invalid_request"),
        ({"requested_token_type": "urn:ietf:params:oauth:token-type:refresh_token"}, "invalid_request"),
        ({"actor_token": "x", "actor_token_type": ACCESS_TYPE}, "invalid_request"),
        ({"actor_token_type": ACCESS_TYPE}, "invalid_request"),
        ({"audience": None}, "invalid_request"),
        ({"audience": "api://none"}, "invalid_target"),
        ({"audience": BFF}, "invalid_target"),
        ({"audience": [PEOPLE, TABLES]}, "invalid_target"),
        ({"resource": TABLES}, "invalid_target"),
        ({"scope": None}, "invalid_scope"),
        ({"scope": "profiles:write"}, "invalid_scope"),
        ({"scope": "profiles:read bookings:read"}, "invalid_scope"),
        ({"scope": ["profiles:read", "profiles:read"]}, "invalid_request"),
        ({"scope": 'profiles:"read'}, "invalid_request"),
        ({"grant_type": "urn:unknown"}, "unsupported_grant_type"),
        ({"grant_type": 'q"'}, "invalid_request"),
        ({"grant_type": None}, "unsupported_grant_type"),
        ({"grant_type": JWT_BEARER}, "unsupported_grant_type"),
        ({"grant_type": "client_credentials"}, "unauthorized_client"),
    ],
)
async def test_each_wrong_parameter_has_its_error(world, changed, error):
    """The error codes are those of RFC 8693, 2.2.2, RFC 8707, 2 and RFC 6749, 5.2."""
    answered = await world.post("/token", world.exchange_form(**changed), "bff")
    assert (answered.status_code, answered.json()["error"]) == (400, error)
    assert answered.headers["cache-control"] == "no-store"


async def test_a_resource_names_the_target_as_well(world):
    """`resource` (RFC 8707) stands for `audience`, and both may name the same."""
    form = world.exchange_form(audience=None, resource=PEOPLE, requested_token_type=ACCESS_TYPE)
    assert (await world.post("/token", form, "bff")).status_code == 200
    assert (await world.post("/token", {**form, "audience": PEOPLE}, "bff")).status_code == 200


async def test_a_person_limits_what_is_given_on_their_behalf(world):
    """A scope that is not open to the person is not obtained by exchange either."""
    token = world.authority.issue("bob-2", "copilot", BFF, "dining:read")
    answered = await world.post("/token", world.exchange_form(subject_token=token), "bff")
    assert answered.json()["error"] == "invalid_scope"
    assert world.events("scope_refused")[0]["subject"] == "bob-2"


async def test_who_may_not_exchange_gets_nothing():
    """A client without the grant, and one without credentials, are refused."""
    plain = Client("plain", "plain-secret", redirect_uris=["https://p.example/"])
    world = World(clients=[*CLIENTS, plain])
    refused = await world.post("/token", world.exchange_form(), "plain")
    assert (refused.status_code, refused.json()["error"]) == (400, "unauthorized_client")
    public = await world.post("/token", world.exchange_form(client_id="copilot"))
    assert (public.status_code, public.json()["error"]) == (401, "invalid_client")


async def test_a_client_without_an_audience_exchanges_nothing():
    """The grant alone is not enough: the subject token must be for the client."""
    lone = Client("lone", "lone-secret", "service", grants={"token_exchange"})
    world = World(clients=[lone])
    token = world.authority.issue("ann-1", "x", "y", "z", aud=None)
    answered = await world.post("/token", world.exchange_form(subject_token=token), "lone")
    assert answered.json()["error"] == "invalid_request"


def obo_form(world, **changed):
    """The same request in Entra's dialect; `None` leaves a parameter out."""
    form = {
        "grant_type": JWT_BEARER,
        "requested_token_use": "on_behalf_of",
        "scope": f"{PEOPLE}/profiles:read",
        "assertion": world.authority.issue("ann-1", "copilot", BFF, "dining:read"),
        **changed,
    }
    return {name: value for name, value in form.items() if value is not None}


@pytest.fixture
def entra():
    """A world that speaks Entra's dialect too."""
    return World(on_behalf_of=True, people=[ANN, BOB, Person("eve", "eve-5", {"act": {"sub": "x"}})])


async def test_the_entra_dialect_gives_the_same_token(entra):
    """The scope names the audience, and comes back as it was asked; the token is that of an exchange."""
    body = (await entra.post("/token", obo_form(entra), "bff")).json()
    found = claims(body.pop("access_token"))
    assert body == {"token_type": "Bearer", "expires_in": 300, "scope": f"{PEOPLE}/profiles:read"}
    assert (found["aud"], found["scope"], found["sub"]) == (PEOPLE, "profiles:read", "ann-1")
    assert found["act"] == {"sub": "bff", "act": {"sub": "copilot"}}
    assert entra.authority.exchanges == [Exchange("bff", "ann-1", PEOPLE, ("profiles:read",), "issued")]


async def test_the_entra_dialect_takes_an_audience_too(entra):
    """With `audience` the scopes stand alone."""
    body = (await entra.post("/token", obo_form(entra, audience=PEOPLE, scope="profiles:read"), "bff")).json()
    assert body["scope"] == "profiles:read"


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"requested_token_use": None}, "invalid_request"),
        ({"assertion": None}, "invalid_request"),
        ({"assertion": "garbage"}, "invalid_grant"),
        ({"scope": None}, "invalid_target"),
        ({"scope": "profiles:read"}, "invalid_target"),
        ({"scope": f"{PEOPLE}/profiles:read {TABLES}/bookings:read"}, "invalid_target"),
        ({"scope": f"{PEOPLE}/profiles:write"}, "invalid_scope"),
        ({"audience": BFF, "scope": "x"}, "invalid_target"),
    ],
)
async def test_the_entra_dialect_refuses_in_its_own_words(entra, changed, error):
    """A bad assertion is an invalid_grant there (RFC 7523, 3.1); targets and scopes are refused as ever."""
    answered = await entra.post("/token", obo_form(entra, **changed), "bff")
    assert (answered.status_code, answered.json()["error"]) == (400, error)


async def test_a_persons_configured_act_is_not_the_actor(entra):
    """The claims of the configuration do not replace the chain that the server builds."""
    token = entra.authority.issue("eve-5", "copilot", BFF, "dining:read", act=None)
    found = claims((await entra.post("/token", obo_form(entra, assertion=token), "bff")).json()["access_token"])
    assert found["act"] == {"sub": "bff", "act": {"sub": "copilot"}}
