"""The variables of a document are decoded strictly, by the types of all places where they stand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from narrows.declare.shape import endpoint_shape
from narrows.errors import StartRefused
from narrows.surfaces.graphql.schema import make_schema
from narrows.surfaces.http import Application
from tests.unit.surfaces.graphql.kitchen import DOCUMENT, compiled, make_bff, refused
from tests.unit.surfaces.site import Got, make_settings, site

FREE = {"within": "team:7"}


async def called(folder: Path, source: str, variables: Any, **guards: Any) -> Got:
    """The answer of a document to variables: JSON, or a text as it is sent."""
    name = source.split()[1].partition("(")[0]
    (folder / f"{name}.graphql").write_text(source, encoding="utf-8")
    async with site(bff=make_bff(folder, {name: DOCUMENT | guards})) as cafe:
        text = variables if isinstance(variables, str) else json.dumps(variables)
        if source.startswith("mutation"):
            return await cafe.ask(f"/graphql/{name}", "POST", body=f'{{"variables":{text}}}'.encode())
        return await cafe.ask(f"/graphql/{name}?variables={quote(text)}")


def pointers(got: Got) -> list[str]:
    """Which fields were refused."""
    assert got.status == 400, got.json
    found = got.json["errors"]
    if "extensions" in found[0]:
        found = found[0]["extensions"]["errors"]
    return [one["pointer"] for one in found]


COUNTED = "query lunch($team: Long!, $most: Int, $sizes: [counted_sizes!]) "
COUNTED += "{ counted(team_id: $team, most: $most, sizes: $sizes) }"


@pytest.mark.parametrize(
    ("variables", "found"),
    [
        ({}, ["/variables/team"]),
        ({"team": "7"}, ["/variables/team"]),
        ({"team": 0}, ["/variables/team"]),
        ({"team": None}, ["/variables/team"]),
        ({"team": 7.5}, ["/variables/team"]),
        ({"team": True}, ["/variables/team"]),
        ({"team": 7, "other": 1}, ["/variables/other"]),
        ({"team": 7, "most": 11, "sizes": ["huge"]}, ["/variables/most", "/variables/sizes/0"]),
        ({"team": 7, "sizes": "small"}, ["/variables/sizes"]),
        ({"team": 7, "sizes": ["small"] * 3}, ["/variables/sizes"]),
        ({"team": 7, "most": None}, ["/variables/most"]),
        ('{"team":7,"team":8}', ["/variables/team"]),
        ("[]", ["/query/variables"]),
        ("7", ["/query/variables"]),
    ],
    ids=str,
)
async def test_what_a_client_sends_is_refused_by_its_place(tmp_path: Path, variables: Any, found: list[str]) -> None:
    """Every variable that does not hold is named at once."""
    source = COUNTED.replace("counted_sizes", size_type(tmp_path))
    assert pointers(await called(tmp_path, source, variables)) == found


def size_type(folder: Path) -> str:
    """The name of the type of small and large."""
    core = make_schema(make_bff(folder)).core
    return str(core.query_type.fields["counted"].args["sizes"].type).strip("[]!")  # type: ignore[union-attr]


@pytest.mark.parametrize("text", ["{", '{"team":7', "{'team':7}", '{"team":NaN}', "\ufeff{}", '{"team":"\\ud800"}'])
async def test_what_is_no_json_is_refused(tmp_path: Path, text: str) -> None:
    """Nothing is guessed."""
    got = await called(tmp_path, "query lunch($team: Long!) { few(team_id: $team) }", text)
    assert got.status == 400


@pytest.mark.parametrize(
    ("variables", "numbers"),
    [
        ({"team": 7}, [10, 0]),
        ({"team": 7, "most": 3}, [3, 0]),
        ({"team": 7, "sizes": ["large"]}, [10, 1]),
        ({"team": 7, "sizes": None}, [10, 0]),
    ],
    ids=str,
)
async def test_what_was_not_sent_is_what_the_argument_says(tmp_path: Path, variables: Any, numbers: list[int]) -> None:
    """Absent is not null: an argument without its variable has its own default."""
    source = COUNTED.replace("counted_sizes", size_type(tmp_path))
    assert (await called(tmp_path, source, variables)).json == {"data": {"counted": numbers}}


@pytest.mark.parametrize(
    ("declared", "variables", "few"),
    [
        ("$few: Int = 2", {}, 2),
        ("$few: Int! = 2", {}, 2),
        ("$few: Int! = 2", {"few": 3}, 3),
        ("$few: Int = 2", {"few": None}, None),
        ("$few: Int! = 2", {"few": None}, None),
        ("$few: Int", {}, 1),
    ],
)
async def test_the_default_of_the_document_stands_for_what_was_not_sent(
    tmp_path: Path, declared: str, variables: Any, few: int | None
) -> None:
    """It is the document's before it is the argument's; null is refused where the argument takes none."""
    source = f"query lunch($team: Long!, {declared}) {{ few(team_id: $team, few: $few) }}"
    got = await called(tmp_path, source, {"team": 7} | variables)
    if few is None:
        assert pointers(got) == ["/variables/few"]
    else:
        assert got.json == {"data": {"few": few}}


@pytest.mark.parametrize(("value", "found"), [(3, None), (4, ["/variables/n"]), (0, ["/variables/n"])])
async def test_a_variable_in_several_places_holds_in_each(tmp_path: Path, value: int, found: list[str] | None) -> None:
    """One place takes up to 50, one up to 10 and one up to 3: so does the variable."""
    source = """query lunch($team: Long!, $n: Int!) { few(team_id: $team, few: $n)
      counted(team_id: $team, most: $n) dishes(team_id: $team, limit: $n) { id } }"""
    got = await called(tmp_path, source, {"team": 7, "n": value})
    assert (got.status == 200) if found is None else pointers(got) == found


async def test_a_variable_in_several_places_may_be_left_out(tmp_path: Path) -> None:
    """Each place then takes its own default."""
    source = """query lunch($team: Long!, $n: Int) { few(team_id: $team, few: $n) counted(team_id: $team, most: $n) }"""
    got = await called(tmp_path, source, {"team": 7})
    assert got.json == {"data": {"few": 1, "counted": [10, 0]}}


ORDER = """mutation lunch($team: Long!, $dish: ID!, $note: String, $size: size = large) {
  order(team_id: $team, order: {team_id: $team, lines: [{dish: $dish, note: $note}, {dish: "pie"}], size: $size}) {
    dishes size
  }
}"""


async def test_a_variable_within_an_object_is_of_the_type_of_its_field(tmp_path: Path) -> None:
    """An object that is half written and half sent holds like one that is sent whole."""
    source = ORDER.replace("size = large", f"{order_size(tmp_path)} = large")
    got = await called(tmp_path, source, {"team": 7, "dish": "not a dish", "note": ""})
    assert pointers(got) == ["/variables/dish", "/variables/note"]
    got = await called(tmp_path, source, {"team": 7, "dish": "soup", "note": None, "size": "huge"})
    assert pointers(got) == ["/variables/size"]


def order_size(folder: Path) -> str:
    """The name of the type of the size of an order."""
    core = make_schema(make_bff(folder)).core
    return str(core.type_map["OrderInput"].fields["size"].type).strip("!")  # type: ignore[attr-defined]


async def test_a_whole_body_is_a_variable(tmp_path: Path) -> None:
    """It is decoded by the type of the endpoint's body, unknown keys and all."""
    source = "mutation lunch($team: Long!, $order: OrderInput!) { order(team_id: $team, order: $order) { size } }"
    order = {"team_id": 7, "lines": [{"dish": "soup", "recipe": 1}], "sise": "small"}
    got = await called(tmp_path, source, {"team": 7, "order": order})
    assert sorted(pointers(got)) == ["/variables/order/lines/0/recipe", "/variables/order/sise"]


@pytest.mark.parametrize(("team", "status"), [(7, 200), (8, 403)])
async def test_a_guard_looks_into_an_object_that_is_a_variable(tmp_path: Path, team: int, status: int) -> None:
    """`within` names a field of it."""
    source = "mutation lunch($order: OrderInput!) { order(team_id: 7, order: $order) { size } }"
    order = {"team_id": team, "lines": []}
    got = await called(tmp_path, source, {"order": order}, within="team:{order.team_id}")
    assert got.status == status


async def test_a_domain_that_was_not_sent_is_no_domain(tmp_path: Path) -> None:
    """Nobody is a cook of it."""
    source = "query lunch($team: Long = 7, $n: Int) { few(team_id: $team, few: $n) }"
    assert (await called(tmp_path, source, {})).status == 200
    assert (await called(tmp_path, source, {}, within="team:{n}")).status == 403


@pytest.mark.parametrize("within", ["team:{other}", "team:{n.field}", "team:{team.field}"])
def test_a_domain_over_what_is_no_variable_is_refused(tmp_path: Path, within: str) -> None:
    """A guard that finds nothing would let nobody in, or everybody."""
    (tmp_path / "lunch.graphql").write_text(
        "query lunch($team: Long!, $n: Int) { few(team_id: $team, few: $n) }", encoding="utf-8"
    )
    with pytest.raises(StartRefused) as caught:
        Application(make_bff(tmp_path, {"lunch": DOCUMENT | {"within": within}}), make_settings())
    assert [one.subject for one in caught.value.refusals] == ["cafe.lunch"]


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("query lunch($class: Int!) { few(team_id: 7, few: $class) }", "document-variable"),
        ("query lunch($_call: Int!) { few(team_id: 7, few: $_call) }", "document-variable"),
        ("query lunch { few(team_id: 0) }", "document-literal"),
        ("query lunch { few(team_id: 7, few: 4) }", "document-literal"),
        ("query lunch($n: Int = 4) { few(team_id: 7, few: $n) }", "document-literal"),
        ("query lunch($n: Int = null) { few(team_id: 7, few: $n) }", "document-literal"),
        ("query lunch { counted(team_id: 7, sizes: [small, small, small]) }", "document-literal"),
        ("query lunch { counted(team_id: 7, sizes: small) }", "document-literal"),
        ('query lunch { few(team_id: "7") }', "document-invalid"),
        ('mutation lunch { order(team_id: 7, order: {team_id: 7, lines: [{dish: "a b"}]}) { size } }',
         "document-literal"),
        ("mutation lunch { order(team_id: 7, order: {team_id: 7, lines: [{dish: 5}]}) { size } }",
         "document-literal"),
        ('mutation lunch($n: String) { order(team_id: 7, order: {team_id: 7, lines: [{dish: "a b", note: $n}]}) '
         "{ size } }", "document-literal"),
        ("query lunch { few(team_id: 7) @include(if: 1) }", "document-invalid"),
        ("query lunch($n: Int) { few(team_id: {a: $n}) }", "document-invalid"),
        ("mutation lunch($n: ID!) { order(team_id: 7, order: {team_id: 7, lines: {dish: $n}}) { size } }",
         "document-variable"),
        ("query lunch { dishes(team_id: 7, since: \"today\") { id } }", "document-literal"),
        ("query lunch { dishes(team_id: 7, since: \"2026-11-25T12:00:00\") { id } }", "document-literal"),
    ],
)  # fmt: skip
def test_what_is_written_in_a_document_holds_at_start(tmp_path: Path, source: str, code: str) -> None:
    """A literal that no client could send is refused with its place, and so is a name that Python keeps."""
    found = refused(tmp_path, source, **FREE)
    assert [one.code for one in found] == [code]


def test_literals_of_every_kind_hold_as_a_client_would_send_them(tmp_path: Path) -> None:
    """Numbers, names, lists, objects, texts and null."""
    source = """query lunch { dishes(team_id: 7, limit: 3, below: "2.50", since: "2026-11-25T12:00:00Z") { id }
      again: dishes(team_id: 7, below: null, since: null) { id } counted(team_id: 7, sizes: [small, large]) }"""
    assert refused(tmp_path, source, **FREE) == []


async def test_a_variable_of_a_directive_is_true_or_false(tmp_path: Path) -> None:
    """It is decoded like any other."""
    source = "query lunch($team: Long!, $x: Boolean!) { few(team_id: $team) counted(team_id: $team) @include(if: $x) }"
    assert pointers(await called(tmp_path, source, {"team": 7, "x": "true"})) == ["/variables/x"]
    assert (await called(tmp_path, source, {"team": 7, "x": False})).json == {"data": {"few": 1}}
    assert (await called(tmp_path, source, {"team": 7, "x": True})).json == {"data": {"few": 1, "counted": [10, 0]}}


async def test_an_exact_number_that_is_none_is_refused(tmp_path: Path) -> None:
    """A text can spell what JSON cannot."""
    source = "query lunch($team: Long!, $below: Decimal) { dishes(team_id: $team, below: $below) { id } }"
    assert pointers(await called(tmp_path, source, {"team": 7, "below": "NaN"})) == ["/variables/below"]
    got = await called(tmp_path, source, {"team": 7, "below": "2.51"})
    assert got.json == {"data": {"dishes": [{"id": "soup"}]}}


def test_variables_of_a_document_are_the_parameters_of_its_endpoint(tmp_path: Path) -> None:
    """So that catalog and OpenAPI tell them as those of any endpoint."""
    made = compiled(tmp_path, "query lunch($team: Long!, $n: Int = 2) { few(team_id: $team, few: $n) }")
    found = {p.name: (p.source, p.required) for p in endpoint_shape(made).parameters.values()}
    assert found == {"_call": ("call", True), "team": ("variable", True), "n": ("variable", False)}
