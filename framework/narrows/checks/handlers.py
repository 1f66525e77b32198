"""What a team's handlers import: nothing that opens connections or starts programs past the pipeline.

It reads the source of the team's files, from the one that declares the BFF along their imports. It finds what is
written down, under whatever name, and is no sandbox: whoever is set on hiding a call from it still can.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType

from narrows.checks.reach import reach
from narrows.declare.bff import Bff
from narrows.errors import Refusal

_NARROWS = Path(__file__).resolve().parents[1]


def handler_refusals(bff: Bff) -> Iterator[Refusal]:
    """Each place in the team's files that reaches past the pipeline; files that cannot be read too."""
    for file in _files(bff):
        try:
            tree = ast.parse(file.read_bytes())
        except (OSError, SyntaxError, ValueError):
            yield _refuse(bff, "handler-import", f"{file}:1", "this file cannot be read", "write it as Python in UTF-8")
            continue
        for line, named, does in sorted(reach(tree, _imported_as(file))):
            remedy = "declare an operation in a class of `Upstream`, and name it in `uses`"
            yield _refuse(bff, "handler-import", f"{file}:{line}", f"`{named}` {does}", remedy)


def _refuse(bff: Bff, code: str, where: str, rule: str, remedy: str) -> Refusal:
    return Refusal(code=code, subject=bff.name, where=where, rule=rule, remedy=remedy)


def _files(bff: Bff) -> list[Path]:
    """The files of the team: of the BFF, its endpoints and added fields, and what they import of its own packages."""
    places = [bff.where, *(endpoint.where for endpoint in bff.endpoints), *(join.where for join in bff.joins)]
    waiting = [Path(where.rpartition(":")[0]) for where in places]
    added = bff.graphql_surface.fields.values() if bff.graphql_surface is not None else ()
    waiting += [Path(getattr(sys.modules.get(fields.__module__), "__file__", None) or "") for fields in added]
    root = _root(bff.folder.resolve())
    seen: dict[Path, None] = {}
    while waiting:
        file = waiting.pop(0).resolve()
        if file in seen or not file.is_file():
            continue
        seen[file] = None
        waiting += _imported(file, root)
    return list(seen)


def _root(folder: Path) -> Path:
    """The folder that holds the packages around a BFF; of an installed one, its own package."""
    inner = folder
    while (folder / "__init__.py").is_file():
        inner, folder = folder, folder.parent
    return inner if folder.name in ("site-packages", "dist-packages") else folder


def _imported_as(file: Path) -> ModuleType | None:
    """The module that a file has become, if it was imported."""
    for module in list(sys.modules.values()):
        named = vars(module).get("__file__") if isinstance(module, ModuleType) else None
        if isinstance(named, str) and Path(named) == file:
            return module
    return None


def _imported(file: Path, folder: Path) -> Iterator[Path]:
    """The files below a folder that one of them may import."""
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        for name, level in _names(node):
            home = file.parents[level - 1] if level else None
            around = [home] if home else [parent for parent in file.parents if parent.is_relative_to(folder)]
            yield from _below(name.split("."), folder, around)


def _names(node: ast.AST) -> Iterator[tuple[str, int]]:
    """The dotted names that a statement may import, and how relative they are."""
    if isinstance(node, ast.Import):
        yield from ((alias.name, 0) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield from (((f"{node.module}." if node.module else "") + alias.name, node.level) for alias in node.names)


def _below(parts: list[str], folder: Path, around: Sequence[Path]) -> Iterator[Path]:
    """The files that a dotted name can mean; where packages begin is not known, so every beginning is tried."""
    for start in (*around, *folder.parents[: len(parts)]):
        for end in range(1, len(parts) + 1):
            base = start.joinpath(*parts[:end])
            for file in (base.with_suffix(".py"), base / "__init__.py"):
                found = file.resolve()
                if found.is_relative_to(folder) and not found.is_relative_to(_NARROWS) and file.is_file():
                    yield file
