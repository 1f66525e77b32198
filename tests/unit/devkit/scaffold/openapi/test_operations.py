"""What an operation becomes: path, parameters, body, answer, problems and scope; holes for the rest."""

from typing import Any

import pytest

from narrows.devkit.scaffold.openapi.document import Document
from narrows.devkit.scaffold.openapi.gaps import DocumentRefused
from narrows.devkit.scaffold.openapi.kinds import Choice, Flag, Loose, Many, Marked, Nothing, Ref, Text, Whole
from narrows.devkit.scaffold.openapi.operations import Made
from tests.unit.devkit.scaffold.openapi.documents import JSON, answering, document, made, taking

OBJECT = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
TEXT = {"type": "string"}


def one(operation: dict[str, Any], path: str = "/a", method: str = "get", dialect: str = "3.0", **more: Any) -> Made:
    """The operation of a document that has no other."""
    root = document({path: {method: operation, **more.pop("item", {})}}, more.pop("schemas", {}), dialect, **more)
    return made(root, f"{method.upper()} {path}").operations[0]


def said(operation: Made) -> list[str]:
    """What its holes say."""
    return [hole.said for hole in operation.holes]


def query(name: str, schema: Any, **more: Any) -> dict[str, Any]:
    """A parameter of the query."""
    return {"name": name, "in": "query", "schema": schema, **more}


def test_parameters_are_typed_and_renamed():
    """The operation's own stand for those of the path; headers of HTTP itself are not spoken of."""
    item = {"parameters": [{"name": "petId", "in": "path", "required": True, "schema": TEXT}, query("page-size", TEXT)]}
    own = [
        query("page-size", {"type": "integer"}),
        query("sort", {"enum": ["a"]}, required=True),
        query("tag", {"type": "array", "items": TEXT}),
        query("owner_id", TEXT),
        query("on", {"type": "boolean"}),
        {"name": "Accept", "in": "header", "required": True, "schema": TEXT},
        {"name": "X-Trace", "in": "header", "schema": TEXT},
    ]
    found = one({**answering(OBJECT), "parameters": own}, "/pets/{petId}", item=item)
    assert found.path == "/pets/{pet_id}"
    assert {p.name: (p.wire, p.kind, p.required) for p in found.parameters} == {
        "pet_id": ("petId", Marked(Text(1, 255)), True),
        "page_size": ("page-size", Whole(), False),
        "sort": ("sort", Choice(("a",)), True),
        "tag": ("tag", Many(Text(None, 2000), None, 100), False),
        "owner_id": ("owner_id", Marked(Text(None, 2000)), False),
        "on": ("on", Flag(), False),
    }
    assert found.holes == []


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "string", "maxLength": 9}, Text(1, 9)),
        ({"type": "string", "maxLength": 900, "minLength": 300}, Text(300, 300)),
        ({"type": "string", "nullable": True}, Text(1, 255)),
        ({"type": "string", "format": "uuid"}, Text(form="uuid")),
        ({"type": "integer"}, Whole()),
    ],
)
def test_a_value_of_a_path_is_one_segment(schema, expected):
    """Never empty, never null, and bounded."""
    parameter = {"name": "x", "in": "path", "required": True, "schema": schema}
    found = one({**answering(OBJECT), "parameters": [parameter]}, "/a/{x}")
    assert found.parameters[0].kind == expected


def test_a_pattern_of_a_path_that_is_not_proven_is_a_hole():
    """With its bounds."""
    parameter = {"name": "x", "in": "path", "required": True, "schema": {"type": "string", "pattern": "^(a+)+$"}}
    found = one({**answering(OBJECT), "parameters": [parameter]}, "/a/{x}")
    assert isinstance(found.parameters[0].kind, Loose)
    assert found.parameters[0].kind.inner == Text(1, 255)


@pytest.mark.parametrize(
    ("parameter", "hole"),
    [
        ({"name": "X", "in": "header", "required": True, "schema": TEXT}, "header X is not sent, and it is"),
        ({"name": "c", "in": "cookie", "required": True, "schema": TEXT}, "cookie c is not sent, and it is"),
        ({"name": "q", "in": "query", "required": True, "content": {JSON: {"schema": TEXT}}}, "a form of its own"),
        (query("q", {"type": "array", "items": TEXT}, required=True, explode=False), "another way than by repeating"),
        (query("q", OBJECT, required=True), "it is no single value"),
        (query("q" * 81, TEXT, required=True), "its name is too long"),
        (query("q", {"type": "array", "items": OBJECT}, required=True), "it is no single value"),
        ({"$ref": "other.json#/x"}, "a parameter cannot be read"),
    ],
)
def test_what_cannot_be_sent_is_a_hole_when_it_is_required(parameter, hole):
    """And a note when it may be left out."""
    assert hole in said(one({**answering(OBJECT), "parameters": [parameter]}))[0]
    if "name" in parameter:
        free = {**parameter, "required": False}
        assert said(one({**answering(OBJECT), "parameters": [free]})) == []


@pytest.mark.parametrize(
    "path", ["/a/{x}.json", "/a/{x}/{x}", "/a/{y}", "/a/", "a", "/a/..", "/a b", "/a/{x}:go", "/a"]
)
def test_a_path_without_a_plain_form_leads_nowhere(path):
    """It is a hole, and what would be sent is not guessed."""
    parameter = {"name": "x", "in": "path", "required": True, "schema": TEXT}
    found = one({**answering(OBJECT), "parameters": [parameter]}, path)
    assert found.path == "/hole-left"
    assert "its path" in said(found)[0]
    assert found.parameters == []


@pytest.mark.parametrize(
    ("operation", "hole"),
    [
        (taking({"type": "array", "items": TEXT}), "its body is not sent: it is no object"),
        (taking({"type": "object"}), "its body is not sent: it is an object without named fields"),
        (
            {**taking(OBJECT), "requestBody": {"content": {"multipart/form-data": {"schema": OBJECT}}}},
            "its body is not JSON",
        ),
        ({**taking(OBJECT), "requestBody": {"$ref": "x.json"}}, "its body cannot be read"),
        ({**taking(OBJECT), "responses": {"200": {"$ref": "x.json"}}}, "its answer cannot be read"),
        ({"responses": {"default": {"description": ""}}}, "it declares no success"),
        (answering(OBJECT) | {"responses": {"200": {"content": {"text/html": {"schema": TEXT}}}}}, "it is not JSON"),
        (answering({}), "its answer is not read: it says nothing"),
    ],
)
def test_bodies_and_answers_that_are_holes(operation, hole):
    """Forms, lists, other media types, and what is not in the document."""
    assert any(hole in text for text in said(one(operation, method="post")))


def test_two_successes_of_different_forms():
    """For a write it is a hole, as an effect would be told as a failure; for a read it is a note."""
    both = {"responses": {"200": answering(OBJECT)["responses"]["200"], "204": {"description": ""}}}
    assert "besides 200 it answers 204 in another form" in said(one(both, method="post"))[0]
    assert said(one(both)) == []
    same = answering(OBJECT)["responses"]["200"]
    assert said(one({"responses": {"200": same, "201": same}}, method="post")) == []


def test_a_body_and_an_answer_have_classes_of_their_own():
    """What goes in is an Input, what comes out a Narrow; any JSON media type will do."""
    operation = taking(OBJECT) | {"responses": {"201": {"content": {"application/hal+json; q=1": {"schema": OBJECT}}}}}
    found = one(operation, method="post")
    assert (found.body, found.answer) == (Ref("PutBodyInput"), Ref("PutAnswer"))
    assert one(taking(OBJECT), method="delete").answer == Nothing()


def test_swagger_2_says_it_otherwise():
    """Types beside the parameter, bodies among them, media types above."""
    parameters = [
        {"name": "n", "in": "query", "type": "integer"},
        {"name": "l", "in": "query", "type": "array", "items": TEXT},
        {"name": "m", "in": "query", "type": "array", "items": TEXT, "collectionFormat": "multi"},
        {"$ref": "away.json"},
        {"name": "b", "in": "body", "schema": OBJECT},
    ]
    operation = {"parameters": parameters, "responses": {"200": {"schema": OBJECT}, "404": {}, "429": {}, "500": {}}}
    found = one(operation, method="put", dialect="2.0", consumes=["application/json; charset=utf-8"], produces=["*/*"])
    assert [p.name for p in found.parameters] == ["n", "m"]
    assert (found.body, found.answer, found.statuses) == (Ref("PutABodyInput"), Ref("PutAAnswer"), [404])
    assert (
        said(one(operation | {"consumes": ["text/xml"]}, method="put", dialect="2.0"))[1]
        == "its body is not JSON, and is not sent"
    )
    form = operation | {"parameters": [{"name": "f", "in": "formData", "type": "string"}]}
    assert said(one(form, method="post", dialect="2.0")) == ["its body is a form, and is not sent"]
    assert "it is not JSON" in said(one(operation | {"produces": ["text/csv"]}, dialect="2.0"))[-1]
    assert said(one({"responses": {"200": {"schema": {"type": "file"}}}}, dialect="2.0")) != []
    assert one({"responses": {"200": {}}}, dialect="2.0").answer == Nothing()


@pytest.mark.parametrize(
    ("security", "asks", "hole"),
    [
        ([{"o": ["pets:read"]}], "pets:read", ""),
        ([{"o": ["a", "b"]}, {"o": ["c"]}], "c", ""),
        ([{"o": ["a", "b"]}], "pets:read", "it needs a and b, and `asks` takes one plain scope"),
        ([{"o": ['a"b']}], "pets:read", 'it needs a"b'),
        ([{"key": []}], "pets:read", ""),
        (7, "pets:read", ""),
        ([7, {"o": 7}, {"o": [7]}], "pets:read", ""),
    ],
)
def test_scopes_become_asks(security, asks, hole):
    """One scope is asked for; several are a hole, and none is one that nobody grants by mistake."""
    found = one(answering(OBJECT, security=security))
    assert found.asks == asks
    assert hole in "".join(said(found))
    assert bool(hole) == bool(found.holes)


def test_the_scopes_of_the_document_hold_for_operations_without_their_own():
    """An empty list means that nothing is needed."""
    assert one(answering(OBJECT), security=[{"o": ["all"]}]).asks == "all"
    assert one(answering(OBJECT, security=[]), security=[{"o": ["all"]}]).asks == "pets:read"


def test_operations_are_found_by_id_or_by_method_and_path():
    """Ids that are missing, stand twice or hold a comma are not used; a wrong one is answered with near ones."""
    paths = {
        "/a": {"get": answering(TEXT), "post": {"operationId": "x,y", "responses": {}}},
        "/b": {"get": {"operationId": "same"}, "put": {"operationId": "same"}},
        "/c": {"$ref": "#/paths/~1a"},
        "/d": {"$ref": "away.json"},
        "/g": {"$ref": "#/paths/~1g"},
        "/e": {"get": 7},
        7: {"get": {}},
        "/f": {"get": {"operationId": "listPets"}},
    }
    whole = Document(document(paths))
    ids = [listed.id for listed in whole.operations]
    assert ids == ["GET /a", "POST /a", "GET /b", "PUT /b", "GET /c", "POST /c", "listPets"]
    assert whole.find("GET /f").id == "listPets"
    for wrong, near in (
        ("listPet", "did you mean listPets?"),
        ("POST /", "did you mean"),
        ("zzz", "--list shows all 7"),
    ):
        with pytest.raises(DocumentRefused, match=near.replace("?", r"\?")):
            whole.find(wrong)


def test_a_reference_may_lead_into_a_list():
    """By its index; what is not there is said."""
    paths = {"/a": {"get": {**answering({"$ref": "#/x/0/y~1z"})}}, "/b": {"get": {**answering({"$ref": "#/x/9"})}}}
    root = document(paths, x=[{"y/z": OBJECT}])
    assert isinstance(made(root, "GET /a").operations[0].answer, Ref)
    assert "which is not there" in made(root, "GET /b").operations[0].holes[0].said


def test_a_document_says_which_it_is():
    """3.1 and 3.0 and 2.0; nothing else is guessed."""
    assert [Document(document({}, {}, one)).dialect for one in ("2.0", "3.0", "3.1")] == ["2.0", "3.0", "3.1"]
    for odd in ({}, [], 7, {"openapi": "4.0.0"}, {"swagger": "1.2"}):
        with pytest.raises(DocumentRefused, match="it says neither"):
            Document(odd)


def test_how_many_operations_may_be_named():
    """At least one."""
    with pytest.raises(DocumentRefused, match="name 1 to 100"):
        made(document())
