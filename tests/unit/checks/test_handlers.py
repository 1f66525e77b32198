"""What handlers import (case 73): nothing that opens connections or starts programs past the pipeline."""

import sys
from importlib import import_module, invalidate_caches

import pytest

from narrows.checks.handlers import handler_refusals

APP = """from narrows import Bff
bff = Bff("lunch")
"""


@pytest.fixture
def package(tmp_path, monkeypatch, request):
    """A BFF in a package of its own, whose files a test writes before it is imported."""
    monkeypatch.syspath_prepend(str(tmp_path))
    name = f"handlers_{abs(hash(request.node.name))}"
    folder = tmp_path / name
    folder.mkdir()
    (folder / "__init__.py").write_text("")

    def make(app="", **files):
        for stem, text in files.items():
            (folder / f"{stem}.py").write_text(text.replace("PACKAGE", name), encoding="utf-8")
        (folder / "app.py").write_text(APP + app.replace("PACKAGE", name), encoding="utf-8")
        invalidate_caches()
        return import_module(f"{name}.app").bff

    yield make
    for module in [module for module in sys.modules if module.partition(".")[0] == name]:
        del sys.modules[module]


def found(bff):
    """File, line and name of each refusal."""
    listed = []
    for refusal in handler_refusals(bff):
        file, _, line = refusal.where.rpartition(":")
        assert (refusal.code, refusal.subject) == ("handler-import", "lunch")
        assert "declare an operation" in refusal.remedy
        listed.append((file.rpartition("/")[2], int(line), refusal.rule.split("`")[1]))
    return listed


def inside(text):
    """Lines within a function that nobody calls, so that nothing of them is run."""
    return "def handler(loop=None):\n" + "".join(f"    {line}\n" for line in text.splitlines())


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("import socket", "socket"),
        ("import socket as plug", "socket"),
        ("import os.path, subprocess", "subprocess"),
        ("from subprocess import run", "subprocess"),
        ("import http.client", "http.client"),
        ("from http import client", "http.client"),
        ("import urllib.request", "urllib.request"),
        ("from urllib import request", "urllib.request"),
        ("import urllib; urllib.request.urlopen('x').read()", "urllib.request"),
        ("import requests", "requests"),
        ("import httpx", "httpx"),
        ("from httpx import AsyncClient", "httpx"),
        ("import aiohttp.client", "aiohttp"),
        ("import ctypes", "ctypes"),
        ("import importlib", "importlib"),
        ("from importlib import import_module", "importlib"),
        ("from narrows.transport import dial", "narrows.transport"),
        ("from narrows import transport", "narrows.transport"),
        ("import os; os.system('x')", "os.system"),
        ("import os as o; o.popen('x')", "os.popen"),
        ("import os; os.execvp('x', [])", "os.execvp"),
        ("from os import system as say", "os.system"),
        ("from os import fork", "os.fork"),
        ("import asyncio; asyncio.open_connection('h', 1)", "asyncio.open_connection"),
        ("import asyncio as a; a.create_subprocess_exec('x')", "asyncio.create_subprocess_exec"),
        ("from asyncio import create_subprocess_shell", "asyncio.create_subprocess_shell"),
        ("from asyncio import subprocess", "asyncio.subprocess"),
        ("import sys; sys.modules['socket']", "sys.modules"),
        ("import builtins; builtins.exec('x')", "builtins.exec"),
        ("eval('1')", "eval"),
        ("exec('1')", "exec"),
        ("__import__('socket')", "__import__"),
        ("import os; getattr(os, 'sys' + 'tem')('x')", "getattr(os, …)"),
        ("loop.create_datagram_endpoint(int)", "create_datagram_endpoint"),
        ("loop.subprocess_exec(int)", "subprocess_exec"),
        ("if loop:\n    import socket", "socket"),
    ],
)
def test_what_reaches_past_the_pipeline_is_refused(package, text, named):
    """Wherever in the file it stands, with file and line."""
    assert named in [name for _, _, name in found(package(inside(text)))], text


def test_one_module_is_told_once(package):
    """Where it is imported, and not again at each use."""
    assert found(package("import subprocess\n\ndef late():\n    subprocess.run([])\n")) == [("app.py", 3, "subprocess")]


def test_a_star_from_such_a_module_is_refused(package):
    """What it brings cannot be told by reading."""
    assert found(package("from os import *\n")) == [("app.py", 3, "from os import *")]


@pytest.mark.parametrize(
    "text",
    [
        "import os; os.getcwd(); os.path.join('a')",
        "import os.path",
        "from os import environ",
        "import asyncio; asyncio.gather(); asyncio.sleep(0)",
        "from urllib.parse import quote",
        "from http import HTTPStatus",
        "import json, re, math, datetime",
        "from narrows import Bff, Upstream",
        "loop.run_until_complete(); getattr(loop, 'x'); getattr(loop.a, 'x')",
        "loop.system('x')",
    ],
)
def test_what_a_handler_may_use_is_not_refused(package, text):
    """The standard library that neither sends nor starts anything, and Narrows itself."""
    assert found(package(inside(text))) == []


def test_what_only_a_type_checker_reads_is_exempt(package):
    """An annotation opens no connection."""
    text = (
        "import typing\nfrom typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    import httpx\nif typing.TYPE_CHECKING:\n    import socket\nelse:\n    import ssl\n"
    )
    assert found(package(text)) == [("app.py", 10, "ssl")]


def test_files_of_the_bff_are_read_along_their_imports(package):
    """Absolute, relative, inside a function; each once; tests and scripts beside it are nobody's handler."""
    bff = package(
        "from PACKAGE import first\nfrom PACKAGE.second import name\n\ndef late():\n    from . import third\n",
        first="from .second import name\nimport json\n",
        second="from PACKAGE import app\nname = 1\n",
        third="import socket\nfrom ..outside import x\nfrom .missing import y\n",
        unused="import subprocess\n",
    )
    assert found(bff) == [("third.py", 1, "socket")]


def test_a_file_that_cannot_be_read_is_refused(package):
    """It is not passed over."""
    bff = package("def late():\n    from . import broken\n", broken="def (")
    (refusal,) = handler_refusals(bff)
    assert (refusal.rule, refusal.where.endswith("broken.py:1")) == ("this file cannot be read", True)


def test_the_example_reaches_nowhere():
    """Where2Eat keeps the rule."""
    from bffs.where2eat.app import bff

    assert list(handler_refusals(bff)) == []
