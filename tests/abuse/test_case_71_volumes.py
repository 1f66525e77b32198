"""Case 71 for volumes: no way out is left uncounted, not a problem with data in it, and not a rehearsal read again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import pytest
from msgspec import Meta

from narrows import Answer, Bff, Input, Narrow, NumberId, Problem, ShortText, Upstream, read, write
from narrows.declare.types import PREVIEW
from narrows.testing import bearer
from tests.flow.programs import allow_open_writes
from tests.flow.spending import Spending, spending

SOLD, NOTES = "/teams/7/sold", "/teams/7/notes"
VOLUME_EXHAUSTED = "urn:narrows:problem:volume-exhausted"
RECORD: dict[str, Any] = {"endpoints": ["leaky.sold", "leaky.note"], "price_ceiling": None}


@pytest.fixture(autouse=True)
def _open_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    """These writes need no receipt."""
    allow_open_writes(monkeypatch)


class Item(Narrow):
    """What is sold."""

    name: str = ""


class Note(Input):
    """What is noted of it."""

    name: Annotated[ShortText, Meta(extra=PREVIEW)]


class Sold(Problem):
    """It names what there is instead."""

    status = 409
    title = "It is sold"


class Shop(Upstream):
    """Sells things."""

    @read("/item", asks="profiles:read")
    def item(self) -> Answer[Item]: ...

    @write("/notes", asks="profiles:read")
    def note(self, note: Note) -> Answer[None]: ...


leaky = Bff(
    "leaky",
    version="1.0.0",
    owner="lunch-tools@example.com",
    purpose="Sell",
    exposure="internal",
    sensitivity="internal",
    importance="low",
    review_by="2027-05-01",
)
_FREE: Any = {"roles": {"member"}, "within": "team:{team_id}", "rate": "100000/minute", "scope": "dining:read"}


@leaky.read("/teams/{team_id}/sold", uses=[Shop.item], problems=(Sold,), **_FREE)
async def sold(team_id: NumberId, how: Annotated[str, Meta(max_length=9)] = "members") -> Item:
    """Tell in a problem what an answer would tell."""
    found = await Shop.item()
    match how:
        case "members":
            raise Sold(members={"instead": [found.name] * 10})
        case "detail":
            raise Sold(found.name)
        case "header":
            raise Sold(headers={"Instead": found.name})
        case "remedy":
            raise Sold(remedy=found.name)
    raise Sold()


@leaky.write("/teams/{team_id}/notes", uses=[Shop.item, Shop.note], problems=(Sold,), **_FREE)
async def note(team_id: NumberId, fails: bool = False) -> None:
    """Note what was found, of which the answer says nothing."""
    found = await Shop.item()
    await Shop.note(Note(name=found.name))
    if fails:
        raise Sold(found.name)


def leaking(folder: Path, *volumes: str) -> Any:
    """The shop that tells more than its answers say, with one program that has volumes."""
    return spending(folder, bff=leaky, record={**RECORD, "volumes": list(volumes)})


async def got(made: Spending, path: str, **query: Any) -> tuple[int, str]:
    """Status and text of an answer."""
    answer = await made.made.get(path, params=query)
    return answer.status_code, answer.text


@pytest.mark.parametrize("how", ["members", "detail", "header", "remedy"])
async def test_a_problem_that_carries_data_is_counted(tmp_path: Path, how: str) -> None:
    """Live and rehearsed, until nothing is left: then it says nothing of the upstream any more."""
    async with leaking(tmp_path, "700 bytes/day") as made:
        seen = [await made.made.get(f"{base}{SOLD}", params={"how": how}) for base in ("", "/rehearse") * 4]
        statuses = [answer.status_code for answer in seen]
        assert statuses == sorted(statuses)
        assert set(statuses) == {409, 429}
        refused = seen[-1]
        assert refused.json()["type"] == VOLUME_EXHAUSTED
        assert "xxx" not in refused.text + str(refused.headers)
        told = [len(one.content) for one in seen if "xxx" in one.text + str(one.headers)]
        [used] = (await made.used()).values()
        assert 0 < sum(told) <= used <= 700


async def test_the_records_in_a_problem_are_counted(tmp_path: Path) -> None:
    """Ten in each: of twenty-five two problems go out."""
    async with leaking(tmp_path, "25 records/day") as made:
        assert [(await got(made, SOLD))[0] for _ in range(4)] == [409, 409, 429, 429]
        assert await made.used() == {"25 records/day": 20}


async def test_a_problem_that_says_what_its_type_says_is_not_counted(tmp_path: Path) -> None:
    """It tells nothing of anybody."""
    async with leaking(tmp_path, "1 records/day") as made:
        assert [(await got(made, SOLD, how="not"))[0] for _ in range(4)] == [409] * 4


async def test_a_problem_after_a_live_write_goes_out_and_is_counted(tmp_path: Path) -> None:
    """What happened is told, past the limit, and then nothing is."""
    async with leaking(tmp_path, "5 bytes/day") as made:
        told = await made.made.client.post(f"{NOTES}?fails=true", headers=bearer(made.made.token()))
        assert (told.status_code, told.json()["effects"]) == (409, ["Shop.note"])
        assert (await got(made, SOLD))[0] == 429


async def test_the_records_of_a_rehearsal_are_its_effects(tmp_path: Path) -> None:
    """One effect with one argument are two, however many scopes, prices and rates stand beside them."""
    async with leaking(tmp_path, "100 records/day") as made:
        assert (await got(made, "/rehearsals"))[0] == 200
        assert await made.used() == {"100 records/day": 1}
        rehearsed = await made.made.post(f"/rehearse{NOTES}", None)
        link = rehearsed.headers["link"].partition(";")[0].strip("<>").partition("/rehearse/")[2]
        assert (await got(made, f"/rehearse/{link}"))[0] == 200
        assert await made.used() == {"100 records/day": 1 + 2}
        assert (await got(made, "/rehearsals"))[0] == 200
        assert await made.used() == {"100 records/day": 1 + 2 + 2}


async def test_a_rehearsal_that_is_read_again_is_counted(tmp_path: Path) -> None:
    """Its effects show what the upstream gave: read by itself, or all of them at once, they use the volume up."""
    async with leaking(tmp_path, "3000 bytes/day") as made:
        links = []
        for _ in range(3):
            rehearsed = await made.made.post(f"/rehearse{NOTES}", None)
            links.append(rehearsed.headers["link"].partition(";")[0].strip("<>").partition("/rehearse/")[2])
        texts = []
        for _ in range(10):
            texts += [await got(made, f"/rehearse/{link}") for link in links]
            texts.append(await got(made, "/rehearsals"))
        passed = [text for status, text in texts if status == 200]
        assert passed
        assert all("x" * 20 in text for text in passed)
        assert sum(map(len, passed)) <= 3000
        assert {status for status, _ in texts} == {200, 429}
        assert not any("x" * 20 in text for status, text in texts if status == 429)
