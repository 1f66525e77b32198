"""Documents in the contract: each is an operation of its own, with its variables, its answer and its scopes."""

from pathlib import Path
from typing import Annotated, Any

import msgspec
import pytest
from msgspec import Meta
from openapi_spec_validator import OpenAPIV31SpecValidator

from narrows import Answer, Bff, Id, Input, Narrow, Problem, ShortText, Upstream, read, write
from narrows.surfaces.http import Application
from tests.unit.sdk import lunch

LIST = """\
# The menu of a team.
#
# And what it booked.
query list($team_id: Int!, $most: Int) {
  menu(team_id: $team_id, most: $most) { name }
  tables(team_id: $team_id) { id seats }
}
"""
ALL = "query all { whole { name } }"
BOOK = "mutation book($team_id: Int!, $table: NewTableInput!) { reserve(team_id: $team_id, table: $table) { id } }"
TeamNumber = Annotated[int, Meta(ge=1, le=99)]


class SoldOut(Problem):
    """There is nothing left."""

    status = 409
    title = "Sold out"
    remedy = "Come earlier."


class Dish(Narrow):
    """Something to eat."""

    name: ShortText


class Table(Narrow):
    """A table."""

    id: Id
    seats: Annotated[int, Meta(ge=1, le=20)]


class NewTable(Input):
    """A table to be booked."""

    seats: Annotated[int, Meta(ge=1, le=20)]


class Directory(Upstream):
    """The dishes."""

    @read("/dishes/{team_id}", asks="dishes-read", price="0.01 EUR")
    def dishes(self, team_id: TeamNumber) -> Answer[Annotated[list[Dish], Meta(max_length=9)]]: ...


class Tables(Upstream):
    """The tables."""

    @read("/tables/{team_id}", asks="tables-read")
    def of(self, team_id: TeamNumber) -> Answer[Annotated[list[Table], Meta(max_length=9)]]: ...

    @write("/tables/{team_id}", asks="tables-write", price="0.05 EUR", problems={409: SoldOut})
    def book(self, team_id: TeamNumber, table: NewTable) -> Answer[Table]: ...


def make_bff(folder: Path) -> Bff:
    """A BFF with three documents, whose files are made in a folder."""
    bff = Bff("lunch", version="1.0.0", owner="x@example.com", purpose="Lunch", exposure="internal",
              sensitivity="internal", importance="low", review_by="2027-05-01")  # fmt: skip
    own: dict[str, Any] = {"roles": {"member"}, "within": "team:{team_id}"}

    @bff.read("/menus/{team_id}", **own, scope="menu-read", uses=[Directory.dishes], rate="9/minute")
    async def menu(
        team_id: TeamNumber, most: Annotated[int, Meta(ge=1, le=9)] = 5
    ) -> Annotated[list[Dish], Meta(max_length=9)]:
        """The menu."""
        return (await Directory.dishes(team_id))[:most]

    @bff.read("/tables/{team_id}", **own, scope="tables-read", uses=[Tables.of], rate="9/minute")
    async def tables(team_id: TeamNumber) -> Annotated[list[Table], Meta(max_length=9)]:
        """The tables."""
        return await Tables.of(team_id)

    @bff.read("/whole", roles={"planner"}, scope="menu-read", uses=[], rate="9/minute")
    async def whole() -> Dish:
        """All that there is."""
        return Dish(name="soup")

    @bff.write("/tables/{team_id}", **own, scope="tables-book", uses=[Tables.book], rate="9/minute")
    async def reserve(team_id: TeamNumber, table: NewTable) -> Table:
        """Book a table."""
        return await Tables.book(team_id, table)

    for name, source in {"list": LIST, "all": ALL, "book": BOOK}.items():
        (folder / f"{name}.graphql").write_text(source)
    bff.graphql(queries=str(folder), ceiling="1.00 EUR")
    bff.document("list", **own, scope="list-read", rate="7/minute", slo="99%")
    bff.document("all", roles={"planner"}, scope="menu-read", rate="7/minute")
    bff.document("book", **own, scope="tables-book", rate="7/minute")
    return bff


@pytest.fixture(scope="module")
def doc(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The contract of the made-up BFF."""
    app = Application(make_bff(tmp_path_factory.mktemp("queries")), lunch.make_settings())
    found: dict[str, Any] = msgspec.json.decode(app.document)
    return found


def resolved(doc: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """A schema that may be told by reference."""
    found: dict[str, Any] = doc["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return found


def test_a_contract_with_documents_is_a_valid_one(doc: dict[str, Any]) -> None:
    """The published schema of OpenAPI 3.1 holds, and documents stand beside the endpoints."""
    OpenAPIV31SpecValidator(doc).validate()
    found = {path: [*item] for path, item in doc["paths"].items() if path.startswith("/graphql/")}
    assert found == {
        "/graphql/list": ["get", "post"],
        "/graphql/all": ["get", "post"],
        "/graphql/book": ["post"],
    }


def test_a_document_says_what_it_is_for_in_its_own_words(doc: dict[str, Any]) -> None:
    """The comment at its top is what clients read of it; its id is that of the BFF and its name."""
    operation = doc["paths"]["/graphql/list"]["get"]
    assert operation["operationId"] == "lunch.list"
    assert operation["summary"] == "The menu of a team."
    assert operation["description"] == "The menu of a team.\n\nAnd what it booked."


def test_the_variables_of_a_query_are_one_typed_parameter(doc: dict[str, Any]) -> None:
    """A generated client makes one JSON object of them, with every bound, and knows when it may leave it out."""
    parameter = doc["paths"]["/graphql/list"]["get"]["parameters"][0]
    assert (parameter["name"], parameter["in"], parameter["required"]) == ("variables", "query", True)
    schema = resolved(doc, parameter["content"]["application/json"]["schema"])
    assert (schema["required"], schema["additionalProperties"]) == (["team_id"], False)
    assert schema["properties"]["team_id"]["maximum"] == 99
    assert doc["paths"]["/graphql/all"]["get"]["parameters"][0]["required"] is False


def test_the_variables_of_a_mutation_are_in_its_body(doc: dict[str, Any]) -> None:
    """What has effects comes by POST alone."""
    assert "get" not in doc["paths"]["/graphql/book"]
    body = doc["paths"]["/graphql/book"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert (body["required"], body["additionalProperties"]) == (["variables"], False)
    schema = resolved(doc, body["properties"]["variables"])
    assert schema["properties"]["table"] == {"$ref": "#/components/schemas/NewTable"}


def test_the_answer_is_what_the_document_selects(doc: dict[str, Any]) -> None:
    """Types of a selection have names of their own, so that those of the endpoints stay what they are."""
    [media, *_] = doc["paths"]["/graphql/list"]["get"]["responses"]["200"]["content"].values()
    answer = resolved(doc, media["schema"])
    data = resolved(doc, answer["properties"]["data"])
    assert (answer["required"], [*data["properties"]]) == (["data"], ["menu", "tables"])
    table = resolved(doc, data["properties"]["tables"]["items"])
    assert [*table["properties"]] == ["id", "seats"]
    assert {"Dish", "Table", "NewTable"} <= doc["components"]["schemas"].keys()


def test_a_document_needs_the_scopes_of_all_its_fields(doc: dict[str, Any]) -> None:
    """A client asks for them at once, and a reviewer sees what the document comes to."""
    operation = doc["paths"]["/graphql/list"]["get"]
    assert [scopes for scheme in operation["security"] for scopes in scheme.values()] == [
        ["list-read", "menu-read", "tables-read"]
    ]
    facts = operation["x-narrows"]
    assert (facts["scope"], facts["scopes"]) == ("list-read", ["list-read", "menu-read", "tables-read"])
    assert [use["operation"] for use in facts["uses"]] == ["Directory.dishes", "Tables.of"]
    assert (facts["price"], facts["effects"], facts["slo"]) == ("0.01 EUR", [], "99%")
    assert facts["fields"] == [{"endpoint": "lunch.menu", "times": 1}, {"endpoint": "lunch.tables", "times": 1}]
    assert facts["document"].startswith("sha256:")
    assert doc["paths"]["/graphql/book"]["post"]["x-narrows"]["effects"] == ["Tables.book"]


def test_a_document_ends_in_the_problems_of_its_fields(doc: dict[str, Any]) -> None:
    """A client that handles those of the endpoints handles those of the document."""
    responses = doc["paths"]["/graphql/book"]["post"]["responses"]
    taken = doc["components"]["responses"][responses["409"]["$ref"].rpartition("/")[2]]
    assert "Sold out" in taken["description"]
    [schema] = [media["schema"] for kind, media in taken["content"].items() if kind.startswith("application/graphql")]
    problem = schema["properties"]["errors"]["items"]["properties"]["extensions"]
    assert "urn:narrows:problem:sold-out" in problem["properties"]["type"]["enum"]
    assert "402" in responses
