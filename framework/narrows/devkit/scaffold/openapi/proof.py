"""The last look: what was written is parsed again, and holds nothing but declarations.

Whatever a document says, the code may import from a short list of modules and hold classes, decorators, types and
literals; a name that is neither imported nor made there, a call of anything else, or another form is a fault of the
scaffold, and nothing is written.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable

from narrows.errors import NarrowsError

_NODES = (
    ast.Module, ast.ImportFrom, ast.alias, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef, ast.arguments, ast.arg,
    ast.Assign, ast.AnnAssign, ast.Expr, ast.Constant, ast.Name, ast.Load, ast.Store, ast.Attribute, ast.Subscript,
    ast.Tuple, ast.List, ast.Dict, ast.Set, ast.Call, ast.keyword, ast.BinOp, ast.BitOr, ast.UnaryOp, ast.USub,
    ast.Return, ast.Await,
)  # fmt: skip
_CALLED = frozenset({"Meta", "hole", "field", "read", "write", "Bff"})
_BUILTINS = frozenset({"str", "int", "float", "bool", "list", "dict", "bytes"})
_MODULES = frozenset({"__future__", "datetime", "typing", "uuid", "msgspec", "narrows", "narrows.declare.types"})


class Unproven(NarrowsError):
    """The scaffold would have written something else than declarations; nothing was written."""


def prove(name: str, text: str, own: Iterable[str]) -> None:
    """Parse what was written for the file `name`; `own` are the modules of the BFF itself. Raises `Unproven`."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise Unproven(f"{name}: what would be written is no Python ({error})") from None
    modules = _MODULES | set(own)
    known = _known(tree) | _BUILTINS
    for node in ast.walk(tree):
        if fault := _fault(node, known, modules):
            raise Unproven(f"{name}:{getattr(node, 'lineno', 0)}: {fault}; nothing was written")


def _known(tree: ast.Module) -> set[str]:
    """The names that the file imports or makes."""
    names: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(names=aliases):
                names.update(alias.name for alias in aliases)
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                names.add(name)
            case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name):
                names.add(name)
    return names


def _fault(node: ast.AST, known: set[str], modules: frozenset[str]) -> str:
    match node:
        case ast.ImportFrom(module=module, names=aliases, level=level):
            odd = level or module not in modules or any(alias.asname or alias.name == "*" for alias in aliases)
            return f"it would import from {module!r}" if odd else ""
        case ast.Call(func=function):
            return "" if _may_call(function) else "it would call something"
        case ast.Name(id=name):
            odd = name not in known or name.startswith("__")
            return f"it would use {name!r}" if odd or (name in _BUILTINS and isinstance(node.ctx, ast.Store)) else ""
        case ast.Attribute(attr=name):
            return "it would reach inside" if name.startswith("_") else ""
        case ast.Constant(value=value):
            return "" if value is None or value is ... or isinstance(value, str | int | float) else "it holds bytes"
    return "" if isinstance(node, _NODES) else f"it would hold {type(node).__name__}"


def _may_call(function: ast.expr) -> bool:
    """Only what declares; or an operation, as `Github.issues`, which begins no request by itself."""
    if isinstance(function, ast.Name):
        return function.id in _CALLED
    return isinstance(function, ast.Attribute) and getattr(function.value, "id", "str") not in _BUILTINS
