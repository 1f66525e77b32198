"""The three shapes of a BFF that `narrows new` makes, each whole: declarations, settings, policy, tests and a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Literal, get_args

from narrows.devkit.scaffold.facts import Draft, Facts
from narrows.devkit.scaffold.filling import filled, template

Shape = Literal["read-only", "limited-write", "aggregate"]
SHAPES: Sequence[Shape] = get_args(Shape)
"""`read-only`: a list and one object of one upstream; `limited-write`: besides a write that wants a receipt;
`aggregate`: two upstreams in one answer."""

PURPOSES: Mapping[Shape, str] = {
    "read-only": "Show a team its items",
    "limited-write": "Show a team its items, and add to them",
    "aggregate": "Show a team and its items at a glance",
}
_UPSTREAMS: Mapping[Shape, Sequence[str]] = {
    "read-only": ("items",),
    "limited-write": ("items",),
    "aggregate": ("people", "items"),
}
_FIRST_PORT = 8001
_SUFFIX = ".txt"


def of_shape(shape: Shape, facts: Facts) -> Draft:
    """Make every file of a BFF of this shape."""
    texts = {**common(_UPSTREAMS[shape]), **_texts(shape.replace("-", "_"))}
    return Draft({path: filled(path, text, values_of(facts)) for path, text in named(texts, facts).items()})


def common(upstreams: Sequence[str]) -> dict[str, str]:
    """The templates that every BFF has: settings with these upstreams, CI, the matrix of its tests, its page."""
    texts = _texts("common")
    texts["narrows.toml"] = _with_upstreams(texts["narrows.toml"], upstreams)
    return texts


def named(texts: Mapping[str, str], facts: Facts) -> dict[str, str]:
    """The same with the name of the BFF in the paths where a template says so."""
    return {path.replace("__name__", facts.name).replace("__dot__", "."): text for path, text in texts.items()}


def values_of(facts: Facts) -> dict[str, str]:
    """What templates are filled with."""
    return {
        "name": facts.name,
        "bff": facts.bff,
        "title": facts.title,
        "owner": facts.owner,
        "purpose": facts.purpose,
        "review_by": facts.review_by,
    }


def _with_upstreams(text: str, names: Sequence[str]) -> str:
    """The settings with a section for each upstream, in each environment."""
    sections = {"upstreams": "", "staging": "", "production": ""}
    for number, name in enumerate(names):
        url = f"http://127.0.0.1:{_FIRST_PORT + number}"
        sections["upstreams"] += f'\n[upstreams.{name}]\nurl = "{url}"\naudience = "{name}-api"\n'
        for environment, host in {"staging": f"{name}.staging.invalid", "production": f"{name}.invalid"}.items():
            head = f"\n[environments.{environment}.upstreams.{name}]"
            sections[environment] += f'{head}\nurl = "https://{host}"\n'
    for mark, section in sections.items():
        text = text.replace(f"<<{mark}>>\n", section)
    return text


def _texts(folder: str) -> dict[str, str]:
    """The templates of a folder by the paths of the files that they make."""
    root = files("narrows.devkit.scaffold").joinpath("templates", folder)
    return {path: template(f"{folder}/{path}{_SUFFIX}") for path in _paths(root, "")}


def _paths(folder: Traversable, prefix: str) -> list[str]:
    found: list[str] = []
    for entry in sorted(folder.iterdir(), key=lambda one: one.name):
        if entry.is_dir():
            found += _paths(entry, f"{prefix}{entry.name}/")
        else:
            found.append(prefix + entry.name.removesuffix(_SUFFIX))
    return found
