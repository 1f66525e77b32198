"""Real OPA reads every policy of the package and of bffs/, and decides as regopy does."""

import json
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import httpx
import pytest

from narrows import Bff
from narrows.governance.asked import Grant, asked
from narrows.governance.policy import SHIPPED, Gate
from narrows.governance.rego.cases import allows
from narrows.governance.rego.engine import UNDEFINED, Regopy
from narrows.governance.rego.form import Module, read_module
from tests.flow.minimal import FACTS

ROOT = Path(__file__).parents[2]
OPA = ROOT / "build" / "peers" / "opa"
FOLDERS = [SHIPPED, *sorted(ROOT.glob("bffs/*/policy"))]
PATIENCE_S = 30
HEAD = "package narrows.p\n\nimport rego.v1\n\n"


def program():
    """Where OPA is; without it the test fails, because what is not tried is not known to hold."""
    found = str(OPA) if OPA.exists() else shutil.which("opa")
    assert found, "opa is missing: `.ci/setup-opa` builds it with Go, and `make interop` calls that"
    return found


def opa(*arguments):
    """Run OPA."""
    return subprocess.run([program(), *map(str, arguments)], capture_output=True, text=True, timeout=PATIENCE_S)  # noqa: S603 - a pinned build


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.parent.name)
def test_opa_checks_and_tests_every_policy(folder):
    """Strictly, and each policy has tests that OPA runs too."""
    checked = opa("check", "--strict", folder)
    assert (checked.returncode, checked.stderr) == (0, "")
    tested = opa("test", "--format", "json", folder)
    assert tested.returncode == 0, tested.stdout
    results = json.loads(tested.stdout)
    policies = {file.stem for file in folder.glob("*.rego") if not file.stem.endswith("_test")}
    assert {result["package"] for result in results} == {f"data.narrows.{name}_test" for name in policies}
    assert not any(result.get("fail") or result.get("error") for result in results)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """OPA as a server, with the shipped policies, on a free port of this machine alone."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    policies = [file for file in SHIPPED.glob("*.rego") if not file.stem.endswith("_test")]
    command = [program(), "run", "--server", "--addr", f"127.0.0.1:{port}", "--disable-telemetry", *policies]
    log = (tmp_path_factory.mktemp("opa") / "log").open("wb")
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
    with log, subprocess.Popen(command, stdout=log, stderr=log, env=environment) as process:  # noqa: S603 - as above
        try:
            yield ready(f"http://127.0.0.1:{port}")
        finally:
            process.terminate()
            process.wait(PATIENCE_S)


def ready(url):
    """The URL, once the server answers."""
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            httpx.get(f"{url}/health").raise_for_status()
        except httpx.HTTPError:
            assert time.monotonic() < until
            time.sleep(0.05)
        else:
            return url


def record(**changed):
    """A connector's record."""
    base = {"id": "lunch-app", "owner": "amina@example.com", "contact": "tools@example.com", "scopes": ["dining:read"]}
    return {**base, **changed}


def grant(by="security@example.com", digest="d1", what="data:export"):
    """What an approver granted."""
    return Grant(grant=what, digest=digest, by=by)


TABLE = [
    (record(), []),
    (record(scopes=[]), []),
    (record(scopes=["data:export"]), []),
    (record(scopes=["dining:read", "data:export"]), [grant()]),
    (record(scopes=["dining:read", "data:export"]), [grant(what="data:other")]),
    (record(scopes=["data:export", "Data:Export"]), [grant()]),
    (record(scopes=["data:export"]), [grant(by="amina@example.com")]),
    (record(scopes=["data:export"]), [grant(by="AMINA@EXAMPLE.COM")]),
    (record(scopes=["data:export"]), [grant(by="tools@example.com")]),
    (record(scopes=["data:export"]), [grant(by="tools@example.com"), grant()]),
    (record(scopes=["data:export"]), [grant(digest="d0")]),
    (record(scopes=["data:export", "data:export"]), [grant()]),
]


@pytest.mark.parametrize("row", range(len(TABLE)))
def test_both_engines_decide_alike(row, server):
    """Each row of the table, as a document that the gate asks: the same verdict and the same reasons."""
    fields, grants = TABLE[row]
    document = asked("apply", fields, Bff("lunch", **FACTS), digest="d1", grants=grants)
    gate = Gate.reading([SHIPPED])
    answer = httpx.post(f"{server}/v1/data/narrows", json={"input": document}).json()["result"]
    theirs = {name: allows(policy["allow"], policy["deny"]) for name, policy in answer.items()}
    assert gate.decide(document).allowed == all(theirs.values())
    reasons = {(d.policy, d.rule, d.field, d.message, d.remedy, d.grant) for d in gate.decide(document).denials}
    told = {
        (name, *(d.get(key, "") for key in ("rule", "field", "message", "remedy", "grant")))
        for name, policy in answer.items()
        for d in policy["deny"]
    }
    assert reasons == told


RULES = [
    "allow if input.x == 1",
    "allow if not input.x == 1",
    "default allow := false\n\nallow if input.x > 1",
    'allow if { some y in input.xs; startswith(y, "a") }',
    "allow if { every y in input.xs { count(y) > 1 } }",
    "allow := [y | some y in input.xs; y != `b`]",
    "allow := {y: count(y) | some y in input.xs}",
    "f(y) := y + 1\n\nallow := f(input.x)",
    'allow := object.get(input, "z", "none")',
    'allow contains concat("-", [y, "x"]) if some y in input.xs',
    "allow := sort(input.xs)",
    'allow if regex.match("^a[a-z]+$", input.xs[0])',
    'allow if input.when < "2027-06-01"',
    'allow := sprintf("%d %s", [input.x, input.xs[0]])',
    "allow := round(input.x / 3)",
    'allow := substring("lunch", 1, input.x)',
]
INPUTS = [
    {"x": 1, "xs": ["abc", "b"], "when": "2027-05-01T12:00:00Z"},
    {"x": 2, "xs": [], "when": "2027-05-01T12:00:00Z"},
]


@pytest.mark.parametrize("rule", RULES)
def test_the_language_that_is_taken_means_one_thing(rule, tmp_path):
    """What the form lets through, OPA checks strictly, and both engines give the same value or none."""
    file = tmp_path / "p.rego"
    file.write_text(HEAD + rule + "\n", encoding="utf-8")
    assert isinstance(read_module(file.read_text(), "p"), Module)
    checked = opa("check", "--strict", file)
    assert (checked.returncode, checked.stderr) == (0, "")
    ours = Regopy()({"p.rego": file.read_text()}, ["narrows/p/allow"], INPUTS)
    for document, (value,) in zip(INPUTS, ours, strict=True):
        (tmp_path / "input.json").write_text(json.dumps(document))
        told = opa("eval", "--strict-builtin-errors", "-d", file, "-i", tmp_path / "input.json", "data.narrows.p.allow")
        result = json.loads(told.stdout).get("result")
        assert value == (result[0]["expressions"][0]["value"] if result else UNDEFINED)


STRICT = [
    "allow { input.x }",
    "allow[x] { x := input.y }",
    "allow if y == 1",
    "allow if not y == 1",
    "allow if {\n\tx := 1\n\tinput.y\n}",
    "f(x) if input.y",
    "allow if { input := {}; input.x }",
    "allow if unheard(1)",
    "allow if { some x; input.y }",
    "import data.other\n\nallow if input.y",
    "import rego.v1\n\nallow if input.y",
    "allow if any([input.y])",
    'allow if re_match("a", input.y)',
    "default allow := input.x",
    "allow if {",
]


@pytest.mark.parametrize("rule", STRICT)
def test_what_opa_refuses_is_refused_here(rule, tmp_path):
    """By the form or by the engine, before a policy decides anything."""
    file = tmp_path / "p.rego"
    file.write_text(HEAD + rule + "\n", encoding="utf-8")
    assert opa("check", "--strict", file).returncode != 0
    assert Gate.reading([tmp_path]).policies == ()
    assert any(refusal.code == "rego-form" for refusal in Gate.reading([tmp_path]).refusals) or rule == "allow if {"
