"""A document call: what its fields do, cost and are refused for counts together, under the document's own name."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from narrows.settings import Secret
from tests.flow.canteen import DOCUMENTS, canteen, problem, with_program
from tests.flow.programs import allow_open_writes

LUNCH = {"team": 7, "dish": 70}
ORDER = {"team": 7, "meal": {"dish_id": 70, "note": "no salt"}}
KEY = Secret("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")


def stores(folder: Path) -> dict[str, Any]:
    """Settings in which budgets last."""
    return {"stores": {"budgets": f"sqlite:{folder / 'budgets.db'}", "key": KEY}}


async def test_a_document_answers_what_it_selects_of_its_fields(tmp_path: Path) -> None:
    """Each field is asked of its endpoint, and nothing that was not selected goes out."""
    async with canteen(tmp_path) as c:
        answer = await c.ask("lunch", LUNCH)
    assert answer.status_code == 200
    assert answer.json() == {"data": {"menu": [{"name": "soup"}] * 3, "dish": {"id": 70, "team_id": 7}}}


async def test_one_record_under_the_documents_name_says_how_each_field_was_decided(tmp_path: Path) -> None:
    """Endpoint, rule, domain and outcome of each, one price for all, and what went out counted once."""
    async with canteen(tmp_path) as c:
        answer = await c.ask("lunch", LUNCH)
        calls = [one for one in c.made.records.all() if one["event"] == "call"]
        [record] = calls
    assert (record["endpoint"], record["method"], record["price"]) == ("canteen.lunch", "GET", "0.03 EUR")
    assert (record["size"], record["records"]) == (len(answer.content), 3)
    assert record["rule"].startswith("role:member in team:7")
    rule = "role:member in team:7, by claim"
    fields = [{**one, "rule": one["rule"][: len("role:member in team:7")]} for one in record["fields"]]
    assert fields == [
        {"endpoint": f"canteen.{name}", "outcome": "ok", "rule": "role:member in team:7", "domain": "team:7"}
        for name in ("menu", "dish")
    ], rule


async def test_a_foreign_and_an_absent_object_are_denied_alike(tmp_path: Path) -> None:
    """By the field's own roles, with the same bytes but for the trace id; the record alone tells them apart."""
    async with canteen(tmp_path) as c:
        foreign = await c.ask("five", {"dish": 80})
        told = c.record()
        c.host.says["/dishes/81"] = 404
        absent = await c.ask("five", {"dish": 81})
        rest = await c.rest("/dishes/80")
    assert foreign.status_code == absent.status_code == 403
    assert _without_trace(foreign) == _without_trace(absent)
    assert problem(foreign)["detail"] == rest.json()["detail"]
    assert (told["outcome"], told["problem"]) == ("denied", problem(foreign)["type"])
    assert {one["outcome"] for one in told["fields"]} <= {"denied", "cancelled"}


def _without_trace(answer: httpx.Response) -> str:
    trace = problem(answer).get("trace_id") or problem(answer)["instance"].rpartition(":")[2]
    assert trace
    return answer.text.replace(trace, "")


async def test_the_document_itself_is_guarded_first(tmp_path: Path) -> None:
    """Who may not call the document asks no endpoint."""
    async with canteen(tmp_path, guards={"lunch": {"within": "team:8"}}) as c:
        answer = await c.ask("lunch", LUNCH)
        assert (answer.status_code, c.host.got, c.record()["fields"]) == (403, [], [])


async def test_a_token_needs_the_scopes_of_all_fields(tmp_path: Path) -> None:
    """All are named in one challenge, and nothing is asked before."""
    both = "mutation($team: <cook.team_id>, $meal: <cook.meal>) { cook(team_id: $team, meal: $meal) { id } }"
    guards = {"both": {"scope": "dining:read"}}
    async with canteen(tmp_path, documents={"both": both}, guards=guards) as c:
        answer = await c.ask("both", ORDER, scope="dining:read")
        allowed = await c.ask("both", ORDER)
    assert answer.status_code == 403
    assert problem(answer)["scope"] == "dining:read dining:book"
    assert 'scope="dining:read dining:book"' in answer.headers["www-authenticate"]
    assert (allowed.status_code, c.host.got) == (200, ["POST /meals"])


# --- money and volumes -----------------------------------------------------------------------------------------------


async def test_one_reservation_holds_the_ceiling_of_all_fields(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it runs all of it is held, then what was really sent is what was paid."""
    allow_open_writes(monkeypatch)
    budget = "1.00 EUR/day"
    async with with_program(tmp_path, record={"budgets": [budget]}, over=stores(tmp_path)) as c:
        c.host.stops = {"/dishes/70"}
        asked = asyncio.ensure_future(c.ask("five", {"dish": 70}, client_id="where2eat-copilot"))
        await asyncio.wait_for(c.host.reached.wait(), 5)
        assert await c.used() == {budget: 50_000}
        c.host.gate.set()
        assert (await asked).status_code == 200
        assert await c.used() == {budget: 50_000}
        # Of the menu nothing is asked: its field is denied, and only the read that decides about the dish may leave.
        assert (await c.ask("lunch", {"team": 8, "dish": 70})).status_code == 403
        assert (await c.used())[budget] in (50_000, 60_000)
        assert "GET /menu" not in c.host.got


async def test_a_document_over_the_record_is_refused_before_anything_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ceiling of all fields counts; their endpoints need not be named, and then are not open by REST."""
    allow_open_writes(monkeypatch)
    record = {
        "price_ceiling": "0.05 EUR",
        "scopes": ["dining:read"],
        "endpoints": ["canteen.lunch", "canteen.six"],
    }
    six = "query($dish: <dish.dish_id>) {" + " ".join(f"d{n}: dish(dish_id: $dish) {{ id }}" for n in range(6)) + "}"
    documents = {"lunch": DOCUMENTS["lunch"], "six": six}
    async with with_program(tmp_path, documents=documents, record=record) as c:
        dear, cheap, rest = await c.ask("six", {"dish": 70}), await c.ask("lunch", LUNCH), await c.rest("/dishes/70")
        assert len([one for one in c.host.got if one != "GET /menu"]) == 1
    assert (dear.status_code, cheap.status_code, rest.status_code) == (403, 200, 403)
    assert "0.06 EUR" in problem(dear)["detail"]


async def test_answers_and_problems_of_fields_are_counted_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer by its records, and a problem that an upstream filled as the one that it is."""
    allow_open_writes(monkeypatch)
    volume = "100 records/day"
    async with with_program(tmp_path, record={"volumes": [volume]}, over=stores(tmp_path)) as c:
        await c.ask("lunch", LUNCH)
        assert await c.used() == {volume: 3}
        c.host.says["/meals"] = 409
        answer = await c.ask("order", ORDER)
        assert (answer.status_code, problem(answer)["title"]) == (409, "There is none left")
        assert await c.used() == {volume: 3}


# --- writes ----------------------------------------------------------------------------------------------------------


async def test_the_fields_of_a_mutation_run_one_after_the_other(tmp_path: Path) -> None:
    """The second is sent when the first has answered."""
    async with canteen(tmp_path) as c:
        c.host.stops = {"/meals"}
        asked = asyncio.ensure_future(c.ask("order", ORDER))
        await asyncio.wait_for(c.host.reached.wait(), 5)
        assert c.host.got == ["POST /meals"]
        c.host.gate.set()
        answer = await asked
        assert c.host.got == ["POST /meals", "POST /notes"]
        record = c.record()
    assert answer.json()["data"] == {"cook": {"id": 70}, "tell": {"id": 70, "note": "served"}}
    assert (record["effects"], record["price"]) == (["Kitchen.cook", "Kitchen.tell"], "0.08 EUR")


async def test_a_later_field_that_fails_names_what_was_done(tmp_path: Path) -> None:
    """The client reads which writes happened, and of which nobody knows."""
    async with canteen(tmp_path) as c:
        c.host.says["/notes"] = 500
        answer = await c.ask("order", ORDER)
        record = c.record()
    assert answer.status_code == 502
    told = problem(answer)
    assert (told["effects"], told["effects_unknown"]) == (["Kitchen.cook"], ["Kitchen.tell"])
    assert [one["outcome"] for one in record["fields"]] == ["ok", "failed"]


async def test_a_field_that_is_denied_ends_the_mutation(tmp_path: Path) -> None:
    """What came before it has happened and is named; what comes after it is not asked."""
    two = (
        "mutation($team: <cook.team_id>, $other: <cook.team_id>, $meal: <cook.meal>) { "
        "a: cook(team_id: $team, meal: $meal) { id } b: cook(team_id: $other, meal: $meal) { id } "
        "c: cook(team_id: $team, meal: $meal) { id } }"
    )
    async with canteen(tmp_path, documents={"two": two}) as c:
        answer = await c.ask("two", {**ORDER, "other": 8})
        assert c.host.got == ["POST /meals"]
        record = c.record()
    assert (answer.status_code, problem(answer)["effects"]) == (403, ["Kitchen.cook"])
    assert [one["outcome"] for one in record["fields"]] == ["ok", "denied"]


async def test_a_mutation_rehearses_with_all_its_effects_and_a_receipt(tmp_path: Path) -> None:
    """Nothing leaves; the document of the rehearsal lists effects, prices and scopes of all fields."""
    async with canteen(tmp_path) as c:
        answer = await c.ask("order", ORDER, mode="rehearse")
        assert answer.status_code == 200, answer.text
        assert c.host.got == []
        told = (await c.rest(httpx.URL(answer.links["describedby"]["url"]).path)).json()
        assert [one["operation"] for one in told["effects"]] == ["Kitchen.cook", "Kitchen.tell"]
        assert told["effects"][0]["arguments"]["/meal/note"] == "no salt"
        assert (told["price"]["ceiling"], told["price"]["asked"]) == ("0.08 EUR", "0.08 EUR")
        assert told["scopes"]["needed"] == ["dining:book"]
        live = await c.ask("order", ORDER, headers={"Rehearsal-Receipt": answer.headers["rehearsal-receipt"]})
        assert live.status_code == 200, live.text
        assert c.record()["receipt"] == told["id"]
        again = await c.ask("order", ORDER, headers={"Rehearsal-Receipt": answer.headers["rehearsal-receipt"]})
    assert (again.status_code, problem(again)["reason"]) == (409, "spent")


async def test_a_kept_answer_is_replayed_and_no_field_is_asked_again(tmp_path: Path) -> None:
    """An idempotency key is the document's: the second request does nothing."""
    async with canteen(tmp_path) as c:
        key = {"Idempotency-Key": '"k-1"'}
        first = await c.ask("order", ORDER, headers=key)
        second = await c.ask("order", ORDER, headers=key)
        other = await c.ask("order", {**ORDER, "meal": {"dish_id": 71}}, headers=key)
        assert c.host.got == ["POST /meals", "POST /notes"]
        assert c.record()["fields"] == []
    assert first.content == second.content
    assert second.headers["idempotency-replayed"] == "true"
    assert other.status_code == 422


# --- side by side ----------------------------------------------------------------------------------------------------


async def test_the_fields_of_a_query_run_side_by_side_and_the_first_failure_ends_all(tmp_path: Path) -> None:
    """No field waits for another; those behind one that fails are cancelled, and nothing of them goes out."""
    async with canteen(tmp_path) as c:
        c.host.stops = {"/dishes/70"}
        c.host.says["/menu"] = 500
        answer = await asyncio.wait_for(c.ask("lunch", LUNCH), 5)
        record = c.record()
    assert answer.status_code == 502
    assert "data" not in answer.json()
    assert {one["endpoint"]: one["outcome"] for one in record["fields"]} == {
        "canteen.menu": "failed",
        "canteen.dish": "cancelled",
    }
    assert set(c.host.got) == {"GET /menu", "GET /dishes/70"}


async def test_a_client_that_goes_away_ends_the_fields_of_a_query(tmp_path: Path) -> None:
    """The record says so of the document and of each field."""
    async with canteen(tmp_path) as c:
        c.host.stops = {"/menu", "/dishes/70"}
        asked = asyncio.ensure_future(c.ask("lunch", LUNCH))
        await asyncio.wait_for(c.host.reached.wait(), 5)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
    record = c.record()
    assert (record["outcome"], record["status"]) == ("cancelled", 499)
    assert {one["outcome"] for one in record["fields"]} == {"cancelled"}


async def test_one_deadline_holds_for_all_fields(tmp_path: Path) -> None:
    """A document that takes too long ends in a 504 like any call."""
    async with canteen(tmp_path, over={"limits": {"attempts": "1000/minute", "call_s": 1.0}}) as c:
        c.host.stops = {"/menu"}
        answer = await c.ask("lunch", LUNCH)
        record = c.record()
    assert (answer.status_code, record["outcome"]) == (504, "failed")
    assert {one["outcome"] for one in record["fields"]} == {"cancelled", "ok"}
