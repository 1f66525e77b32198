"""What is not filled yet does not start, and is told where it stands."""

from pathlib import Path
from typing import Annotated, Any

import msgspec
import pytest
from msgspec import Meta

from narrows import Answer, Bff, Id, Input, Narrow, PageSize, Upstream, hole, read, write
from narrows.checks import hole_refusals
from tests.flow.minimal import FACTS, GUARDS, People, Team, refusals, start, without

HERE = Path(__file__)


class Part(Narrow):
    """A class with holes at several depths."""

    id: Id
    extra: Annotated[None, Meta(extra=hole("any object (#/a)"))] = None
    parts: list[Annotated[str, Meta(extra=hole("a pattern (#/b)"))] | None] = []  # noqa: RUF012 - msgspec copies it
    named: dict[Annotated[str, Meta(max_length=3)], Annotated[int, Meta(extra=hole("a step (#/c)"))]] = {}  # noqa: RUF012 - as above
    again: "list[Part]" = []  # noqa: RUF012 - as above


class New(Input):
    """What goes in."""

    what: Annotated[None, Meta(extra=hole("a choice (#/d)"))] = None


class Holed(Upstream):
    """Operations with holes."""

    @read("/parts/{team_id}", asks="parts:read", holes=["a header is required (#/e)"])
    def parts(self, team_id: Id) -> Answer[list[Part]]: ...

    @read("/whole/{team_id}", asks="parts:read")
    def whole(self, team_id: Annotated[Id, Meta(extra=hole("a form (#/f)"))]) -> Answer[Part]: ...

    @write("/parts", asks="parts:write")
    def make(self, body: New) -> Answer[None]: ...

    @read("/odd", asks="a", holes="one text")
    def odd(self, name) -> Answer[Team]: ...


def line_of(text: str) -> str:
    """Where a line of this file stands."""
    lines = HERE.read_text().splitlines()
    return f"{HERE}:{next(number for number, line in enumerate(lines, 1) if line.startswith(text))}"


def test_a_hole_of_an_operation_stands_at_the_operation():
    """And says what is missing, with the place in the document."""
    first, *_ = hole_refusals([], [Holed.parts])
    assert (first.code, first.subject, first.where) == ("hole-left", "Holed.parts", Holed.parts.where)
    assert first.rule == "a hole is left: a header is required (#/e)"


def test_a_hole_in_a_class_stands_at_its_field():
    """However deep inside the type of the field; each once, though two operations reach the class."""
    found = {(r.subject, r.where) for r in hole_refusals([], [Holed.parts, Holed.whole]) if "Part" in r.subject}
    assert found == {
        ("Part.extra", line_of("    extra: ")),
        ("Part.parts", line_of("    parts: list")),
        ("Part.named", line_of("    named: ")),
    }
    assert len([r for r in hole_refusals([], [Holed.parts, Holed.whole]) if r.subject == "Part.extra"]) == 1


def test_a_hole_in_a_parameter_and_in_a_body_is_found():
    """What goes in is looked at as what comes out."""
    assert [r.subject for r in hole_refusals([], [Holed.whole]) if "#/f" in r.rule] == ["Holed.whole.team_id"]
    assert [r.subject for r in hole_refusals([], [Holed.make])] == ["New.what"]


def test_what_cannot_be_read_is_refused_elsewhere():
    """Its own holes are told all the same."""
    assert [r.rule for r in hole_refusals([], [Holed.odd])] == ["a hole is left: one text"]


def test_a_class_without_source_is_named_by_its_module():
    """A class that was made while running has no line."""
    made = msgspec.defstruct("Made", [("x", Annotated[None, Meta(extra=hole("y"))], None)])
    made.__module__ = "nowhere"

    class There(Upstream):
        @read("/a", asks="a")
        def a(self) -> Answer[made]: ...

    class Here(Upstream):
        @read("/a", asks="a")
        def a(self) -> Answer[renamed]: ...

    assert [r.where for r in hole_refusals([], [There.a])] == ["nowhere.Made"]


renamed: Any = msgspec.defstruct("Elsewhere", [("x", Annotated[None, Meta(extra=hole("y"))], None)], module=__name__)


def test_a_class_that_its_file_does_not_write_is_at_the_beginning_of_it():
    """Or at its own line, when the field is another's."""

    class Here(Upstream):
        @read("/a", asks="a")
        def a(self) -> Answer[renamed]: ...

        @read("/b", asks="a")
        def b(self) -> Answer[Inherits]: ...

    assert [r.where for r in hole_refusals([], [Here.a])] == [f"{HERE}:1"]
    assert line_of("class Inherits(") in {r.where for r in hole_refusals([], [Here.b])}


class Inherits(Part):
    """The holes of another class."""

    more: str = ""


def test_a_hole_of_an_endpoint_refuses_the_start():
    """Through the whole start, with what else is wrong."""
    bff = Bff("lunch", **FACTS)

    @bff.read("/teams/{team_id}", **without(holes="nothing binds `x` yet"))
    async def team(team_id: Id) -> Team:
        return await People.team(team_id)

    [found] = refusals(bff)
    assert (found.code, found.subject, found.where.partition(":")[0]) == ("hole-left", "lunch.team", str(HERE))


@pytest.mark.parametrize(
    ("names", "code"),
    [({"limit": "page-size"}, []), ({"other": "x"}, ["names-unclear"]), ({"limit": 7}, ["names-unclear"])],
)
def test_names_lead_from_query_parameters_to_names(names, code):
    """A name for a parameter that is not there would be sent nowhere, and nobody would see it."""

    class Lists(Upstream):
        @read("/teams", asks="a", names=names)
        def list_all(self, limit: PageSize = 5) -> Answer[list[Team]]: ...

    bff = Bff("lunch", **FACTS)

    @bff.read("/teams/{team_id}", **{**GUARDS, "uses": [Lists.list_all]})
    async def team(team_id: Id) -> Team:
        return (await Lists.list_all())[0]

    upstreams = {"lists": {"url": "https://lists.test", "audience": "lists-api"}}
    if code:
        assert [one.code for one in refusals(bff, upstreams=upstreams)] == code
    else:
        start(bff, upstreams=upstreams)
