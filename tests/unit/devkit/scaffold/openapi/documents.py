"""Small documents of each dialect, and what is made of them."""

import json
from datetime import date
from importlib import import_module
from pathlib import Path
from typing import Any

from narrows.devkit.scaffold.facts import Facts, judged
from narrows.devkit.scaffold.openapi import Drawn, draw, from_document
from narrows.devkit.scaffold.openapi.document import Document, Place
from narrows.devkit.scaffold.openapi.kinds import Kind
from narrows.devkit.scaffold.openapi.schemas import Schemas
from narrows.devkit.scaffold.writing import write

DATA = Path(__file__).parents[4] / "data" / "openapi"
JSON = "application/json"


def facts(name: str = "trial") -> Facts:
    """The facts of a BFF."""
    return judged(name, owner="me@example.com", purpose="Try it", today=date(2026, 11, 24))


def document(paths: Any = None, schemas: Any = None, dialect: str = "3.0", **more: Any) -> dict[str, Any]:
    """A document with these paths and schemas."""
    head = {"swagger": "2.0"} if dialect == "2.0" else {"openapi": f"{dialect}.3"}
    held = {"definitions": schemas or {}} if dialect == "2.0" else {"components": {"schemas": schemas or {}}}
    return {**head, "info": {"title": "Pets", "version": "1"}, **held, "paths": paths or {}, **more}


def answering(schema: Any, **more: Any) -> dict[str, Any]:
    """An operation that answers with a schema."""
    return {
        "operationId": "get",
        "responses": {"200": {"description": "", "content": {JSON: {"schema": schema}}}},
        **more,
    }


def taking(schema: Any, **more: Any) -> dict[str, Any]:
    """An operation that takes a body, and answers nothing."""
    body = {"required": True, "content": {JSON: {"schema": schema}}}
    return {"operationId": "put", "requestBody": body, "responses": {"204": {"description": ""}}, **more}


def made(root: Any, *wanted: str, upstream: str = "Pets") -> Drawn:
    """What the operations become."""
    return draw(Document(root), wanted, facts(), upstream=upstream, package="bffs.trial")


def schemas_of(schema: Any, schemas: Any = None, dialect: str = "3.0", direction: Any = "out") -> tuple[Kind, Schemas]:
    """What one schema becomes, and what was needed for it."""
    named = Schemas(Document(document({}, {"It": schema, **(schemas or {})}, dialect)))
    place = "#/definitions/It" if dialect == "2.0" else "#/components/schemas/It"
    return named.kind(Place({"$ref": place}, "#/x"), direction, "Given"), named


def kind(schema: Any, schemas: Any = None, dialect: str = "3.0", direction: Any = "out") -> Kind:
    """What one schema becomes."""
    return schemas_of(schema, schemas, dialect, direction)[0]


def loaded(folder: Path, root: Any, *wanted: str, name: str, monkeypatch: Any, upstream: str = "Pets") -> Any:
    """The module `app` of a BFF that was made of a document, imported."""
    file = folder / "given.json"
    file.write_text(json.dumps(root))
    draft = from_document(file, wanted, facts(name), upstream)
    write(draft, name, folder / "bffs")
    known = import_module("bffs")
    monkeypatch.setattr(known, "__path__", [*known.__path__, str(folder / "bffs")])
    return import_module(f"bffs.{name}.app")
