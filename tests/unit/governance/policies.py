"""A small policy with its tests, to which a test adds one defect."""

from pathlib import Path

POLICY = """package narrows.named

import rego.v1

default allow := false

allow if count(deny) == 0

deny contains {"rule": "named", "field": "purpose", "message": "it has no purpose", "remedy": "say it"} if {
	input.connector.purpose == ""
}
"""

TESTS = """package narrows.named_test

import rego.v1

import data.narrows.named

without := {"connector": {"purpose": ""}}

full := {"connector": {"purpose": "Book lunch"}}

test_denied if not named.allow with input as without

test_allowed if {
	named.allow with input as full
}
"""


def write_policy(folder: Path, policy: str = POLICY, tests: str | None = TESTS, name: str = "named") -> Path:
    """Write a policy and its tests, and answer the policy's file."""
    folder.mkdir(exist_ok=True, parents=True)
    file = folder / f"{name}.rego"
    file.write_text(policy, encoding="utf-8")
    if tests is not None:
        (folder / f"{name}_test.rego").write_text(tests, encoding="utf-8")
    return file
