"""The folder of documents: each file has its declaration, and each declaration its file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from narrows.declare.bff import Bff
from narrows.declare.document import Declared, Graphql
from narrows.errors import Refusal
from narrows.surfaces.graphql.source import Source

MOST_BYTES = 256 * 1024
"""A file that is longer is not even read to its end."""
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
_BOM = b"\xef\xbb\xbf"
_FOR_DOCUMENTS = frozenset(
    ("roles", "within", "scope", "rates", "slo", "deprecated", "sunset", "commit", "for_services", "holes", "unknown")
)


def read_documents(bff: Bff, surface: Graphql) -> tuple[list[Source], list[Refusal]]:
    """The documents whose files can be read, and why the others cannot."""
    refusals: list[Refusal] = []
    found: dict[str, Source] = {}
    for declared in bff.documents:
        reasons = [*_declaration(bff, declared, found), *_guards(bff, declared)]
        source = None if reasons else _read(bff, surface, declared, reasons)
        refusals += reasons
        if source is not None:
            found[declared.name.lower()] = source
    refusals += _undeclared(bff, surface)
    return list(found.values()), refusals


def _declaration(bff: Bff, declared: Declared, found: dict[str, Source]) -> Iterator[Refusal]:
    if type(declared.name) is not str or not NAME.fullmatch(declared.name):
        rule = f"{declared.name!r} is no name for a document"
        yield _refuse(bff, "document-name", declared, rule, "name it with a-z, 0-9 and _, up to 64, a letter first")
    elif (first := found.get(declared.name.lower())) is not None:
        rule = f"a document of this name is declared at {first.declared.where}"
        yield _refuse(bff, "document-twice", declared, rule, "rename one; names that differ in case alone are the same")


def _guards(bff: Bff, declared: Declared) -> Iterator[Refusal]:
    for name in sorted(declared.guards.keys() - _FOR_DOCUMENTS):
        rule = f"`{name}` is no guard of a document"
        remedy = f"take `{name}` out: the endpoints of its fields keep theirs, and decide on what the fields ask for"
        yield _refuse(bff, "document-guard", declared, rule, remedy)


def _read(bff: Bff, surface: Graphql, declared: Declared, refusals: list[Refusal]) -> Source | None:
    path = surface.queries / f"{declared.name}.graphql"
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        rule = f"{path} cannot be read ({error.strerror})"
        refusals.append(_refuse(bff, "document-missing", declared, rule, f"write the document into {path.name}"))
        return None
    if len(content) > MOST_BYTES:
        rule = f"{path} is longer than {MOST_BYTES} bytes"
        refusals.append(_refuse(bff, "document-too-long", declared, rule, "make several documents of it"))
        return None
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        rule = f"{path} is not UTF-8 at byte {error.start}"
        refusals.append(_refuse(bff, "document-bytes", declared, rule, "save it as UTF-8"))
        return None
    if content.startswith(_BOM):
        rule = f"{path} begins with a byte order mark, which its hash would cover unseen"
        refusals.append(_refuse(bff, "document-bytes", declared, rule, "save it as UTF-8 without a byte order mark"))
        return None
    return Source(bff.name, declared, path, text)


def _undeclared(bff: Bff, surface: Graphql) -> Iterator[Refusal]:
    """Files that nobody declared: a document without roles is either forgotten or meant to be found."""
    known = {surface.queries / f"{declared.name}.graphql" for declared in bff.documents}
    for path in sorted(surface.queries.rglob("*.graphql")):
        if path not in known:
            yield Refusal(
                code="document-undeclared",
                subject=f"{bff.name}.{path.stem}",
                where=f"{path}:1",
                rule="nothing declares this document",
                remedy=_declaring(path, surface.queries),
            )


def _declaring(path: Path, folder: Path) -> str:
    if path.parent != folder:
        return f"move it into {folder}, and declare it with bff.document(…), or delete it"
    return f'declare it with bff.document("{path.stem}", roles=…, scope=…, rate=…), or delete it'


def _refuse(bff: Bff, code: str, declared: Declared, rule: str, remedy: str) -> Refusal:
    return Refusal(code=code, subject=f"{bff.name}.{declared.name}", where=declared.where, rule=rule, remedy=remedy)
