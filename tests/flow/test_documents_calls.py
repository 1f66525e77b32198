"""A document call: what its fields do, cost and are refused for counts together, under the document's own name."""

from __future__ import annotations

from pathlib import Path

from tests.flow.canteen import canteen


async def test_a_document_answers_what_it_selects_of_its_fields(tmp_path: Path) -> None:
    """Each field is asked of its endpoint, and nothing that was not selected goes out."""
    async with canteen(tmp_path) as c:
        answer = await c.ask("lunch", {"team": 7, "dish": 70})
    assert answer.status_code == 200
    assert answer.json() == {"data": {"menu": [{"name": "soup"}] * 3, "dish": {"id": 70, "team_id": 7}}}
