"""The part of a document that some operations need: what drift is later looked for in, and what a review reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from narrows.devkit.scaffold.openapi.document import Document, Listed, Place
from narrows.devkit.scaffold.openapi.gaps import Gap

# What a person reads is left out, unless it is the name of a property.
_PROSE = {"description", "summary", "example", "examples", "externalDocs", "x-github", "tags", "title"}
_NAMED = {"properties", "parameters", "schemas", "definitions", "responses", "mapping"}
_KEPT = ("openapi", "swagger", "info", "servers", "host", "basePath", "schemes", "consumes", "produces", "security",
         "securityDefinitions")  # fmt: skip
_DEEPEST = 200


def excerpt(document: Document, listed: Sequence[Listed]) -> bytes:
    """The operations with all that they refer to, as JSON. Raises `Gap` for what is nested too deeply."""
    root = document.root.value
    made: dict[str, Any] = {key: root[key] for key in _KEPT if key in root}
    made["info"] = {
        key: value for key, value in (document.root.get("info") or {}).items() if key in ("title", "version", "license")
    }
    schemes = document.root.at("components", "securitySchemes").value
    if schemes is not None:
        made["components"] = {"securitySchemes": schemes}
    waiting: list[Any] = []
    paths: dict[str, Any] = {}
    for one in listed:
        item = paths.setdefault(one.path, {})
        for name, place in ((one.method.lower(), one.place), ("parameters", one.item.at("parameters"))):
            if place.value is not None:
                item[name] = _plain(place, waiting)
    made["paths"] = paths
    seen: set[str] = set()
    while waiting:
        reference = waiting.pop()
        if reference in seen:
            continue
        seen.add(reference)
        try:
            place = document.follow(Place({"$ref": reference}, "#"), once=True)
        except Gap:
            continue
        _put(made, reference, _plain(place, waiting))
    return msgspec.json.format(msgspec.json.encode(made), indent=1)


def _put(made: dict[str, Any], reference: str, value: Any) -> None:
    """Put a value where a reference leads; into lists nothing is put, as what they hold was taken whole."""
    *above, last = [part.replace("~1", "/").replace("~0", "~") for part in reference.split("/")[1:]]
    for name in above:
        made = made.setdefault(name, {}) if isinstance(made, dict) else {}
    if isinstance(made, dict):
        made.setdefault(last, value)


def _plain(place: Place, waiting: list[Any], depth: int = 0, *, named: bool = False) -> Any:
    """A value without prose; the references in it are put down."""
    if depth > _DEEPEST:
        raise Gap("it is nested too deeply", place.pointer)
    value = place.value
    if isinstance(value, list):
        return [_plain(item, waiting, depth + 1) for item in place.items()]
    if not isinstance(value, dict):
        return value
    if isinstance(value.get("$ref"), str):
        waiting.append(value["$ref"])
    return {
        name: _plain(inner, waiting, depth + 1, named=name in _NAMED)
        for name, inner in place.members()
        if named or name not in _PROSE
    }
