from datetime import UTC, datetime
from typing import Annotated, Literal

import pytest
from msgspec import Meta

from narrows import Input, NumberId, ShortText
from narrows.call import Page
from narrows.declare.shape import Parameter, Shape
from narrows.devkit.dev.forms import Examples, fields_of, rows_of, taken_rows
from tests.unit.devkit.dev.trial import Colour, Contact, Wanted

NOW = datetime(2027, 1, 1, tzinfo=UTC)


class Odd(Input):
    """A body of what a form has no simple control for."""

    one: Literal["a", 1]
    two: dict[str, int]
    three: int | str
    four: Annotated[tuple[int, ...], Meta(max_length=2)]
    five: bool | None
    six: Colour
    seven: float = 1.5


def fields(known=None, **parameters):
    """The fields of an endpoint with these parameters, by pointer."""
    made = {
        name: Parameter(name=name, source=source, type=kind, **({"default": more[0]} if more else {}))
        for name, (source, kind, *more) in parameters.items()
    }
    return {one.pointer: one for one in fields_of("e", Shape(made, None), Examples(known or {}, NOW))}


def test_known_objects_stand_in_the_form():
    """The id of the people's own team is filled in; a known value of another type is not."""
    assert fields({"team_id": 7}, team_id=("path", NumberId))["/path/team_id"].example == "7"
    assert fields({"team_id": "x"}, team_id=("path", NumberId))["/path/team_id"].example != "x"


def test_rules_are_the_words_of_the_errors():
    """A hint says before what an error would say after."""
    found = fields(limit=("query", Annotated[int, Meta(ge=1, le=50)], 5), name=("query", ShortText, None))
    assert found["/query/limit"].rule == "a whole number, at least 1 and at most 50"
    assert (found["/query/limit"].default, found["/query/limit"].filled) == ("5", False)
    assert (found["/query/name"].default, found["/query/name"].kind) == ("", "text")


def test_the_fields_of_a_body_are_told_one_by_one():
    """An object within the body brings its fields, and each error finds its own."""
    found = fields(booking=("body", Wanted))
    assert list(found) == [
        "/body/seats", "/body/starts_at", "/body/contact/name", "/body/contact/loud", "/body/kind", "/body/colour",
        "/body/notes",
    ]  # fmt: skip
    assert found["/body/contact/name"].name == "contact.name"
    assert [found[f"/body/{name}"].kind for name in ("seats", "kind", "colour", "notes")] == [
        "number", "choice", "choice", "json",
    ]  # fmt: skip
    assert (found["/body/kind"].choices, found["/body/kind"].default) == (["dinner", "lunch"], "lunch")


def test_what_has_no_simple_control_is_written_as_json():
    """Nothing that the type allows is out of reach."""
    found = {pointer: one.kind for pointer, one in fields(odd=("body", Odd)).items()}
    assert found == {
        "/body/one": "json", "/body/two": "json", "/body/three": "json", "/body/four": "json",
        "/body/five": "boolean", "/body/six": "choice", "/body/seven": "number",
    }  # fmt: skip


def test_a_list_in_the_query_is_written_as_json():
    """The page repeats its name for each item."""
    assert fields(ids=("query", Annotated[list[int], Meta(max_length=2)], None))["/query/ids"].kind == "json"


def test_a_type_that_cannot_be_made_leaves_the_field_empty():
    """The form is there even where no example is."""
    impossible = Annotated[str, Meta(pattern=r"^(?=x)\d+$")]
    assert fields(code=("path", impossible))["/path/code"].example == ""

    class Hard(Input):
        """A body that cannot be made up."""

        code: impossible

    assert fields(body=("body", Hard))["/body/code"].example == ""


def test_the_preview_lists_every_place_with_its_rule():
    """What is taken and answered can be read without the contract."""
    rows = {row.path: row.rule for row in rows_of(list[Contact])}
    assert list(rows) == ["the answer", "[]", "[].name", "[].loud"]
    assert rows["[].name"] == "text of 1 to 100 characters"
    taken = taken_rows(
        Shape(
            {"a": Parameter(name="a", source="path", type=int), "b": Parameter(name="b", source="body", type=Contact)},
            None,
        )
    )
    assert [row.path for row in taken] == ["a", "body:b", "body:b.name", "body:b.loud"]


@pytest.mark.parametrize("kind", [None, Page])
def test_what_is_no_data_has_no_preview(kind):
    """Nothing and pages have no schema."""
    assert rows_of(kind) == []
