"""The engine: what it does not answer clearly is not answered, whatever happens to it (case 61)."""

import io
import json

import pytest

from narrows.governance.rego.child import serve
from narrows.governance.rego.engine import (
    INPUT_BYTES,
    MEMORY_BYTES,
    UNDEFINED,
    EngineFailed,
    Failed,
    Regopy,
    _resident,
)

HEAD = "package p\n\nimport rego.v1\n\n"


def ask(rule, document=None, entrypoints=("p/allow",), **options):
    """What the engine says of `allow`, for one input."""
    (answers,) = Regopy(**options)({"p.rego": HEAD + rule}, entrypoints, [document or {}])
    return answers[0] if len(answers) == 1 else answers


def test_values_are_told_apart():
    """True, false, undefined and a value that is not there are four things."""
    assert ask("allow if input.x == 1", {"x": 1}) is True
    assert ask("default allow := false") is False
    assert ask("allow if input.x") is UNDEFINED
    assert ask("other := 1") is UNDEFINED
    assert ask("allow := [1, {`a`: null}]") == [1, {"a": None}]


@pytest.mark.parametrize(
    "rule",
    [
        'allow if startswith(input.n, "x")',
        'allow if not startswith(input.n, "x")',
        "allow if 1 / 0 == 1",
        "allow := 1\n\nallow := 2",
        'allow if http.send({"method": "get", "url": "http://127.0.0.1:9"}).status_code == 200',
        "allow if not json.match_schema({}, {})[0]",
    ],
)
def test_a_built_in_that_fails_is_an_error(rule):
    """Also under `not`, where undefined would become true."""
    assert isinstance(ask(rule, {"n": 5}), Failed)


def test_text_that_does_not_compile_is_said():
    """With the engine's own words."""
    with pytest.raises(EngineFailed, match="does not compile: this is unclosed"):
        ask("allow if {")
    with pytest.raises(EngineFailed, match="the engine reads it as no Rego"):
        ask("allow if allow")


def test_a_policy_that_is_late_is_ended():
    """A regular expression that backtracks for ever does not hold up its caller."""
    rule = 'allow if regex.match("^(a+)+$", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab")'
    with pytest.raises(EngineFailed, match=r"longer than 0\.8 s"):
        ask(rule, deadline_s=0.8)


def test_a_policy_that_takes_all_memory_is_ended():
    """Text that doubles at each line would take gigabytes before its time is up."""
    rule = "".join(f'x{n + 1} := concat("", [x{n}, x{n}])\n' for n in range(40))
    with pytest.raises(EngineFailed, match=f"more than {MEMORY_BYTES} bytes"):
        ask(f'x0 := "narrows"\n{rule}allow if count(x40) > 1', deadline_s=60.0)


def test_the_memory_of_what_has_ended_is_none():
    """It may end between two looks."""
    assert _resident(2**22 + 1) == 0


def test_a_crash_ends_the_engine_alone():
    """regopy 1.5.2 ends its process for a valid `with`; Narrows goes on, and has no answer."""
    rule = 'a if 1 in input.x\n\nallow if a with input as {"x": [1]}'
    with pytest.raises(EngineFailed, match="ended with signal"):
        ask(rule)


def test_an_input_has_a_bound():
    """It is refused before any process is started."""
    with pytest.raises(EngineFailed, match=f"more than {INPUT_BYTES} bytes"):
        ask("allow if true", {"x": "a" * INPUT_BYTES})


def test_an_engine_that_does_not_start_has_no_answer(monkeypatch):
    """Any other end is a failure too."""
    monkeypatch.setattr("narrows.governance.rego.engine._CHILD", "raise SystemExit(3)")
    with pytest.raises(EngineFailed, match="ended with code 3"):
        ask("allow if true")


def test_the_engine_knows_nothing_of_the_environment(monkeypatch):
    """No secret of the process can reach a policy."""
    monkeypatch.setenv("LUNCH_SECRET", "swordfish")
    assert "swordfish" not in json.dumps(ask("allow := opa.runtime().env"))


def test_what_a_policy_prints_is_no_answer():
    """Standard output is the answer's alone."""
    assert ask('allow if print("{}")') is True


def served(request):
    """What the child answers, within this process."""
    out = io.BytesIO()
    serve(io.BytesIO(json.dumps(request).encode()), out)
    return json.loads(out.getvalue())


def test_the_child_answers_each_entry_point_for_each_input():
    """Its protocol: a list for each input."""
    rules = 'allow if input.x\n\nbad if startswith(input.x, "a")'
    request = {"modules": {"p.rego": HEAD + rules}, "entrypoints": ["p/allow", "p/bad"], "inputs": [{"x": 1}, {}]}
    assert served(request) == {
        "runs": [
            [{"value": True}, {"error": "a built-in failed, or the rule has two values"}],
            [{"undefined": True}, {"undefined": True}],
        ]
    }
    assert "unclosed" in served({**request, "modules": {"p.rego": "package p\nallow if {"}})["error"]
