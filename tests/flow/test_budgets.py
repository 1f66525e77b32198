"""Money is reserved before it is spent, and settled with what was really sent; answers are counted as they go out."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from narrows import Surroundings
from narrows.errors import StartRefused, Unavailable
from narrows.surfaces.http import Application
from narrows.testing import bearer, serving
from tests.flow.programs import allow_open_writes
from tests.flow.spending import FIELDS, KEY, Spending, shop, spending

ITEM, ITEMS, ORDERS = "/teams/7/item", "/teams/7/items", "/teams/7/orders"
CENT = 10_000
BUDGET_EXHAUSTED = "urn:narrows:problem:budget-exhausted"
VOLUME_EXHAUSTED = "urn:narrows:problem:volume-exhausted"


@pytest.fixture(autouse=True)
def _open_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests are about other guards than receipts."""
    allow_open_writes(monkeypatch)


async def test_what_was_sent_is_what_is_paid(tmp_path: Path) -> None:
    """A call that can cost two cents and sends one pays one; one without a price pays nothing."""
    async with spending(tmp_path, record={"budgets": ["1.00 EUR/day"]}) as made:
        assert (await made.made.get(ITEM)).status_code == 200
        assert await made.used() == {"1.00 EUR/day": CENT}
        assert (await made.made.get(ITEM, params={"twice": True})).status_code == 200
        assert (await made.made.get(ITEMS)).status_code == 200
        assert await made.used() == {"1.00 EUR/day": 3 * CENT}
        assert (await made.made.post(ORDERS, {"note": "a"})).status_code == 200
        assert await made.used() == {"1.00 EUR/day": 9 * CENT}


async def test_a_budget_that_does_not_cover_the_call_stops_it_before_anything_is_sent(tmp_path: Path) -> None:
    """402 says whose budget it is and when it renews, and of a shared one no amount."""
    async with spending(tmp_path, record={"budgets": ["0.02 EUR/day", "1.00 EUR/month"]}) as made:
        assert (await made.made.get(ITEM)).status_code == 200
        sent = len(made.host.got)
        refused = await made.made.get(ITEM)
        assert refused.status_code == 402
        assert refused.json()["type"] == BUDGET_EXHAUSTED
        [told] = refused.json()["budgets"]
        assert told.keys() == {"of", "period", "renews_at"}
        assert (told["of"], told["period"]) == ("connector", "day")
        assert refused.json()["detail"] == "Too little is left of the connector's budget for this day."
        assert "EUR" not in refused.text
        assert len(made.host.got) == sent
        assert await made.used() == {"0.02 EUR/day": CENT, "1.00 EUR/month": CENT}


async def test_a_volume_that_is_used_up_too_is_none_of_the_budgets(tmp_path: Path) -> None:
    """Money first: of what does not suffice a 402 names the budgets alone."""
    async with spending(tmp_path, record={"budgets": ["0.02 EUR/day"], "volumes": ["1 records/day"]}) as made:
        assert (await made.made.get(ITEM)).status_code == 200
        refused = await made.made.get(ITEM)
        assert refused.status_code == 402
        assert len(refused.json()["budgets"]) == 1


async def test_only_an_own_budget_tells_amounts(tmp_path: Path) -> None:
    """The caller's own is nobody else's, and another caller has another."""
    async with spending(tmp_path, record={"budgets": ["0.02 EUR/week per caller"]}) as made:
        assert (await made.made.get(ITEM)).status_code == 200
        [told] = (await made.made.get(ITEM)).json()["budgets"]
        assert (told["of"], told["limit"], told["remaining"], told["needed"]) == (
            "caller",
            "0.02 EUR",
            "0.01 EUR",
            "0.02 EUR",
        )
        assert (await made.made.get(ITEM, subject="ben")).status_code == 200
        assert await made.used("anna") == await made.used("ben") == {"0.02 EUR/week per caller": CENT}
        assert await made.used() == {}


async def test_a_tenant_shares_its_budget(tmp_path: Path) -> None:
    """It stands beside the connector's, and whichever is used up first stops the call."""
    tenants = {"example": {"budgets": ["0.02 EUR/day"], "volumes": ["1 MB/day"]}}
    async with spending(tmp_path, record={"budgets": ["1.00 EUR/day"]}, over={"tenants": tenants}) as made:
        assert (await made.made.get(ITEM)).status_code == 200
        refused = await made.made.get(ITEM)
        assert [one["of"] for one in refused.json()["budgets"]] == ["tenant"]
        used = await made.used()
        assert (used["1.00 EUR/day"], used["0.02 EUR/day per tenant"]) == (CENT, CENT)
        assert used["1 MB/day per tenant"] == len(b'{"name":"' + b"x" * 20 + b'"}')


async def test_the_last_cents_are_spent_once(tmp_path: Path) -> None:
    """Of many who come at once exactly as many are sent as are affordable, and the rest is told so."""
    async with spending(tmp_path, record={"budgets": ["0.42 EUR/day"]}) as made:
        tokens = [made.made.token(name) for name in ("anna", "ben", "chloe")]

        async def order(number: int) -> int:
            headers = bearer(tokens[number % 3])
            return (await made.made.client.post(ORDERS, json={}, headers=headers)).status_code

        assert Counter(await asyncio.gather(*(order(n) for n in range(40)))) == {200: 7, 402: 33}
        assert made.host.got.count("POST /orders") == 7
        assert await made.used() == {"0.42 EUR/day": 42 * CENT}


@pytest.mark.parametrize("says", [500, 404])
async def test_what_failed_upstream_was_sent_and_is_paid(tmp_path: Path, says: int) -> None:
    """The rest of the ceiling comes back; what never left comes back whole."""
    async with spending(tmp_path, record={"budgets": ["1.00 EUR/day"]}) as made:
        made.host.says = says
        assert (await made.made.post(ORDERS, {})).status_code == 502
        assert await made.used() == {"1.00 EUR/day": CENT}
        made.made.network.add({"shop.test": Refusing()})
        assert (await made.made.post(ORDERS, {})).status_code == 503
        assert await made.used() == {"1.00 EUR/day": CENT}


class Refusing(httpx.AsyncBaseTransport):
    """Nobody listens there."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)


async def test_what_is_refused_later_in_the_pipeline_is_refunded(tmp_path: Path) -> None:
    """Wrong fields and foreign teams cost nothing."""
    async with spending(tmp_path, record={"budgets": ["1.00 EUR/day"]}) as made:
        assert (await made.made.get("/teams/8/item")).status_code == 403
        assert (await made.made.get(ITEM, params={"twice": "maybe"})).status_code == 400
        assert await made.used() == {"1.00 EUR/day": 0}


async def test_a_client_that_goes_away_pays_for_what_had_left(tmp_path: Path) -> None:
    """What was under way is spent, and the rest is refunded behind it."""
    async with spending(tmp_path, record={"budgets": ["1.00 EUR/day"]}) as made:
        made.host.gate.clear()
        going = asyncio.create_task(made.made.get(ITEM))
        await made.host.reached.wait()
        assert await made.used() == {"1.00 EUR/day": 2 * CENT}
        going.cancel()
        with pytest.raises(asyncio.CancelledError):
            await going
        await made.made.app.plan.settle.close()
        assert await made.used() == {"1.00 EUR/day": CENT}


async def test_the_budget_comes_back_with_its_period(tmp_path: Path) -> None:
    """At midnight in UTC, and not before."""
    async with spending(tmp_path, record={"budgets": ["0.02 EUR/day"]}) as made:
        assert (await made.made.get(ITEM)).status_code == 200
        [told] = (await made.made.get(ITEM)).json()["budgets"]
        assert told["renews_at"].endswith("T00:00:00Z")
        made.made.clock.move(-made.made.clock() % 86_400 - 1)
        assert (await made.made.get(ITEM)).status_code == 402
        made.made.clock.move(1)
        assert (await made.made.get(ITEM)).status_code == 200


async def test_a_rehearsal_pays_for_its_reads_and_asks_for_its_writes(tmp_path: Path) -> None:
    """It says whether the budget suffices for the live call, and never how much is left."""
    async with spending(tmp_path, record={"budgets": ["0.13 EUR/day"]}) as made:

        async def rehearsed() -> tuple[int, str | None]:
            answer = await made.made.post(f"/rehearse{ORDERS}", {})
            if answer.status_code != 200:
                return answer.status_code, None
            link = answer.links["describedby"]["url"].removeprefix("https://bff.test")
            document = (await made.made.get(link)).json()
            assert document["price"] == {"ceiling": "0.06 EUR", "taken": "0.01 EUR", "asked": "0.05 EUR"}
            return answer.status_code, document["budget"]

        assert await rehearsed() == (200, "suffices")
        assert await made.used() == {"0.13 EUR/day": CENT}
        assert (await made.made.post(ORDERS, {})).status_code == 200
        assert await rehearsed() == (200, "short")
        assert await made.used() == {"0.13 EUR/day": 8 * CENT}
        assert (await made.made.get(f"/rehearse{ITEM}")).status_code == 200
        for _ in range(4):
            await rehearsed()
        assert await rehearsed() == (402, None)
        assert await made.used() == {"0.13 EUR/day": 13 * CENT}


async def test_the_sandbox_pays_nothing(tmp_path: Path) -> None:
    """Nothing is sent there, and what it answers is nobody's."""
    async with spending(tmp_path, record={"budgets": ["0.01 EUR/day"], "volumes": ["1 bytes/day"]}) as made:
        for path in (ITEM, ITEMS):
            assert (await made.made.get(f"/sandbox{path}")).status_code == 200
        assert await made.used() == {"0.01 EUR/day": 0, "1 bytes/day": 0}


async def test_the_operators_are_told_once_of_each_threshold(tmp_path: Path) -> None:
    """One soft event at 80 %, one hard one at the first refusal, and none for each call after it."""
    async with spending(tmp_path, record={"budgets": ["0.10 EUR/day"], "volumes": ["100 records/day"]}) as made:
        for _ in range(14):
            await made.made.get(ITEM)
        assert made.events() == [("soft", "0.10 EUR/day", "0.08 EUR"), ("hard", "0.10 EUR/day", "0.09 EUR")]
        for _ in range(5):
            await made.made.get(ITEMS, params={"count": 36})
        assert made.events()[2:] == [
            ("soft", "100 records/day", "81 records"),
            ("hard", "100 records/day", "81 records"),
        ]
        told = next(one for one in made.made.records.all() if one["event"] == "budget")
        assert (told["tenant"], told["connector"], told["endpoint"], told["bff"]) == (
            "example",
            "copilot",
            "shop.item",
            "shop",
        )
        assert len(told["trace_id"]) == 32


async def test_answers_are_counted_and_none_passes_the_volume(tmp_path: Path) -> None:
    """However many come at once: what would not fit is refused before it goes out, a smaller one still passes."""
    async with spending(tmp_path, record={"volumes": ["95 records/day", "1 MB/day"]}) as made:

        async def ask(number: int) -> int:
            base = "/rehearse" if number % 2 else ""
            answer = await made.made.get(f"{base}{ITEMS}", params={"count": 10})
            if answer.status_code == 429:
                assert answer.json()["type"] == VOLUME_EXHAUSTED
                assert 1 <= int(answer.headers["retry-after"]) <= 86_400
                assert [one["of"] for one in answer.json()["volumes"]] == ["connector"]
            return answer.status_code

        assert Counter(await asyncio.gather(*(ask(n) for n in range(30)))) == {200: 9, 429: 21}
        assert (await made.made.get(ITEMS, params={"count": 5})).status_code == 200
        used = await made.used()
        assert used["95 records/day"] == 95
        assert used["1 MB/day"] == sum(2 + 31 * n + n - 1 for n in [10] * 9 + [5])
        sent = len(made.host.got)
        assert (await made.made.get(ITEMS, params={"count": 0})).status_code == 429
        assert len(made.host.got) == sent, "with nothing left, nothing is sent"


async def test_the_answer_of_a_live_write_goes_out_and_is_counted(tmp_path: Path) -> None:
    """It has happened: its answer says so, past the limit, and after it nothing goes out."""
    async with spending(tmp_path, record={"volumes": ["20 bytes/day per caller"]}) as made:
        assert (await made.made.post(f"/rehearse{ORDERS}", {})).status_code == 429
        assert (await made.made.post(ORDERS, {})).status_code == 200
        assert (await made.used("anna"))["20 bytes/day per caller"] == 31
        refused = await made.made.post(ORDERS, {})
        assert refused.status_code == 429
        assert refused.json()["volumes"][0]["remaining"] == "0 bytes"
        assert made.host.got.count("POST /orders") == 1


class Broken:
    """A store of budgets that is away for what a test says."""

    forgets = False

    def __init__(self, store: Any, *away: str) -> None:
        self.store, self.away = store, away

    def __getattr__(self, name: str) -> Any:
        async def gone(*_: Any, **__: Any) -> None:
            raise Unavailable("The store of budgets is away.", headers={"Retry-After": "5"})

        return gone if name in self.away else getattr(self.store, name)


def broken(made: Spending, *away: str) -> Broken:
    """Let a part of the store be away."""
    plan = made.made.app.plan
    plan.budgets = Broken(plan.budgets, *away)  # type: ignore[assignment] # it stands for one
    return plan.budgets  # type: ignore[return-value] # the same


async def test_while_the_store_is_away_what_costs_is_refused(tmp_path: Path) -> None:
    """And what costs nothing goes on."""
    async with spending(tmp_path, record={"budgets": ["1.00 EUR/day"]}) as made:
        broken(made, "reserve", "count")
        refused = await made.made.get(ITEM)
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
        assert made.host.got == []
        assert (await made.made.get(ITEMS)).status_code == 200


async def test_what_cannot_be_settled_counts_as_spent(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The answer goes out, and the operators are told."""
    async with spending(tmp_path, record={"budgets": ["1.00 EUR/day"]}) as made:
        broken(made, "settle")
        with caplog.at_level(logging.ERROR, "narrows.pipeline"):
            assert (await made.made.get(ITEM)).status_code == 200
        assert await made.used() == {"1.00 EUR/day": 2 * CENT}
        assert "what shop.item reserved counts as spent" in caplog.text


async def test_an_answer_that_cannot_be_counted_does_not_go_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Unless something was written: then it does, and the operators are told."""
    async with spending(tmp_path, record={"budgets": ["1.00 EUR/day"], "volumes": ["1 MB/day"]}) as made:
        broken(made, "count")
        assert (await made.made.get(ITEM)).status_code == 503
        assert (await made.made.post(ORDERS, {})).status_code == 200
        assert "the answer of shop.order went out uncounted" in caplog.text


async def test_a_log_that_fails_does_not_spend_twice(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A budget event that cannot be written is told to the operators; the call ends by its own record."""
    lost: list[bytes] = []

    def write(line: bytes) -> None:
        if b'"budget"' in line:
            raise OSError("full")
        lost.append(line)

    async with spending(tmp_path, record={"budgets": ["0.02 EUR/day"]}, around={"write_record": write}) as made:
        assert (await made.made.get(ITEM, params={"twice": True})).status_code == 200
        assert "a budget event could not be written" in caplog.text


async def test_budgets_in_memory_do_not_start_outside_development(tmp_path: Path) -> None:
    """A restart would refill them; a program that gets one while it runs is refused."""
    memory = {"stores": {"key": KEY}}
    async with spending(tmp_path, over=memory) as made:
        assert (await made.made.get(ITEM)).status_code == 200
        plan = made.made.app.plan
        assert await made.programs.apply(**FIELDS | {"budgets": ["1.00 EUR/day"]}) == "live"
        assert (await made.made.get(ITEM)).status_code == 503
        with pytest.raises(StartRefused, match=r"connector copilot: it has budgets or volumes.*budget-forgotten"):
            await plan.start()
    tenants = {"example": {"volumes": ["1 MB/day"]}}
    with pytest.raises(RuntimeError, match=r"tenants\.example: it has budgets or volumes"):
        async with spending(tmp_path, over={**memory, "tenants": tenants}):
            raise AssertionError("it started")


async def test_in_development_memory_will_do(tmp_path: Path) -> None:
    """There a restart is what one wants."""
    async with spending(tmp_path, record={"budgets": ["0.02 EUR/day"]}) as made:
        plan = made.made.app.plan
        settings = msgspec.structs.replace(
            plan.settings,
            environment="development",
            stores=msgspec.structs.replace(plan.settings.stores, budgets="memory:"),
        )
        around = {"dial": made.made.network.dial, "now": made.made.clock, "connectors": plan.registry}
        async with serving(Application(shop, settings, Surroundings(**around, write_record=lambda _: None))) as client:
            token = bearer(made.made.token())
            assert [(await client.get(ITEM, headers=token)).status_code for _ in range(2)] == [200, 402]
