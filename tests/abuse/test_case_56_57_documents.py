"""Cases 56, 57 and 71: a GraphQL document is no cheaper way to ask: its fields draw on the same rates and budgets."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from narrows.settings import Secret
from tests.flow.canteen import canteen, problem, with_program
from tests.flow.programs import allow_open_writes

DISH = {"dish": 70}
KEY = Secret("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")


async def test_five_aliases_draw_five_of_the_bucket_of_rest(tmp_path: Path) -> None:
    """By whichever way an endpoint is asked, it is asked as often as its rate says, and not once more."""
    async with canteen(tmp_path, rates={"dish": "7/minute"}) as c:
        assert (await c.rest("/dishes/70")).status_code == 200
        assert (await c.ask("five", DISH)).status_code == 200
        refused = await c.ask("five", DISH)
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "60")
        assert problem(refused)["violated-policies"] == ["7/minute per caller of canteen.dish"]
        # What was refused took nothing, so that the last of the seven is still there.
        assert [(await c.rest("/dishes/70")).status_code for _ in range(2)] == [200, 429]
        assert len(c.host.got) == 7


async def test_of_many_documents_at_once_exactly_as_many_pass_as_the_rate_holds(tmp_path: Path) -> None:
    """All or none: twenty at once over a rate of twelve pass twice, and leave two for REST."""
    async with canteen(tmp_path, rates={"dish": "12/minute"}) as c:
        answers = await asyncio.gather(*(c.ask("five", DISH) for _ in range(20)))
        assert sorted(one.status_code for one in answers) == [200] * 2 + [429] * 18
        assert [(await c.rest("/dishes/70")).status_code for _ in range(3)] == [200, 200, 429]
        assert len(c.host.got) == 12


async def test_the_rate_of_the_document_holds_beside_those_of_its_fields(tmp_path: Path) -> None:
    """It counts calls of the document, and both are told in the headers."""
    guards = {"five": {"rate": "1/minute"}}
    async with canteen(tmp_path, rates={"dish": "100/minute"}, guards=guards) as c:
        first, second = await c.ask("five", DISH), await c.ask("five", DISH)
    assert (first.status_code, second.status_code) == (200, 429)
    policies = first.headers["ratelimit-policy"]
    assert '"1/minute per caller";q=1' in policies
    assert '"100/minute per caller of canteen.dish";q=100' in policies
    assert '"100/minute per caller of canteen.dish";r=95' in first.headers["ratelimit"]


async def test_a_programs_rate_counts_every_field(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fields of documents count against the rate over all endpoints as requests by REST do."""
    allow_open_writes(monkeypatch)
    async with with_program(tmp_path, record={"rates": ["11/minute"]}) as c:
        assert [(await c.ask("five", DISH)).status_code for _ in range(3)] == [200, 200, 429]


async def test_rehearsed_reads_of_a_document_meet_the_same_rates(tmp_path: Path) -> None:
    """Case 71: a rehearsal goes upstream, and draws on the bucket of live calls."""
    async with canteen(tmp_path, rates={"dish": "7/minute"}) as c:
        assert (await c.ask("five", DISH, mode="rehearse")).status_code == 200
        assert (await c.ask("five", DISH)).status_code == 429
        assert [(await c.rest("/dishes/70")).status_code for _ in range(3)] == [200, 200, 429]


async def test_documents_at_once_never_spend_more_than_the_budget(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Case 57: what ten could cost is held before anything leaves, so that exactly two fit, live or rehearsed."""
    allow_open_writes(monkeypatch)
    over = {"stores": {"budgets": f"sqlite:{tmp_path / 'budgets.db'}", "key": KEY}}
    budget = "0.12 EUR/day"
    async with with_program(tmp_path, record={"budgets": [budget]}, over=over) as c:
        modes = ["live", "rehearse"] * 5
        answers = await asyncio.gather(*(c.ask("five", DISH, mode=mode) for mode in modes))
        assert sorted(one.status_code for one in answers) == [200] * 2 + [402] * 8
        assert list((await c.used()).values()) == [100_000]
        assert len(c.host.got) == 10


async def test_what_a_failed_field_did_not_send_is_given_back_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a document whose first write fails, the second is not sent, and costs nothing."""
    allow_open_writes(monkeypatch)
    over = {"stores": {"budgets": f"sqlite:{tmp_path / 'budgets.db'}", "key": KEY}}
    async with with_program(tmp_path, record={"budgets": ["1.00 EUR/day"]}, over=over) as c:
        c.host.says["/meals"] = 409
        answer = await c.ask("order", {"team": 7, "meal": {"dish_id": 70}})
        assert (answer.status_code, c.host.got) == (409, ["POST /meals"])
        assert list((await c.used()).values()) == [50_000]
