"""The answer of a document is what it selects, and nothing else, whatever its endpoints answer."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any

import msgspec
import pytest
import strawberry
from msgspec import Meta

from narrows import Bff, Narrow, NumberId
from narrows.declare.endpoint import Endpoint
from narrows.declare.shape import bare, endpoint_shape, leaves
from narrows.surfaces.graphql.documents import make_documents
from narrows.surfaces.graphql.schema import make_schema
from tests.unit.surfaces.graphql.kitchen import DOCUMENT, FACTS, GUARDS, Kitchen, Menu, compiled, make_bff, surface_of
from tests.unit.surfaces.site import Got, site


class Apple(Narrow, tag="Apple"):
    """A fruit."""

    weight: Annotated[int, Meta(ge=0, le=100)]
    sort: str


class Box(Narrow):
    """It holds something."""

    size: Annotated[int, Meta(ge=0, le=9)]
    label: str | None = None


class Nail(Narrow, tag="Nail"):
    """No fruit."""

    weight: Annotated[int, Meta(ge=0, le=5)]
    box: Box
    boxes: Annotated[tuple[Box, ...], Meta(max_length=2)] = ()


class Stone(Narrow, tag="Stone"):
    """No fruit either."""

    box: Box


class Shelf(Narrow):
    """Things, of several kinds."""

    things: Annotated[list[Apple | Nail | Stone], Meta(max_length=5)]
    rows: Annotated[list[Annotated[list[Box], Meta(max_length=2)]], Meta(max_length=2)]
    best: Apple | Nail | None = None
    rank: int = msgspec.field(name="class", default=1)


class LooseBox(Box):
    """A box of which more is known."""

    secret: str = "hidden"


def shelf_bff(folder: Path) -> Bff:
    """A BFF with unions, lists of lists, a join and a plain field."""
    bff = Bff("cafe", **FACTS)

    @strawberry.type
    class BoxFields:
        """What is added to boxes."""

        @strawberry.field
        def double(self: Box) -> int:
            """Twice the size."""
            return self.size * 2

    bff.graphql({Box: BoxFields}, queries=str(folder), ceiling="1.00 EUR")

    @bff.read("/teams/{team_id}/shelf", uses=[], **GUARDS)
    async def shelf(team_id: NumberId) -> Shelf:
        """Things."""
        box = LooseBox(size=3)
        return Shelf(
            things=[Apple(weight=9, sort="red"), Nail(weight=1, box=box), Stone(box=Box(size=4, label="flint"))],
            rows=[[box], []],
        )

    @bff.join(Box, uses=[Kitchen.menu.times(2)])
    async def menus(boxes: list[Box]) -> list[Annotated[list[Menu], Meta(max_length=3)] | None]:
        """The menus of each."""
        return [None if box.size > 3 else [] for box in boxes]

    return bff


async def answered(folder: Path, source: str, bff: Bff | None = None) -> Got:
    """The answer of a document called lunch."""
    (folder / "lunch.graphql").write_text(source, encoding="utf-8")
    bff = bff or make_bff(folder)
    bff.document("lunch", **DOCUMENT)
    async with site(bff=bff) as cafe:
        return await cafe.ask('/graphql/lunch?variables={"team":7}')


def data_of(made: Endpoint) -> Any:
    """The type of the data of a document."""
    return msgspec.structs.fields(endpoint_shape(made).answer)[0].type


def item_of(kind: Any) -> type[msgspec.Struct]:
    """The Struct that a list is of, whether or not the list may be absent."""
    [listed] = [one for one in leaves(kind) if isinstance(bare(one.info), msgspec.inspect.ListType)]
    return bare(bare(listed.info).item_type).cls  # type: ignore[no-any-return]


async def test_nothing_that_is_not_selected_goes_out(tmp_path: Path) -> None:
    """Neither other fields of the type, nor those of a subclass that a handler answered."""
    got = await answered(tmp_path, "query lunch($team: Long!) { dishes(team_id: $team) { name cook { name } } }")
    assert got.json == {
        "data": {
            "dishes": [{"name": "soup", "cook": {"name": "Carla"}}, {"name": "pie", "cook": {"name": "Carla"}}],
        }
    }
    assert b"secret" not in got.body


async def test_what_an_answer_leaves_out_by_default_is_answered_if_it_is_selected(tmp_path: Path) -> None:
    """The Struct omits its defaults in REST; GraphQL has no absent fields."""
    got = await answered(tmp_path, "query lunch($team: Long!) { dishes(team_id: $team) { price tags cook { nick } } }")
    soup, pie = got.json["data"]["dishes"]
    assert soup == {"price": "2.50", "tags": [], "cook": {"nick": None}}
    assert pie == {"price": "9.00", "tags": ["hot"], "cook": {"nick": None}}


async def test_one_field_under_several_names_and_several_under_one_key(tmp_path: Path) -> None:
    """Aliases rename; what stands twice under one key is merged, through fragments too."""
    source = """query lunch($team: Long!) {
      dishes(team_id: $team) { ...Names cook { name } } dishes(team_id: $team) { id cook { called: name } }
      class: few(team_id: $team) _own: few(team_id: $team) __typename
    }
    fragment Names on Dish { title: name name ... { again: name } }"""
    got = await answered(tmp_path, source)
    cook = {"name": "Carla", "called": "Carla"}
    assert got.json["data"] == {
        "dishes": [{"title": name, "name": name, "again": name, "cook": cook, "id": name} for name in ("soup", "pie")],
        "class": 1,
        "_own": 1,
        "__typename": "Query",
    }


def test_what_may_be_left_out_may_be_absent_and_all_else_may_not(tmp_path: Path) -> None:
    """`@skip` and `@include` on a field, on a fragment, and on one of two places of a field."""
    source = """query lunch($team: Long!, $x: Boolean!) {
      a: few(team_id: $team) @skip(if: $x)
      b: few(team_id: $team) @include(if: $x) b: few(team_id: $team)
      ... @include(if: $x) { c: few(team_id: $team) }
      dishes(team_id: $team) @include(if: $x) { id }
      more: dishes(team_id: $team) { id } more: dishes(team_id: $team) @skip(if: $x) { name }
    }"""
    made = compiled(tmp_path, source)
    fields = {field.encode_name: field for field in msgspec.structs.fields(data_of(made))}
    assert {name: field.required for name, field in fields.items()} == {
        "a": False, "b": True, "c": False, "dishes": False, "more": True,
    }  # fmt: skip
    dish = item_of(fields["more"].type)
    assert {f.encode_name: f.required for f in msgspec.structs.fields(dish)} == {"id": True, "name": False}
    assert msgspec.structs.fields(item_of(fields["dishes"].type))[0].required
    assert made.document is not None
    assert {field.endpoint: field.times for field in made.document.fields} == {"cafe.few": 3, "cafe.dishes": 2}


@pytest.mark.parametrize(
    ("condition", "there"),
    [
        ("@skip(if: $x)", False),
        ("@include(if: $x)", True),
        ("@include(if: $x) @skip(if: $x)", False),
        ("@skip(if: true)", False),
        ("@include(if: false)", False),
        ("@skip(if: false)", True),
        ("@include(if: true)", True),
    ],
)
async def test_what_is_left_out_does_not_go_out(tmp_path: Path, condition: str, there: bool) -> None:
    """Not even where the object that has it is answered as its endpoint answered it."""
    declared = ", $x: Boolean! = true" if "$x" in condition else ""
    source = f"""query lunch($team: Long!{declared}) {{
      shelf(team_id: $team) {{ class rows {condition} {{ size }} }}
      things: shelf(team_id: $team) {{ things {{ ... on Stone {condition} {{ box {{ size }} }} }} }} }}"""
    got = (await answered(tmp_path, source, shelf_bff(tmp_path))).json["data"]
    assert got["shelf"] == {"class": 1} | ({"rows": [[{"size": 3}], []]} if there else {})
    assert got["things"]["things"][2] == ({"box": {"size": 4}} if there else {})


async def test_a_union_answers_what_is_selected_of_each_of_its_types(tmp_path: Path) -> None:
    """Fragments apply to their own type; what others do not have may be absent."""
    source = """query lunch($team: Long!) { shelf(team_id: $team) { things { __typename
      ... on Apple { weight sort } ... on Nail { weight box { size double } boxes { size } } ...OfStone }
      best { ... on Apple { sort } } rows { size double } class } }
    fragment OfStone on Stone { box { label } }"""
    got = await answered(tmp_path, source, shelf_bff(tmp_path))
    assert got.status == 200, got.json
    assert got.json["data"]["shelf"] == {
        "things": [
            {"__typename": "Apple", "weight": 9, "sort": "red"},
            {"__typename": "Nail", "weight": 1, "box": {"size": 3, "double": 6}, "boxes": []},
            {"__typename": "Stone", "box": {"label": "flint"}},
        ],
        "best": None,
        "rows": [[{"size": 3, "double": 6}], []],
        "class": 1,
    }
    assert b"hidden" not in got.body


async def test_a_join_is_answered_and_counted_for_each_of_its_places(tmp_path: Path) -> None:
    """What it sends follows from the document: two operations for each of three places."""
    source = """query lunch($team: Long!) { shelf(team_id: $team) {
      rows { menus { team } again: menus { team } } things { ... on Nail { box { menus { dishes { name } } } } } } }"""
    bff = shelf_bff(tmp_path)
    (tmp_path / "lunch.graphql").write_text(source, encoding="utf-8")
    bff.document("lunch", **DOCUMENT)
    [made] = make_documents(bff, surface_of(bff), make_schema(bff))
    assert [(use.operation.id, use.count) for use in made.uses or ()] == [("Kitchen.menu", 2)] * 3  # type: ignore[union-attr]
    async with site(bff=bff) as cafe:
        got = await cafe.ask('/graphql/lunch?variables={"team":7}')
    assert got.json["data"]["shelf"] == {
        "rows": [[{"menus": [], "again": []}], []],
        "things": [{}, {"box": {"menus": []}}, {}],
    }


def test_lists_keep_their_bounds(tmp_path: Path) -> None:
    """A longer answer than the type allows does not go out, by GraphQL as by REST."""
    made = compiled(tmp_path, "query lunch($team: Long!) { menu(team_id: $team) { dishes { id } best { tags } } }")
    menu = data_of(made)
    one = {"id": "soup"}
    fits = {"menu": {"dishes": [one] * 20, "best": {"tags": ["x"] * 5}}}
    assert msgspec.convert(fits, menu)
    long: list[Any] = [{"dishes": [one] * 21, "best": None}, {"dishes": [], "best": {"tags": ["x"] * 6}}]
    for wrong in long:
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert({"menu": wrong}, menu)


def test_each_type_of_an_answer_has_a_name_of_its_own(tmp_path: Path) -> None:
    """Schemas and generated clients know types by their names."""
    source = """query lunch($team: Long!) { menu(team_id: $team) { best_cook: team best { cook { name } } }
      menu_best: menu(team_id: $team) { cook: team } menu_best_cook: menu(team_id: $team) { team } }"""
    answer = endpoint_shape(compiled(tmp_path, source)).answer
    _, components = msgspec.json.schema_components([answer])
    assert len(components) == len(set(components)) == 7


def test_what_a_union_has_under_one_key_may_be_of_two_types(tmp_path: Path) -> None:
    """GraphQL lets only what is written alike stand under one key; its bounds may differ."""
    bff = shelf_bff(tmp_path)
    (tmp_path / "lunch.graphql").write_text(
        """query lunch($team: Long!) { shelf(team_id: $team) {
          things { ... on Apple { weight } ... on Nail { weight box { size } } ... on Stone { box { label } } } } }""",
        encoding="utf-8",
    )
    bff.document("lunch", **DOCUMENT)
    [made] = make_documents(bff, surface_of(bff), make_schema(bff))
    things = [
        {"weight": 100},
        {"weight": 5, "box": {"size": 9}},
        {"box": {"label": None}},
    ]
    data = data_of(made)
    assert msgspec.to_builtins(msgspec.convert({"shelf": {"things": things}}, data)) == {"shelf": {"things": things}}
    assert asyncio.iscoroutinefunction(made.function)
