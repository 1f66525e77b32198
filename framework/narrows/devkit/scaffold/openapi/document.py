"""An OpenAPI document as places: a value with its pointer. References are followed inside the document alone."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

from narrows.devkit.scaffold.openapi.gaps import DocumentRefused, Gap, below, shown

Dialect = Literal["2.0", "3.0", "3.1"]
METHODS = ("get", "post", "put", "patch", "delete")
_FOLLOWED = 32


class Place(NamedTuple):
    """A value of the document, and where it stands."""

    value: Any
    pointer: str

    def get(self, name: str) -> Any:
        """A member of an object; None when there is none, or this is no object."""
        return self.value.get(name) if isinstance(self.value, dict) else None

    def at(self, *names: str) -> Place:
        """The place of a member, however deep; its value is None when there is none."""
        place = self
        for name in names:
            place = Place(place.get(name), below(place.pointer, name))
        return place

    def items(self) -> list[Place]:
        """The places of a list's items; none when this is no list."""
        values = self.value if isinstance(self.value, list) else []
        return [Place(value, below(self.pointer, index)) for index, value in enumerate(values)]

    def members(self) -> list[tuple[str, Place]]:
        """The members of an object with their names; none when this is no object."""
        return [(name, self.at(name)) for name in self.value] if isinstance(self.value, dict) else []


class Listed(NamedTuple):
    """An operation as it can be asked for: by its id, or as `GET /path` where the id is missing or stands twice."""

    id: str
    method: str
    path: str
    place: Place
    item: Place
    summary: str


class Document:
    """One document. Raises `DocumentRefused` when it is no OpenAPI 2.0, 3.0 or 3.1."""

    def __init__(self, root: Any) -> None:
        self.root = Place(root, "#")
        self.dialect = _dialect(self.root)
        self.operations = _listed(self)

    def follow(self, place: Place, *, once: bool = False) -> Place:
        """Follow `$ref` inside the document, `once` or to its end. Raises `Gap`: nothing else is ever opened."""
        for _ in range(_FOLLOWED):
            reference = place.get("$ref")
            if reference is None:
                return place
            if not isinstance(reference, str) or not (reference == "#" or reference.startswith("#/")):
                raise Gap(f"it refers to {shown(reference, 60)}, which is not in this document", place.pointer)
            place = self._lookup(reference, place.pointer)
            if once:
                return place
        raise Gap("its references lead in a circle", place.pointer)

    def _lookup(self, reference: str, pointer: str) -> Place:
        value, at = self.root.value, "#"
        for part in reference.split("/")[1:]:
            name = part.replace("~1", "/").replace("~0", "~")
            if isinstance(value, dict) and name in value:
                value = value[name]
            elif isinstance(value, list) and name.isdecimal() and name.isascii() and int(name[:6]) < len(value):
                value = value[int(name[:6])]
            else:
                raise Gap(f"it refers to {shown(reference, 100)}, which is not there", pointer)
            at = below(at, name)
        return Place(value, at)

    def find(self, wanted: str) -> Listed:
        """An operation by its id or as `GET /path`. Raises `DocumentRefused` with names that are near."""
        for one in self.operations:
            if wanted in (one.id, f"{one.method} {one.path}"):
                return one
        ids = [one.id for one in self.operations]
        near = difflib.get_close_matches(wanted[:200], ids, n=3, cutoff=0.5) or [i for i in ids if wanted in i][:3]
        meant = f"; did you mean {' or '.join(map(shown, near))}?" if near else ""
        raise DocumentRefused(f"there is no operation {shown(wanted)}{meant} (--list shows all {len(ids)})")


def _dialect(root: Place) -> Dialect:
    swagger, openapi = str(root.get("swagger")), str(root.get("openapi"))
    if swagger == "2.0":
        return "2.0"
    if openapi.startswith("3.0."):
        return "3.0"
    if openapi.startswith("3.1."):
        return "3.1"
    raise DocumentRefused("it says neither `swagger: 2.0` nor `openapi: 3.0.x` or `3.1.x`")


def _listed(document: Document) -> list[Listed]:
    found = list(_operations(document))
    counts: dict[str, int] = {}
    for _, _, place, _ in found:
        said = place.get("operationId")
        if isinstance(said, str):
            counts[said] = counts.get(said, 0) + 1
    listed = []
    for method, path, place, item in found:
        said = place.get("operationId")
        usable = isinstance(said, str) and said.strip() != "" and "," not in said and counts[said] == 1
        name = said if usable else f"{method} {path}"
        summary = place.get("summary") or place.get("description") or ""
        listed.append(Listed(name, method, path, place, item, shown(summary, 80)))
    return listed


def _operations(document: Document) -> Iterator[tuple[str, str, Place, Place]]:
    for path, entry in document.root.at("paths").members():
        try:
            item = document.follow(entry)
        except Gap:
            continue
        for method in METHODS:
            place = item.at(method)
            if isinstance(path, str) and isinstance(place.value, Mapping):
                yield method.upper(), path, place, item
