"""Templates: files of this package with marked places, and the proof that what was put there became no code.

A place is `<<name>>` for a word that has been judged (`a-z`, `0-9`, `_`, `-`), and `<<purpose:python>>`, `:toml` or
`:html` for anything that a person wrote. A template is filled twice, with what a person gave and with harmless words;
both results, read again, may differ in the values of literals alone.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Callable, Mapping
from html.parser import HTMLParser
from importlib.resources import files
from typing import Any

from narrows.devkit.scaffold.literals import html_text, python_literal, toml_literal
from narrows.errors import NarrowsError

_PLACE = re.compile(r"<<([a-z_]+)(?::(python|toml|html))?>>")
_WORD = re.compile(r"[A-Za-z0-9_-]+(?: [A-Za-z0-9_-]+)*")
_WIDTH = 120
_HARMLESS = "words"


def template(path: str) -> str:
    """The text of a template of this package."""
    return files("narrows.devkit.scaffold").joinpath("templates", *path.split("/")).read_text(encoding="utf-8")


def filled(name: str, text: str, values: Mapping[str, str]) -> str:
    """Fill the text of a template for the file `name`. Raises `NarrowsError` if a value became more than a value."""
    result = _fill(text, values)
    harmless = {key: value if _WORD.fullmatch(value) else _HARMLESS for key, value in values.items()}
    if not _alike(name, result, _fill(text, harmless)):
        raise NarrowsError(f"{name}: what was filled in became code; nothing was written")
    return result


def _alike(name: str, one: str, other: str) -> bool:
    """Whether two texts of a file differ in the values of literals alone; a language without code has no outline."""
    outline = _OUTLINES.get(name.rpartition(".")[2])
    try:
        return outline is None or bool(outline(one) == outline(other))
    except (SyntaxError, tomllib.TOMLDecodeError):
        return False


def _fill(text: str, values: Mapping[str, str]) -> str:
    def put(place: re.Match[str]) -> str:
        value, language = values[place[1]], place[2]
        if language is None:
            if not _WORD.fullmatch(value):
                raise NarrowsError(f"the template writes {place[1]!r} without saying in which language")
            return value
        if language != "python":
            return toml_literal(value) if language == "toml" else html_text(value)
        line = text[text.rfind("\n", 0, place.start()) + 1 : place.start()]
        indent = len(line) - len(line.lstrip())
        return python_literal(value, indent=indent, room=_WIDTH - len(line) - 1)

    return _PLACE.sub(put, text)


def python_outline(text: str) -> Any:
    """The structure of a module without the values of its texts. Raises `SyntaxError`."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            node.value = ""
    return ast.dump(tree)


def toml_outline(text: str) -> Any:
    """The structure of a document without the values of its texts. Raises `tomllib.TOMLDecodeError`."""
    return _emptied(tomllib.loads(text))


def _emptied(value: Any) -> Any:
    match value:
        case dict():
            return {key: _emptied(inner) for key, inner in value.items()}
        case list():
            return [_emptied(inner) for inner in value]
        case str():
            return ""
    return value


def html_outline(text: str) -> Any:
    """The elements of a page and the names of their attributes."""
    reader = _Elements()
    reader.feed(text)
    reader.close()
    return reader.found


class _Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, ...]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, *(name for name, _ in attrs)))

    def handle_endtag(self, tag: str) -> None:
        self.found.append((f"/{tag}",))

    def handle_comment(self, data: str) -> None:
        self.found.append(("comment", data))


_OUTLINES: Mapping[str, Callable[[str], Any]] = {
    "py": python_outline,
    "toml": toml_outline,
    "html": html_outline,
}
