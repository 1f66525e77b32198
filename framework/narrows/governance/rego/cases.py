"""The tests of a policy: every `test_…` rule is true, and they hold an input that is allowed and one that is not.

A test is one that `opa test` runs too: `test_x if not data_export.allow with input as asking`. regopy 1.5.2 crashes on
`with`, and sometimes answers wrongly; so the input is taken from the named rule, given to the engine as its input, and
`with input as asking` is left out of what the engine reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from narrows.governance.rego.engine import Engine, EngineFailed, Failed, Undefined
from narrows.governance.rego.form import Fault, Module
from narrows.governance.rego.text import Statement


class Case(NamedTuple):
    """One test: its rule, its line, and the rule that holds its input."""

    test: str
    line: int
    input: str


class Sources(NamedTuple):
    """A policy's name, its text, and the text of its tests."""

    name: str
    policy: str
    tests: str


def test_faults(sources: Sources, module: Module, engine: Engine) -> list[Fault]:
    """What is wrong with the tests, or with the policy by them."""
    tests = [(name, s) for name, s in module.rules if name.startswith("test_")]
    found = [_case(name, statement) for name, statement in tests]
    faults = [fault for fault in found if isinstance(fault, Fault)]
    cases = [case for case in found if isinstance(case, Case)]
    if not tests:
        faults.append(Fault(1, "there is no test", "add a rule test_denied if …"))
    if faults:
        return faults
    try:
        return _run(sources, module, cases, engine)
    except EngineFailed as error:
        return [Fault(1, str(error), "write it with fewer means; `opa check --strict` may tell more")]


def _case(name: str, statement: Statement) -> Case | Fault:
    line = statement[0].line
    inputs = {statement[i + 3].text for i, token in enumerate(statement) if token.text == "with"}
    if len(inputs) != 1:
        return Fault(line, f"{name} does not give exactly one input", "write … with input as asking")
    return Case(name, line, inputs.pop())


def _run(sources: Sources, module: Module, cases: Sequence[Case], engine: Engine) -> list[Fault]:
    package = f"narrows/{module.package}"
    modules = {"policy.rego": sources.policy, "policy_test.rego": _without_with(sources.tests, module)}
    names = sorted({case.input for case in cases})
    (inputs,) = engine(modules, [f"{package}/{name}" for name in names], [{}])
    given = dict(zip(names, inputs, strict=True))
    for case in cases:
        if isinstance(given[case.input], Undefined | Failed):
            return [Fault(case.line, f"the input `{case.input}` of {case.test} has no value", "write it out")]
    ways = [*(f"{package}/{case.test}" for case in cases), *(f"narrows/{sources.name}/{w}" for w in ("allow", "deny"))]
    runs = engine(modules, ways, [given[case.input] for case in cases])
    faults = [
        Fault(case.line, f"{case.test} {_said(run[index])}", "correct the policy, or what the test expects")
        for index, (case, run) in enumerate(zip(cases, runs, strict=True))
        if run[index] is not True
    ]
    return faults or _sides([allows(*run[-2:]) for run in runs])


def _said(value: Any) -> str:
    return f"ended in an error: {value.reason}" if isinstance(value, Failed) else "is not true"


def allows(allow: Any, deny: Any) -> bool:
    """Whether a policy allows: `allow` is true, and `deny` is there and empty."""
    return allow is True and deny == []


def _sides(sides: Sequence[bool]) -> list[Fault]:
    """Tests that only ever see one answer would pass for a policy that gives no other."""
    missing = "allowed" if not any(sides) else "denied" if all(sides) else ""
    if not missing:
        return []
    return [Fault(1, f"no test has an input that is {missing}", f"add a test whose input is {missing}")]


def _without_with(text: str, module: Module) -> str:
    """The tests as the engine reads them; what is left out becomes spaces, so that places stay."""
    for _, statement in module.rules:
        for index, token in enumerate(statement):
            if token.text == "with":
                start, end = token.start, statement[index + 3].end
                text = f"{text[:start]}{' ' * (end - start)}{text[end:]}"
    return text
