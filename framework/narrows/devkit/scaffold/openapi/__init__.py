"""`narrows new NAME --from DOCUMENT`: typed operations and narrow types for just the operations that are named.

`loading` reads a document as data, `document` finds places in it, `schemas` and `operations` make kinds of them,
`layout`, `typing_code` and `files` write those as code, and `proof` looks at what was written once more. What cannot
be expressed becomes a marked hole, which the start refuses.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from narrows.devkit.scaffold.facts import Draft, Facts
from narrows.devkit.scaffold.openapi.beside import beside
from narrows.devkit.scaffold.openapi.bounds import MOST_OPERATIONS
from narrows.devkit.scaffold.openapi.document import Document, Listed
from narrows.devkit.scaffold.openapi.drawn import Drawn
from narrows.devkit.scaffold.openapi.excerpt import excerpt
from narrows.devkit.scaffold.openapi.files import (
    app_text,
    domain_of,
    holes_of,
    in_order,
    problem_class,
    scope_of,
    unbound,
    upstreams_text,
)
from narrows.devkit.scaffold.openapi.gaps import DocumentRefused, Remark, shown
from narrows.devkit.scaffold.openapi.loading import read
from narrows.devkit.scaffold.openapi.names import pascal
from narrows.devkit.scaffold.openapi.operations import KEPT_STATUSES, Made, Operations
from narrows.devkit.scaffold.openapi.proof import prove
from narrows.devkit.scaffold.openapi.reaching import close_circles, cut_vast, reached
from narrows.devkit.scaffold.openapi.schemas import Schemas
from narrows.devkit.scaffold.openapi.typing_code import Types

__all__ = ["DocumentRefused", "Drawn", "Listed", "Remark", "draw", "from_document", "listed"]


def draw(document: Document, wanted: Sequence[str], facts: Facts, *, upstream: str, package: str) -> Drawn:
    """Make the files for the operations that are `wanted` (ids, or `GET /path`).

    `upstream` is the name of its class (`Github`), `package` where the files will stand (`bffs.pulls`). Raises
    `DocumentRefused` when an operation is not there, and `Unproven` when something else than declarations came out.
    """
    listed = list({(found := document.find(one)).id: found for one in wanted}.values())
    if not 1 <= len(listed) <= MOST_OPERATIONS:
        raise DocumentRefused(f"name 1 to {MOST_OPERATIONS} operations; --list shows all")
    taken = {upstream, "Key", *(problem_class(upstream, status) for status in KEPT_STATUSES)}
    schemas = Schemas(document, taken)
    operations = Operations(document, schemas, upstream.lower())
    made = [operations.make(one) for one in listed]
    cut_vast(made, schemas.models)
    models = reached(made, schemas.models)
    close_circles(models)
    types = Types(models, {*taken, *schemas.models} - {"Key"})
    files = _files(facts, upstream, package, made, types)
    for name, text in files.items():
        prove(name, text, {f"{package}.types", f"{package}.upstreams"})
    paths = [[p for p in in_order(one) if p.place == "path"] for one in made]
    return Drawn(
        files,
        upstream,
        upstream.lower(),
        tuple(made),
        len(models),
        tuple(dict.fromkeys(domain_of(path[0]) for path in paths if path)),
        not all(paths),
        tuple(dict.fromkeys(scope_of(facts, one) for one in made)),
        tuple(dict.fromkeys(one.asks for one in made)),
        {one.name: unbound(one, models) for one in made},
        (*holes_of(made, models), *schemas.remarks),
    )


def _files(facts: Facts, upstream: str, package: str, made: list[Made], types: Types) -> dict[str, str]:
    """The three files; `types.py` last, as the others name types too."""
    upstreams = upstreams_text(upstream, package, made, types)
    app = app_text(facts, upstream, package, made, types)
    title = f"What {upstream} sends and takes, made from its document: take out every field that you do not need."
    return {"app.py": app, "upstreams.py": upstreams, "types.py": types.text(title)}


def listed(path: Path) -> list[Listed]:
    """The operations of a document. Raises `DocumentRefused`."""
    return Document(read(path)).operations


def from_document(path: Path, wanted: Sequence[str], facts: Facts, upstream: str | None = None) -> Draft:
    """Make every file of a BFF over a document's operations. Raises `DocumentRefused` and `Unproven`."""
    document = Document(read(path))
    name = pascal(
        upstream or str(document.root.at("info", "title").value or "upstream").partition(" ")[0].split("'")[0]
    )
    drawn = draw(document, wanted, facts, upstream=name, package=f"bffs.{facts.name}")
    files = {**beside(drawn, facts), **drawn.files}
    files[f"upstream/{drawn.key}.json"] = excerpt(document, [document.find(one) for one in wanted]).decode()
    servers = document.root.at("servers").items()
    server = servers[0].get("url") if servers else f"{document.root.get('host')}{document.root.get('basePath') or ''}"
    notes = [f"the document says that its server is {shown(server, 100)}: name the real one in narrows.toml"]
    unbound_ids = [f"nothing binds {', '.join(ids)} of {name} yet" for name, ids in drawn.open_ids.items() if ids]
    return Draft(files, (*notes, *grouped(drawn.remarks, "note")), (*grouped(drawn.remarks, "hole"), *unbound_ids))


def grouped(remarks: Iterable[Remark], kind: str) -> tuple[str, ...]:
    """Remarks of a kind as texts: what is said alike is told once, with up to three of its places."""
    places: dict[str, list[str]] = {}
    for remark in remarks:
        if remark.kind == kind:
            places.setdefault(remark.said, []).append(remark.pointer)
    found = []
    for said, pointers in places.items():
        more = f", and {len(pointers) - 3} more" if len(pointers) > 3 else ""
        found.append(f"{shown(said)} ({', '.join(map(shown, pointers[:3]))}{more})")
    return tuple(found)
