"""Cases 80 and 83: a document does what was rehearsed and nothing else, and a stopped program writes no more."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.flow.canteen import DOCUMENTS, Canteen, canteen, problem, with_program
from tests.flow.programs import allow_open_writes

ORDER = {"team": 7, "meal": {"dish_id": 70, "note": "no salt"}}


async def receipt_of(c: Canteen, name: str = "order", variables: Any = ORDER, **who: Any) -> dict[str, str]:
    """The header with the receipt of a rehearsal."""
    rehearsed = await c.ask(name, variables, mode="rehearse", **who)
    assert rehearsed.status_code == 200, rehearsed.text
    return {"Rehearsal-Receipt": rehearsed.headers["rehearsal-receipt"]}


async def test_a_receipt_is_for_one_document_one_caller_and_these_variables(tmp_path: Path) -> None:
    """By another person, for another document or with other variables it is refused, and nothing is sent."""
    other = DOCUMENTS["order"].replace("id note", "note")
    async with canteen(tmp_path, documents={**DOCUMENTS, "other": other}) as c:
        receipt = await receipt_of(c)
        changed = {"team": 7, "meal": {"dish_id": 70, "note": "much salt"}}
        refused = [
            await c.ask("order", changed, headers=receipt),
            await c.ask("other", ORDER, headers=receipt),
            await c.ask("order", ORDER, headers=receipt, subject="ben"),
        ]
        assert [one.status_code for one in refused][:2] == [409, 409]
        assert refused[2].status_code in (403, 409)
        assert c.host.got == []
        assert (await c.ask("order", ORDER, headers=receipt)).status_code == 200


async def test_of_two_at_the_same_instant_one_passes(tmp_path: Path) -> None:
    """The receipt is spent with the intent of the first field's write."""
    async with canteen(tmp_path) as c:
        receipt = await receipt_of(c)
        answers = await asyncio.gather(*(c.ask("order", ORDER, headers=receipt) for _ in range(5)))
        assert sorted(one.status_code for one in answers) == [200] + [409] * 4
        assert c.host.got == ["POST /meals", "POST /notes"]


async def test_drift_in_the_second_field_names_what_was_sent(tmp_path: Path) -> None:
    """A later field that would do something else than was rehearsed is stopped, and the client reads what happened."""
    notes = iter(["as it was", "something else"])
    async with canteen(tmp_path, says=lambda _: next(notes)) as c:
        live = await c.ask("order", ORDER, headers=await receipt_of(c))
        assert (live.status_code, problem(live)["effects"]) == (409, ["Kitchen.cook"])
        assert c.host.got == ["POST /meals"]
        assert [one["outcome"] for one in c.record()["fields"]] == ["ok", "refused"]


async def test_a_program_that_is_suspended_between_two_fields_sends_the_second_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Case 83: the first has happened, and is named; the second is refused before it leaves."""
    allow_open_writes(monkeypatch)
    async with with_program(tmp_path) as c:
        assert c.programs is not None
        c.host.stops = {"/meals"}
        asked = asyncio.ensure_future(c.ask("order", ORDER))
        await asyncio.wait_for(c.host.reached.wait(), 5)
        await c.programs.suspend()
        c.host.gate.set()
        answer = await asked
        assert (answer.status_code, problem(answer)["effects"]) == (403, ["Kitchen.cook"])
        assert c.host.got == ["POST /meals"]


async def test_the_intent_of_a_document_is_there_before_its_first_field_writes(tmp_path: Path) -> None:
    """Whoever kills the process then leaves it behind: under the document's name, so that a retry sends nothing."""
    async with canteen(tmp_path) as c:
        key = {"Idempotency-Key": "k-1"}
        c.host.stops = {"/meals"}
        asked = asyncio.ensure_future(c.ask("order", ORDER, headers=key))
        await asyncio.wait_for(c.host.reached.wait(), 5)
        [left] = await c.made.app.plan.commits.unsettled(10)
        assert (left.endpoint, left.operation) == ("canteen.order", "Kitchen.cook")
        retried = await c.ask("order", ORDER, headers=key)
        assert (retried.status_code, c.host.got) == (409, ["POST /meals"])
        c.host.gate.set()
        assert (await asked).status_code == 200
        assert await c.made.app.plan.commits.unsettled(10) == []
