"""Cases 78 and 90: an object id is decided as resolved, wherever in a document it came from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.flow.canteen import canteen, problem

MEAL = {"dish_id": 70}
FOREIGN = {
    "literal": ("query { menu(team_id: 8) { name } }", {}),
    "second variable": (
        "query($a: <menu.team_id>, $b: <menu.team_id>) { a: menu(team_id: $a) { name } b: menu(team_id: $b) { name } }",
        {"a": 7, "b": 8},
    ),
    "default": ("query($a: <menu.team_id> = 8) { menu(team_id: $a) { name } }", {}),
    "fragment": (
        "query($a: <menu.team_id>) { ...F } fragment F on Query { menu(team_id: $a) { name } }",
        {"a": 8},
    ),
    "read first": ("query($d: <dish.dish_id>) { dish(dish_id: $d) { id } }", {"d": 80}),
}


@pytest.mark.parametrize("came", FOREIGN)
@pytest.mark.parametrize("mode", ["live", "rehearse"])
async def test_an_id_of_another_team_is_refused_wherever_it_came_from(tmp_path: Path, came: str, mode: str) -> None:
    """The document is for team 7, and its fields are asked for team 8: the field's own roles say no."""
    source, variables = FOREIGN[came]
    async with canteen(tmp_path, documents={"odd": source}) as c:
        answer = await c.ask("odd", variables, mode=mode)
        assert (answer.status_code, problem(answer)["title"]) == (403, "Not allowed"), answer.text
        assert "GET /menu" not in c.host.got or came == "second variable"
        assert "soup" not in answer.text
        assert [one for one in c.record()["fields"] if one["outcome"] == "denied"]


@pytest.mark.parametrize("mode", ["live", "rehearse", "sandbox"])
async def test_nothing_is_written_for_another_team(tmp_path: Path, mode: str) -> None:
    """`within` of the document is bound to team 7, and the variable of its field names team 8."""
    async with canteen(tmp_path) as c:
        answer = await c.ask("order", {"team": 8, "meal": MEAL}, mode=mode)
        assert (answer.status_code, c.host.got) == (403, [])
        assert "rehearsal-receipt" not in answer.headers


async def test_an_id_in_a_nested_argument_is_the_one_that_is_decided_about(tmp_path: Path) -> None:
    """A literal object, an object of variables and one within a variable reach the handler as the guard saw them."""
    source = (
        "mutation($team: <cook.team_id>, $dish: <dish.dish_id>) "
        '{ cook(team_id: $team, meal: {dish_id: $dish, note: "x"}) { id } }'
    )
    async with canteen(tmp_path, documents={"nested": source}) as c:
        assert (await c.ask("nested", {"team": 8, "dish": 70})).status_code == 403
        assert (await c.ask("nested", {"team": 7, "dish": 70})).status_code == 200
        sent = c.made.network.to("kitchen.test")[-1]
        assert json.loads(sent.content) == {"dish_id": 70, "note": "x"}


@pytest.mark.parametrize("odd", ["7", 7.0, 7.5, True, None, 0, -7, 2**53, [7], {"id": 7}, "07", " 7"])
async def test_another_spelling_of_an_id_is_no_id(tmp_path: Path, odd: object) -> None:
    """What REST would not take as team 7 is a 400 here, which names the variable, and nothing is asked."""
    async with canteen(tmp_path) as c:
        answer = await c.ask("lunch", {"team": odd, "dish": 70})
        assert answer.status_code == 400, answer.text
        assert [one["pointer"] for one in problem(answer)["errors"]] == ["/variables/team"]
        assert c.host.got == []


async def test_the_variables_of_the_documents_own_guard_are_those_of_its_fields(tmp_path: Path) -> None:
    """One value: the document's `within` and its field cannot see two."""
    guards = {"lunch": {"within": "team:{team}"}}
    async with canteen(tmp_path, guards=guards) as c:
        assert (await c.ask("lunch", {"team": 7, "dish": 70})).status_code == 200
        answer = await c.ask("lunch", {"team": 8, "dish": 70})
        assert (answer.status_code, c.record()["fields"]) == (403, [])
        twice = await c.made.client.get(
            '/graphql/lunch?variables={"team":7,"team":8,"dish":70}',
            headers={"Authorization": f"Bearer {c.made.token()}"},
        )
        assert twice.status_code == 400
