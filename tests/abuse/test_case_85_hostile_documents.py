"""Case 85: a hostile OpenAPI document brings nothing into the code but escaped literals, and costs bounded time."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from narrows.devkit.scaffold.openapi import draw, from_document
from narrows.devkit.scaffold.openapi.document import Document
from narrows.devkit.scaffold.openapi.gaps import DocumentRefused
from narrows.devkit.scaffold.openapi.loading import load
from narrows.devkit.scaffold.writing import write
from tests.unit.devkit.scaffold.openapi.documents import answering, document, facts, made, taking

CODE = "__import__('os').system('touch /tmp/owned')"
HOSTILE = [
    '"""',
    "'''",
    f'"""\n{CODE}\n"""',
    f'\\"\n{CODE}#',
    "\\",
    "\\x22",
    "\n",
    f"\n{CODE}\n",
    "\r\n",
    "\0",
    "\x1b[2J",
    "\u2028",
    "class",
    "import",
    "None",
    "match",
    "__class__",
    "__init__",
    "self",
    "print",
    "exec",
    "str",
    "list",
    "Meta",
    "hole",
    "../../../etc/passwd",
    "..",
    "/",
    "C:\\x",
    "a/b",
    "{x}",
    "}{",
    "$ref",
    "#",
    "# type: ignore",
    "f'{1}'",
    "<<owner:python>>",
    "p\u0430ypal",
    "paypal",
    "\u202eevil",
    "\uff49\uff4d\uff50\uff4f\uff52\uff54",
    "",
    " ",
    "1",
    "a" * 5000,
    "\ud800",
    "]",
    "', '",
    "\t",
]
ALLOWED = {
    "Module",
    "ImportFrom",
    "alias",
    "ClassDef",
    "FunctionDef",
    "AsyncFunctionDef",
    "arguments",
    "arg",
    "Assign",
    "AnnAssign",
    "Expr",
    "Constant",
    "Name",
    "Load",
    "Store",
    "Attribute",
    "Subscript",
    "Tuple",
    "List",
    "Dict",
    "Set",
    "Call",
    "keyword",
    "BinOp",
    "BitOr",
    "UnaryOp",
    "USub",
    "Return",
    "Await",
}
CALLED = {"Meta", "hole", "field", "read", "write", "Bff"}


def hostile(text: str) -> dict[str, Any]:
    """A document that says one text wherever a document can say one."""
    schema = {
        "type": "object",
        "title": text,
        "description": text,
        "required": [text],
        "properties": {
            text: {"type": "string", "description": text, "enum": [text, "plain"], "default": text},
            text + "2": {"type": "string", "pattern": text},
            "b": {"type": text},
            "c": {"$ref": text},
            "d": {"type": "string", "format": text},
            "e": {"const": text},
            "f": {"$ref": f"#/components/schemas/{text}"},
            "g": {
                "oneOf": [
                    {"type": "object", "required": [text], "properties": {text: {"enum": [text + n]}}} for n in "xy"
                ],
                "discriminator": {"propertyName": text, "mapping": {text: text}},
            },
        },
    }
    operation = {
        **taking(schema),
        "operationId": text,
        "summary": text,
        "description": text,
        "tags": [text],
        "parameters": [
            {"name": text, "in": place, "schema": {"enum": [text]}, "required": True}
            for place in ("query", "header", text)
        ],
        "security": [{text: [text]}],
    }
    operation["responses"] = {
        **answering({"$ref": "#/components/schemas/It"})["responses"],
        text: {"description": text},
    }
    paths = {"/a": {"post": operation}, f"/{text}": {"get": {**operation, "operationId": "second"}}}
    root = document(paths, {"It": schema, text: schema}, servers=[{"url": text}])
    return {**root, "info": {"title": text, "version": text}}


def checked(files: dict[str, str]) -> list[str]:
    """Look at the code with an allow-list of our own; gives every text in it."""
    texts = []
    for name, text in files.items():
        assert text.isascii(), name
        assert all(one == "\n" or " " <= one <= "~" for one in text), name
        for node in ast.walk(ast.parse(text)):
            assert type(node).__name__ in ALLOWED, (name, ast.dump(node))
            if isinstance(node, ast.Call):
                function = node.func
                known = isinstance(function, ast.Name) and function.id in CALLED
                assert known or (isinstance(function, ast.Attribute) and function.value.id in {"bff", "Pets"}), name
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.append(node.value)
            if isinstance(node, ast.ImportFrom):
                assert node.module.partition(".")[0] in {
                    "__future__",
                    "datetime",
                    "typing",
                    "uuid",
                    "msgspec",
                    "narrows",
                    "bffs",
                }
    return texts


@pytest.mark.parametrize("text", HOSTILE, ids=[str(number) for number in range(len(HOSTILE))])
def test_only_escaped_literals_come_out(text):
    """Wherever it stands in the document: in names, values, words, references, ids and media types."""
    root = Document(hostile(text))
    drawn = draw(root, [one.id for one in root.operations], facts(), upstream="Pets", package="bffs.trial")
    texts = checked(drawn.files)
    if text.strip() and text.isprintable() and len(text) < 60:
        assert any(text in one or ascii(text)[1:-1] in one for one in texts)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.text(st.characters(codec=None), max_size=40))
def test_whatever_is_written_there(text):
    """Also what nobody thought of."""
    root = Document(hostile(text))
    checked(draw(root, [one.id for one in root.operations], facts(), upstream="Pets", package="bffs.trial").files)


@pytest.mark.parametrize(
    "text", ["../../owned", "/var/owned", "..\\owned", "C:\\owned", "a/../../owned", "\0", "CON", ".git"]
)
def test_paths_never_come_from_the_document(text, tmp_path):
    """All files lie below the folder of the BFF, under names that the scaffold itself gives."""
    file = tmp_path / "a.json"
    root = hostile(text)
    file.write_text(json.dumps(root))
    draft = from_document(file, [one.id for one in Document(root).operations], facts("trial"))
    for path in draft.files:
        assert path == ".gitignore" or re.fullmatch(
            r"[a-z_]+\.(?:py|toml|yml)|(?:tests|connectors|policy|upstream)/[a-z0-9_-]+\.(?:py|toml|rego|json)",
            path,
        )
    written = write(draft, "trial", tmp_path / "bffs")
    assert all(one.resolve().is_relative_to(tmp_path / "bffs" / "trial") for one in written)
    assert sorted(tmp_path.iterdir()) == [file, tmp_path / "bffs"]


def test_names_that_look_alike_do_not_meet():
    """Two fields that a person cannot tell apart are two fields, both in ASCII."""
    schema = {
        "type": "object",
        "properties": {name: {"type": "string"} for name in ("paypal", "p\u0430ypal", "payp\u0430l", "PayPal")},
    }
    drawn = made(document({"/a": {"get": answering(schema)}}), "get")
    [fields] = [node.body[1:] for node in ast.parse(drawn.files["types.py"]).body if isinstance(node, ast.ClassDef)]
    names = [field.target.id for field in fields]
    assert len(set(names)) == 4
    assert all(name.isascii() for name in names)


@pytest.mark.parametrize(
    "reference",
    [
        "file:///etc/passwd",
        "/etc/passwd",
        "../x.json#/a",
        "http://127.0.0.1:1/x",
        "https://example.com/a.yaml#/A",
        "x.json",
        "//host/a",
    ],
)
def test_nothing_is_opened_or_fetched(reference, tmp_path, monkeypatch):
    """A reference that leaves the document is a hole; no file and no socket is touched."""
    paths = {"/a": {"get": answering({"$ref": reference}, parameters=[{"$ref": reference}])}, "/b": {"$ref": reference}}
    whole = Document(document(paths))

    def refuse(*given, **how):
        raise AssertionError(given)

    monkeypatch.setattr("socket.socket", refuse)
    monkeypatch.setattr("builtins.open", refuse)
    monkeypatch.setattr(Path, "open", refuse)
    drawn = draw(whole, ["get"], facts(), upstream="Pets", package="bffs.trial")
    assert len(drawn.holes) == 2
    assert all("is not in this document" in hole.said for hole in drawn.holes)


@pytest.mark.parametrize(
    "pattern",
    [
        "^(a+)+$",
        "^(a|a)*$",
        "^(.*a){20}$",
        "(x+x+)+y",
        "^([a-zA-Z]+)*$",
        r"^(\w+\s?)*$",
        "^(a?){60}a{60}$",
        r"(a)\1",
        "^(?=a+)a+$",
    ],
)
def test_catastrophic_patterns_are_dropped_with_a_hole(pattern):
    """The text keeps its bounds; no pattern that is not proven reaches the code."""
    schema = {"type": "object", "properties": {"a": {"type": "string", "pattern": pattern, "maxLength": 9}}}
    drawn = made(document({"/a": {"get": answering(schema)}}), "get")
    assert "pattern=" not in drawn.files["types.py"]
    assert "max_length=9" in drawn.files["types.py"]
    assert ["its pattern is not kept" in hole.said for hole in drawn.holes] == [True]


def deep_schema(levels: int) -> str:
    """A schema in a schema in a schema."""
    return '{"type":"array","items":' * levels + '{"type":"string"}' + "}" * levels


@pytest.mark.parametrize("levels", [60, 400, 10_000])
def test_depth_ends_in_a_hole_or_in_a_refusal(levels):
    """Never in a stack that runs over."""
    text = json.dumps(document({"/a": {"get": answering("HERE")}})).replace('"HERE"', deep_schema(levels))
    try:
        drawn = draw(Document(load(text.encode())), ["get"], facts(), upstream="Pets", package="bffs.trial")
    except DocumentRefused as refused:
        assert "nested too deeply" in str(refused)  # noqa: PT017 - either is right
    else:
        assert ["it is nested too deeply" in hole.said for hole in drawn.holes] == [True]


def test_duplicate_keys_are_refused():
    """A reviewer would look at one of the two, and the scaffold at the other."""
    text = json.dumps(document({"/a": {"get": answering({"type": "string"})}})).replace(
        '"responses"', '"responses": {}, "responses"'
    )
    with pytest.raises(DocumentRefused, match="responses stands twice"):
        load(text.encode())


def test_circles_of_every_kind_end():
    """References in circles, by themselves, in `allOf`, in choices, in parameters and path items."""
    circle = {"$ref": "#/components/schemas/A"}
    schemas = {
        "A": {"allOf": [{"$ref": "#/components/schemas/B"}]},
        "B": {"oneOf": [circle, circle]},
        "C": {"anyOf": [{"$ref": "#/components/schemas/C"}]},
        "D": {"properties": {"d": {"$ref": "#/components/schemas/D"}}, "required": ["d"]},
    }
    paths = {
        f"/{name}": {
            "get": {
                **answering({"$ref": f"#/components/schemas/{name}"}),
                "operationId": name,
                "parameters": [{"$ref": "#/x/p"}],
            }
        }
        for name in schemas
    }
    drawn = made(document({**paths, "/p": {"$ref": "#/paths/~1p"}}, schemas, x={"p": {"$ref": "#/x/p"}}), *schemas)
    checked(drawn.files)
    said = [hole.said for hole in drawn.holes]
    assert said[0] == "a parameter cannot be read: its references lead in a circle"
    assert len(said) == 4
    assert sum("without an end" in one for one in said) == 1


MEASURED = """
import resource, sys, time
from pathlib import Path
from narrows.devkit.scaffold.openapi.document import Document
from narrows.devkit.scaffold.openapi.loading import read
from narrows.devkit.scaffold.openapi import draw, DocumentRefused
from tests.unit.devkit.scaffold.openapi.documents import facts
resource.setrlimit(resource.RLIMIT_AS, (1500 * 2**20, 1500 * 2**20))
begun = time.process_time()
try:
    document = Document(read(Path(sys.argv[1])))
    drawn = draw(document, [document.operations[0].id], facts(), upstream="Pets", package="bffs.trial")
    said = f"{len(drawn.holes)} holes"
except DocumentRefused as refused:
    said = str(refused)
print(round(time.process_time() - begun, 2), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, said)
"""


def large(form: str) -> bytes:
    """Ten megabytes of one kind of document."""
    match form:
        case "many schemas":
            one = {"type": "object", "properties": {f"p{n}": {"$ref": f"#/components/schemas/S{n}"} for n in range(60)}}
            root = document(
                {"/a": {"get": answering({"$ref": "#/components/schemas/S0"})}}, {f"S{n}": one for n in range(4000)}
            )
        case "one wide schema":
            schema = {
                "type": "object",
                "properties": {
                    f"property_{n}": {"type": "string", "pattern": "^(a|b)+c{1,9}$"} for n in range(120_000)
                },
            }
            root = document({"/a": {"get": answering(schema)}})
        case "one long enum":
            root = document({"/a": {"get": answering({"enum": [f"value {n:>12}" for n in range(500_000)]})}})
        case "one long text":
            root = document({"/a": {"get": answering({"enum": ["x" * 10_000_000]}, summary="y" * 400_000)}})
        case "a long list of choices":
            root = document(
                {
                    "/a": {
                        "get": answering(
                            {"oneOf": [{"type": "object", "properties": {f"p{n}": {}}} for n in range(200_000)]}
                        )
                    }
                }
            )
        case "many parts":
            root = document(
                {
                    "/a": {
                        "get": answering(
                            {"allOf": [{"type": "object", "properties": {f"p{n}": {}}} for n in range(200_000)]}
                        )
                    }
                }
            )
        case "laughs":
            return (
                "a0: &a0 [ha]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 300_000))
            ).encode()
        case _:
            return b"openapi: 3.0.0\npaths:\n" + b"".join(
                b"  /a%d:\n    get: {responses: {'200': {description: text}}}\n" % n for n in range(160_000)
            )
    return json.dumps(root).encode()


FORMS = [
    "many schemas",
    "one wide schema",
    "one long enum",
    "one long text",
    "a long list of choices",
    "many parts",
    "laughs",
    "long yaml",
]


@pytest.mark.parametrize("form", FORMS)
def test_ten_megabytes_take_bounded_time_and_memory(form, tmp_path):
    """In a process of its own with a cap on its memory; the seconds are those of its processor."""
    file = tmp_path / "large"
    raw = large(form)
    file.write_bytes(raw)
    command = [sys.executable, "-c", MEASURED, str(file)]
    root = Path(__file__).parents[2]
    done = subprocess.run(  # noqa: S603 - this Python
        command,
        cwd=root,
        env={"PYTHONPATH": f"{root}:{root / 'framework'}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    seconds, megabytes, said = done.stdout.split(maxsplit=2)
    print(f"{form}: {len(raw) / 2**20:.1f} MiB, {seconds} s, {megabytes} MiB: {said}")
    assert float(seconds) < 15
    assert int(megabytes) < 1000
