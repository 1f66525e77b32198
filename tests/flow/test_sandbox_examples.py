"""Teams pin examples per operation: the sandbox gives them, the contract shows them, the start refuses wrong ones."""

import json
from typing import Annotated, Any

import pytest
from msgspec import Meta

from narrows import Answer, Bff, Example, Id, Narrow, NumberId, ShortText, Upstream, read
from narrows.errors import Refusal, StartRefused
from tests.flow.minimal import FACTS
from tests.flow.world import World, world

GUARDS: dict[str, Any] = {
    "roles": {"member"}, "within": "team:{team_id}", "scope": "dining:read", "rate": "30/minute",
}  # fmt: skip


class Dish(Narrow):
    """What there is to eat."""

    id: Id
    name: ShortText
    tags: list[ShortText] = []  # noqa: RUF012 - msgspec copies it


def menu(*examples: Any) -> Bff:
    """A BFF with one read, whose operation has these examples."""

    class Tables(Upstream):
        """The menu; the settings of this world know it."""

        @read("/menu/{team_id}", asks="bookings:read", examples=examples)
        def menu(self, team_id: NumberId) -> Answer[list[Dish]]: ...

    bff = Bff("menu", **FACTS)

    @bff.read("/teams/{team_id}/menu", uses=[Tables.menu], **GUARDS)
    async def of_team(team_id: NumberId) -> list[Dish]:
        """The menu."""
        return await Tables.menu(team_id)

    return bff


SOUP = {"id": "soup", "name": "Soup", "margin": "40 %"}
PIE = Dish(id="pie", name="Pie", tags=["vegan"])


async def names(made: World, path: str) -> list[str]:
    """The ids of what is answered."""
    return [one["id"] for one in (await made.get(path, subject="anna")).json()]


async def test_the_sandbox_gives_the_example_of_the_arguments_else_that_for_all() -> None:
    """Narrowed like an upstream's answer: what the type does not name does not get out."""
    async with world(bff=menu(Example([PIE]), Example([SOUP, SOUP], team_id=7))) as made:
        answer = await made.get("/sandbox/teams/7/menu")
        assert answer.json() == [{"id": "soup", "name": "Soup", "tags": []}] * 2
        assert (await made.get("/sandbox/teams/7/menu", "ben")).json() == answer.json()
    async with world(bff=menu(Example([PIE]), Example([SOUP], team_id=8))) as made:
        assert await names(made, "/sandbox/teams/7/menu") == ["pie"]
    async with world(bff=menu(Example([SOUP], team_id=8))) as made:
        found = await names(made, "/sandbox/teams/7/menu")
        assert found != ["soup"]
        assert len(found) == 3


async def test_the_contract_shows_them() -> None:
    """Where one operation answers what the endpoint answers, its examples are those of the response."""
    async with world(bff=menu(Example([PIE]), Example([SOUP], team_id=7))) as made:
        responses = json.loads(made.app.document)["paths"]["/teams/{team_id}/menu"]["get"]["responses"]
        assert responses["200"]["content"]["application/json"]["examples"] == {
            "Tables.menu-1": {"value": [{"id": "soup", "name": "Soup", "tags": []}]},
            "Tables.menu-2": {"value": [{"id": "pie", "name": "Pie", "tags": ["vegan"]}]},
        }
    async with world(bff=menu()) as made:
        responses = json.loads(made.app.document)["paths"]["/teams/{team_id}/menu"]["get"]["responses"]
        assert responses["200"]["content"]["application/json"].keys() == {"schema"}


async def refusal(bff: Bff, **over: Any) -> Refusal:
    """Why it does not start."""
    with pytest.raises(StartRefused) as caught:
        async with world(bff=bff, **over):
            pass
    (one,) = caught.value.refusals
    return one


async def test_an_example_that_does_not_hold_is_refused_at_start() -> None:
    """With the operation, its file and line, which example, where in it, and what to do."""
    one = await refusal(menu(Example([SOUP]), Example([SOUP, {"id": "pie", "name": ""}])))
    assert (one.code, one.subject) == ("example-invalid", "Tables.menu")
    assert one.where.partition(":")[0] == __file__
    assert one.rule == "example 2: Expected `str` of length >= 1 at /1/name"
    assert one.remedy.startswith("write it as the declared type wants it")


async def test_an_example_is_no_larger_than_the_sandbox_may_answer() -> None:
    """The cap of the settings holds for what is pinned too."""
    many = menu(Example([PIE] * 100))
    assert (await refusal(many, limits={"sandbox_bytes": 1024})).rule.endswith("bytes, 1024 are the most")
    async with world(bff=many) as made:
        assert len(await names(made, "/sandbox/teams/7/menu")) == 100


async def test_a_type_of_which_nothing_is_small_enough_is_refused_at_start() -> None:
    """The reason names the cap, which a setting raises."""
    long = Annotated[str, Meta(min_length=1500, max_length=1500)]

    class Tables(Upstream):
        """Long texts."""

        @read("/text/{team_id}", asks="bookings:read")
        def text(self, team_id: NumberId) -> Answer[long]: ...  # type: ignore[valid-type]  # made here

    bff = Bff("texts", **FACTS)

    @bff.read("/teams/{team_id}/text", uses=[Tables.text], **GUARDS)
    async def text(team_id: NumberId) -> str:
        """A text."""
        return str(await Tables.text(team_id))

    one = await refusal(bff, limits={"sandbox_bytes": 1024})
    assert (one.code, "1502 bytes are more than 1024" in one.rule) == ("sandbox-cannot-make", True)
    async with world(bff=bff) as made:
        assert len((await made.get("/sandbox/teams/7/text")).json()) == 1500
