from typing import Any

import msgspec
import pytest

from narrows import Answer, Narrow, NumberId, Upstream, read, write
from narrows.call import Call, Mode, RateLeft
from narrows.declare.rate import Rate
from narrows.declare.types import Money
from narrows.errors import QuotaExceeded
from narrows.pipeline import rate
from narrows.pipeline.step import Step
from narrows.stores import Allowed
from narrows.stores.memory import MemoryLimiter
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
    assert caught.value.headers == {"Retry-After": "42"}
    assert caught.value.members == {"violated-policies": ["2/minute per caller"]}
    clock.move(42)
    assert await passes(step, calls.call(READ))


@pytest.mark.parametrize(
    ("per", "shared"),
    [
        ("caller", set()),
        ("connector", {"caller", "issuer"}),
        ("tenant", {"caller", "issuer", "program"}),
    ],
)
@pytest.mark.parametrize("other", ["caller", "issuer", "program", "tenant"])
async def test_a_rate_is_counted_for_whom_it_says(per: str, shared: set[str], other: str) -> None:
    """Per caller, connector or tenant, and never across tenants."""
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
    assert caught.value.headers == {"Retry-After": str(3600 - 180)}


async def test_equal_rates_are_counted_apart() -> None:
    """A rate that is written twice does not count a call twice."""
    endpoint = calls.declared(team, rate=["2/minute", "2/minute"])
    step = calls.made(rate, endpoint)
    assert [await passes(step, calls.call(endpoint)) for _ in range(3)] == [True, True, False]


async def test_a_store_that_is_full_names_all_rates() -> None:
    """Where no rate is used up, none can be named alone."""

    class Full:
        async def take(self, wanted: list[tuple[str, Rate]]) -> Allowed:
            return Allowed(False, 0, 3.2)

        async def ask(self, wanted: list[tuple[str, Rate]]) -> Allowed:
            return Allowed(True, 1, 0.0)

    ready = calls.preparing(READ)
    ready.ground = msgspec.structs.replace(ready.ground, limiter=Full())
    step = rate.prepare(ready)
    assert step is not None
    with pytest.raises(QuotaExceeded) as caught:
        await step(calls.call(READ))
    assert caught.value.members == {"violated-policies": ["2/minute per caller"]}
    assert caught.value.headers == {"Retry-After": "4"}


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
    assert call.rates_left == (RateLeft("3/minute per caller", 2), RateLeft("1/day per tenant", 0))


async def test_a_call_asks_the_store_once_however_many_rates_there_are() -> None:
    """What each rate still allows comes with the take; a store elsewhere would be asked for each one again."""

    class Counting(MemoryLimiter):
        asked = 0

        async def ask(self, wanted: Any) -> Allowed:
            self.asked += 1
            return await super().ask(wanted)

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
        ("9/hour per tenant", 8),
        ("3/minute per connector", 1),
    ]
    assert limiter.asked == 0
