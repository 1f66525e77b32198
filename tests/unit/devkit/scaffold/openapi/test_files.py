"""The files that come out: sound code, laid out as ruff does, started up to marked holes, and proven once more."""

import ast
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from narrows.devkit.scaffold.openapi import from_document, grouped, layout, listed
from narrows.devkit.scaffold.openapi.document import Document, Listed, Place
from narrows.devkit.scaffold.openapi.excerpt import excerpt
from narrows.devkit.scaffold.openapi.gaps import Gap, Remark
from narrows.devkit.scaffold.openapi.kinds import Either, Missing, Model, Ref
from narrows.devkit.scaffold.openapi.layout import Group, Words, call, imported, laid, literal, named
from narrows.devkit.scaffold.openapi.loading import read
from narrows.devkit.scaffold.openapi.proof import Unproven, prove
from narrows.devkit.scaffold.openapi.typing_code import Types
from narrows.errors import NarrowsError
from narrows.testing.open_places import open_places
from tests.unit.devkit.scaffold.openapi.documents import DATA, answering, document, facts, loaded, made, taking

ROOT = Path(__file__).parents[5]
EXCERPTS = sorted(file.name for file in DATA.glob("*.json"))
OBJECT = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
WIDE: dict[str, Any] = {
    "type": "object",
    "required": ["id", "kind", "self"],
    "properties": {
        "id": {"type": "integer"},
        "kind": {"enum": ["x" * 60, "y" * 60, "z"]},
        "nothing": {"type": "object"},
        "text": {"type": "string", "pattern": "^(a+)+$"},
        "keyed": {"type": "object", "additionalProperties": {"type": "string"}},
        "flag": {"type": "boolean", "not": {"enum": [True]}},
        "day": {"type": "string", "format": "date"},
        "mark": {"type": "string", "format": "uuid"},
        "at": {"type": "string", "format": "date-time"},
        "half": {"type": "number", "exclusiveMinimum": True, "minimum": 0, "multipleOf": 0.5},
        "self": {"type": "array", "items": {"$ref": "#/components/schemas/Wide"}, "minItems": 0},
        "inner": {"not": {"enum": [1]}, "type": "object", "properties": {"a": {"type": "string"}}},
        "null": {"enum": [None]},
        "few": {"type": "array", "items": {"$ref": "#/components/schemas/Wide"}, "maxItems": 3},
        "one": {
            "oneOf": [
                {"type": "object", "required": ["k"], "properties": {"k": {"enum": [letter * 30]}}}
                for letter in "abcde"
            ]
        },
        "two": {"oneOf": [{"type": "string"}, {"$ref": "#/components/schemas/Wide"}]},
        ("long name " * 12).strip(): {"type": "string"},
        "per-page": {"type": "integer", "multipleOf": 5},
    },
}


def ruff(folder: Path, files: dict[str, str]) -> str:
    """What ruff has to say of files."""
    for name, text in files.items():
        path = folder / "bffs" / "trial" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    said = ""
    for arguments in (["format", "--diff", "bffs"], ["check", "bffs", "--no-cache", "--output-format", "concise"]):
        command = [sys.executable, "-m", "ruff", *arguments]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603 - ruff
        said += done.stdout + done.stderr if done.returncode else ""
    return said


def wide() -> dict[str, Any]:
    """A document with every form of code in it."""
    pages = [
        {"name": "per-page", "in": "query", "schema": {"type": "integer"}},
        {"name": "id", "in": "query", "required": True, "schema": {"type": "string"}},
    ]
    write = taking({"$ref": "#/components/schemas/Wide"}) | {
        "operationId": "put",
        "parameters": [{"name": "X", "in": "header", "required": True, "schema": {"type": "string"}}],
    }
    read = answering(
        {"type": "array", "items": {"$ref": "#/components/schemas/Wide"}}, summary='Say """hi"""\\', parameters=pages
    )
    read["responses"] |= {"404": {"description": ""}, "409": {"description": ""}}
    path = [
        {"name": "thingId", "in": "path", "required": True, "schema": {"type": "string"}},
        {"name": "partId", "in": "path", "required": True, "schema": {"type": "string"}},
    ]
    return document(
        {
            "/things": {"get": read, "put": write},
            "/things/{thingId}/parts/{partId}": {
                "parameters": path,
                "delete": {"operationId": "del", "responses": {"204": {}}},
            },
        },
        {"Wide": WIDE},
    )


def test_code_of_every_form_is_laid_out_as_ruff_does(tmp_path):
    """Formatted and linted with the rules of this repository."""
    assert ruff(tmp_path, made(wide(), "get", "put", "del").files) == ""


@pytest.mark.parametrize("name", EXCERPTS)
def test_real_documents_become_sound_code(name, tmp_path):
    """All operations of the excerpts together: formatted, linted, and proven."""
    root = Document(read(DATA / name))
    assert ruff(tmp_path, made(root.root.value, *(one.id for one in root.operations)).files) == ""


@pytest.mark.parametrize("name", EXCERPTS)
def test_real_documents_start_up_to_their_holes(name, tmp_path, monkeypatch):
    """Each hole is refused at a line of the file that holds it; nothing else is."""
    root = read(DATA / name)
    bff_name = f"real_{name.partition('-')[0]}"
    ids = [one.id for one in Document(root).operations]
    app = loaded(tmp_path, root, *ids, name=bff_name, monkeypatch=monkeypatch)
    left = open_places(app.bff)
    assert {refusal.code for refusal in left} == {"hole-left", "id-unbound"}
    for refusal in left:
        file, _, line = refusal.where.rpartition(":")
        assert Path(file).is_relative_to(tmp_path)
        assert Path(file).read_text().splitlines()[int(line) - 1].strip()


def test_a_bff_without_holes_starts(tmp_path, monkeypatch):
    """What is proven safe needs no hand: a read of the whole BFF, and one within its first path value."""
    path = [{"name": "petId", "in": "path", "required": True, "schema": {"type": "integer"}}]
    paths = {
        "/pets": {"get": answering(OBJECT)},
        "/pets/{petId}": {"get": {**answering(OBJECT, parameters=path), "operationId": "one"}},
    }
    app = loaded(tmp_path, document(paths), "get", "one", name="no_holes", monkeypatch=monkeypatch)
    assert open_places(app.bff) == ()
    assert [endpoint.within for endpoint in app.bff.endpoints] == [None, "pet:{pet_id}"]


def test_everything_beside_the_declarations_is_made_too(tmp_path):
    """Settings with the roles, connector files with the endpoints, a policy, tests and the excerpt."""
    file = tmp_path / "a.json"
    file.write_text(json.dumps(wide() | {"servers": [{"url": "https://api.test/v1\x1b[31m"}]}))
    draft = from_document(file, ["get", "put", "del"], facts("beside"))
    assert {
        "app.py",
        "upstreams.py",
        "types.py",
        "narrows.toml",
        "upstream/pets.json",
        "tests/test_app.py",
        "ci.yml",
        "connectors/beside-page.toml",
        "connectors/beside-copilot.toml",
    } <= draft.files.keys()
    assert 'domain = "thing:{value}"' in draft.files["narrows.toml"]
    assert 'domain = "bff:beside"' in draft.files["narrows.toml"]
    assert '"beside.get",' in draft.files["connectors/beside-page.toml"]
    assert 'template = "limited-write@1"' in draft.files["connectors/beside-page.toml"]
    assert draft.notes[0].startswith(r"the document says that its server is https://api.test/v1\x1b[31m")
    assert "nothing binds part_id of del_ yet" in draft.holes
    assert [one.id for one in listed(file)] == ["get", "put", "del"]
    only = from_document(file, ["get"], facts("beside"), "Zoo")
    assert 'domain = "thing' not in only.files["narrows.toml"]
    assert "class Zoo(Upstream):" in only.files["upstreams.py"]
    within = from_document(file, ["del"], facts("beside"))
    assert "bff:beside" not in within.files["narrows.toml"]
    file.write_text(
        json.dumps(document({"/a": {"get": answering(OBJECT)}}, dialect="2.0", host="h.test", basePath="/v1"))
    )
    assert "h.test/v1" in from_document(file, ["get"], facts("beside")).notes[0]


def test_what_is_said_alike_is_told_once():
    """With three of its places."""
    remarks = [Remark("note", "x", f"#/{n}") for n in range(5)] + [Remark("hole", "y", "#/z")]
    assert grouped(remarks, "note") == ("x (#/0, #/1, #/2, and 2 more)",)
    assert grouped(remarks, "hole") == ("y (#/z)",)
    assert str(remarks[-1]) == "hole: y (#/z)"


def test_the_excerpt_holds_what_is_referred_to_and_no_prose():
    """It makes the same code as the whole document; a property may be called `description`."""
    schema = {
        "type": "object",
        "description": "long",
        "properties": {"description": {"type": "string", "example": 1}, "b": {"$ref": "#/components/schemas/B"}},
    }
    root = document(
        {"/a": {"parameters": [{"$ref": "#/x/0/p"}], "get": answering(schema, summary="s")}},
        {"B": OBJECT, "C": OBJECT},
        x=[{"p": {"name": "q", "in": "query", "schema": {"$ref": "#/away"}}}],
    )
    root["components"]["securitySchemes"] = {"o": {"type": "oauth2"}}
    whole = Document(root)
    cut = json.loads(excerpt(whole, [whole.find("get")]))
    assert cut["components"]["schemas"] == {"B": OBJECT}
    assert cut["components"]["securitySchemes"] == {"o": {"type": "oauth2"}}
    kept = cut["paths"]["/a"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert kept == {
        "type": "object",
        "properties": {"description": {"type": "string"}, "b": {"$ref": "#/components/schemas/B"}},
    }
    inside = {"$ref": "#/paths/~1a/parameters/0/schema"}
    page = {"name": "q", "in": "query", "schema": {"type": "string"}}
    again = Document(
        document(
            {"/a": {"parameters": [page], "get": answering(inside, parameters=[{"$ref": "#/paths/~1a/parameters/0"}])}}
        )
    )
    assert json.loads(excerpt(again, again.operations))["paths"]["/a"]["parameters"] == [page]
    deep: Any = {}
    for _ in range(300):
        deep = {"items": deep}
    with pytest.raises(Gap, match="nested too deeply"):
        excerpt(whole, [Listed("a", "GET", "/a", Place(deep, "#"), Place({}, "#"), "")])


def test_a_vast_answer_is_a_hole(monkeypatch):
    """A start that looks at every place of it would not end."""
    every = [f"N{n}" for n in range(12)]
    node = {
        "type": "object",
        "properties": {name: {"type": "array", "items": {"$ref": f"#/components/schemas/{name}"}} for name in every},
    }
    schema = {"$ref": "#/components/schemas/N0"}
    drawn = made(
        document(
            {"/a": {"put": {**taking(schema), "responses": answering(schema)["responses"]}}}, dict.fromkeys(every, node)
        ),
        "put",
    )
    assert sorted(hole.said.partition(":")[0] for hole in drawn.holes) == [
        "its answer is not read",
        "its body is not sent",
    ]
    assert drawn.models == 0


def test_a_class_without_an_end_is_a_hole():
    """A value that must hold another of its kind cannot be; one of a choice that ends is enough."""
    endless = {
        "type": "object",
        "properties": {"a": {"$ref": "#/components/schemas/E"}, "b": {"type": "string"}},
        "required": ["a", "b"],
    }
    many = {
        "type": "object",
        "properties": {"a": {"type": "array", "minItems": 1, "items": {"$ref": "#/components/schemas/M"}}},
        "required": ["a"],
    }
    some = {
        "type": "object",
        "properties": {
            "a": {"oneOf": [{"type": "string"}, {"$ref": "#/components/schemas/S"}]},
            "m": {"$ref": "#/components/schemas/M"},
            "n": {"not": {"enum": [1]}, "type": "object", "properties": {"e": {"$ref": "#/components/schemas/E"}}},
        },
        "required": ["a", "n"],
    }
    paths = {
        "/a": {"get": answering({"oneOf": [{"$ref": "#/components/schemas/E"}, {"type": "string"}]})},
        "/b": {"get": answering({"$ref": "#/components/schemas/S"})},
    }
    drawn = made(document(paths, {"E": endless, "M": many, "S": some}), "GET /a", "GET /b")
    said = [hole.pointer for hole in drawn.holes if "without an end" in hole.said]
    assert sorted(said) == ["#/components/schemas/E", "#/components/schemas/M"]


@pytest.mark.parametrize(
    "text",
    [
        "import os",
        "from os import path",
        "from narrows import *",
        "from narrows import read as x",
        "from .a import b",
        "x = eval('1')",
        "x = unknown",
        "x = str.format('')",
        "class A:\n    __y = x.__z",
        "x = [1 for y in z]",
        "lambda: 1",
        "def f(): global x",
        "x = b'a'",
        "while True: pass",
        "str = 1",
        "x = f'{1}'",
        "x = (",
        "x = 'a'\n'b'()",
        "x = __name__",
        "if x: pass",
        "x = 1j",
        "@x\ndef f(): ...",
        "def f(): yield",
    ],
)
def test_what_is_no_declaration_is_never_written(text):
    """The last look refuses it, whatever brought it there."""
    with pytest.raises(Unproven, match=r"a\.py"):
        prove("a.py", text, ())


def test_declarations_pass_the_last_look():
    """Also with modules of the BFF itself."""
    prove(
        "a.py",
        "from bffs.a.types import B\nfrom narrows import read\nx = B | None\n@read('/a')\ndef f(): ...",
        {"bffs.a.types"},
    )
    assert issubclass(Unproven, NarrowsError)


def test_a_literal_is_only_ever_its_text():
    """Whatever stands in it."""
    for text in ('"""', "\\", "\n\r\t\0", "\u202e\u0430", "\U0001f600", "'; import os", "\x7f\xff"):
        assert ast.literal_eval(literal(text)) == text
        assert literal(text).isascii()


def test_long_texts_are_parted_and_stay_themselves():
    """At spaces where there are some, else anywhere."""
    for text in ("word " * 60, "x" * 500, "a" * 70 + " " + "b" * 200, ""):
        code = laid(call("hole", Words(text)), 8)
        assert ast.literal_eval(ast.unparse(ast.parse(code.strip()).body[0].value.args[0])) == text
        assert max(map(len, code.splitlines())) <= layout.WIDTH
    assert laid(Words("y" * 200), 0, "", ",").endswith('",')


def test_imports_and_keywords():
    """Nothing to import is no line; a name that is a literal is the key of a dictionary."""
    assert imported("a", []) == ""
    assert imported("a", ["B10x", "B2x", "read", "URL"]) == "from a import URL, B2x, B10x, read\n"
    assert imported("a", [f"Name{n}" * 4 for n in range(9)]).startswith("from a import (\n    ")
    assert named('"a"', "1") == '"a": 1'
    assert named("a", Group("f(", ("1",), ")")) == Group("a=f(", ("1",), ")")


def test_a_union_of_many_classes_stands_below_them():
    """Parted where it is too long for a line, and named once."""
    models = {f"Shape{'x' * 20}{n}": Model(f"Shape{'x' * 20}{n}", "out", "#/a/b", []) for n in range(9)}
    types = Types(models, set(models))
    kind = Either(tuple(map(Ref, models)))
    assert types.expression(kind, "Shape") == types.expression(kind, "Other") == "Shape"
    few = Either(tuple(map(Ref, list(models)[:4])))
    assert types.expression(few, "Few") == "Few"
    text = types.text("t")
    assert "\nShape = (\n    Shape" in text
    assert "\n    | Shape" in text
    assert types.expression(Missing("x", "#/y"), "A") in types.names
