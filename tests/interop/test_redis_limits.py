"""Rates in a real Redis: what every limiter promises, over several processes, with its clock set, and when it dies."""

import asyncio
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from narrows.declare.rate import Rate
from narrows.errors import Unavailable
from narrows.settings import Secret
from narrows.stores.redis_limits import RedisLimiter
from narrows.stores.redis_server import RedisServer
from tests.abuse.attack import ask
from tests.flow.test_rates import SETTINGS, Quickly, rated
from tests.flow.world import world
from tests.interop.hostile import ROOT
from tests.interop.limits_process import SHARED, stores
from tests.unit.stores.promises.limiter import *
from tests.unit.stores.promises.limiter import THREE, TWO_AT_ONCE
from tests.unit.stores.promises.limiter_model import STEPS, compare

PROCESSES, EACH = 3, 40
_NUMBERS = count()


class Clock:
    """A clock that a test sets; the store hears of it alone."""

    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Clock:
    """The clock of a test."""
    return Clock()


@pytest.fixture
def key():
    """The place is the test's own, and so are its keys."""
    return str


@pytest.fixture
async def server(redis_peer):
    """Connections to the server."""
    made = RedisServer(Secret(redis_peer.url))
    yield made
    await made.close()


@pytest.fixture
def place() -> str:
    """A place in the server that no other test counts in."""
    return f"limits-{next(_NUMBERS)}"


@pytest.fixture
def limiter(server, clock, place):
    """A limiter with room enough."""
    return RedisLimiter(server, clock, name=place)


@pytest.fixture
def small(server, clock, place):
    """A limiter with room for two."""
    return RedisLimiter(server, clock, name=place, cap=2)


async def held(server, place) -> dict[str, int]:
    """How many things of a place lie in the server."""
    names = await server.ask("rates", lambda redis: redis.keys(f"{{{place}}}*"))
    ends = await server.ask("rates", lambda redis: redis.zcard(f"{{{place}}}:ends"))
    used = await server.ask("rates", lambda redis: redis.hlen(f"{{{place}}}:used"))
    return {"ends": ends, "used": used, "leases": sum(b":used:" in name for name in names)}


async def test_what_ended_is_forgotten(limiter, clock, server, place):
    """The server holds what is running, however many keys came, and no lease that was let go or is over."""
    for number in range(100):
        clock.time += 1
        app = [(str(number), TWO_AT_ONCE)]
        await limiter.take([(str(number), THREE), (str(number), Rate(1, 1)), *app], "call")
        if number % 2:
            await limiter.release(app, "call")
    assert await held(server, place) == {"ends": 61 + 7, "used": 61, "leases": 7}
    clock.time += 86_400
    for _ in range(20):
        await limiter.ask([])
    assert await held(server, place) == {"ends": 0, "used": 0, "leases": 0}


async def test_a_window_that_is_over_begins_anew_however_many_ended_with_it(limiter, clock):
    """What a call sweeps away is bounded; what it does not get to is over all the same, and lets no more through."""
    for number in range(300):
        await limiter.take([(f"k{number}", THREE)])
    for _ in range(3):
        await limiter.take([("zoe", THREE)])
    clock.time += 60
    answers = [await limiter.take([("zoe", THREE)]) for _ in range(20)]
    assert [answer.allowed for answer in answers] == [True] * 3 + [False] * 17
    assert answers[0].each[0].resets_s == answers[-1].retry_after_s == 60


async def test_what_is_over_takes_no_place_of_what_comes(server, clock, place):
    """A store that is full of windows that have ended has room; one that is full of those that run has none."""
    limiter = RedisLimiter(server, clock, name=place, cap=100)
    for number in range(100):
        assert (await limiter.take([(f"k{number}", THREE)])).allowed
    full = await limiter.take([("ann", THREE)])
    assert (full.allowed, full.retry_after_s) == (False, 60)
    clock.time += 60
    assert [(await limiter.take([(f"l{number}", THREE)])).allowed for number in range(101)] == [True] * 100 + [False]


@pytest.mark.parametrize("hours", [-10, 10])
async def test_a_clock_of_the_server_that_is_set_refills_nothing(limiter, clock, server, place, hours):
    """Ten hours forward or back: the window ends when its own seconds have passed, by the clients' steady clocks."""
    for _ in range(3):
        await limiter.take([("ann", THREE)])
    wall = int(await server.ask("rates", lambda redis: redis.hget(f"{{{place}}}:clock", "wall")))
    # What the server's clock told before it was set, seen from now.
    await server.ask("rates", lambda redis: redis.hset(f"{{{place}}}:clock", "wall", wall - hours * 3_600_000))
    assert (await limiter.take([("ann", THREE)])).retry_after_s == 60
    clock.time += 59
    assert not (await limiter.take([("ann", THREE)])).allowed
    clock.time += 1
    assert (await limiter.take([("ann", THREE)])).allowed


async def test_a_process_that_comes_later_goes_on_with_the_time_of_the_others(limiter, clock, server, place):
    """Its own clock began elsewhere; the time between is told by the server's, and then by its own."""
    for _ in range(3):
        await limiter.take([("ann", THREE)])
    clock.time += 30
    await limiter.ask([])
    later = Clock()
    later.time = 5.0
    other = RedisLimiter(server, later, name=place)
    wait = (await other.take([("ann", THREE)])).retry_after_s
    assert 29 < wait <= 30
    later.time += wait
    assert (await other.take([("ann", THREE)])).allowed


async def test_time_goes_on_while_nobody_was_there(limiter, server, place, clock):
    """A window that ended while all processes were stopped is over when the first comes back."""
    for _ in range(3):
        await limiter.take([("ann", THREE)])
    wall = int(await server.ask("rates", lambda redis: redis.hget(f"{{{place}}}:clock", "wall")))
    await server.ask("rates", lambda redis: redis.hset(f"{{{place}}}:clock", "wall", wall - 61_000))
    assert (await RedisLimiter(server, Clock(), name=place).take([("ann", THREE)])).allowed


async def test_a_server_that_is_killed_forgets_nothing(limiter, server, redis_peer):
    """While it is away `Unavailable` is raised; afterwards the count goes on where it was."""
    for _ in range(2):
        await limiter.take([("ann", THREE)])
    redis_peer.kill()
    with pytest.raises(Unavailable):
        await limiter.take([("ann", THREE)])
    redis_peer.start()
    assert [(await limiter.take([("ann", THREE)])).allowed for _ in range(2)] == [True, False]


async def test_many_at_once_need_no_more_connections_than_one(limiter, server):
    """What comes while the server is asked goes along with the next question; nobody waits for a connection."""
    answers = await asyncio.gather(*(limiter.take([("ann", Rate(1500, 60))]) for _ in range(2000)))
    assert sum(answer.allowed for answer in answers) == 1500
    assert (len(server.pool._get_in_use_connections()), len(server.pool._get_free_connections())) == (0, 1)


async def test_who_goes_away_while_the_server_is_asked_holds_up_nobody(limiter):
    """What was sent is counted, and those beside it are answered."""
    tasks = [asyncio.create_task(limiter.take([("ann", THREE)])) for _ in range(3)]
    await asyncio.sleep(0)
    tasks[1].cancel()
    assert [task.allowed for task in await asyncio.gather(tasks[0], tasks[2])] == [True, True]
    assert not (await limiter.take([("ann", THREE)])).allowed


async def test_what_a_script_cannot_do_is_a_store_that_is_away(limiter, server, place):
    """Another program that wrote over our keys is no reason to let anybody through."""
    await server.ask("rates", lambda redis: redis.set(f"{{{place}}}:used", "no hash"))
    with pytest.raises(Unavailable):
        await limiter.take([("ann", THREE)])


async def test_a_fault_of_ours_leaves_nobody_waiting(limiter, monkeypatch):
    """It ends the questions that were sent, and the next ones are sent again."""

    def broken(*_: Any) -> Any:
        raise LookupError

    with monkeypatch.context() as patched:
        patched.setattr(limiter.storage, "_arguments", broken)
        taking = asyncio.create_task(limiter.take([("ann", THREE)]))
        await asyncio.sleep(0)
        with pytest.raises(LookupError):
            await limiter.storage._sending
        with pytest.raises(asyncio.CancelledError):
            await taking
    assert (await limiter.take([("ann", THREE)])).allowed


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_the_limiter_does_what_the_model_does(redis_peer, steps):
    """Over any sequence of asks, takes, give-backs, releases and moves of the clock, as many pass as in the model."""

    async def run() -> None:
        clock, server = Clock(), RedisServer(Secret(redis_peer.url))
        await compare(RedisLimiter(server, clock, name=f"limits-{next(_NUMBERS)}"), clock, steps)
        await server.close()

    asyncio.run(run())


async def test_several_rates_cost_what_one_costs(limiter):
    """One question and one way there and back, whether a call has one rate or five; and side by side far less each."""

    async def microseconds(wanted: Sequence[Any], together: int) -> float:
        best = float("inf")
        for _ in range(20):
            begin = time.perf_counter()
            for _ in range(50 // together):
                await asyncio.gather(*(limiter.take(wanted, "call") for _ in range(together)))
            best = min(best, time.perf_counter() - begin)
        return best / 50 * 1e6

    rates = [(f"k{number}", Rate(10**8, 60)) for number in range(4)] + [("app", Rate(10**8, 0))]
    one, five = await microseconds(rates[:1], 1), await microseconds(rates, 1)
    beside = await microseconds(rates, 50)
    print(f"\none rate {one:.0f} µs, five {five:.0f} µs, five of fifty calls at once {beside:.0f} µs")
    # One after the other they would cost five times as much; the disk of a busy machine is not always as fast.
    assert five < one * 4
    assert beside < one * 4


# --- whole calls, over processes --------------------------------------------------------------------------------------


@contextmanager
def processes(url: str, what: str) -> Iterator[Sequence[subprocess.Popen[str]]]:
    """Several processes that are ready to call."""
    command = [sys.executable, "-m", "tests.interop.limits_process", url, what, str(EACH)]
    with ExitStack() as stack:
        made = [
            stack.enter_context(
                subprocess.Popen(  # noqa: S603 # ours
                    command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
                )
            )
            for _ in range(PROCESSES)
        ]
        for process in made:
            stack.callback(process.kill)
            assert said(process) == "ready"
        yield made


def said(process: subprocess.Popen[str]) -> str:
    """The next line of a process; audit records of its start are none of it."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def go_on(made: Sequence[subprocess.Popen[str]]) -> None:
    """Let all of them go on at once."""
    for process in made:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()


def statuses(made: Sequence[subprocess.Popen[str]]) -> Counter[str]:
    """How often each status was answered, by all processes together."""
    total: Counter[str] = Counter()
    for process in made:
        total.update(json.loads(said(process)))
    return total


@pytest.fixture
async def empty(server, redis_peer) -> str:
    """The server's URL, after everything in it was forgotten."""
    await server.ask("rates", lambda redis: redis.flushdb())
    return redis_peer.url


@pytest.mark.parametrize(
    ("what", "passes", "limit"),
    [("mine", "200", 7), ("tenants", "200", 7), ("everybody", "200", 7), ("ids", "403", 7), ("junk", "401", 9)],
    ids=["caller", "tenant", "endpoint", "case 87: ids that are tried", "case 88: junk of one address"],
)
def test_of_a_rush_on_several_processes_exactly_the_limit_pass(empty, what, passes, limit):
    """However the requests are spread over processes, one bucket counts them all (case 56)."""
    with processes(empty, what) as made:
        go_on(made)
        assert statuses(made) == {passes: limit, "429": PROCESSES * EACH - limit}


def test_never_more_are_under_way_in_all_processes_than_the_rate_says(empty):
    """Exactly three of many wait for the upstream at once, and afterwards everything is free again."""
    with processes(empty, "at-once") as made:
        go_on(made)
        assert sum(int(said(process)) for process in made) == 3
        go_on(made)
        assert statuses(made) == {"200": 3, "429": PROCESSES * EACH - 3}
    with processes(empty, "at-once") as made:
        go_on(made)
        assert sum(int(said(process)) for process in made) == 3


def test_a_process_that_is_killed_holds_nothing_for_longer_than_a_call(empty, server):
    """Its leases are over after `limits.call_s`; until then nobody gets its places."""
    with processes(empty, "at-once") as made:
        go_on(made[:1])
        assert said(made[0]) == "3"
        made[0].kill()
        go_on(made[1:2])
        assert said(made[1]) == "0"


async def test_while_the_server_is_away_reads_go_on_here_and_return_by_themselves(empty, redis_peer, caplog):
    """Each process lets the rate through once more, says so once, and counts with the others when they are back."""
    caplog.set_level("INFO", "narrows.stores")
    around = {"now": time.time}
    over: dict[str, Any] = {**SETTINGS, "stores": stores(empty)}
    async with world(bff=rated, hosts={"quick.test": Quickly()}, around=around, authority=around, **over) as made:

        async def asked(times: int, subject: str = "anna") -> list[int]:
            return [(await made.get("/teams/7/mine", subject)).status_code for _ in range(times)]

        assert await asked(5) == [200] * 5
        redis_peer.kill()
        assert await asked(9) == [200] * 7 + [429] * 2
        redis_peer.start()
        await asyncio.sleep(1.1)  # the stand-in tries again after a second
        assert await asked(4, "ben") == [200] * 4
        assert await asked(3) == [200] * 2 + [429]
    told = [record.getMessage() for record in caplog.records if record.name == "narrows.stores"]
    assert told == ["the store of rates is away: ConnectionError", "the store of rates is there again"]


async def test_a_write_waits_for_the_server(empty, redis_peer):
    """What writes is refused with when to come again, sends nothing, and passes when the server is back."""
    around = {"now": time.time}
    async with world(around=around, authority=around, stores=stores(empty)) as made:
        redis_peer.kill()
        before = made.bookings()
        refused = await made.delete("/bookings/first")
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
        assert (await made.get("/teams/7/bookings")).status_code == 200
        assert made.bookings() == before
        redis_peer.start()
        await asyncio.sleep(1.1)  # as above
        assert (await made.delete("/bookings/first")).status_code != 503


async def test_a_server_that_hangs_holds_a_call_up_for_a_second_at_the_most(empty, redis_peer):
    """One call finds it out; the others go on here, and all count together again when it answers."""
    around = {"now": time.time}
    over: dict[str, Any] = {**SETTINGS, "stores": stores(empty)}
    async with world(bff=rated, hosts={"quick.test": Quickly()}, around=around, authority=around, **over) as made:
        assert (await made.get("/teams/7/mine")).status_code == 200
        redis_peer.pause()
        begin = time.monotonic()
        answers = await asyncio.gather(*(made.get("/teams/7/mine") for _ in range(10)))
        took = time.monotonic() - begin
        redis_peer.resume()
        assert sorted(answer.status_code for answer in answers) == [200] * 7 + [429] * 3
        assert took < 4  # one look for each of three buckets at the worst, on a machine that is busy
        await asyncio.sleep(1.1)  # as above
        assert (await made.get("/teams/7/mine", "ben")).status_code == 200


async def test_case_88_junk_does_not_starve_verified_tokens_of_its_address_in_another_process(empty):
    """Two processes: junk at one of them closes the address for new tokens at both, and for no verified one."""
    around = {"now": time.time}
    over: dict[str, Any] = {
        **SETTINGS,
        "stores": stores(empty),
        "limits": {"unverified": "9/minute", "attempts": "999/minute"},
    }
    how: dict[str, Any] = {"bff": rated, "hosts": {"quick.test": Quickly()}, "around": around, "authority": around}
    async with world(**how, **over) as one, world(**how, **over) as other:
        known = one.token(), other.token()
        for process, token in zip((one, other), known, strict=True):
            assert (await ask(process.app, "/teams/7/mine", token=token, peer=SHARED)).status == 200
        junk = [(await ask(one.app, "/teams/7/mine", token=f"x.{n}.z", peer=SHARED)).status for n in range(50)]
        assert Counter(junk) == {401: 9, 429: 41}
        fresh = other.token(jti="fresh")
        assert (await ask(other.app, "/teams/7/mine", token=fresh, peer=SHARED)).status == 429
        assert (await ask(other.app, "/teams/7/mine", token=fresh, peer="198.51.100.8")).status == 200
        for process, token in zip((one, other), known, strict=True):
            assert (await ask(process.app, "/teams/7/mine", token=token, peer=SHARED)).status == 200
