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
    ("text", "named"),
    [
        ("import os; o = os; o.system('x')", "os as a value"),
        ("import os as o; a, b = o, 1", "o as a value"),
        ("import os; (lambda o=os: o.system('x'))()", "os as a value"),
        ("import os, operator; operator.attrgetter('system')(os)", "os as a value"),
        ("import os; vars(os)['system']('x')", "os as a value"),
        ("import os; getattr(*[os, 'system'])", "os as a value"),
        ("g = getattr; import os; g(os, 'system')('x')", "os as a value"),
        ("import os; os.__dict__['system']('x')", "os.__dict__"),
        ("import os; os.__getattribute__('system')('x')", "os.__getattribute__"),
        ("o.system('x'); import os as o", "os.system"),
        ("import shutil; shutil.os.system('x')", "os.system"),
        ("import tempfile; tempfile._os.popen('x')", "os.popen"),
        ("from pathlib import os as path; path.system('x')", "os.system"),
        ("import asyncio; asyncio.base_events.socket.socket()", "socket"),
        ("import asyncio; asyncio.base_events.subprocess.run('x')", "subprocess"),
        ("import asyncio; asyncio.get_event_loop().create_connection(int)", "create_connection"),
        ("loop.create_server(int)", "create_server"),
        ("i = __import__; i('socket')", "__import__"),
        ("e = eval; e('1')", "eval"),
        ("[exec][0]('1')", "exec"),
        ("compile('1', 'x', 'exec')", "compile"),
        ("__builtins__['__import__']('socket')", "__builtins__"),
        ("globals()['__builtins__']", "globals"),
        ("().__class__.__base__.__subclasses__()", "__subclasses__"),
        ("loop.__globals__['os']", "__globals__"),
        ("import sys; sys._getframe().f_builtins['eval']", "sys._getframe"),
        ("import inspect; inspect.currentframe().f_builtins", "f_builtins"),
        ("import types; types.FunctionType(1, {})", "types.FunctionType"),
        ("import posix; posix.system('x')", "posix"),
        ("import logging.handlers as h; h.HTTPHandler('h', '/')", "logging.handlers"),
        ("from concurrent.futures import process", "concurrent.futures.process"),
        ("import pydoc; pydoc.locate('os.system')", "pydoc"),
        ("import pkgutil; pkgutil.resolve_name('os:system')", "pkgutil"),
        ("import timeit; timeit.timeit('x')", "timeit"),
        ("from unittest.mock import patch", "unittest.mock"),
        ("import narrows.testing", "narrows.testing"),
        ("from narrows.plan import Plan", "narrows.plan"),
        ("import narrows; narrows.transport.dial(None)", "narrows.transport"),
        ("TYPE_CHECKING = True\nif TYPE_CHECKING:\n    import socket", "socket"),
        ("if loop.TYPE_CHECKING:\n    import socket", "socket"),
        ("from typing import TYPE_CHECKING\nTYPE_CHECKING = 1\nif TYPE_CHECKING:\n    import socket", "socket"),
        ("from typing import TYPE_CHECKING\nif not TYPE_CHECKING:\n    import socket", "socket"),
    ],
)
def test_another_name_hides_nothing(package, text, named):
    """An alias, a re-export, the dictionary of a module, a built-in as a value: told as what it is."""
    assert named in [name for _, _, name in found(package(inside(text)))], text


def test_a_second_name_in_the_module_is_known(package):
    """What the imported module holds tells, where the text alone does not."""
    app = "from .other import tool\nfrom .other import *\n\ndef late():\n    tool.system('x')\n    again.popen('x')\n"
    bff = package(app, other="import os as tool\nagain = [tool][0]\n")
    assert found(bff) == [
        ("app.py", 7, "os.system"),
        ("app.py", 8, "os.popen"),
        ("other.py", 2, "tool as a value"),
    ]


def test_a_star_brings_names_that_are_known(package):
    """What `__all__` names, or without it what is public."""
    text = "from PACKAGE.{} import *\n\ndef late(os):\n    os.system('x')\n"
    listed = package(text.format("listed"), listed="import os\n__all__ = ['late']\ndef late(): ...\n")
    assert found(listed) == []


def test_a_star_without_a_list_brings_what_is_public(package):
    """Also a module."""
    text = "if bff is None:\n    from PACKAGE.open import *\nimport PACKAGE.open\n\ndef late():\n    os.system('x')\n"
    assert found(package(text, open="import os\n")) == [("app.py", 8, "os.system")]


def test_the_team_s_files_outside_the_folder_are_read_too(tmp_path, monkeypatch):
    """A helper beside the folder of the BFF is no way around."""
    monkeypatch.syspath_prepend(str(tmp_path))
    folder = tmp_path / "teams_bffs" / "lunch"
    folder.mkdir(parents=True)
    for file, text in {
        "teams_bffs/__init__.py": "",
        "teams_bffs/helper.py": "def fetch():\n    import httpx\n",
        "teams_bffs/lunch/__init__.py": "",
        "teams_bffs/lunch/app.py": APP + "from teams_bffs.helper import fetch\nfrom teams_outside import send\n",
        "teams_outside.py": "def send():\n    import socket\n",
    }.items():
        (tmp_path / file).write_text(text)
    invalidate_caches()
    try:
        assert found(import_module("teams_bffs.lunch.app").bff) == [
            ("helper.py", 2, "httpx"),
            ("teams_outside.py", 2, "socket"),
        ]
    finally:
        for name in [name for name in sys.modules if name.startswith("teams_")]:
            del sys.modules[name]


def test_of_an_installed_bff_its_own_package_is_read(tmp_path, monkeypatch):
    """The libraries beside it are nobody's handler."""
    packages = tmp_path / "site-packages"
    monkeypatch.syspath_prepend(str(packages))
    (packages / "installed_lunch").mkdir(parents=True)
    (packages / "installed_library.py").write_text("import socket\n")
    (packages / "installed_lunch" / "__init__.py").write_text("")
    (packages / "installed_lunch" / "app.py").write_text(APP + "import installed_library\nimport ssl\n")
    invalidate_caches()
    try:
        assert found(import_module("installed_lunch.app").bff) == [("app.py", 4, "ssl")]
    finally:
        for name in [name for name in sys.modules if name.startswith("installed_")]:
            del sys.modules[name]


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
        "import re; re.compile('x')",
        "from narrows.errors import Problem; from narrows.settings import Settings",
        "import typing, types, sys; typing.Any; types.MappingProxyType; sys.maxsize",
        "from bffs.where2eat.upstreams import People; People.create_server(); People.create_connection",
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


def test_joins_and_added_fields_are_handlers_too(package):
    """Whatever a team gives to GraphQL runs in calls, wherever it stands."""
    bff = package(
        joined="""import socket
from PACKAGE.app import bff, Menu

@bff.join(Menu, uses=[])
async def dishes(menus: list[Menu]) -> list[int]: ...
""",
        fields="import subprocess\nclass MenuFields: ...\n",
        app="from narrows import Narrow\nclass Menu(Narrow): ...\n",
    )
    name = bff.folder.name
    assert found(bff) == []
    import_module(f"{name}.joined")
    bff.graphql({}, queries=".")
    assert found(bff) == [("joined.py", 1, "socket")]
    fields = import_module(f"{name}.fields").MenuFields
    bff.graphql({import_module(f"{name}.app").Menu: fields}, queries=".")
    assert found(bff) == [("joined.py", 1, "socket"), ("fields.py", 1, "subprocess")]
