"""Case 57: money is not spent twice, not by a crowd, a failure, a goodbye, a death, a strange price or a clock."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrows import Answer, NumberId, Upstream, read
from narrows.checks import sendables_of
from narrows.declare.budget import MOST, Budget
from narrows.pipeline import budget, rate
from narrows.testing import bearer
from tests.flow.programs import allow_open_writes
from tests.flow.spending import Spending, spending
from tests.unit.pipeline import calls

CENT = 10_000
ITEM, ORDERS = "/teams/7/item", "/teams/7/orders"


@pytest.fixture(autouse=True)
def _open_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Live writes need no receipt here."""
    allow_open_writes(monkeypatch)


@pytest.mark.parametrize("affordable", [0, 1, 5, 13])
async def test_a_crowd_at_the_last_cent_gets_what_is_affordable(tmp_path: Path, affordable: int) -> None:
    """Fifty come at once, live and rehearsing, with several tokens: exactly as many are served as can be paid for."""
    cents = 2 * affordable + 1  # one that looks twice costs two, and one cent is left that no call fits into
    async with spending(tmp_path, record={"budgets": [f"{cents / 100:.2f} EUR/day"]}) as made:
        tokens = [made.made.token(name) for name in ("anna", "ben", "chloe")]

        async def spend(number: int) -> int:
            base = "/rehearse" if number % 2 else ""
            headers = bearer(tokens[number % 3])
            return (await made.made.client.get(f"{base}{ITEM}", params={"twice": True}, headers=headers)).status_code

        statuses = Counter(await asyncio.gather(*(spend(number) for number in range(50))))
        assert statuses == Counter({402: 50 - affordable, 200: affordable})
        assert len(made.host.got) == 2 * affordable
        assert sum((await made.used()).values()) == 2 * affordable * CENT


async def test_failures_and_goodbyes_refund_once(tmp_path: Path) -> None:
    """Whatever ends a call, what it did not send comes back, and nothing comes back twice."""
    async with spending(tmp_path, record={"budgets": ["1.00 EUR/day"]}) as made:
        plan = made.made.app.plan
        for says in (500, 503, 404, 200):
            made.host.says = says
            await made.made.get(ITEM)
        assert len(made.host.got) * CENT == sum((await made.used()).values())
        made.host.gate.clear()
        for _ in range(3):
            made.host.reached.clear()
            going = asyncio.create_task(made.made.get(ITEM))
            await made.host.reached.wait()
            going.cancel()
            await asyncio.gather(going, return_exceptions=True)
        await plan.settle.close()
        assert len(made.host.got) * CENT == sum((await made.used()).values())


async def test_bodies_that_do_not_come_hold_no_money(tmp_path: Path) -> None:
    """Who begins to send, and stops, keeps nobody from a budget that both draw on, nor does what cannot be read."""
    async with spending(tmp_path, record={"budgets": ["0.06 EUR/day"]}) as made:
        begun, end = asyncio.Event(), asyncio.Event()

        async def slowly() -> AsyncIterator[bytes]:
            yield b'{"note": '
            begun.set()
            await end.wait()
            yield b'"a"}'

        headers = {**bearer(made.made.token("ben")), "content-type": "application/json"}
        slow = asyncio.create_task(made.made.client.post(ORDERS, content=slowly(), headers=headers))
        await begun.wait()
        assert await made.used() == {"0.06 EUR/day": 0}
        assert (await made.made.post(ORDERS, {"note": 7})).status_code == 400
        assert (await made.made.post(ORDERS, {})).status_code == 200
        end.set()
        assert (await slow).status_code == 402
        assert await made.used() == {"0.06 EUR/day": 6 * CENT}
        assert [what for what, *_ in made.events()] == ["soft", "hard"]


async def test_a_process_that_dies_refunds_nothing(tmp_path: Path) -> None:
    """What it had reserved may have been sent; whoever starts after it finds it spent."""
    record = {"budgets": ["0.10 EUR/day"]}
    async with spending(tmp_path, record=record) as made:
        made.made.app.plan.budgets = _Dying(made.made.app.plan.budgets)  # type: ignore[assignment] # it stands for one
        for _ in range(5):
            assert (await made.made.get(ITEM)).status_code == 200
        assert (await made.made.get(ITEM)).status_code == 402
    async with spending(tmp_path, record=record) as made:
        assert (await made.made.get(ITEM)).status_code == 402
        assert await made.used() == {"0.10 EUR/day": 10 * CENT}
        made.made.clock.move(86_400)
        assert (await made.made.get(ITEM)).status_code == 200


class _Dying:
    """The store of a process that never comes to settling."""

    def __init__(self, store: Any) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def settle(self, *_: Any) -> None:
        raise SystemError("the process is gone")


@pytest.mark.parametrize("jump", [3600, 86_400, 366 * 86_400])
async def test_a_clock_that_jumps_refills_nothing_twice(tmp_path: Path, jump: int) -> None:
    """Forward it reaches at most one new period, and back it stays there, however often it swings."""
    async with spending(tmp_path, record={"budgets": ["0.02 EUR/day"]}) as made:
        served = 0
        for _ in range(4):
            for move in (jump, -jump, -jump, jump):
                made.made.clock.move(move)
                served += await _served(made)
        assert served <= 4, "two cents a period, two periods"
        assert len(made.host.got) == served


async def _served(made: Spending) -> int:
    """How many calls of one cent pass until one does not; two cents are reserved for each."""
    count = 0
    while (await made.made.get(ITEM)).status_code == 200:
        count += 1
    return count


@pytest.mark.parametrize(
    "price",
    [
        "-0.01 EUR",
        "1e-3 EUR",
        "NaN EUR",
        "Infinity EUR",
        "1000000.01 EUR",
        "0.0000001 EUR",
        "0.01",
        "0.01 eur",
        "1,5 EUR",
    ],
)
def test_a_strange_price_does_not_start(price: str) -> None:
    """Negative, huge, too fine or of no currency: nobody guesses what was meant."""

    class Odd(Upstream):
        @read("/a", asks="a", price=price)
        def a(self) -> Answer[calls.Team]: ...

    Odd.key = "directory"

    async def team(team_id: NumberId) -> calls.Team:
        """Handle one call."""
        return await Odd.a()

    refusals: list[Any] = []
    endpoint = calls.declared(team, uses=[Odd.a])
    sendables_of([Odd.a], calls.settings(), refusals)
    if not refusals:
        ready = calls.preparing(endpoint)
        rate.prepare(ready)
        budget.prepare(ready)
        refusals = ready.refusals
    assert {refusal.code for refusal in refusals} <= {"price-unclear", "price-inexact"}
    assert refusals


@given(st.text(max_size=24))
def test_no_text_becomes_a_budget_that_is_negative_or_endless(text: str) -> None:
    """Whatever somebody writes, it is refused, or it is an amount that a store reckons exactly."""
    for parse in (Budget.parse, Budget.volume):
        try:
            found = parse(text)
        except ValueError:
            continue
        assert 0 <= found.amount <= MOST
