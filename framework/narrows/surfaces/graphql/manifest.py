"""Manifests of documents as other registries write them: Apollo's and Relay's. Written, and read as strangers' text."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from narrows.declare.document import Document
from narrows.errors import NarrowsError

Form = Literal["apollo", "relay"]
APOLLO = "apollo-persisted-query-manifest"
MOST_BYTES = 16 * 1024 * 1024
"""A manifest, a schema, or the documents of a folder together: what is longer is not even read to its end."""
MOST = 2000
"""The most documents that are taken at once."""


class ManifestError(NarrowsError):
    """A manifest, a folder of documents or a saved schema cannot be taken: the place, the rule and the remedy."""


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """A document as a manifest lists it; `id`, `name` and `kind` are what it claims, and nothing is taken on trust."""

    where: str
    body: str
    id: str | None = None
    name: str | None = None
    kind: str | None = None


def write(documents: Sequence[Document], form: Form) -> str:
    """The manifest of documents, by the hashes of their sources; the same documents give the same text."""
    ordered = sorted(documents, key=lambda document: document.sha256)
    if form == "relay":
        return _written({document.sha256: document.source for document in ordered})
    operations = [
        {
            "id": document.sha256,
            "name": document.name,
            "type": document.operation,
            "body": document.source,
        }
        for document in ordered
    ]
    return _written({"format": APOLLO, "version": 1, "operations": operations})


def read(path: Path) -> list[Listed]:
    """What a manifest lists, or the `.graphql` files of a folder. Raises `ManifestError`."""
    if path.is_dir():
        return list(_files(path))
    found = _document(path)
    listed = list(_apollo(path, found) if "format" in found else _relay(path, found))
    if len(listed) > MOST:
        raise ManifestError(f"{path}: it lists more than {MOST} documents. Remedy: make several files of it.")
    return listed


def text_of(path: Path) -> str:
    """The text of a file, read no further than what is refused for its size. Raises `ManifestError`."""
    try:
        with path.open("rb") as opened:
            content = opened.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise ManifestError(f"{path}: it is longer than {MOST_BYTES} bytes. Remedy: make several files of it.")
        return content.decode("utf-8")
    except OSError as error:
        raise ManifestError(f"{path}: cannot be read ({error.strerror}). Remedy: name a file that can.") from None
    except UnicodeDecodeError:
        raise ManifestError(f"{path}: it is not UTF-8. Remedy: save it as UTF-8.") from None


def _written(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _files(folder: Path) -> Iterator[Listed]:
    """The documents of a folder, by name; a link may lead anywhere, and is not followed."""
    found = sorted(folder.rglob("*.graphql"))
    if len(found) > MOST:
        raise ManifestError(f"{folder}: it holds more than {MOST} documents. Remedy: name a folder within it.")
    size = 0
    for file in found:
        if file.is_symlink() or not file.is_file():
            raise ManifestError(f"{file}: it is a link, or no file. Remedy: put the document itself there.")
        size += file.stat().st_size
        if size > MOST_BYTES:
            rule = f"its documents are longer than {MOST_BYTES} bytes together"
            raise ManifestError(f"{folder}: {rule}. Remedy: name a folder within it.")
        yield Listed(where=str(file), body=text_of(file))


def _document(path: Path) -> dict[str, Any]:
    """The JSON object of a file, in which no name stands twice."""
    try:
        found = json.loads(text_of(path), object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        # What json says of a fault has its line; what a deep nesting raises is no matter of the file's author.
        said = str(error) if isinstance(error, ValueError) else "nested too deep"
        raise ManifestError(f"{path}: no manifest ({said}). Remedy: write it anew by the client's own tool.") from None
    if not isinstance(found, dict):
        raise ManifestError(f"{path}: no JSON object. Remedy: give a manifest of Apollo or Relay.")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object, whose names must differ: of two documents with one id, nobody could tell which is meant."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"{name[:80]!a} stands there twice")
        found[name] = value
    return found


class _Operation(msgspec.Struct):
    id: str
    body: str
    name: str
    type: Literal["query", "mutation", "subscription"]


class _Apollo(msgspec.Struct):
    format: Literal["apollo-persisted-query-manifest"]
    version: Literal[1]
    operations: list[_Operation]


def _apollo(path: Path, found: dict[str, Any]) -> Iterator[Listed]:
    try:
        manifest = msgspec.convert(found, _Apollo)
    except msgspec.ValidationError as error:
        said = f"no manifest of Apollo in its version 1 ({ascii(str(error))[1:-1]})"
        raise ManifestError(f"{path}: {said}. Remedy: write it anew by Apollo's own tool.") from None
    for number, one in enumerate(manifest.operations):
        where = f"{path}: operations[{number}]"
        yield Listed(where=where, body=one.body, id=one.id, name=one.name, kind=one.type)


def _relay(path: Path, found: dict[str, Any]) -> Iterator[Listed]:
    for number, (key, body) in enumerate(found.items()):
        if not isinstance(body, str):
            said = f"the value of {key[:80]!a} is no text, as it is in a manifest of Relay"
            raise ManifestError(f"{path}: {said}. Remedy: give a manifest of Apollo or Relay.")
        yield Listed(where=f"{path}: entry {number}", body=body, id=key)
