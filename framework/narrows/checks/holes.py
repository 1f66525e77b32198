"""Marked holes: what a scaffold could not express, or somebody has not decided yet. With one left, nothing starts."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
from msgspec import inspect as mi

from narrows.checks.refusing import refuse
from narrows.declare.endpoint import Endpoint
from narrows.declare.shape import bare, endpoint_shape, leaves, operation_shape
from narrows.declare.upstream import Operation
from narrows.errors import Refusal

Declared = Endpoint | Operation[..., Any]

_FILL = "write what is missing there, then take the hole out"


def hole_refusals(endpoints: Iterable[Endpoint], operations: Iterable[Operation[..., Any]]) -> Iterator[Refusal]:
    """Every hole of the declarations and of the types that they reach, each once, at its own file and line."""
    seen: set[tuple[str, str]] = set()
    every: list[Declared] = [*operations, *endpoints]
    for declared in every:
        for said in _texts(declared.holes):
            yield refuse("hole-left", declared, f"a hole is left: {said}", _FILL)
        for subject, where, said in _in_types(declared):
            if (subject, said) not in seen:
                seen.add((subject, said))
                yield Refusal(
                    code="hole-left", subject=subject, where=where, rule=f"a hole is left: {said}", remedy=_FILL
                )


def _texts(holes: Any) -> list[str]:
    """What is said, whatever somebody has put there."""
    return [holes] if isinstance(holes, str) else [str(said) for said in holes]


def _in_types(declared: Declared) -> Iterator[tuple[str, str, str]]:
    """The holes in the types of a signature; one that cannot be read is refused elsewhere."""
    try:
        shape = operation_shape(declared) if isinstance(declared, Operation) else endpoint_shape(declared)
        taken = [p for p in shape.parameters.values() if p.source in ("path", "query", "body")]
        types = [(p.name, leaf.info) for p in taken for leaf in leaves(p.type)]
        types += [("answer", leaf.info) for leaf in leaves(shape.answer)]
    except Exception:  # msgspec raises anything for a type that it cannot read
        return
    classes: dict[type[msgspec.Struct], mi.StructType] = {}
    own: list[tuple[str, str]] = []
    for name, info in types:
        inner = bare(info)
        if isinstance(inner, mi.StructType):
            classes[inner.cls] = inner
        if (said := _said(info)) is not None:
            own.append((name, said))
    inside = [found for info in classes.values() for found in _in_fields(info)]
    # What a field of a class says is told there, where it stands.
    elsewhere = {said for _, _, said in inside}
    yield from ((f"{declared.id}.{name}", declared.where, said) for name, said in own if said not in elsewhere)
    yield from inside


def _in_fields(info: mi.StructType) -> Iterator[tuple[str, str, str]]:
    """The holes in the fields of a class, with the lines of those."""
    for field in info.fields:
        for said in filter(None, map(_said, _inside(field.type))):
            yield f"{info.cls.__name__}.{field.name}", _line_of(info.cls, field.name), said


def _inside(info: Any) -> Iterator[Any]:
    """A type and what it is made of, up to the next class."""
    yield info
    inner = bare(info)
    for name in ("item_type", "key_type", "value_type"):
        if hasattr(inner, name):
            yield from _inside(getattr(inner, name))
    for member in getattr(inner, "types", ()):
        yield from _inside(member)


def _said(info: Any) -> str | None:
    """What a hole says; None where there is none."""
    said = (info.extra or {}).get("narrows_hole") if isinstance(info, mi.Metadata) else None
    return None if said is None else str(said)


def _line_of(cls: type[msgspec.Struct], field: str) -> str:
    """Where a field stands, as `file:line`; the class when its source does not tell."""
    file = getattr(sys.modules.get(cls.__module__), "__file__", None)
    try:
        tree = ast.parse(Path(file or "").read_text(encoding="utf-8"))
    except (OSError, ValueError, SyntaxError):
        return f"{cls.__module__}.{cls.__qualname__}"
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and node.name == cls.__name__:
            lines = [one.lineno for one in node.body if isinstance(one, ast.AnnAssign) and _name(one) == field]
            return f"{file}:{lines[0] if lines else node.lineno}"
    return f"{file}:1"


def _name(node: ast.AnnAssign) -> str:
    return node.target.id if isinstance(node.target, ast.Name) else ""
