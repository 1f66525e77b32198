"""Drift: what an upstream's new document would break is told, and nothing else."""

import copy
import json
from datetime import date, datetime
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
import pytest
from msgspec import Meta

from narrows import Answer, Bff, Id, Input, Moment, Narrow, Problem, Upstream, read, write
from narrows.devkit.drift import drift, upstreams_of
from tests.flow.minimal import FACTS, People

JSON = "application/json"


class NoPet(Problem):
    """There is none."""

    status = 404


class Mood(Enum):
    """How it is."""

    GOOD = "good"


class Owner(Narrow):
    """Somebody."""

    name: str


class Cat(Narrow, tag_field="kind", tag="cat"):
    """A cat."""

    lives: int


class Dog(Narrow, tag_field="kind", tag="dog"):
    """A dog."""

    bark: str


class Pet(Narrow):
    """A pet."""

    id: int
    name: Annotated[str, Meta(max_length=20)]
    size: Literal["small", "large"]
    born: date
    seen: Moment
    mark: UUID
    weight: Annotated[float, Meta(ge=0, le=100)]
    tags: Annotated[list[str], Meta(max_length=5)]
    owner: Owner
    notes: dict[Annotated[str, Meta(max_length=9)], str]
    mother: "Pet | None" = None
    nick: str | None = None
    which: Cat | Dog | None = None
    either: str | int | None = None
    anything: Any = None
    level: Annotated[int, Meta(ge=1, le=9)] = 1
    mood: Mood | None = None


class NewPet(Input, omit_defaults=True):
    """What makes a pet."""

    name: Annotated[str, Meta(min_length=1, max_length=20)]
    size: Literal["small", "large"] | None = None
    tags: Annotated[list[Annotated[str, Meta(max_length=9)]], Meta(max_length=5)] | None = None
    level: Annotated[int, Meta(ge=1, le=9)] | None = None
    code: Annotated[str, Meta(max_length=3, pattern="^[a-z]+$")] | None = None


class Pets(Upstream):
    """The pets."""

    @read("/pets/{pet_id}", asks="pets:read", problems={404: NoPet})
    def get_pet(self, pet_id: int) -> Answer[Pet]: ...

    @read("/pets", asks="pets:read", names={"page_size": "page-size"})
    def list_pets(
        self, page_size: Annotated[int, Meta(le=50)] = 5, size: Literal["small"] | None = None
    ) -> Answer[list[Pet]]: ...

    @write("/pets", asks="pets:write")
    def add_pet(self, body: NewPet) -> Answer[Pet]: ...

    @write("/pets/{pet_id}", method="DELETE", asks="pets:write")
    def delete_pet(self, pet_id: int) -> Answer[None]: ...


PET: dict[str, Any] = {
    "type": "object",
    "required": ["id", "name", "size", "born", "seen", "mark", "weight", "tags", "owner", "notes"],
    "properties": {
        "id": {"type": "integer"},
        "name": {"type": "string", "maxLength": 20},
        "size": {"enum": ["small", "large"]},
        "born": {"type": "string", "format": "date"},
        "seen": {"type": "string", "format": "date-time"},
        "mark": {"type": "string", "format": "uuid"},
        "weight": {"type": "number", "minimum": 0, "maximum": 100},
        "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 5},
        "owner": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]},
        "notes": {"type": "object", "additionalProperties": {"type": "string"}},
        "mother": {"$ref": "#/components/schemas/Pet"},
        "nick": {"type": "string", "nullable": True},
        "which": {"oneOf": [
            {"required": ["kind", "lives"], "properties": {"kind": {"enum": ["cat"]}, "lives": {"type": "integer"}}},
            {"required": ["kind", "bark"], "properties": {"kind": {"enum": ["dog"]}, "bark": {"type": "string"}}},
        ]},
        "either": {"oneOf": [{"type": "string"}, {"type": "integer"}]},
        "anything": {"type": "string"},
        "level": {"type": "integer", "minimum": 1, "maximum": 9},
        "shade": {"type": "string"},
        "mood": {"type": "string"},
    },
}  # fmt: skip
NEW: dict[str, Any] = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 20},
        "size": {"enum": ["small", "large", "huge"]},
        "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 9},
        "level": {"type": "number", "minimum": 0},
        "code": {"type": "string", "maxLength": 3, "pattern": "^[a-z]+$"},
    },
}


def answer(schema: Any) -> dict[str, Any]:
    """A declared answer."""
    return {"description": "", "content": {JSON: {"schema": schema}}}


def document() -> dict[str, Any]:
    """The document that the declarations above fit."""
    pet = {"$ref": "#/components/schemas/Pet"}
    one = {"name": "petId", "in": "path", "required": True, "schema": {"type": "integer"}}
    size = {"name": "size", "in": "query", "schema": {"enum": ["small", "large"]}}
    page = {"name": "page-size", "in": "query", "schema": {"type": "integer", "maximum": 50}}
    shadow = {"$ref": "#/components/parameters/away"}
    body = {"required": True, "content": {JSON: {"schema": {"$ref": "#/components/schemas/NewPet"}}}}
    reading, writing = [{"oauth": ["pets:read"]}], [{"oauth": ["pets:write"]}]
    return {
        "openapi": "3.0.3",
        "info": {"title": "Pets", "version": "1"},
        "paths": {
            "/pets/{petId}": {
                "parameters": [one],
                "get": {"operationId": "getPet", "security": reading,
                        "responses": {"200": answer(pet), "404": {"description": ""}}},
                "delete": {"operationId": "deletePet", "security": writing, "responses": {"204": {"description": ""}}},
            },
            "/pets": {
                "get": {"operationId": "listPets", "parameters": [size, page, shadow], "security": reading,
                        "responses": {"200": answer({"type": "array", "items": pet})}},
                "post": {"operationId": "addPet", "requestBody": body, "security": writing,
                         "responses": {"201": answer(pet)}},
            },
        },
        "components": {"schemas": copy.deepcopy({"Pet": PET, "NewPet": NEW})},
    }  # fmt: skip


bff = Bff("pets", **FACTS)


@bff.read(
    "/pets", roles={"member"}, scope="pets:read", rate="1/minute", uses=[Pets.list_pets.times(2)],
    given={"pet": Pets.get_pet}, inside={"x": (Pets.get_pet, "id")}, roles_from=Pets.get_pet,
)  # fmt: skip
async def pets() -> None:
    """Never called."""


def told(tmp_path: Path, root: Any) -> list[tuple[str, str, str]]:
    """The code, the operation, and what is said without the pointer."""
    file = tmp_path / "now.json"
    file.write_text(json.dumps(root))
    return [(one.code, one.subject, one.rule.partition(" (#")[0]) for one in drift(bff, "pets", file)]


def at(root: Any, path: str) -> tuple[Any, str]:
    """The parent of a place, and the last part of its path; `>` parts, as paths hold slashes."""
    *above, last = path.split(">")
    for part in above:
        root = root[int(part)] if isinstance(root, list) else root[part]
    return root, last


GET, LIST, ADD = "paths>/pets/{petId}>get", "paths>/pets>get", "paths>/pets>post"
P, N = "components>schemas>Pet>properties", "components>schemas>NewPet>properties"
GONE = object()

CHANGES: list[tuple[str, Any, set[tuple[str, str]]]] = [
    # additions, and changes in the safe direction, are silent
    (f"{P}>new", {"type": "string"}, set()),
    (f"{P}>name>maxLength", 10, set()),
    (f"{P}>size>enum", ["small"], set()),
    (f"{N}>new", {"type": "string"}, set()),
    (f"{N}>name>maxLength", 200, set()),
    (f"{N}>level", {"type": "integer"}, set()),
    (f"{LIST}>parameters>0>schema>enum", ["small", "large", "huge"], set()),
    (f"{GET}>responses>500", {"description": ""}, set()),
    (f"{GET}>responses", {"200": answer({"$ref": "#/components/schemas/Pet"}), "4XX": {"description": ""}}, set()),
    (f"{P}>anything", {"type": "integer"}, set()),
    (f"{P}>owner>oneOf", [{"type": "object"}], set()),
    # operations
    (GET, GONE, {("drift-gone", "Pets.get_pet")}),
    (f"{GET}>responses>404", GONE, {("drift-status", "Pets.get_pet")}),
    (f"{GET}>security", [{"oauth": ["pets:read", "pets:more"]}], {("drift-scope", "Pets.get_pet")}),
    (f"{GET}>security", [{"oauth": []}], set()),
    # requests
    (f"{LIST}>parameters>0", {"name": "sort", "in": "query", "schema": {"type": "string"}},
     {("`size` of the query is no longer taken", "")}),
    (f"{LIST}>parameters>0>required", True, {("`size` of the query is required now", "")}),
    (f"{LIST}>parameters>0>schema>enum", ["large"], {("`size` takes other values now: 'small'", "")}),
    (f"{LIST}>parameters>1>schema>maximum", 20, {("`page-size` does not take larger numbers now", "")}),
    (f"{LIST}>parameters>1>schema>type", "boolean", {("`page-size` is flag now", "")}),
    (f"{LIST}>parameters>2", {"name": "X", "in": "header", "required": True, "schema": {"type": "string"}},
     {("the header X is not sent, and it is required", "")}),
    (f"{LIST}>parameters>2", {"name": "q", "in": "query", "required": True, "schema": {"type": "string"}},
     {("`q` of the query is required now", "")}),
    (f"{LIST}>parameters>2", {"name": "q", "in": "query", "required": True, "schema": {"type": "object"}},
     {("`q` of the query is not sent: it is an object without named fields", "")}),
    ("paths>/pets/{petId}>parameters>0>schema>type", "boolean", {("`pet_id` is flag now", "")}),
    ("paths>/pets/{petId}>parameters>0>schema>maximum", 9, set()),
    (f"{ADD}>requestBody", GONE, {("a body is no longer taken", "")}),
    (f"{ADD}>requestBody>content", {"text/plain": {}}, set()),
    ("paths>/pets/{petId}>delete>requestBody", {"required": True, "content": {JSON: {"schema": NEW}}},
     {("a body is required now", "")}),
    ("paths>/pets/{petId}>delete>requestBody", {"content": {JSON: {"schema": NEW}}}, set()),
    (f"{N}>name>maxLength", 5, {("`body/name` does not take longer texts now", "")}),
    (f"{N}>name>minLength", 5, {("`body/name` does not take shorter texts now", "")}),
    (f"{N}>name", GONE, {("`body/name` is no longer taken", "")}),
    (f"{N}>size>enum", ["small"], {("`body/size` takes other values now: 'large'", "")}),
    (f"{N}>code>enum", ["abc"], {("`body/code` takes other values now: 'abc'", "")}),
    (f"{N}>code>pattern", "^[0-9]+$", {("`body/code` follows another pattern now", "")}),
    (f"{N}>tags>maxItems", 2, {("`body/tags` does not take longer items now", "")}),
    (f"{N}>level>minimum", 3, {("`body/level` does not take smaller numbers now", "")}),
    (f"{N}>level>type", "string", {("`body/level` is text now", "")}),
    ("components>schemas>NewPet>required", ["name", "size"], {("`body/size` is required now", "")}),
    ("components>schemas>NewPet>required", ["name", "shade"], set()),
    (f"{N}>shade", {"type": "string"}, set()),
    ("components>schemas>NewPet",
     {**NEW, "required": ["name", "x"], "properties": {**NEW["properties"], "x": {"type": "string"}}},
     {("`body/x` is required now", "")}),
    (f"{N}>size", {"type": "string"}, set()),
    # answers
    (f"{P}>id", GONE, {("`answer/id` is gone", "")}),
    (f"{P}>nick", GONE, {("`answer/nick` is gone", "")}),
    (f"{P}>id>type", "string", {("`answer/id` is text now", "")}),
    (f"{P}>id>type", "number", {("`answer/id` may have a fraction now", "")}),
    (f"{P}>id>nullable", True, {("`answer/id` may be null now", "")}),
    (f"{P}>name>maxLength", 30, {("`answer/name` may hold longer texts now", "")}),
    (f"{P}>name>maxLength", GONE, {("`answer/name` may hold longer texts now", "")}),
    (f"{P}>name>enum", ["Rex"], set()),
    (f"{P}>size>enum", ["small", "large", "huge"], {("`answer/size` has new values now: 'huge'", "")}),
    (f"{P}>size", {"type": "string"}, {("`answer/size` may be any text now", "")}),
    (f"{P}>born>format", GONE, {("`answer/born` has another form now", "")}),
    (f"{P}>weight>maximum", 1000, {("`answer/weight` may hold larger numbers now", "")}),
    (f"{P}>weight>minimum", -1, {("`answer/weight` may hold smaller numbers now", "")}),
    (f"{P}>tags>maxItems", 6, {("`answer/tags` may hold longer items now", "")}),
    (f"{P}>tags>items>type", "integer", {("`answer/tags[]` is number now", "")}),
    (f"{P}>notes>additionalProperties>type", "integer", {("`answer/notes{}` is number now", "")}),
    (f"{P}>owner>properties", {"x": {"type": "string"}}, {("`answer/owner/name` is gone", "")}),
    (f"{P}>owner>required", [], {("`answer/owner/name` may be missing now", "")}),
    (f"{P}>either>oneOf>0>type", "boolean", {("`answer/either` is flag now", "")}),
    (f"{P}>owner", {"type": "string"}, {("`answer/owner` is text now", "")}),
    (f"{P}>notes", {"type": "object"}, set()),
    ("components>schemas>Pet>required", [], {("`answer/id` may be missing now", "")}),
]  # fmt: skip


@pytest.mark.parametrize(("path", "value", "expected"), CHANGES, ids=[f"{n}-{one[0]}" for n, one in enumerate(CHANGES)])
def test_one_change_of_the_document(tmp_path, path, value, expected):
    """What can hurt is told with its operation; what cannot is silent."""
    root = copy.deepcopy(document())
    parent, last = at(root, path)
    if value is GONE:
        del parent[last]
    elif isinstance(parent, list):
        parent[int(last)] = value
    else:
        parent[last] = value
    found = {(code, subject) for code, subject, _ in told(tmp_path, root)} | {
        (said, "") for *_, said in told(tmp_path, root)
    }
    assert expected <= found
    assert bool(expected) == bool(found)


def test_a_document_that_fits_is_silent(tmp_path):
    """The declarations above differ in nothing."""
    assert told(tmp_path, document()) == []


def test_an_operation_that_moved_is_named_with_its_new_place(tmp_path):
    """It is known by its id."""
    root = document()
    root["paths"]["/animals/{petId}"] = root["paths"].pop("/pets/{petId}")
    found = told(tmp_path, root)
    assert [(code, said) for code, subject, said in found if subject == "Pets.get_pet"] == [
        ("drift-moved", "the upstream moved it to GET /animals/{petId}")
    ]


def test_a_refusal_says_where_and_what_to_do(tmp_path):
    """The line of the operation, the place in the document, and a remedy."""
    root = document()
    del root["components"]["schemas"]["Pet"]["properties"]["id"]
    file = tmp_path / "now.json"
    file.write_text(json.dumps(root))
    first = drift(bff, "pets", file)[0]
    assert first.where == Pets.get_pet.where
    assert first.rule == "`answer/id` is gone (#/paths/~1pets~1{petId}/get/responses)"
    assert first.remedy


def test_what_differed_before_is_not_drift(tmp_path, monkeypatch):
    """The excerpt beside the BFF says what was known; looked at itself, it tells all."""
    old = document()
    del old["components"]["schemas"]["Pet"]["properties"]["nick"]
    now = copy.deepcopy(old)
    del now["components"]["schemas"]["Pet"]["properties"]["id"]
    monkeypatch.setattr(bff, "folder", tmp_path)
    (tmp_path / "upstream").mkdir()
    excerpt = tmp_path / "upstream" / "pets.json"
    excerpt.write_text(json.dumps(old))
    assert {said for *_, said in told(tmp_path, now)} == {"`answer/id` is gone", "`answer[]/id` is gone"}
    assert {one.rule.partition(" (#")[0] for one in drift(bff, "pets", excerpt)} == {
        "`answer/nick` is gone",
        "`answer[]/nick` is gone",
    }


def test_a_document_that_cannot_be_read_is_a_refusal(tmp_path):
    """And another upstream is nobody's."""
    file = tmp_path / "now.json"
    file.write_text("{}")
    assert [(one.code, one.where) for one in drift(bff, "pets", file)] == [("drift-unread", f"{file}:1")]
    assert drift(bff, "other", file) == []


def test_the_upstreams_are_those_of_every_guard():
    """Also of what is read first, and of roles."""
    other = Bff("other", **FACTS)

    @other.read("/x", roles={"a"}, given={"t": People.team})
    async def one() -> None:
        """Never called."""

    joined = Bff("joined", **FACTS)

    @joined.join(Pet, uses=[People.team])
    async def teams(pets: list[Pet]) -> list[str]: ...

    assert upstreams_of(joined) == {"people": People}
    assert upstreams_of(bff) == {"pets": Pets}
    assert upstreams_of(other) == {"people": People}


def test_a_signature_that_is_refused_anyway_is_passed_over(tmp_path):
    """The start has a word for it."""

    class Bad(Upstream):
        @read("/pets/{x}", asks="pets:read")
        def get_pet(self, x) -> Answer[Pet]: ...

    odd = Bff("odd", **FACTS)

    @odd.read("/x", uses=[Bad.get_pet])
    async def one(x: Id, y: datetime, z: msgspec.Raw) -> None:
        """Never called."""

    file = tmp_path / "now.json"
    file.write_text(json.dumps(document()))
    assert drift(odd, "bad", file) == []
