"""Whole documents of public APIs, as npm packages ship them: every operation becomes sound code, or names its holes."""

import gzip
import importlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import time
from datetime import date
from pathlib import Path

import pytest

from narrows.devkit.drift import drift
from narrows.devkit.scaffold.facts import judged
from narrows.devkit.scaffold.openapi import draw, from_document
from narrows.devkit.scaffold.openapi.document import Document
from narrows.devkit.scaffold.openapi.loading import load
from narrows.devkit.scaffold.writing import write
from narrows.testing.open_places import open_places

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build" / "openapi"
# The package with its version, the file in it, how many operations it has at the least, and some that are tried whole.
DOCUMENTS = {
    "kubernetes": ("kubernetes-client", "9.0.0", "lib/specs/swagger-1.13.json.gz", 1000, "2.0",
                   ["listCoreV1NamespacedPod", "createCoreV1NamespacedConfigMap", "readCoreV1NamespacedPodLog"]),
    "github": ("@octokit/openapi", "23.0.2", "generated/api.github.com.json", 1200, "3.0",
               ["pulls/list", "issues/create", "repos/get", "search/repos", "meta/get-zen"]),
    "figma": ("@figma/rest-api-spec", "0.43.0", "openapi/openapi.yaml", 50, "3.1",
              ["getFile", "getComments", "postComment", "getLocalVariables"]),
}  # fmt: skip
SLOWEST_S = 8.0


@pytest.fixture(scope="module", params=sorted(DOCUMENTS))
def packed(request):
    """One document out of its package, which npm fetches by name and version once."""
    package, version, inside, least, dialect, wanted = DOCUMENTS[request.param]
    file = BUILD / f"{request.param}-{version}{Path(inside.removesuffix('.gz')).suffix}"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        npm = shutil.which("npm") or pytest.fail("npm is missing: `make interop` says how to get it")
        done = subprocess.run(  # noqa: S603 - a fixed command
            [npm, "pack", "--silent", f"{package}@{version}"], cwd=BUILD, check=True, capture_output=True, text=True
        )
        with tarfile.open(BUILD / done.stdout.split()[-1]) as archive:
            raw = archive.extractfile(f"package/{inside}").read()
        file.write_bytes(gzip.decompress(raw) if inside.endswith(".gz") else raw)
    return request.param, file, least, dialect, wanted


def facts(name):
    """The facts of a BFF that is tried."""
    return judged(name, owner="me@example.com", purpose="Try it", today=date(2026, 11, 24))


def test_some_operations_become_a_bff_that_starts_up_to_its_holes(packed, tmp_path, monkeypatch):
    """Formatted, linted, typed strictly, refused for nothing but marked holes, and without drift from its document."""
    name, file, _, _, wanted = packed
    draft = from_document(file, wanted, facts(f"try_{name}"), name.capitalize())
    write(draft, f"try_{name}", tmp_path / "bffs")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for tool in (["ruff", "format", "--check", "."], ["ruff", "check", "."], ["mypy", "--strict", "bffs"]):
        environment = {**os.environ, "MYPYPATH": str(ROOT / "framework")}
        done = subprocess.run(  # noqa: S603 - a fixed command
            [sys.executable, "-m", *tool], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    bffs = importlib.import_module("bffs")
    monkeypatch.setattr(bffs, "__path__", [*bffs.__path__, str(tmp_path / "bffs")])
    bff = importlib.import_module(f"bffs.try_{name}.app").bff
    left = open_places(bff)
    assert {refusal.code for refusal in left} <= {"hole-left", "id-unbound"}
    assert bool(left) == bool(draft.holes)
    assert drift(bff, name, file) == []


def test_every_operation_of_the_document_becomes_code_or_names_its_holes(packed, record_property):
    """Alone, each in bounded time; what was made is parsed again and holds declarations alone."""
    name, file, least, dialect, _ = packed
    begun = time.perf_counter()
    document = Document(load(file.read_bytes()))
    read_s = time.perf_counter() - begun
    assert (document.dialect, len(document.operations) >= least) == (dialect, True)
    slowest, holed = 0.0, 0
    for listed in document.operations:
        begun = time.perf_counter()
        drawn = draw(document, [listed.id], facts("trial"), upstream="Trial", package="bffs.trial")
        slowest = max(slowest, time.perf_counter() - begun)
        holed += bool(drawn.holes)
        assert [one.id for one in drawn.operations] == [listed.id]
        marked = sum(text.count("hole(") for text in drawn.files.values()) + drawn.files["upstreams.py"].count("holes=")
        assert bool(drawn.holes) == bool(marked)
    print(
        json.dumps(
            {
                "document": name,
                "operations": len(document.operations),
                "with holes": holed,
                "read s": round(read_s, 2),
                "slowest s": round(slowest, 2),
            }
        )
    )
    assert slowest < SLOWEST_S
    assert read_s < SLOWEST_S
