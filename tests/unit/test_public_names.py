"""The public names: one sorted list, each at home somewhere, none loaded before it is used."""

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import narrows


def named_for_type_checkers() -> dict[str, str]:
    """The names that a type checker sees, with their homes, read from the file itself."""
    tree = ast.parse(Path(narrows.__file__).read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    return {
        alias.name: str(statement.module).removeprefix("narrows.")
        for statement in block.body
        if isinstance(statement, ast.ImportFrom)
        for alias in statement.names
    }


def test_the_list_is_sorted_and_without_double():
    """A name is found at a glance, and two branches that add one do not clash by accident."""
    assert sorted(set(narrows.__all__)) == narrows.__all__
    assert dir(narrows) == narrows.__all__


def test_names_homes_and_types_agree():
    """What can be imported is what type checkers know, from the same home."""
    assert named_for_type_checkers() == narrows._HOMES
    assert set(narrows.__all__) == set(narrows._HOMES)


@pytest.mark.parametrize("name", narrows.__all__)
def test_each_name_loads_from_its_home(name):
    """A name of the list is there, and it is the object of its home."""
    assert getattr(narrows, name) is getattr(import_module(f"narrows.{narrows._HOMES[name]}"), name)


def test_a_name_that_is_not_there_is_an_attribute_error():
    """A typing error is told as Python tells it everywhere."""
    with pytest.raises(AttributeError, match="module 'narrows' has no attribute 'Bfff'"):
        getattr(narrows, "Bfff")  # noqa: B009 - an attribute would be read at import


def test_importing_the_package_alone_loads_nothing():
    """`import narrows` costs nothing: only the package itself is loaded."""
    script = "import sys; before = set(sys.modules); import narrows; print(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)  # noqa: S603 - our own text
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert "narrows" in loaded
    heavy = {"litestar", "uvicorn", "httpx", "msgspec", "authlib", "joserfc", "casbin", "cryptography", "opentelemetry"}
    assert not loaded & heavy
    assert [name for name in done.stdout.split() if name.startswith("narrows.")] == []
