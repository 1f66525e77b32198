import re
from typing import Any

import msgspec
import pytest

from narrows import Answer, Narrow, NumberId, Upstream, read, write
from narrows.audit.log import RecordLog
from narrows.call import Call, Mode, RateLeft
from narrows.declare.rate import Rate
from narrows.declare.types import Money
from narrows.errors import QuotaExceeded, Unavailable
from narrows.pipeline import admit, rate
from narrows.pipeline.quota import Quotas
from narrows.pipeline.step import Step
from narrows.stores import Allowed
from narrows.stores.limits_memory import MemoryLimiter
from narrows.testing import Clock
from tests.unit.pipeline import calls


class Priced(Upstream):
    """Things that cost."""

    @read("/a", asks="a", price="0.05 EUR")
    def a(self) -> Answer[calls.Team]: ...

    @write("/b", asks="b", price="1 EUR")
    def b(self) -> Answer[None]: ...

    @read("/c", asks="c", price="1 CHF")
    def c(self) -> Answer[calls.Team]: ...

    @read("/d", asks="d")
    def d(self) -> Answer[calls.Team]: ...


Priced.key = "directory"


class Nothing(Narrow):
    """Nothing."""


async def team(team_id: NumberId) -> calls.Team:
    """Handle one call."""


async def passes(step: Step, call: Call) -> bool:
    """Whether one more call is within the rate."""
    try:
        await step(call)
    except QuotaExceeded:
        return False
    return True


READ = calls.declared(team)
WRITE = calls.declared(team, writes=True)


async def test_exactly_as_many_calls_pass_as_the_rate_says() -> None:
    """The header of the first one too many says when the next one passes."""
    clock = Clock()
    step = calls.made(rate, READ, clock=clock)
    assert [await passes(step, calls.call(READ)) for _ in range(4)] == [True, True, False, False]
    clock.move(18.5)
    with pytest.raises(QuotaExceeded) as caught:
        await step(calls.call(READ))
    assert caught.value.headers["Retry-After"] == "42"
    assert caught.value.members == {"violated-policies": ["2/minute per caller"]}
    clock.move(42)
    assert await passes(step, calls.call(READ))


@pytest.mark.parametrize(
    ("per", "shared"),
    [
        ("caller", set()),
        ("connector", {"caller", "issuer"}),
        ("tenant", {"caller", "issuer", "program"}),
        ("endpoint", {"caller", "issuer", "program", "tenant"}),
    ],
)
@pytest.mark.parametrize("other", ["caller", "issuer", "program", "tenant"])
async def test_a_rate_is_counted_for_whom_it_says(per: str, shared: set[str], other: str) -> None:
    """Per caller, connector or tenant, never across tenants; or per endpoint, whoever calls."""
    endpoint = calls.declared(team, rate=f"1/minute per {per}")
    step = calls.made(rate, endpoint)
    assert await passes(step, calls.call(endpoint))
    another = {
        "caller": {"known": calls.credential(subject="bert")},
        "issuer": {"known": calls.credential(issuer="partner")},
        "program": {"program": calls.connector(id="page")},
        "tenant": {"program": calls.connector(tenant="other")},
    }[other]
    assert await passes(step, calls.call(endpoint, **another)) is (other not in shared)


async def test_of_several_rates_the_one_that_is_used_up_is_named() -> None:
    """All must allow; one that refuses takes nothing from the others."""
    clock = Clock()
    endpoint = calls.declared(team, rate=["1/minute", "3/hour per tenant"])
    step = calls.made(rate, endpoint, clock=clock)
    assert await passes(step, calls.call(endpoint))
    with pytest.raises(QuotaExceeded) as caught:
        await step(calls.call(endpoint))
    assert caught.value.members == {"violated-policies": ["1/minute per caller"]}
    for _ in range(2):
        clock.move(60)
        assert await passes(step, calls.call(endpoint))
    clock.move(60)
    with pytest.raises(QuotaExceeded) as caught:
        await step(calls.call(endpoint))
    assert caught.value.members == {"violated-policies": ["3/hour per tenant"]}
    assert caught.value.headers["Retry-After"] == str(3600 - 180)


async def test_equal_rates_are_one() -> None:
    """A rate that is written twice does not count a call twice."""
    endpoint = calls.declared(team, rate=["2/minute", "2/minute"])
    step = calls.made(rate, endpoint)
    assert [await passes(step, calls.call(endpoint)) for _ in range(3)] == [True, True, False]


async def test_a_store_that_is_full_names_all_rates() -> None:
    """Where no rate is used up, none can be named alone."""
    clock = Clock()
    ready = calls.preparing(READ, clock=clock)
    ready.ground = msgspec.structs.replace(ready.ground, limiter=(limiter := MemoryLimiter(clock, cap=1)))
    await limiter.take([("another", Rate(1, 60))])
    clock.move(56.8)
    step = rate.prepare(ready)
    assert step is not None
    with pytest.raises(QuotaExceeded) as caught:
        await step(calls.call(READ))
    assert caught.value.members == {"violated-policies": ["2/minute per caller"]}
    assert caught.value.headers["Retry-After"] == "4"
    assert "RateLimit" not in caught.value.headers


@pytest.mark.parametrize(
    ("writes", "together", "apart"),
    [
        (False, [("live", "rehearse")], [("live", "sandbox"), ("rehearse", "sandbox")]),
        (True, [], [("live", "rehearse"), ("live", "sandbox"), ("rehearse", "sandbox")]),
    ],
)
async def test_rehearsed_reads_draw_on_the_live_rate_and_rehearsed_writes_on_their_own(
    writes: bool, together: list[tuple[Mode, Mode]], apart: list[tuple[Mode, Mode]]
) -> None:
    """A rehearsal is no way to read more; rehearsing a write leaves the live write possible."""
    endpoint = calls.declared(team, writes=writes, rate="1/minute")
    for pairs, expected in ((together, False), (apart, True)):
        for first, second in pairs:
            step = calls.made(rate, endpoint)
            assert await passes(step, calls.call(endpoint, mode=first))
            assert await passes(step, calls.call(endpoint, mode=second)) is expected
            assert not await passes(step, calls.call(endpoint, mode=second))


@pytest.mark.parametrize(
    ("declared", "code"),
    [
        (None, "rate-missing"),
        ([], "rate-missing"),
        ("often", "rate-unclear"),
        (["1/minute", "0/day"], "rate-unclear"),
    ],
)
def test_an_endpoint_without_a_clear_rate_does_not_start(declared: object, code: str) -> None:
    """A rate that is guessed is no rate."""
    assert calls.refused(rate, calls.declared(team, rate=declared)) == [code]


def test_narrows_own_have_no_rate() -> None:
    """Attempts limit them."""
    owned = msgspec.structs.replace(READ, owned=True, rates=None)
    assert rate.prepare(calls.preparing(owned)) is None


def test_the_ceiling_is_the_most_that_one_call_can_cost() -> None:
    """Every operation counts as often as it may run; one without a price costs nothing."""
    ready = calls.preparing(calls.declared(team, writes=True, uses=[Priced.a.times(3), Priced.b, Priced.d]))
    rate.prepare(ready)
    assert ready.ceiling == Money.parse("1.15 EUR")


def test_without_prices_there_is_no_ceiling() -> None:
    """Nothing is not 0 EUR."""
    ready = calls.preparing(calls.declared(team, uses=[Priced.d]))
    rate.prepare(ready)
    assert ready.ceiling is None


def test_an_operation_that_is_not_ready_has_no_price() -> None:
    """What is wrong with it is refused where it is made ready."""
    ready = calls.preparing(calls.declared(team, uses=[Priced.a]))
    ready.ground = msgspec.structs.replace(ready.ground, sendables={})
    rate.prepare(ready)
    assert ready.ceiling is None


def test_two_currencies_do_not_start() -> None:
    """The most that a call can cost could not be said."""
    assert calls.refused(rate, calls.declared(team, uses=[Priced.a, Priced.c])) == ["price-currencies"]


async def test_a_call_knows_what_each_rate_still_allows() -> None:
    """The call's own take is counted, and each of several rates is told by itself."""
    step = calls.made(rate, READ)
    first, second = calls.call(READ), calls.call(READ)
    await step(first)
    await step(second)
    assert first.rates_left == (RateLeft("2/minute per caller", 1),)
    assert second.rates_left == (RateLeft("2/minute per caller", 0),)
    several = calls.declared(team, rate=["3/minute", "1/day per tenant"])
    call = calls.call(several)
    await calls.made(rate, several)(call)
    assert call.rates_left == (RateLeft("3/minute per caller", 2), RateLeft("1/day per tenant", None))


async def test_a_call_asks_the_store_once_however_many_rates_there_are() -> None:
    """What each rate still allows comes with the take; a store elsewhere would be asked for each one again."""

    class Counting(MemoryLimiter):
        asked = 0

        async def take(self, *wanted: Any, **how: Any) -> Allowed:
            self.asked += 1
            return await super().take(*wanted, **how)

    endpoint = calls.declared(team, rate=["5/minute", "9/hour per tenant"])
    ready = calls.preparing(endpoint)
    limiter = Counting(Clock())
    ready.ground = msgspec.structs.replace(ready.ground, limiter=limiter)
    step = rate.prepare(ready)
    assert step is not None
    own = Rate.parse("3/minute per connector")
    call = calls.call(endpoint, program=calls.connector(rates=(own, own)))
    await step(call)
    assert [(left.rate, left.remaining) for left in call.rates_left] == [
        ("5/minute per caller", 4),
        ("9/hour per tenant", None),
        ("3/minute per connector over all endpoints", 2),
    ]
    assert limiter.asked == 1


async def over(step: Step, call: Call) -> QuotaExceeded:
    """The refusal of a call that is over a rate."""
    with pytest.raises(QuotaExceeded) as caught:
        await step(call)
    return caught.value


async def test_the_rates_of_a_connector_hold_over_all_endpoints() -> None:
    """What one endpoint used is missing at the other; each of its callers has a share where the record says so."""
    other = calls.declared(_other, path="/other/{team_id}", rate="100/minute")
    first, second = calls.preparing(READ), calls.preparing(other)
    second.ground = first.ground
    one, two = rate.prepare(first), rate.prepare(second)
    assert one is not None
    assert two is not None
    rates = (Rate.parse("3/hour per connector"), Rate.parse("2/hour per caller"))
    program = calls.connector(rates=rates)
    bert = calls.credential(subject="bert")
    assert await passes(one, calls.call(READ, program=program))
    assert await passes(two, calls.call(other, program=program))
    refused = await over(two, calls.call(other, program=program))
    assert refused.members == {"violated-policies": ["2/hour per caller over all endpoints"]}
    assert await passes(two, calls.call(other, program=program, known=bert))
    refused = await over(two, calls.call(other, program=program, known=bert))
    assert refused.members == {"violated-policies": ["3/hour per connector over all endpoints"]}


async def _other(team_id: NumberId) -> calls.Team:
    """Handle one call of another endpoint."""


async def test_the_rates_of_a_tenant_hold_over_all_its_connectors() -> None:
    """The settings say how much an organisation may ask for, whichever program asks."""
    endpoint = calls.declared(team, rate="100/minute")
    step = calls.made(rate, endpoint, tenants={"example": {"rates": ["2/hour"]}})
    assert await passes(step, calls.call(endpoint))
    assert await passes(step, calls.call(endpoint, program=calls.connector(id="page")))
    refused = await over(step, calls.call(endpoint))
    assert refused.members == {"violated-policies": ["2/hour per tenant over all endpoints"]}
    assert await passes(step, calls.call(endpoint, program=calls.connector(tenant="other")))


async def test_so_many_calls_are_under_way_at_once() -> None:
    """The next one passes when one has ended, and not before; how many may go on beside it is told."""
    endpoint = calls.declared(team, rate=["2 concurrent per connector", "100/minute"])
    step = calls.made(rate, endpoint)
    first, second, third = (calls.call(endpoint) for _ in range(3))
    await step(first)
    await step(second)
    assert [call.rates_left[0] for call in (first, second)] == [
        RateLeft("2 concurrent per connector", 2),
        RateLeft("2 concurrent per connector", 1),
    ]
    refused = await over(step, third)
    assert refused.headers["Retry-After"] == "1"
    assert "has ended" in refused.said_remedy
    assert (third.ending, len(first.ending)) == ([], 1)
    assert '"2 concurrent per connector";q=2;qu="concurrent-requests";pk=:' in refused.headers["RateLimit-Policy"]
    assert refused.headers["RateLimit"].startswith('"2 concurrent per connector";r=0;pk=:')
    await first.ending[0]()
    assert await passes(step, third)


async def test_a_lease_that_nobody_releases_ends_when_a_call_must() -> None:
    """`limits.call_s` after it was taken, as if its process had been killed."""
    clock = Clock()
    endpoint = calls.declared(team, rate="1 concurrent")
    step = calls.made(rate, endpoint, clock=clock)
    assert await passes(step, calls.call(endpoint))
    clock.move(14.9)
    assert not await passes(step, calls.call(endpoint))
    clock.move(0.1)
    assert await passes(step, calls.call(endpoint))


HEADERS = {
    "RateLimit-Policy": '"30/minute per caller";q=30;w=60;pk=:{0}:, "9/day per tenant";q=9;w=86400;pk=:{1}:, '
    '"60/hour per connector over all endpoints";q=60;w=3600;pk=:{2}:',
    "RateLimit": '"30/minute per caller";r=29;t=60;pk=:{0}:, '
    '"60/hour per connector over all endpoints";r=59;t=3600;pk=:{2}:',
}


async def test_a_call_tells_its_client_what_is_allowed_and_what_is_left() -> None:
    """Every policy is told; what others of the tenant left is not."""
    endpoint = calls.declared(team, rate=["30/minute", "9/day per tenant"])
    ready = calls.preparing(endpoint)
    step = rate.prepare(ready)
    assert step is not None
    call = calls.call(endpoint, program=calls.connector(rates=(Rate.parse("60/hour per connector"),)))
    await step(call)
    keys = re.findall(r"pk=:([A-Za-z0-9+/]{16}):", call.limits["RateLimit-Policy"])
    assert len(set(keys)) == 3
    assert call.limits == {name: value.format(*keys) for name, value in HEADERS.items()}


async def test_a_shared_rate_alone_tells_nothing_of_what_is_left() -> None:
    """Only the policy stands there until it is used up."""
    endpoint = calls.declared(team, rate="1/day per tenant")
    step = calls.made(rate, endpoint)
    call = calls.call(endpoint)
    await step(call)
    assert list(call.limits) == ["RateLimit-Policy"]
    refused = await over(step, calls.call(endpoint))
    assert refused.headers["RateLimit"].startswith('"1/day per tenant";r=0;t=86400;pk=:')


async def test_a_refusal_tells_only_of_what_is_used_up_and_never_to_come_too_early() -> None:
    """`Retry-After` is not before any `t` that stands beside it."""
    clock = Clock()
    endpoint = calls.declared(team, rate=["1/minute", "1/hour", "9/day"])
    step = calls.made(rate, endpoint, clock=clock)
    await step(calls.call(endpoint))
    clock.move(0.5)
    refused = await over(step, calls.call(endpoint))
    left = refused.headers["RateLimit"]
    assert [int(seconds) for seconds in re.findall(r";t=(\d+)", left)] == [60, 3600]
    assert re.findall(r'"([^"]+)";r=0', left) == ["1/minute per caller", "1/hour per caller"]
    assert refused.headers["Retry-After"] == "3600"
    assert refused.headers["RateLimit-Policy"].count(";q=") == 3


async def test_nobody_is_named_by_a_bucket() -> None:
    """Neither the store nor a header gets a name, an issuer or a program, and another key gives other buckets."""
    seen: list[str] = []

    class Watched(MemoryLimiter):
        async def take(self, wanted: Any, *rest: Any, **how: Any) -> Allowed:
            seen.extend(bucket for bucket, _ in wanted)
            return await super().take(wanted, *rest, **how)

    ready = calls.preparing(READ)
    ready.ground = msgspec.structs.replace(ready.ground, limiter=Watched(Clock()))
    step = rate.prepare(ready)
    assert step is not None
    await step(call := calls.call(READ))
    assert re.fullmatch(r"[A-Za-z0-9+/]{16}", seen[0])
    assert f"pk=:{seen[0]}:" in call.limits["RateLimit"]
    other = Quotas(bytes(31) + b"1", ready.ground.log, ready.ground.telemetry, now=Clock(), steady=Clock())
    assert other.bucket("rate") != ready.ground.quotas.bucket("rate")


async def test_the_first_refusal_of_a_bucket_is_an_event_and_a_flood_is_not() -> None:
    """Each refused call names the rate in its own record; beside it one event a window stands, or one a minute."""
    clock, lines = Clock(), list[bytes]()
    endpoint = calls.declared(team, rate=["2/second", "1000/day per tenant"])
    step = calls.made(rate, endpoint, clock=clock, lines=lines)
    for _ in range(50):
        if not await passes(step, call := calls.call(endpoint)):
            assert call.rule == "rate 2/second per caller"
    events = [msgspec.json.decode(line) for line in lines]
    assert [(e["event"], e["what"], e["rule"], e["amount"], e["note"]) for e in events] == [
        ("limit", "breached", "2/second per caller", "2", "rate")
    ]
    assert (events[0]["tenant"], events[0]["connector"], events[0]["endpoint"]) == ("example", "app", "lunch.team")
    assert events[0]["trace_id"] == calls.TRACE_ID
    clock.move(59)
    assert [await passes(step, calls.call(endpoint)) for _ in range(4)] == [True, True, False, False]
    assert len(lines) == 1
    clock.move(1)
    assert [await passes(step, calls.call(endpoint)) for _ in range(4)] == [True, True, False, False]
    assert len(lines) == 2


async def test_events_are_bounded_however_many_buckets_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Past the cap no event is added until a window is over; the refusals stand in their records all the same."""
    monkeypatch.setattr("narrows.pipeline.quota._TOLD", 2)
    clock, lines = Clock(), list[bytes]()
    endpoint = calls.declared(team, rate="1/hour")
    step = calls.made(rate, endpoint, clock=clock, lines=lines)

    async def breach(subject: str) -> None:
        for _ in range(2):
            await passes(step, calls.call(endpoint, known=calls.credential(subject=subject)))

    for subject in ("ann", "bob", "eve"):
        await breach(subject)
    assert len(lines) == 2
    clock.move(3600)
    await breach("eve")
    assert len(lines) == 3


async def test_an_event_that_cannot_be_written_changes_no_answer() -> None:
    """The record of the call meets the same sink, and a 503 is its answer there."""

    def full(_: bytes) -> None:
        raise OSError("no space left on device")

    ready = calls.preparing(READ)
    clock = Clock()
    quotas = Quotas(bytes(32), RecordLog(full), ready.ground.telemetry, now=clock, steady=clock)
    ready.ground = msgspec.structs.replace(ready.ground, quotas=quotas)
    step = rate.prepare(ready)
    assert step is not None
    assert [await passes(step, calls.call(READ)) for _ in range(3)] == [True, True, False]


class Away:
    """A limiter whose store is away, and which remembers whether something might have stood in."""

    def __init__(self) -> None:
        self.strict: list[bool] = []

    async def take(self, wanted: Any, lease: str = "", *, strict: bool = False) -> Allowed:
        self.strict.append(strict)
        raise Unavailable


@pytest.mark.parametrize(
    ("endpoint", "modes"),
    [
        (READ, []),
        (WRITE, ["live", "rehearse"]),
        (calls.declared(team, uses=[Priced.a]), ["live", "rehearse"]),
        (calls.declared(team, uses=[Priced.d]), []),
    ],
    ids=["read", "write", "read with a price", "read without a price"],
)
@pytest.mark.parametrize("step", [rate, admit])
async def test_what_costs_or_writes_waits_for_the_store(endpoint: Any, modes: list[Mode], step: Any) -> None:
    """A local count may stand in for the others, and in the sandbox for all."""
    ready = calls.preparing(endpoint)
    away = Away()
    ready.ground = msgspec.structs.replace(ready.ground, limiter=away)
    made = step.prepare(ready)
    rate.prepare(ready)
    for mode in ("live", "rehearse", "sandbox"):
        with pytest.raises(Unavailable):
            await made(calls.call(endpoint, mode=mode))
    assert away.strict == [mode in modes for mode in ("live", "rehearse", "sandbox")]
