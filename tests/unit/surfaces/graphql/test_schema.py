"""The schema of a BFF: its endpoints and nothing else, under their own names, the same for the same declarations."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import strawberry
from msgspec import Meta

from narrows import Bff, Caller, Id, Input, Narrow, PageSize, ShortText
from narrows.declare.shape import Parameter
from narrows.surfaces.graphql.schema import make_schema
from tests.flow.minimal import FACTS, make_bff, without
from tests.unit.surfaces.graphql.schemas import bff_of, codes, function, refusals, schema_of

ROOT = Path(__file__).parents[4]


class Wanted(Input):
    """What is wanted."""

    seats: PageSize


class Card(Narrow):
    """What is shown."""

    name: ShortText


class More:
    """What a team adds to a card."""

    @strawberry.field
    def shout(self, times: PageSize = 1) -> str:
        """Louder."""
        return "!" * times


def test_reads_are_queries_and_writes_are_mutations() -> None:
    """Every endpoint is a field under the name of its function, and no field is anything else."""
    schema = make_schema(make_bff())

    assert set(schema.core.query_type.fields) == {"team", "chairs"}  # type: ignore[union-attr]
    assert set(schema.core.mutation_type.fields) == {"book", "cancel"}  # type: ignore[union-attr]
    assert schema.core.subscription_type is None
    assert {name: root.endpoint.id for name, root in schema.roots.items()} == {
        "team": "lunch.team",
        "book": "lunch.book",
        "cancel": "lunch.cancel",
        "chairs": "lunch.chairs",
    }


def test_arguments_are_what_a_client_sends() -> None:
    """Path, query and body are arguments, also a path value that a guard alone takes; what a guard reads is none."""
    schema = make_schema(make_bff())

    assert [one.name for one in schema.roots["cancel"].parameters] == ["line_id", "booking_id"]
    assert "cancel(line_id: ID!, booking_id: ID!): Nothing" in schema.sdl()
    assert schema.arguments_of("Mutation", "book").keys() == {"team_id", "booking"}
    bff = bff_of(str, {"caller": Caller, "most": (PageSize, 3)})
    assert make_schema(bff).arguments_of("Query", "found").keys() == {"team_id", "most"}


def test_fields_of_structs_have_no_arguments_and_those_that_were_added_have_theirs() -> None:
    """What a document compiles needs the type and the arguments of each field, whoever declared it."""
    bff = bff_of(Card)
    bff.graphql({Card: More})
    schema = make_schema(bff)

    assert schema.type_of(Card, "name") == ShortText
    assert schema.type_of(Card, "shout") is str
    assert schema.arguments_of("Card", "name") == {}
    [times] = schema.arguments_of("Card", "shout").values()
    assert isinstance(times, Parameter)
    assert (times.name, times.default) == ("times", 1)
    assert schema.joins == {}
    assert '"""Louder."""\n  shout(times: Int! = 1): String!' in schema.sdl()


def test_the_text_is_the_same_for_the_same_declarations() -> None:
    """Two starts print one schema, so that a change of it is a change of a declaration."""
    assert make_schema(make_bff()).sdl() == make_schema(make_bff()).sdl()
    assert make_schema(make_bff()).sdl().endswith("}\n")


def test_an_endpoint_that_ages_says_so() -> None:
    """`deprecated` and `sunset` stand in the schema, as they stand in the headers of REST."""
    assert '@deprecated(reason: "deprecated from 2027-01-01, may be gone from 2027-02-01")' in (
        schema_of(deprecated="2027-01-01", sunset="2027-02-01").sdl()
    )
    assert '@deprecated(reason: "deprecated from 2027-01-01")' in schema_of(deprecated="2027-01-01").sdl()


def test_two_endpoints_of_one_name_are_refused() -> None:
    """Both would be one field."""
    bff = bff_of()
    bff.read("/other/{team_id}", **without())(function("found", str, {"team_id": Id}))

    [found] = refusals(bff)
    assert (found.code, found.subject) == ("graphql-name-twice", "lunch.found")


def test_a_name_that_graphql_keeps_is_refused() -> None:
    """Fields and arguments that begin with two underscores are those of introspection."""
    bff = bff_of(str, {"__why": (PageSize, 1)})
    bff.read("/other/{team_id}", **without())(function("__found", str, {"team_id": Id}))

    assert codes(refusals(bff)) == ["graphql-name", "graphql-name"]


def test_a_bff_without_a_read_has_no_schema() -> None:
    """GraphQL needs a query."""
    bff = Bff("lunch", **FACTS)
    bff.write("/teams/{team_id}", **without())(function("put", None, {"team_id": Id, "sent": Wanted}))

    [found] = refusals(bff)
    assert (found.code, found.subject) == ("graphql-empty", "lunch")


def test_a_signature_that_cannot_be_read_is_refused_and_not_raised() -> None:
    """What REST refuses is refused here under the same code, at the same line."""
    bff = bff_of()

    @bff.read("/other/{team_id}", **without())
    async def other(team_id: Id): ...  # type: ignore[no-untyped-def]

    [found] = refusals(bff)
    assert (found.code, found.subject) == ("answer-untyped", "lunch.other")


def test_a_bff_of_reads_has_no_mutation() -> None:
    """Without writes there is no Mutation."""
    assert schema_of(Annotated[list[Card], Meta(max_length=5)]).core.mutation_type is None


def test_the_text_does_not_depend_on_the_process(tmp_path: Path) -> None:
    """Another process, whose hashes are others, prints the same bytes: the text can be kept under version control."""
    code = (
        "from tests.flow.test_document_types import make_bff; from narrows.surfaces.graphql.schema import make_schema; "
        "import pathlib, sys; "
        "sys.stdout.write(make_schema(make_bff(pathlib.Path(sys.argv[1]))).sdl())"
    )
    paths = os.pathsep.join([str(ROOT), str(ROOT / "framework")])
    found = {
        subprocess.run(  # noqa: S603  (the interpreter of this test)
            [sys.executable, "-c", code, str(tmp_path / seed)],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": paths},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    [text] = found
    assert b"enum All_diet" in text
