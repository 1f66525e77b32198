"""Cases 20 to 23, 25, 26, 68 and 83 over the cache that processes share: whose token is found, and what is not."""

import asyncio
import itertools

import httpx
import pytest

from narrows.errors import Unavailable
from narrows.upstreams.dialects import peek
from tests.abuse.test_case_20_30_exchange import DIFFERENT
from tests.unit.stores.shelf import MemoryShelf
from tests.unit.upstreams.fake_authority import SERVICE, World, answer, connector


class Two:
    """Two processes over one shelf and one authorization server."""

    def __init__(self):
        self.shelf = MemoryShelf()
        self.one = World(shelf=self.shelf)
        self.other = World(shelf=self.shelf, server=self.one.server)
        self.server = self.one.server


@pytest.fixture
def two():
    """Two processes."""
    return Two()


async def test_what_one_obtained_the_other_finds(two):
    """One exchange for both, also of the service's own token."""
    assert await two.one.exchange() == await two.other.exchange()
    service = await two.one.exchanger.as_service(SERVICE, frozenset())
    assert service == await two.other.exchanger.as_service(SERVICE, frozenset())
    assert len(two.server.forms) == 2
    assert two.other.events == ["shared", "shared"]


async def test_case_20_two_hundred_callers_get_their_own_subject(two):
    """Alice and Bob alternate, and so do the processes."""
    names = ["alice", "bob"] * 100
    for process, other in ((two.one, two.other), (two.other, two.one)):
        tokens = await asyncio.gather(
            *((process if number % 3 else other).exchange(name) for number, name in enumerate(names))
        )
        assert [peek(token.reveal())["sub"] for token in tokens] == names


@pytest.mark.parametrize("what", DIFFERENT)
async def test_case_21_and_22_one_input_that_differs_is_another_token(two, what):
    """What the other process keeps is not found by who differs in one input."""
    first = await two.one.exchange()
    assert await two.other.exchange(**DIFFERENT[what]) != first
    assert len(two.server.forms) == 2


async def test_case_22_a_token_after_a_step_up_is_another(two):
    """The inbound token's digest is part of the key."""
    assert await two.one.exchange(token="alice~before") != await two.other.exchange(token="alice~after")


async def test_case_23_a_token_past_its_end_is_exchanged_anew(two):
    """Also by a process whose clock is ahead, for which it ends earlier."""
    first = await two.one.exchange()
    two.other.at += 295
    assert await two.other.exchange() != first


async def test_case_25_no_token_lies_there_in_the_open(two):
    """Neither the inbound one nor the one for the upstream, and nobody's name."""
    token = await two.one.exchange("alice")
    lying = b"".join([*two.shelf.kept, *two.shelf.kept.values(), *two.shelf.epochs])
    assert not [text for text in (b"alice", b"lunch", token.reveal().encode()) if text in lying]


async def test_case_26_a_herd_makes_one_exchange_in_each_process(two):
    """And none when another process has had it; a failure is not found by anybody."""
    await asyncio.gather(*(two.one.exchange() for _ in range(100)))
    await asyncio.gather(*(two.other.exchange() for _ in range(100)))
    assert len(two.server.forms) == 1
    two.server.say(500)
    with pytest.raises(Unavailable):
        await two.one.exchange("bob")
    two.server.respond = two.server.mint
    assert peek((await two.other.exchange("bob")).reveal())["sub"] == "bob"


async def test_case_68_only_what_may_be_kept_is_put_there(two):
    """A refusal, and a token of unknown life, stay in the process that read them."""
    two.server.say(200, answer("opaque", expires_in=None))
    await two.one.exchange()
    two.server.say(400, {"error": "invalid_target"})
    await asyncio.gather(two.one.exchange("bob"), return_exceptions=True)
    assert two.shelf.kept == {}


async def test_case_83_an_exchange_in_flight_does_not_refill_the_shared_cache(two):
    """Revoked in another process while it runs, with nobody told yet: what it brings is kept for nobody."""
    numbers = itertools.count()
    two.server.respond = lambda _: httpx.Response(200, json=answer(f"token-{next(numbers)}"))
    two.server.gate.clear()
    running = asyncio.create_task(two.one.exchange())
    await two.server.arrivals.get()
    two.other.exchanger.forget_subject("corp", "alice", 1)
    late = asyncio.create_task(two.other.exchange())
    await two.server.arrivals.get()
    two.server.gate.set()
    assert await running != await late
    assert len(two.shelf.kept) == 1
    two.one.exchanger.forget_subject("corp", "alice", 1)
    assert await two.one.exchange() == await late


@pytest.mark.parametrize("what", ["subject", "connector", "unknown"])
async def test_case_83_a_look_on_the_shelf_does_not_outlive_a_revocation(two, what):
    """Revoked, or nobody knows, while this process waited for the shelf: what it found there is not used."""
    await two.one.exchange()
    look = two.shelf.get

    async def slow_look(key, marks):
        found = await look(key, marks)
        assert found is not None
        match what:
            case "subject":
                two.other.exchanger.forget_subject("corp", "alice", 1)
            case "connector":
                two.other.exchanger.forget_connector("lunch", 1)
            case "unknown":
                two.other.standing = Unavailable()
        return found

    two.shelf.get = slow_look
    with pytest.raises(Unavailable):
        await two.other.exchange()
    assert len(two.server.forms) == 1


@pytest.mark.parametrize("what", ["subject", "connector"])
async def test_case_83_what_lies_there_is_void_after_a_revocation(two, what):
    """Whoever knows of it exchanges anew; and whoever does not know yet reads nothing any more."""
    first = await two.one.exchange()
    fresh = World(shelf=two.shelf, server=two.server)
    if what == "subject":
        two.other.exchanger.forget_subject("corp", "alice", 1)
    else:
        two.other.exchanger.forget_connector("lunch", 1)
    assert await two.other.exchange() != first
    assert await fresh.exchange() != first
    assert len(two.server.forms) == 3


async def test_case_83_swapped_ciphertexts_are_refused(two):
    """Somebody who can write there gives nobody another's token: both are exchanged anew."""
    await two.one.exchange("alice")
    await two.one.exchange("bob")
    alice, bob = two.shelf.kept
    two.shelf.kept[alice], two.shelf.kept[bob] = two.shelf.kept[bob], two.shelf.kept[alice]
    for name in ("alice", "bob"):
        assert peek((await two.other.exchange(name)).reveal())["sub"] == name
    assert two.other.events.count("foreign") == 2
    assert len(two.server.forms) == 4


async def test_a_token_that_an_upstream_refused_is_taken_from_all(two):
    """A process that does not hold it yet does not get it."""
    first = await two.one.exchange(connector=connector("lunch"))
    await two.one.exchanger.discard(first)
    assert two.shelf.kept == {}
    assert await two.other.exchange() != first


async def test_without_the_shelf_tokens_are_still_had(two):
    """Each process exchanges for itself, and waits for the shelf once."""
    two.shelf.away = True
    for process in (two.one, two.other):
        assert [peek((await process.exchange(name)).reveal())["sub"] for name in ("alice", "bob")] == ["alice", "bob"]
        assert process.events.count("away") == 1
    assert two.shelf.asked == 2
