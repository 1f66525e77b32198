"""Cases 18, 20 to 27, 29, 30 and 83 of the exchange: whose token goes where, and what a broken server can do."""

import asyncio
import base64
import json
from itertools import permutations

import httpx
import pytest

from narrows.errors import Forbidden, InteractionRequired, InvalidToken, Problem, Unavailable
from narrows.upstreams.dialects import peek
from tests.unit.stores.shelf import MemoryShelf
from tests.unit.upstreams.fake_authority import (
    READ,
    TABLES,
    World,
    answer,
    connector,
    credential,
    jwt,
)

WIDE = frozenset({"profiles:read", "teams:read"})
STEP_UP = '{"access_token":{"acrs":{"essential":true,"value":"c1"}}}'


@pytest.fixture(params=["alone", "shared"])
def world(request):
    """An exchanger over a fake authorization server, with a cache of its own or one that processes share."""
    return World(shelf=MemoryShelf() if request.param == "shared" else None)


async def test_case_18_a_hang_ends_within_the_deadline_and_blocks_nobody():
    """A token endpoint that never answers is a 503 in the issuer's deadline; another issuer's callers go on."""
    world = World(deadline_s=0.5)
    world.server.gate.clear()
    world.server.held = {"corp.test"}
    hanging = [asyncio.create_task(world.exchange(f"user{number}")) for number in range(20)]
    await asyncio.sleep(0)
    assert await world.exchange(issuer="partner")
    assert not any(task.done() for task in hanging)
    async with asyncio.timeout(5):
        ended = await asyncio.gather(*hanging, return_exceptions=True)
    assert {type(problem) for problem in ended} == {Unavailable}
    assert all("Retry-After" in problem.headers for problem in ended)


async def test_case_20_two_hundred_callers_get_their_own_subject(world):
    """Alice and Bob alternate on the same connector, audience and scopes: each token has its own subject."""
    names = ["alice", "bob"] * 100
    tokens = await asyncio.gather(*(world.exchange(name) for name in names))
    assert [peek(token.reveal())["sub"] for token in tokens] == names
    assert len(world.server.forms) == 2
    again = await asyncio.gather(*(world.exchange(name) for name in names))
    assert [peek(token.reveal())["sub"] for token in again] == names


DIFFERENT = {
    "connector": {"connector": connector("other")},
    "tenant": {"connector": connector(tenant="other")},
    "audience": {"upstream": TABLES},
    "scopes": {"scopes": WIDE},
    "no scopes": {"scopes": frozenset()},
    "issuer": {"issuer": "partner"},
    "actor": {"token": "alice~with-actor", "actors": ("copilot",)},
}


@pytest.mark.parametrize("what", DIFFERENT)
async def test_case_21_one_input_that_differs_is_another_token(world, what):
    """Connector, tenant, audience, scopes, issuer and actor each part the cache, one after the other or at once."""
    first = await world.exchange()
    other = await world.exchange(**DIFFERENT[what])
    assert first != other
    fresh = World()
    pair = await asyncio.gather(fresh.exchange(), fresh.exchange(**DIFFERENT[what]))
    assert pair[0] != pair[1]
    assert len(fresh.server.forms) == 2


async def test_case_21_two_scope_sets_are_never_shared(world):
    """The narrower request never gets the broader token, whichever came first; their order alone does not matter."""
    wide, narrow = await world.exchange(scopes=WIDE), await world.exchange(scopes=READ)
    assert peek(narrow.reveal())["scope"] == "profiles:read"
    assert peek(wide.reveal())["scope"] == "profiles:read teams:read"
    for order in permutations(WIDE):
        assert await world.exchange(scopes=frozenset(order)) is wide


async def test_case_21_inputs_cannot_be_pushed_together(world):
    """Neighbouring inputs whose joined text is the same still make two keys."""
    tokens = [
        await world.exchange(connector=connector(name, tenant))
        for name, tenant in (("ab", "c"), ("a", "bc"), ("", "abc"), ("abc", ""))
    ]
    tokens += [await world.exchange(scopes=frozenset(scopes)) for scopes in (("ab",), ("a", "b"))]
    assert len(set(tokens)) == 6


async def test_case_22_a_token_after_step_up_has_its_own_entry(world):
    """Same person, new token with another `acr`: nothing of the old one is used."""
    before = await world.exchange(token="alice~before", claims={"acr": "1"})
    after = await world.exchange(token="alice~after", claims={"acr": "2"})
    assert before != after
    assert [form["subject_token"] for form in world.server.forms] == ["alice~before", "alice~after"]


@pytest.mark.parametrize("skew", [-300, 300])
async def test_case_23_the_servers_clock_does_not_matter(world, skew):
    """A token lives by its arrival here: 5 minutes of skew of the server neither lengthen nor shorten it."""

    def skewed(form):
        stamped = jwt(sub="alice", aud=form["audience"], iat=int(world.at + skew), exp=int(world.at + skew + 300))
        return httpx.Response(200, json=answer(stamped + str(len(world.server.forms))))

    world.server.respond = skewed
    first = await world.exchange()
    world.at += 289
    assert await world.exchange() is first
    world.at += 1
    assert await world.exchange() != first


WRONG = {
    "broader scope": {"scope": "profiles:read admin"},
    "other issued_token_type": {"issued_token_type": "urn:ietf:params:oauth:token-type:id_token"},
    "other subject": {"access_token": jwt(sub="bob", aud="https://people.test")},
    "other audience": {"access_token": jwt(sub="alice", aud="https://tables.test")},
    "no audience": {"access_token": jwt(sub="alice")},
    "broader scope in the token": {"access_token": jwt(sub="alice", aud="https://people.test", scope="admin")},
    "the actor as subject": {"access_token": jwt(sub="bff", act={"sub": "alice"}, aud="https://people.test")},
    "expires_in 0": {"expires_in": 0},
    "expires_in -1": {"expires_in": -1},
    "expires_in 1e12": {"expires_in": 10**12},
    "expires_in as text": {"expires_in": "300"},
    "token_type MAC": {"token_type": "MAC"},
    "token_type N_A": {"token_type": "N_A"},
    "line break": {"access_token": "a\r\nHost: evil"},
}


@pytest.mark.parametrize("wrong", WRONG)
async def test_case_24_an_answer_that_was_not_asked_for_is_refused(world, wrong, caplog):
    """503, the reason in the log without the value, nothing kept: the next good answer is the one that is used."""
    world.server.say(200, answer("opaque") | WRONG[wrong])
    with pytest.raises(Unavailable) as problem:
        await world.exchange()
    assert problem.value.headers == {"Retry-After": "5"}
    assert caplog.messages[0].startswith("issuer corp gave no token: ")
    assert world.events == ["exchange", "failed"]
    assert "evil" not in caplog.text
    world.server.respond = world.server.mint
    assert await world.exchange()


FAILING = {
    "away": lambda _: httpx.Response(503),
    "redirect": lambda _: httpx.Response(307, headers={"Location": "https://evil.test/token"}),
    "refused": lambda form: httpx.Response(400, json={"error": "invalid_request", "said": form["subject_token"]}),
    "target": lambda _: httpx.Response(400, json={"error": "invalid_target"}),
    "own": lambda _: httpx.Response(401, json={"error": "invalid_client"}),
    "garbage": lambda form: httpx.Response(200, text=form["subject_token"]),
    "echo": lambda form: httpx.Response(200, json=answer(form["subject_token"])),
}


@pytest.mark.parametrize("how", FAILING)
async def test_case_25_the_inbound_token_is_never_the_way_out(world, how, caplog):
    """On no failure is there a token to send, and the caller's goes to the token endpoint's host alone, in the body."""
    world.server.respond = FAILING[how]
    for _ in range(8):
        with pytest.raises(Problem) as problem:
            await world.exchange(token="alice~CANARY")
        told = json.dumps(problem.value.body()) + str(problem.value.headers) + repr(problem.value)
        assert "CANARY" not in told
        world.at += 2
    assert set(world.server.hosts) == {"corp.test"}
    assert "CANARY" not in caplog.text
    assert world.server.bytes.count(b"CANARY") == len(world.server.forms)
    assert all("CANARY" not in str(head) for head in world.server.heads)


async def test_case_25_no_secret_shows_in_a_repr(world):
    """Credential, token and exchanger print without the tokens they hold."""
    token = await world.exchange(token="alice~CANARY")
    shown = repr((credential(token="alice~CANARY"), token, world.exchanger, world.settings))
    assert "CANARY" not in shown
    assert token.reveal() not in shown
    assert "s3cret" not in shown


async def herd(world, size=100):
    """A hundred who miss the same key at once, with the answer held back until all wait."""
    world.server.gate.clear()
    waiting = [asyncio.create_task(world.exchange()) for _ in range(size)]
    await world.server.arrivals.get()
    return waiting


async def test_case_26_a_hundred_misses_are_one_exchange(world):
    """One request, and all hundred get its token."""
    waiting = await herd(world)
    world.server.gate.set()
    assert len(set(await asyncio.gather(*waiting))) == 1
    assert len(world.server.forms) == 1


async def test_case_26_a_failed_herd_fails_as_one(world):
    """All hundred fail with one request, nothing is kept as a success, and the next call asks again."""
    world.server.say(500)
    waiting = await herd(world)
    world.server.gate.set()
    ended = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(problem) for problem in ended} == {Unavailable}
    assert len(world.server.forms) == 1
    world.server.respond = world.server.mint
    assert await world.exchange()


async def test_case_26_a_cancelled_leader_does_not_cancel_followers(world):
    """The first ninety go away; the others still get the one token."""
    waiting = await herd(world)
    for task in waiting[:90]:
        task.cancel()
    await asyncio.sleep(0)
    world.server.gate.set()
    ended = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(end, asyncio.CancelledError) for end in ended[:90])
    assert len(set(ended[90:])) == 1
    assert len(world.server.forms) == 1


@pytest.mark.parametrize(
    "may_act",
    [
        {"sub": "other"},
        {"client_id": "other"},
        {"sub": "bff", "iss": "https://evil.test"},
        {"sub": ["bff"]},
        {},
        "bff",
        ["bff"],
        None,
    ],
)
async def test_case_27_may_act_that_does_not_name_us_is_refused(world, may_act):
    """403 before a byte is sent."""
    with pytest.raises(Forbidden):
        await world.exchange(claims={"may_act": may_act})
    assert world.server.forms == []


@pytest.mark.parametrize(
    "may_act", [{"sub": "bff"}, {"client_id": "bff", "sub": "x"}, {"sub": "bff", "iss": "https://corp.test"}]
)
async def test_case_27_may_act_that_names_us_lets_us(world, may_act):
    """Our client as subject or client id, of this issuer."""
    assert await world.exchange(claims={"may_act": may_act})


async def test_case_29_a_revoked_session_ends_its_kept_tokens(world):
    """After the signal, the unexpired token is not used, and the server's new answer is what counts."""
    assert await world.exchange()
    world.exchanger.forget_subject("corp", "alice", 1)
    world.server.say(400, {"error": "invalid_request"})
    with pytest.raises(InvalidToken):
        await world.exchange()
    assert len(world.server.forms) == 2


async def test_case_30_interaction_required_carries_claims_and_leaves_no_success(world):
    """401 with the claims at once and again from the short memory, also while an older success is kept elsewhere."""
    old = await world.exchange(token="alice~old")
    world.server.say(400, {"error": "interaction_required", "claims": STEP_UP, "error_description": "CANARY"})
    for _ in range(2):
        with pytest.raises(InteractionRequired) as problem:
            await world.exchange(token="alice~new")
        encoded = base64.b64encode(STEP_UP.encode()).decode()
        challenge = f'Bearer error="insufficient_claims", claims="{encoded}"'
        assert problem.value.headers == {"WWW-Authenticate": challenge}
        assert "CANARY" not in json.dumps(problem.value.body())
    assert len(world.server.forms) == 2
    world.server.respond = world.server.mint
    stepped_up = await world.exchange(token="alice~stepped-up")
    assert stepped_up not in (None, old)
    assert len(world.server.forms) == 3


@pytest.mark.parametrize("what", ["subject", "connector"])
async def test_case_83_an_exchange_in_flight_does_not_refill_the_cache(world, what):
    """Revoked while it runs: who waits reads a 503, its token is used by nobody, and the next call asks anew."""
    waiting = await herd(world, size=3)
    if what == "subject":
        world.exchanger.forget_subject("corp", "alice", 1)
    else:
        world.exchanger.forget_connector("lunch", 1)
    late = asyncio.create_task(world.exchange())
    await world.server.arrivals.get()
    world.server.gate.set()
    ended = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(problem) for problem in ended} == {Unavailable}
    assert await late is await world.exchange()
    assert peek((await late).reveal())["jti"] == "2"
