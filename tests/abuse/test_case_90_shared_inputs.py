"""Case 90: each field gets the argument that the document resolved to, whatever another one did to its own."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from narrows import Bff, NumberId
from tests.flow.canteen import DOCUMENTS, Kitchen, Meal, Receipt, canteen, make_bff

DEFAULT = (
    'mutation($team: <cook.team_id>, $meal: <cook.meal> = {dish_id: 70, note: "a"}) '
    "{ cook(team_id: $team, meal: $meal) { id } tell(team_id: $team, meal: $meal) { id } }"
)


async def changing(team_id: NumberId, meal: Meal) -> Receipt:
    """Order, and spoil the object that came."""
    meal.note += "x" * 150
    meal.dish_id = 80
    return await Kitchen.cook(Meal(dish_id=70, note="cooked"))


def spoiling(folder: Path, source: str) -> Bff:
    """The canteen, where `cook` changes its argument."""
    bff = make_bff(folder, {"order": source})
    bff.endpoints[:] = [
        msgspec.structs.replace(one, function=changing) if one.id == "canteen.cook" else one for one in bff.endpoints
    ]
    return bff


@pytest.mark.parametrize(
    ("source", "sent"),
    [(DOCUMENTS["order"], {"meal": {"dish_id": 70, "note": "a"}}), (DEFAULT, {})],
    ids=["variable", "default"],
)
async def test_what_one_field_does_to_its_argument_reaches_no_other_field_or_call(
    tmp_path: Path, source: str, sent: dict[str, object]
) -> None:
    """One variable, or its default, is in two fields; the first spoils it, and the second sends what was asked for."""
    async with canteen(tmp_path, bff=spoiling(tmp_path / "queries", source)) as c:
        for _ in range(2):
            assert (await c.ask("order", {"team": 7, **sent})).status_code == 200
        notes = [json.loads(one.content) for one in c.made.network.to("kitchen.test")]
        assert notes == [{"dish_id": 70, "note": "cooked"}, {"dish_id": 70, "note": "a"}] * 2
