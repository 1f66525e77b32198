"""Made-up documents and variables: the answers of graphql-core, a price that holds, and nothing of another type."""

from __future__ import annotations

import asyncio
import json
import string
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import httpx
import msgspec
from graphql import build_schema, execute, parse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Meta

from narrows import Bff, Input, Moment, NumberId
from narrows.surfaces.graphql.schema import make_schema
from tests.unit.surfaces.graphql.kitchen import DOCUMENT, Dish, Kitchen, Menu, Order, make_bff
from tests.unit.surfaces.site import Got, Site, site

DISH = {"id": "soup", "name": "soup", "price": "2.50", "cook": {"name": "Carla", "nick": None}, "tags": ["hot"]}
PIE = {"id": "pie", "name": "pie", "price": "9.00", "cook": {"name": "Carla", "nick": None}, "tags": ["hot"]}
MENU = {"team": 7, "dishes": [DISH, PIE], "best": PIE}
FREE: dict[str, Any] = DOCUMENT | {"within": "team:7"}


def joined_bff(folder: Path) -> Bff:
    """The kitchen with a join that leads from dishes to menus, and so to dishes again."""
    bff = make_bff(folder, {"lunch": FREE}, depth=20, aliases=1000, tokens=5000, ceiling="100.00 EUR")

    @bff.join(Dish, uses=[Kitchen.menu])
    async def menu_of(dishes: list[Dish]) -> list[Menu | None]:
        """Where each dish stands; one request for all of them."""
        found = await Kitchen.menu(7)
        return [found for _ in dishes]

    return bff


# --- documents --------------------------------------------------------------------------------------------------------

ARGUMENTS = {
    "menu": [""],
    "few": ["", "few: 2", "few: $few"],
    "counted": ["", "most: 3", "most: $few", "sizes: [small, large]", "sizes: []"],
}
DECLARED = {
    "$team": "$team: Long!",
    "$few": "$few: Int = 2",
    "$yes": "$yes: Boolean! = true",
    "$no": "$no: Boolean = false",
}
LEAVES = {"Dish": ["id", "name", "price", "tags"], "Cook": ["name", "nick"], "Menu": ["team"]}
OBJECTS = {"Dish": {"cook": "Cook", "menu_of": "Menu"}, "Cook": {}, "Menu": {"dishes": "Dish", "best": "Dish"}}
CONDITIONS = ["", "", "", " @include(if: $yes)", " @skip(if: $no)", " @skip(if: $yes)", " @include(if: false)"]


class Writing:
    """Writes a document as chance says."""

    def __init__(self, draw: Any) -> None:
        self._draw = draw
        self._keys = 0

    def document(self) -> str:
        """A whole one."""
        roots = [
            self._root(name)
            for name in self._draw(st.lists(st.sampled_from(sorted(ARGUMENTS)), min_size=1, max_size=4))
        ]
        text = " ".join(roots)
        declared = ", ".join(said for name, said in DECLARED.items() if name in text)
        return f"query lunch({declared}) {{ {text} }}" if declared else f"query lunch {{ {text} }}"

    def _root(self, name: str) -> str:
        team = self._draw(st.sampled_from(["7", "$team"]))
        more = self._draw(st.sampled_from(ARGUMENTS[name]))
        arguments = f"(team_id: {team}{', ' if more else ''}{more})"
        inner = f" {self._of('Menu', 3)}" if name == "menu" else ""
        return f"{self._key()}{name}{arguments}{self._condition()}{inner}"

    def _of(self, kind: str, depth: int) -> str:
        """What is selected of an object."""
        below = OBJECTS[kind] if depth else {}
        names = self._draw(st.lists(st.sampled_from([*LEAVES[kind], *below]), min_size=1, max_size=3))
        said = []
        for name in names:
            inner = f" {self._of(below[name], depth - 1)}" if name in below else ""
            one = f"{self._key()}{name}{self._condition()}{inner}"
            # Twice under one key is once.
            again = self._draw(st.sampled_from(["{0}", "{0}", "... on {1} {{ {0} }}", "{0} ... {{ {0} }}"]))
            said.append(again.format(one, kind))
        return "{ " + " ".join([*said, *self._draw(st.sampled_from([[], ["__typename"]]))]) + " }"

    def _key(self) -> str:
        """An alias: without one, two fields of one name and other arguments would be in each other's way."""
        self._keys += 1
        return f"a{self._keys}: "

    def _condition(self) -> str:
        return str(self._draw(st.sampled_from(CONDITIONS)))


@st.composite
def documents(draw: Any) -> str:
    """A document over the kitchen, with aliases, conditions, fragments, variables and joins."""
    return Writing(draw).document()


def as_graphql_says(sdl: str, source: str, variables: dict[str, Any]) -> Any:
    """What graphql-core alone answers, over plain data."""
    schema = build_schema(sdl)
    root = {
        "menu": lambda _, **__: MENU,
        "few": lambda _, few=1, **__: few,
        "counted": lambda _, most=10, sizes=None, **__: [most, len(sizes or ())],
    }
    schema.type_map["Dish"].fields["menu_of"].resolve = lambda *_: MENU  # type: ignore[attr-defined]
    result: Any = execute(schema, parse(source), root_value=root, variable_values=variables)
    assert not result.errors, result.errors
    return result.data


async def called(source: str, variables: dict[str, Any]) -> tuple[Got, Site, str]:
    """The answer of a document, the site that gave it, and the schema."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "lunch.graphql").write_text(source, encoding="utf-8")
        bff = joined_bff(Path(folder))
        async with site(kitchen=lambda _: httpx.Response(200, json=MENU), bff=bff) as cafe:
            return (
                await cafe.ask(f"/graphql/lunch?variables={quote(json.dumps(variables))}"),
                cafe,
                make_schema(bff).sdl(),
            )


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    documents(),
    st.fixed_dictionaries({}, optional={"few": st.integers(1, 3), "yes": st.booleans(), "no": st.booleans()}),
)
def test_made_up_documents_answer_as_graphql_says_and_within_their_price(source: str, sent: dict[str, Any]) -> None:
    """As many requests and as much money as the start reckoned at the most; without conditions, exactly so many."""
    variables = {name: value for name, value in sent.items() if f"${name}" in source}
    variables |= {"team": 7} if "$team" in source else {}
    got, cafe, sdl = asyncio.run(called(source, variables))
    assert got.status == 200, got.json
    assert got.json == {"data": as_graphql_says(sdl, source, variables)}
    [entry] = [one for one in cafe.app.plan.entries if one.endpoint.id == "cafe.lunch"]
    most = entry.ceiling.amount if entry.ceiling is not None else Decimal(0)
    spent = len(cafe.cooked) * Decimal("0.01")
    assert spent <= most
    if "@" not in source:
        assert spent == most


# --- variables --------------------------------------------------------------------------------------------------------

VARIABLES = """query lunch($team: Long!, $n: Int!, $below: Decimal, $since: DateTime, $x: Boolean! = true) {
  few(team_id: 7, few: $n) counted(team_id: 7, most: $n) @include(if: $x)
  dishes(team_id: $team, below: $below, since: $since) { id } }"""
ORDERS = """mutation order_it($team: Long!, $order: OrderInput!, $x: Boolean = true) {
  order(team_id: $team, order: $order) @skip(if: $x) { size } }"""


class Asked(Input):
    """What the query takes."""

    team: NumberId
    n: Annotated[int, Meta(ge=1, le=3)]
    below: Decimal | None = None
    since: Moment | None = None
    x: bool = True


class Ordered(Input):
    """What the mutation takes; where a condition stands, there is no null."""

    team: NumberId
    order: Order
    x: bool = True


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2**54) | st.floats(allow_nan=False, allow_infinity=False, width=32)
    | st.text(string.printable, max_size=5) | st.sampled_from(["7", "2.50", "2026-11-25T12:00:00Z", "small", "soup"]),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.sampled_from(["dish", "note", "lines"]), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
LINE = st.fixed_dictionaries({"dish": st.just("soup") | JSON}, optional={"note": st.none() | JSON, "more": JSON})
ORDER = st.fixed_dictionaries(
    {"team_id": st.just(7) | JSON, "lines": st.lists(LINE, max_size=4) | JSON},
    optional={"size": st.sampled_from(["small", "large"]) | JSON, "more": JSON},
)


def sent(known: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Variables that mostly hold, or of which each may be absent or anything."""
    odd = {name: one | JSON for name, one in known.items()} | {"other": st.just(1)}
    return st.fixed_dictionaries(known) | st.fixed_dictionaries({}, optional=odd)


QUERY = sent({
    "team": st.just(7),
    "n": st.integers(0, 4),
    "below": st.sampled_from(["2.50", "NaN", "1e999", None]),
    "since": st.sampled_from(["2026-11-25T12:00:00Z", "2026-11-25T12:00:00", None]),
    "x": st.booleans(),
})  # fmt: skip
MUTATION = sent({"team": st.just(7), "order": ORDER, "x": st.just(True)})


def is_of(kind: Any, text: str) -> bool:
    """Whether msgspec takes it, and no number in it is none."""
    try:
        value = msgspec.json.decode(text, type=kind)
    except msgspec.ValidationError:
        return False
    below = getattr(value, "below", None)
    return below is None or (below.is_finite() and abs(below.adjusted()) <= 64)


def refused(got: Got) -> bool:
    """Whether a variable did not hold; what a field refuses is told of the field."""
    if got.status != 400:
        return False
    return any(one["pointer"].startswith("/variables") for one in got.json["errors"][0]["extensions"]["errors"])


def test_made_up_variables_are_taken_exactly_if_they_are_of_their_types(tmp_path: Path) -> None:
    """Neither more than the endpoints would take, nor less."""
    (tmp_path / "lunch.graphql").write_text(VARIABLES, encoding="utf-8")
    (tmp_path / "order_it.graphql").write_text(ORDERS, encoding="utf-8")
    bff = make_bff(tmp_path, {"lunch": FREE, "order_it": FREE})
    seen = set()
    with asyncio.Runner() as runner:
        opened = site(kitchen=lambda _: httpx.Response(200, json=None), bff=bff)
        cafe = runner.run(opened.__aenter__())

        @settings(max_examples=150, deadline=None)
        @given(QUERY)
        def ask(variables: dict[str, Any]) -> None:
            text = json.dumps(variables)
            got = runner.run(cafe.ask(f"/graphql/lunch?variables={quote(text)}"))
            seen.add(refused(got))
            assert refused(got) is not is_of(Asked, text), got.json

        @settings(max_examples=150, deadline=None)
        @given(MUTATION)
        def order(variables: dict[str, Any]) -> None:
            text = json.dumps(variables)
            body = f'{{"variables":{text}}}'.encode()
            got = runner.run(cafe.ask("/graphql/order_it", "POST", body=body))
            seen.add(refused(got))
            assert refused(got) is not is_of(Ordered, text), got.json

        try:
            ask()
            order()
        finally:
            runner.run(opened.__aexit__(None, None, None))
    assert seen == {True, False}
