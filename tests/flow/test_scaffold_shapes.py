"""What `narrows new` makes holds as it is: form, style, types, its own tests, and its refusals in production."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHAPES = ("read-only", "limited-write", "aggregate")
# Whatever a person writes there, what comes out is in form and runs.
HOSTILE = 'Book """rooms""" \'\'\'); import os #\n{x} %s <<name>> \\ </title><script>alert(1)</script>' + "x" * 90


def name_of(shape: str) -> str:
    """The BFF of a shape."""
    return shape.replace("-", "_") + "_app"


def run(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a module of this Python in the folder."""
    environment = {**os.environ, "MYPYPATH": str(ROOT / "framework"), **variables}
    command = [sys.executable, "-m", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)  # noqa: S603 - our own tools


def narrows(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the command in the folder."""
    command = [sys.executable, "-c", "from narrows.cli import main; main()", *arguments]
    environment = {**os.environ, **variables}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)  # noqa: S603 - our own command


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a BFF of each shape, made by the command itself, with words that no program should trust."""
    folder = tmp_path_factory.mktemp("project")
    shutil.copy(ROOT / "pyproject.toml", folder)
    for shape in SHAPES:
        words = ("--purpose", HOSTILE, "--owner", 'a"b\\@example.com')
        done = narrows(folder, "new", name_of(shape), "--shape", shape, *words)
        assert (done.returncode, done.stderr) == (0, "")
    return folder


def test_what_is_made_is_in_the_form_of_the_project(project: Path) -> None:
    """`ruff format` has nothing to change and `ruff check` nothing to say."""
    for arguments in (("format", "--check"), ("check",)):
        done = run(project, "ruff", *arguments, "--no-cache", "bffs")
        assert done.returncode == 0, done.stdout


def test_what_is_made_has_strict_types(project: Path) -> None:
    """`mypy --strict` finds nothing, tests included."""
    done = run(project, "mypy", "--strict", "--cache-dir", str(project / "types"), "bffs")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("shape", SHAPES)
def test_the_tests_that_come_with_it_pass_at_once(project: Path, shape: str) -> None:
    """With its matrix and the comparison of each rehearsal with the live call."""
    done = run(project, "pytest", "-q", "-p", "no:cacheprovider", f"bffs/{name_of(shape)}")
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout


def test_nothing_of_it_is_refused(project: Path) -> None:
    """`narrows check` finds nothing: declarations, handlers, policy and its tests, and the records of its programs."""
    done = narrows(project, "check")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


@pytest.mark.parametrize("shape", SHAPES)
def test_it_does_not_start_in_production_before_every_host_is_named(project: Path, shape: str) -> None:
    """Each place that is left open is a refusal of its own, with the section to fill in."""
    for name in ("client.secret", "store.key"):
        (project / "bffs" / name_of(shape) / name).write_text("bWFkZSB1cCBmb3IgdGVzdHMuLi4uLi4uLi4uLi4uLi4=")
    target = f"bffs.{name_of(shape)}.app:bff"
    environments = ("development", "production")
    results = {one: narrows(project, "openapi", target, NARROWS_ENVIRONMENT=one) for one in environments}
    assert (results["development"].returncode, results["development"].stderr) == (0, "")
    said = results["production"].stderr
    assert results["production"].returncode == 2
    assert said.count("[placeholder-left]") == (4 if shape == "aggregate" else 3)
    assert "name the real one in [environments.production]" in said


def test_the_templates_are_part_of_the_package() -> None:
    """They are named in `package-data`, so that an installed Narrows makes BFFs too."""
    assert version("narrows")
    assert "devkit/scaffold/templates/**/*.txt" in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
