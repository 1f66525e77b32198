"""An endpoint that will go says so: in every answer, and in the document."""

import copy

import msgspec
import pytest

from bffs.where2eat.app import bff as where2eat
from narrows.declare.ageing import Ageing
from tests.flow.world import world

DAYS = {"deprecated": "2027-01-01", "sunset": "2027-07-01"}


def ageing(**days):
    """Where2Eat with its suggestions deprecated."""
    bff = copy.copy(where2eat)
    bff.endpoints = [
        msgspec.structs.replace(one, **days) if one.id == "where2eat.dining_suggestions" else one
        for one in where2eat.endpoints
    ]
    return bff


@pytest.mark.parametrize(("team", "status"), [(7, 200), (8, 403)])
async def test_every_answer_tells_both_days(team, status):
    """As RFC 9745 and RFC 8594 write them, whether it was answered or refused; other endpoints say nothing."""
    async with world(bff=ageing(**DAYS)) as made:
        answer = await made.get(f"/teams/{team}/dining-suggestions")
        other = await made.get("/openapi.json")
    assert answer.status_code == status
    assert answer.headers["deprecation"] == "@1798761600"
    assert answer.headers["sunset"] == "Thu, 01 Jul 2027 00:00:00 GMT"
    assert "deprecation" not in other.headers
    assert "sunset" not in other.headers


async def test_the_document_says_so():
    """OpenAPI marks the operation, and tells the days."""
    async with world(bff=ageing(deprecated="2027-01-01")) as made:
        paths = (await made.client.get("/openapi.json")).json()["paths"]
        answer = await made.get("/teams/7/dining-suggestions")
    described = paths["/teams/{team_id}/dining-suggestions"]["get"]
    assert described["deprecated"] is True
    assert (described["x-narrows"]["deprecated"], described["x-narrows"]["sunset"]) == ("2027-01-01", None)
    assert [one for path in paths.values() for one in path.values() if one.get("deprecated")] == [described]
    assert "sunset" not in answer.headers


@pytest.mark.parametrize(
    ("days", "said"),
    [
        (("soon", None), "'soon' is not a day such as '2027-01-01'"),
        (("2027-01-01", "2026-12-31"), "its sunset '2026-12-31' is before it is deprecated"),
        ((None, "2027-01-01"), "`sunset` stands without `deprecated`"),
    ],
)
def test_days_that_are_none(days, said):
    """The reason is told."""
    with pytest.raises(ValueError, match=r"day|sunset") as refused:
        Ageing.parse(*days)
    assert str(refused.value) == said
