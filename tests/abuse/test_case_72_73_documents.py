"""Cases 72 and 73: state and mode hold for every field of a document."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.flow.canteen import canteen, with_program
from tests.flow.programs import allow_open_writes

LUNCH = {"team": 7, "dish": 70}
ORDER = {"team": 7, "meal": {"dish_id": 70}}
OPEN = {0: {"sandbox"}, 1: {"live", "rehearse", "sandbox"}}


@pytest.mark.parametrize("steps", [0, 1], ids=["draft", "trial"])
@pytest.mark.parametrize("mode", ["live", "rehearse", "sandbox"])
async def test_a_draft_has_the_sandbox_and_a_trial_no_live_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: int, mode: str
) -> None:
    """Documents are no way around the state of a program: what is refused reaches no upstream."""
    allow_open_writes(monkeypatch)
    async with with_program(tmp_path, steps=steps) as c:
        read, write = await c.ask("lunch", LUNCH, mode=mode), await c.ask("order", ORDER, mode=mode)
        assert (read.status_code == 200) is (mode in OPEN[steps]), read.text
        assert (write.status_code == 200) is (mode in OPEN[steps] and mode != "live"), write.text
        assert not [one for one in c.host.got if one.startswith("POST")]
        assert bool(c.host.got) is (mode != "sandbox" and mode in OPEN[steps])


@pytest.mark.parametrize("mode", ["rehearse", "sandbox"])
async def test_no_write_of_a_field_leaves_a_rehearsal(tmp_path: Path, mode: str) -> None:
    """Neither of the first field nor of one that builds on it."""
    async with canteen(tmp_path) as c:
        answer = await c.ask("order", ORDER, mode=mode)
        assert answer.status_code == 200, answer.text
        assert c.host.got == []
        assert c.record()["effects"] == ["Kitchen.cook", "Kitchen.tell"]


async def test_the_sandbox_asks_no_upstream_for_any_field(tmp_path: Path) -> None:
    """And answers what the document selects, made up."""
    async with canteen(tmp_path) as c:
        answer = await c.ask("lunch", LUNCH, mode="sandbox")
        assert c.host.got == []
    assert set(answer.json()["data"]) == {"menu", "dish"}


async def test_a_document_is_as_strict_about_writes_as_its_strictest_field(tmp_path: Path) -> None:
    """A write that has to be confirmed by REST has to be confirmed in a document that says nothing of it."""
    async with canteen(tmp_path, endpoints={"tell": {"commit": "confirmed"}}) as c:
        answer = await c.ask("order", ORDER)
        assert (answer.status_code, c.host.got) == (428, [])
        rehearsed = await c.ask("order", ORDER, mode="rehearse")
        receipt = {"Rehearsal-Receipt": rehearsed.headers["rehearsal-receipt"]}
        assert (await c.ask("order", ORDER, headers=receipt)).status_code == 428
        await c.made.confirm(rehearsed)
        assert (await c.ask("order", ORDER, headers=receipt)).status_code == 200
        assert c.host.got == ["POST /meals", "POST /notes"]
