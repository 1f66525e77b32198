"""What a team's handlers import: nothing that opens connections or starts programs past the pipeline.

It reads the source of the BFF's own files, from the one that declares it along their imports. It finds what is written
down, and is no sandbox: whoever wants to hide a call from it can.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from narrows.declare.bff import Bff
from narrows.errors import Refusal

_NETWORK = "opens connections that no guard sees"
_PROGRAMS = "starts programs that no guard sees"
_HIDDEN = "runs code that no review sees"
_INSIDE = "is inside Narrows, and sends past the pipeline"

# Modules by what they would let a handler do; what lies below a module is meant too.
_MODULES = {
    **dict.fromkeys(
        (
            *("socket", "_socket", "socketserver", "ssl", "select", "selectors", "http.client", "http.server"),
            *("urllib.request", "urllib3", "requests", "requests_oauthlib", "httpx", "httpx2", "httpcore", "h11", "h2"),
            *("aiohttp", "niquests", "pycurl", "tornado", "twisted", "websocket", "websockets", "grpc", "zmq"),
            *("ftplib", "smtplib", "poplib", "imaplib", "nntplib", "telnetlib", "xmlrpc", "wsgiref", "asyncssh"),
            *("paramiko", "boto3", "botocore", "psycopg", "psycopg2", "asyncpg", "pymysql", "pymongo", "redis", "nats"),
            *("kafka", "aiokafka", "pika", "sqlalchemy", "anyio", "trio", "uvloop", "dns", "ldap3", "pyreqwest"),
        ),
        _NETWORK,
    ),
    **dict.fromkeys(
        ("subprocess", "_posixsubprocess", "asyncio.subprocess", "multiprocessing", "pty", "pexpect", "sh"), _PROGRAMS
    ),
    **dict.fromkeys(("ctypes", "cffi", "importlib", "runpy", "imp", "code", "codeop", "pickle", "marshal"), _HIDDEN),
    **dict.fromkeys(("narrows.transport", "narrows.upstreams", "narrows.current", "narrows.devkit"), _INSIDE),
}
_ATTRIBUTES = {
    "os": ("system", "popen", "exec", "spawn", "posix_spawn", "fork", "startfile"),
    "asyncio": ("open_connection", "open_unix_connection", "start_server", "start_unix_server", "create_subprocess"),
    "builtins": ("eval", "exec", "compile", "__import__"),
    "sys": ("modules", "meta_path", "path_hooks"),
    "concurrent.futures": ("ProcessPoolExecutor",),
}
_BUILTINS = ("eval", "exec", "__import__")
# Methods of an event loop, whatever it is called.
_LOOP = ("create_datagram_endpoint", "create_unix_connection", "subprocess_exec", "subprocess_shell", "sock_connect")


def handler_refusals(bff: Bff) -> Iterator[Refusal]:
    """Each place in the BFF's own files that reaches past the pipeline; files that cannot be read too."""
    for file in _files(bff):
        try:
            tree = ast.parse(file.read_bytes())
        except (OSError, SyntaxError, ValueError):
            yield _refuse(bff, "handler-import", f"{file}:1", "this file cannot be read", "write it as Python in UTF-8")
            continue
        for line, named, does in sorted(_Reach(tree).found):
            remedy = "declare an operation in a class of `Upstream`, and name it in `uses`"
            yield _refuse(bff, "handler-import", f"{file}:{line}", f"`{named}` {does}", remedy)


def _refuse(bff: Bff, code: str, where: str, rule: str, remedy: str) -> Refusal:
    return Refusal(code=code, subject=bff.name, where=where, rule=rule, remedy=remedy)


def _files(bff: Bff) -> list[Path]:
    """The files of the BFF: those that declare it and its endpoints, and what they import below its folder."""
    places = [bff.where, *(endpoint.where for endpoint in bff.endpoints)]
    waiting = [Path(where.rpartition(":")[0]) for where in places]
    seen: dict[Path, None] = {}
    while waiting:
        file = waiting.pop(0).resolve()
        if file in seen or not file.is_file():
            continue
        seen[file] = None
        waiting += _imported(file, bff.folder.resolve())
    return list(seen)


def _imported(file: Path, folder: Path) -> Iterator[Path]:
    """The files below the BFF's folder that one of them may import."""
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        for name, level in _names(node):
            home = file.parents[level - 1] if level else None
            yield from _below(name.split("."), folder, home)


def _names(node: ast.AST) -> Iterator[tuple[str, int]]:
    """The dotted names that a statement may import, and how relative they are."""
    if isinstance(node, ast.Import):
        yield from ((alias.name, 0) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield from (((f"{node.module}." if node.module else "") + alias.name, node.level) for alias in node.names)


def _below(parts: list[str], folder: Path, home: Path | None) -> Iterator[Path]:
    """The files that a dotted name can mean; where packages begin is not known, so every beginning is tried."""
    starts = [home] if home else [folder, *folder.parents[: len(parts)]]
    for start in starts:
        for end in range(1, len(parts) + 1):
            base = start.joinpath(*parts[:end])
            for file in (base.with_suffix(".py"), base / "__init__.py"):
                if file.resolve().is_relative_to(folder) and file.is_file():
                    yield file


class _Reach(ast.NodeVisitor):
    """What one file reaches for: the line, what is named, and what that does."""

    def __init__(self, tree: ast.AST) -> None:
        self.found: set[tuple[int, str, str]] = set()
        self._bound: dict[str, str] = {}
        self.visit(tree)

    def visit_If(self, node: ast.If) -> None:
        """What only a type checker reads is not run."""
        parts = node.orelse if _is_for_types(node.test) else [node.test, *node.body, *node.orelse]
        for part in parts:
            self.visit(part)

    def visit_Import(self, node: ast.Import) -> None:
        """`import a.b as c`."""
        for alias in node.names:
            self._bound[alias.asname or alias.name.partition(".")[0]] = (
                alias.name if alias.asname else alias.name.partition(".")[0]
            )
            self._judge(node.lineno, alias.name)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        """`from a import b as c`; a relative one is a file of the BFF."""
        if node.level or node.module is None:
            return
        for alias in node.names:
            name = f"{node.module}.{alias.name}"
            self._bound[alias.asname or alias.name] = name
            if alias.name == "*" and node.module in _ATTRIBUTES:
                self.found.add((node.lineno, f"from {node.module} import *", _HIDDEN))
            self._judge(node.lineno, name)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        """`os.system`, under whatever name `os` goes."""
        if node.attr in _LOOP:
            self.found.add((node.lineno, node.attr, _NETWORK if "subprocess" not in node.attr else _PROGRAMS))
        dotted = self._dotted(node)
        if dotted and not _refused(dotted.rpartition(".")[0]):
            self._judge(node.lineno, dotted)
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        """`eval(…)`, and `getattr(os, …)`."""
        if isinstance(node.func, ast.Name) and node.func.id in _BUILTINS:
            self.found.add((node.lineno, node.func.id, _HIDDEN))
        if isinstance(node.func, ast.Name) and node.func.id == "getattr" and node.args:
            dotted = self._dotted(node.args[0])
            if dotted in _ATTRIBUTES:
                self.found.add((node.lineno, f"getattr({dotted}, …)", _HIDDEN))
        self.generic_visit(node)

    def _dotted(self, node: ast.AST) -> str:
        """The imported name that an expression means: `asyncio.open_connection`; "" for anything else."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name) or node.id not in self._bound:
            return ""
        return ".".join([self._bound[node.id], *reversed(parts)])

    def _judge(self, line: int, name: str) -> None:
        parts = name.split(".")
        for end in range(1, len(parts) + 1):
            module = ".".join(parts[:end])
            if module in _MODULES:
                self.found.add((line, module, _MODULES[module]))
                return
            if end < len(parts) and parts[end].startswith(_ATTRIBUTES.get(module, ())):
                does = _NETWORK if module == "asyncio" and "subprocess" not in parts[end] else _PROGRAMS
                self.found.add((line, f"{module}.{parts[end]}", _HIDDEN if module in ("builtins", "sys") else does))
                return


def _refused(name: str) -> bool:
    """Whether a module is refused already where it is imported, or where it is named first."""
    parts = name.split(".")
    return any(".".join(parts[:end]) in _MODULES for end in range(1, len(parts) + 1))


def _is_for_types(test: ast.expr) -> bool:
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (
        isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING"
    )
