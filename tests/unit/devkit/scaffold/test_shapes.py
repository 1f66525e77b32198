"""What a shape makes: every file of a BFF, with the facts in their places."""

import ast
import tomllib
from datetime import date

import pytest

from narrows.devkit.scaffold.facts import judged
from narrows.devkit.scaffold.shapes import PURPOSES, SHAPES, of_shape

HOSTILE = '"""; import os\n</title><script>alert(1)</script> \\N{x} <<name>> {0} %s \' ]]>'


def drafted(shape, **over):
    """The draft of a shape."""
    facts = {"owner": "rooms@example.com", "purpose": PURPOSES[shape], **over}
    return of_shape(shape, judged("room_book", **facts, today=date(2026, 11, 24)))


@pytest.mark.parametrize("shape", SHAPES)
def test_a_shape_is_whole(shape):
    """Declarations, types, settings, connector files, a policy, tests, CI and a page."""
    files = drafted(shape).files
    assert set(files) >= {
        "__init__.py", "app.py", "ci.yml", "narrows.toml", "types.py", "upstreams.py",
        "page/app.js", "page/index.html", "page/signin.js", "page/style.css",
        "connectors/room_book-page.toml", "connectors/room_book-copilot.toml",
        "policy/internal_only.rego", "policy/internal_only_test.rego",
        "tests/__init__.py", "tests/fakes.py", "tests/requests.py", "tests/test_app.py", "tests/test_matrix.py",
    }  # fmt: skip
    assert not [path for path, text in files.items() if "<<" in text or "__name__" in path]


@pytest.mark.parametrize("shape", SHAPES)
def test_each_environment_has_every_upstream(shape):
    """What is real in production is asked for by name, not forgotten."""
    settings = tomllib.loads(drafted(shape).files["narrows.toml"])
    for environment in ("staging", "production"):
        section = settings["environments"][environment]
        assert section["upstreams"].keys() == settings["upstreams"].keys()
        urls = [section["public_url"], section["issuers"]["corp"]["url"]]
        urls += [upstream["url"] for upstream in section["upstreams"].values()]
        assert all(url.startswith("https://") and url.endswith(".invalid") for url in urls)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("where", ["owner", "purpose"])
def test_hostile_words_stay_words(shape, where):
    """Program, settings and page are those of harmless words, and the words come back as they were, on one line."""
    words = HOSTILE[:100]
    hostile, harmless = drafted(shape, **{where: words}).files, drafted(shape, **{where: "words"}).files
    declared = next(
        node for node in ast.walk(ast.parse(hostile["app.py"])) if isinstance(node, ast.keyword) and node.arg == where
    )
    assert ast.literal_eval(declared.value) == words.replace("\n", " ")
    for path, text in hostile.items():
        if path.endswith(".py"):
            assert shape_of(text) == shape_of(harmless[path])
    assert "<script>alert" not in hostile["page/index.html"]


def shape_of(text):
    """The kinds of the nodes of a program."""
    return [type(node).__name__ for node in ast.walk(ast.parse(text))]
