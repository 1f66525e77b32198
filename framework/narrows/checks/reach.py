"""What one file reaches for: modules that open connections, start programs or run hidden code, by whatever name.

Names are told by reading, and where a name is that of a module, by what the imported modules hold: so `shutil.os`,
`from pathlib import os as o` and a module under a second name are found. Nothing is called or imported for it.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Mapping
from types import MappingProxyType, ModuleType
from typing import Any

_NETWORK = "opens connections that no guard sees"
_PROGRAMS = "starts programs that no guard sees"
_HIDDEN = "runs code that no review sees"
_INSIDE = "is inside Narrows, and sends past the pipeline"

# Modules by what they would let a handler do; what lies below a module is meant too.
_MODULES = {
    **dict.fromkeys(
        (
            *("socket", "_socket", "socketserver", "ssl", "_ssl", "select", "selectors", "http.client", "http.server"),
            *("urllib.request", "urllib.robotparser", "urllib3", "requests", "requests_oauthlib", "httpx", "httpx2"),
            *("httpcore", "httplib2", "h11", "h2", "aiohttp", "aiosmtplib", "niquests", "pycurl", "tornado", "twisted"),
            *("treq", "websocket", "websockets", "grpc", "zmq", "asyncore", "asynchat", "smtpd", "logging.handlers"),
            *("logging.config", "webbrowser", "ftplib", "smtplib", "poplib", "imaplib", "nntplib", "telnetlib"),
            *("xmlrpc", "wsgiref", "asyncssh", "paramiko", "fabric", "boto3", "botocore", "azure", "google", "docker"),
            *("kubernetes", "openai", "anthropic", "slack_sdk", "stripe", "elasticsearch", "hvac", "selenium"),
            *("playwright", "scapy", "psycopg", "psycopg2", "asyncpg", "pymysql", "aiomysql", "MySQLdb", "oracledb"),
            *("pyodbc", "pymongo", "motor", "redis", "nats", "kafka", "aiokafka", "pika", "sqlalchemy", "anyio"),
            *("trio", "uvloop", "uvicorn", "dns", "ldap3", "pyreqwest", "opentelemetry.exporter"),
        ),
        _NETWORK,
    ),
    **dict.fromkeys(
        (
            *("subprocess", "_posixsubprocess", "posix", "nt", "_winapi", "asyncio.subprocess", "multiprocessing"),
            *("_multiprocessing", "concurrent.futures.process", "distutils", "ensurepip", "venv", "pty", "pexpect"),
            *("plumbum", "invoke", "sh"),
        ),
        _PROGRAMS,
    ),
    **dict.fromkeys(
        (
            *("ctypes", "_ctypes", "cffi", "importlib", "_frozen_importlib", "_frozen_importlib_external", "zipimport"),
            *("pkgutil", "pydoc", "runpy", "imp", "code", "codeop", "pdb", "bdb", "cProfile", "profile", "trace"),
            *("timeit", "doctest", "unittest.mock", "test", "idlelib", "gc", "pickle", "_pickle", "marshal", "shelve"),
            *("dill", "cloudpickle", "joblib"),
        ),
        _HIDDEN,
    ),
    **dict.fromkeys(
        (
            *("narrows.audit", "narrows.checks", "narrows.cli", "narrows.current", "narrows.devkit"),
            *("narrows.governance", "narrows.identity", "narrows.pipeline", "narrows.plan", "narrows.sdk"),
            *("narrows.stores", "narrows.surfaces", "narrows.telemetry", "narrows.testing", "narrows.transport"),
            *("narrows.upstreams",),
        ),
        _INSIDE,
    ),
}
_ATTRIBUTES = {
    "os": ("system", "popen", "exec", "spawn", "posix_spawn", "fork", "startfile", "__"),
    "asyncio": ("open_connection", "open_unix_connection", "start_server", "start_unix_server", "create_subprocess"),
    "builtins": ("eval", "exec", "compile", "__"),
    "sys": ("modules", "meta_path", "path_hooks", "_getframe", "__"),
    "types": ("FunctionType", "CodeType"),
    "concurrent.futures": ("ProcessPoolExecutor",),
}
_CODE = ("builtins", "sys", "types")
_BUILTINS = ("eval", "exec", "compile", "globals", "__import__", "__builtins__", "__loader__", "__spec__", "breakpoint")
# Ways from any object to everything there is.
_DEEP = ("__subclasses__", "__globals__", "__builtins__", "__loader__", "__code__", "f_globals", "f_builtins")
# Methods of an event loop, whatever it is called; those of the second line have names that others use as well.
_LOOP = ("create_datagram_endpoint", "create_unix_connection", "subprocess_exec", "subprocess_shell", "sock_connect")
_LOOP_PERHAPS = ("create_connection", "create_server", "create_unix_server", "connect_accepted_socket", "sock_sendall")

Found = tuple[int, str, str]


def reach(tree: ast.AST, module: ModuleType | None = None) -> set[Found]:
    """Each thing that a file reaches for: the line, what is named, and what that does.

    `module` is the file as it was imported; what its names are is then known beyond what can be read.
    """
    names = _Names(tree, module)
    judge = _Judge(names.bound, types_alone=names.types_alone)
    judge.visit(tree)
    return judge.found


class _Names(ast.NodeVisitor):
    """What each name of a file means that an import brought, wherever that stands."""

    def __init__(self, tree: ast.AST, module: ModuleType | None) -> None:
        live = {} if module is None else vars(module)
        self.bound = {name: value.__name__ for name, value in live.items() if isinstance(value, ModuleType)}
        self._stored: set[str] = set()
        self.visit(tree)
        self.types_alone = "TYPE_CHECKING" not in self._stored

    def visit_Import(self, node: ast.Import) -> None:
        """`import a.b as c`."""
        for alias in node.names:
            name = alias.name if alias.asname else alias.name.partition(".")[0]
            self.bound[alias.asname or name] = _known(name)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        """`from a import b as c`; a relative one is a file of the BFF, whose modules are known once it is imported."""
        if node.level or node.module is None:
            return
        for alias in node.names:
            if alias.name == "*":
                held = _held(node.module)
                brought = held.get("__all__") or [name for name in held if not name.startswith("_")]
                self.bound |= {name: _known(f"{node.module}.{name}") for name in brought}
            else:
                self.bound[alias.asname or alias.name] = _known(f"{node.module}.{alias.name}")

    def visit_Name(self, node: ast.Name) -> None:
        """`TYPE_CHECKING = True` would exempt what is run."""
        if isinstance(node.ctx, ast.Store):
            self._stored.add(node.id)


class _Judge(ast.NodeVisitor):
    """Finds what is reached for, by what the names of the file mean."""

    def __init__(self, bound: Mapping[str, str], *, types_alone: bool) -> None:
        self.found: set[Found] = set()
        self._bound = bound
        self._types_alone = types_alone

    def visit_If(self, node: ast.If) -> None:
        """What only a type checker reads is not run."""
        exempt = self._types_alone and self._dotted(node.test) == "typing.TYPE_CHECKING"
        for part in node.orelse if exempt else [node.test, *node.body, *node.orelse]:
            self.visit(part)

    def visit_Import(self, node: ast.Import) -> None:
        """`import a.b as c`."""
        for alias in node.names:
            self._judge(node.lineno, _known(alias.name))

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        """`from a import b as c`; what a relative one brings is judged where it stands."""
        for alias in node.names if node.module is not None and not node.level else ():
            if alias.name == "*" and node.module in _ATTRIBUTES:
                self.found.add((node.lineno, f"from {node.module} import *", _HIDDEN))
            self._judge(node.lineno, _known(f"{node.module}.{alias.name}"))

    def visit_Attribute(self, node: ast.Attribute) -> None:
        """`os.system`, under whatever name `os` goes."""
        dotted = self._dotted(node)
        if node.attr in _LOOP or (node.attr in _LOOP_PERHAPS and not dotted):
            self.found.add((node.lineno, node.attr, _NETWORK if "subprocess" not in node.attr else _PROGRAMS))
        if node.attr in _DEEP:
            self.found.add((node.lineno, node.attr, _HIDDEN))
        if not dotted:
            self.generic_visit(node)
        elif not self._is_refused(node):
            self._judge(node.lineno, dotted)

    def visit_Name(self, node: ast.Name) -> None:
        """`eval`, also under another name; and a module that is handed on, so that nobody reads what is used of it."""
        if not isinstance(node.ctx, ast.Load):
            return
        if node.id in _BUILTINS and node.id not in self._bound:
            self.found.add((node.lineno, node.id, _HIDDEN))
        elif self._bound.get(node.id) in _ATTRIBUTES:
            self.found.add((node.lineno, f"{node.id} as a value", _HIDDEN))

    def visit_Call(self, node: ast.Call) -> None:
        """`getattr(os, …)` says more than that `os` is a value."""
        arguments = list(node.args)
        if isinstance(node.func, ast.Name) and node.func.id == "getattr" and arguments:
            dotted = self._dotted(arguments[0])
            if dotted in _ATTRIBUTES:
                self.found.add((node.lineno, f"getattr({dotted}, …)", _HIDDEN))
                arguments = arguments[1:]
        for part in (node.func, *arguments, *node.keywords):
            self.visit(part)

    def _dotted(self, node: ast.AST) -> str:
        """The imported name that an expression means: `asyncio.open_connection`; "" for anything else."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name) or node.id not in self._bound:
            return ""
        return _known(".".join([self._bound[node.id], *reversed(parts)]))

    def _is_refused(self, node: ast.Attribute) -> bool:
        """Whether the module is refused already where it is imported: told once, not at each use."""
        root: ast.AST = node
        while isinstance(root, ast.Attribute):
            root = root.value
        return isinstance(root, ast.Name) and _module(self._bound[root.id]) is not None

    def _judge(self, line: int, name: str) -> None:
        if (module := _module(name)) is not None:
            self.found.add((line, module, _MODULES[module]))
            return
        parts = name.split(".")
        for end in range(1, len(parts)):
            module = ".".join(parts[:end])
            if parts[end].startswith(_ATTRIBUTES.get(module, ())):
                does = _NETWORK if module == "asyncio" and "subprocess" not in parts[end] else _PROGRAMS
                self.found.add((line, f"{module}.{parts[end]}", _HIDDEN if module in _CODE else does))
                return


def _module(name: str) -> str | None:
    """The refused module that a dotted name is, or lies in."""
    parts = name.split(".")
    return next((m for end in range(1, len(parts) + 1) if (m := ".".join(parts[:end])) in _MODULES), None)


def _known(name: str) -> str:
    """A dotted name by the names that its modules have themselves: `shutil.os.system` → `os.system`."""
    first, *rest = name.split(".")
    here = first
    for index, part in enumerate(rest):
        value = _held(here).get(part)
        if not isinstance(value, ModuleType):
            return ".".join([here, *rest[index:]])
        here = value.__name__
    return here


def _held(module: str) -> Mapping[str, Any]:
    """What a module holds, if it is imported; nothing is asked of it."""
    found = sys.modules.get(module)
    return vars(found) if isinstance(found, ModuleType) else MappingProxyType({})
