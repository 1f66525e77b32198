"""What a type checker sees of declarations: right answers are inferred, and wrong uses are errors at their line."""

import re
from pathlib import Path

import pytest
from mypy import api

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
ERROR = re.compile(r"^[^:]+:(\d+): error: .*\[([a-z-]+)\]$", re.MULTILINE)
EXPECTED = re.compile(r"  # E: ([a-z-]+)$")


def errors(path: Path) -> tuple[list[tuple[int, str]], str]:
    """What mypy says of a file: line and code of each error, and all of its text."""
    said, broken, _ = api.run(["--strict", "--config-file", str(ROOT / "pyproject.toml"), str(path)])
    assert broken == ""
    return [(int(line), code) for line, code in ERROR.findall(said)], said


def expected(path: Path) -> list[tuple[int, str]]:
    """The errors that a file asks for, in comments at their lines."""
    lines = enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
    return [(number, match[1]) for number, line in lines if (match := EXPECTED.search(line))]


@pytest.fixture(autouse=True)
def _in_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mypy finds the package by the paths of pyproject.toml, which begin at the root."""
    monkeypatch.chdir(ROOT)


def test_right_declarations_are_inferred() -> None:
    """Operations, `gather` and decorators keep their types, without a plug-in and in strict mode."""
    found, said = errors(HERE / "right.py")
    assert found == [], said
    assert "Success" in said


def test_wrong_uses_are_errors() -> None:
    """Each at its line, with its code: one that is no longer found fails here, and so does one that is new."""
    found, said = errors(HERE / "wrong.py")
    assert found == expected(HERE / "wrong.py"), said


def test_the_wrong_uses_are_many() -> None:
    """The comments were read: without them the test above would hold by accident."""
    assert len(expected(HERE / "wrong.py")) > 20
