"""Drift: where the operations that a BFF declares and its upstream's current document have come apart.

`narrows check --upstream github=openapi.json` tells it. Only what can hurt is told: what an operation sends that the
upstream no longer takes, what the upstream answers that the narrow type does not. Additions are silent. What differed
already in the excerpt beside the BFF (`upstream/github.json`) is not drift; looked at itself, that is told too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msgspec import inspect as mi

from narrows.checks.refusing import refuse
from narrows.declare.bff import Bff
from narrows.declare.endpoint import counts
from narrows.declare.shape import REQUIRED, Parameter, Shape, ShapeError, operation_shape
from narrows.declare.upstream import Operation, Upstream
from narrows.devkit.drift_types import Types
from narrows.devkit.scaffold.openapi.document import Document, Listed
from narrows.devkit.scaffold.openapi.gaps import DocumentRefused, Gap, below, shown
from narrows.devkit.scaffold.openapi.loading import read
from narrows.devkit.scaffold.openapi.names import snake
from narrows.devkit.scaffold.openapi.operations import Made, Operations
from narrows.devkit.scaffold.openapi.schemas import Schemas
from narrows.errors import Refusal

Declared = Operation[..., Any]


def drift(bff: Bff, upstream: str, path: Path) -> list[Refusal]:
    """Where the operations of an upstream differ from its document; nothing when the BFF does not use that upstream."""
    found = upstreams_of(bff).get(upstream)
    if found is None:
        return []
    try:
        now = _compare(found, Document(read(path)))
    except DocumentRefused as refused:
        remedy = "give the upstream's OpenAPI document (2.0, 3.0 or 3.1, JSON or YAML)"
        return [Refusal(code="drift-unread", subject=upstream, where=f"{path}:1", rule=str(refused), remedy=remedy)]
    before = _known(found, bff.folder / "upstream" / f"{upstream}.json", path)
    return [refusal for refusal in now if _said(refusal) not in before]


def upstreams_of(bff: Bff) -> dict[str, type[Upstream]]:
    """The upstreams that a BFF uses, by their names in the settings."""
    used: list[Declared] = [operation for join in bff.joins for operation in counts(join.uses or ())]
    for endpoint in bff.endpoints:
        used += [
            *counts(endpoint.uses or ()),
            *endpoint.given.values(),
            *(read for read, _ in endpoint.inside.values()),
        ]
        used += [endpoint.roles_from] if endpoint.roles_from else []
    return {operation.upstream.key: operation.upstream for operation in used if operation.upstream is not None}


def _known(upstream: type[Upstream], excerpt: Path, path: Path) -> set[tuple[str, str, str]]:
    """What differed already when the BFF was made or last reviewed."""
    if not excerpt.is_file() or excerpt.samefile(path):
        return set()
    return {_said(refusal) for refusal in _compare(upstream, Document(read(excerpt)))}


def _said(refusal: Refusal) -> tuple[str, str, str]:
    return refusal.code, refusal.subject, refusal.rule.partition(" (#")[0]


def _compare(upstream: type[Upstream], document: Document) -> list[Refusal]:
    schemas = Schemas(document, bounded=False)
    found: list[Refusal] = []
    for operation in upstream.operations.values():
        listed = _match(operation, document)
        if isinstance(listed, Refusal):
            found.append(listed)
            continue
        try:
            shape = operation_shape(operation)
        except ShapeError:
            continue  # the start refuses it with a word of its own
        made = Operations(document, schemas, upstream.key).make(listed)
        found += _Compared(operation, shape, document, listed, made, schemas).refusals()
    return found


def _match(operation: Declared, document: Document) -> Listed | Refusal:
    """The same method and path, whatever the values in it are called."""
    wanted = (operation.method, _outline(operation.path))
    for one in document.operations:
        if (one.method, _outline(one.path)) == wanted:
            return one
    moved = next((one for one in document.operations if snake(one.id) == operation.name), None)
    if moved is None:
        rule = f"the upstream has no {operation.method} {operation.path} any more"
        return refuse(
            "drift-gone", operation, rule, "take the operation out, or ask the upstream's owner what stands for it"
        )
    rule = f"the upstream moved it to {moved.method} {shown(moved.path, 100)} ({shown(moved.place.pointer)})"
    return refuse("drift-moved", operation, rule, "declare it with that method and path")


def _outline(path: str) -> str:
    return re.sub(r"\{[^{}]*\}", "{}", path)


class _Compared:
    """One operation beside what the document says of it."""

    def __init__(
        self, operation: Declared, shape: Shape, document: Document, listed: Listed, made: Made, schemas: Schemas
    ) -> None:
        self._operation = operation
        self._shape = shape
        self._document = document
        self._listed = listed
        self._made = made
        self._schemas = schemas

    def refusals(self) -> Iterator[Refusal]:
        yield from self._path()
        yield from self._query()
        yield from self._body()
        yield from self._answer()
        yield from self._scope()
        yield from self._statuses()

    def _request(self, what: str, pointer: str) -> Refusal:
        rule = f"{what} ({shown(pointer)})"
        return refuse("drift-request", self._operation, rule, "send what the upstream takes now")

    def _types(self, info: Any, kind: Any, direction: Any, at: str) -> list[tuple[str, str]]:
        return list(Types(self._schemas.models).differ(info, kind, direction, at))

    def _path(self) -> Iterator[Refusal]:
        """Path values by their order: their names are each side's own."""
        said = [parameter for parameter in self._made.parameters if parameter.place == "path"]
        said.sort(key=lambda one: self._made.path.find("{" + one.name + "}"))
        own = sorted(self._shape.of("path"), key=lambda one: self._operation.path.find("{" + one.name + "}"))
        for declared, parameter in zip(own, said, strict=False):
            # What a path takes is judged by the upstream value by value: only another sort of value is drift.
            for at, what in self._types(mi.type_info(declared.type), parameter.kind, "in", f"`{declared.name}`"):
                if what.startswith("is "):
                    yield self._request(f"{at} {what}", self._listed.place.pointer)

    def _query(self) -> Iterator[Refusal]:
        pointer = below(self._listed.place.pointer, "parameters")
        own: dict[str, Parameter] = {self._operation.names.get(p.name, p.name): p for p in self._shape.of("query")}
        raw = self._raw()
        for wire in own:
            if wire not in raw:
                yield self._request(f"`{wire}` of the query is no longer taken", pointer)
        for parameter in (one for one in self._made.parameters if one.place == "query"):
            known = own.get(parameter.wire)
            if parameter.required and (known is None or known.default is not REQUIRED):
                yield self._request(f"`{shown(parameter.wire, 60)}` of the query is required now", pointer)
            elif known is not None:
                differences = self._types(mi.type_info(known.type), parameter.kind, "in", f"`{parameter.wire}`")
                yield from (self._request(f"{at} {what}", pointer) for at, what in differences)
        for hole in self._made.holes:
            if "is required" in hole.said or " of the query is not sent" in hole.said:
                yield self._request(hole.said, hole.pointer)

    def _raw(self) -> set[str]:
        """The names that the document knows in the query, also those that cannot be expressed."""
        names = set()
        for given in (*self._listed.item.at("parameters").items(), *self._listed.place.at("parameters").items()):
            try:
                place = self._document.follow(given)
            except Gap:
                continue
            if place.get("in") == "query":
                names.add(str(place.get("name")))
        return names

    def _body(self) -> Iterator[Refusal]:
        body, kind = self._shape.body, self._made.body
        pointer = below(self._listed.place.pointer, "requestBody")
        needed = self._listed.place.at("requestBody").get("required") is True
        if body is None:
            if needed and kind is not None:
                yield self._request("a body is required now", pointer)
        elif kind is not None:
            for at, what in self._types(mi.type_info(body.type), kind, "in", "body"):
                yield self._request(f"`{at}` {what}", pointer)
        elif not any("body" in hole.said for hole in self._made.holes):
            yield self._request("a body is no longer taken", pointer)

    def _answer(self) -> Iterator[Refusal]:
        pointer = below(self._listed.place.pointer, "responses")
        for at, what in self._types(mi.type_info(self._shape.answer), self._made.answer, "out", "answer"):
            rule = f"`{at}` {what} ({shown(pointer)})"
            yield refuse("drift-answer", self._operation, rule, "let the type take that, or do without the field")

    def _scope(self) -> Iterator[Refusal]:
        ways = self._made.scopes
        if ways and not any(set(way) <= {self._operation.asks} for way in ways):
            needed = " or ".join(" and ".join(shown(scope, 60) for scope in way[:5]) for way in ways[:3])
            rule = f"it needs {needed} now ({shown(below(self._listed.place.pointer, 'security'))})"
            yield refuse("drift-scope", self._operation, rule, "correct `asks`, and have the scope granted")

    def _statuses(self) -> Iterator[Refusal]:
        said = {str(name).upper() for name, _ in self._listed.place.at("responses").members()}
        for status in self._operation.problems:
            if not {str(status), f"{status // 100}XX", "DEFAULT"} & said:
                pointer = below(self._listed.place.pointer, "responses")
                rule = f"it does not say any more that it answers {status} ({shown(pointer)})"
                yield refuse(
                    "drift-status", self._operation, rule, f"take {status} out of `problems`, or ask its owner"
                )
