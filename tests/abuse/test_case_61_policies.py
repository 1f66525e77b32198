"""Case 61: a policy that is silent, late, broken, too large or untested lets nothing through."""

import pytest

from narrows import Bff
from narrows.declare.connectors import ConnectorRecord
from narrows.governance.policy import SHIPPED, Gate
from narrows.governance.rego.engine import Regopy
from narrows.governance.reviews import Reviewer, judge_of
from narrows.stores.reviews import MemoryReviews
from tests.flow.minimal import FACTS
from tests.unit.governance.policies import POLICY, TESTS, write_policy

BFF = Bff("lunch", **FACTS)
SENDS = 'http.send({"url": "http://127.0.0.1:1"})'
BACKTRACKS = 'regex.match("^(a+)+$", concat("", [input.connector.purpose, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"]))'


def record(**over):
    """A connector's record that the policies allow."""
    fields = {
        "version": "1",
        "issuer": "corp",
        "client_id": "lunch-app",
        "tenant": "acme",
        "owner": "amina@example.com",
        "contact": "tools@example.com",
        "kind": "low-code",
        "purpose": "Book lunch",
        "template": "read-only@1",
        "endpoints": ("lunch.menu",),
        "scopes": ("lunch:read",),
        "rates": ("30/minute",),
        "id": "lunch-app",
    }
    return ConnectorRecord(**{**fields, **over})


async def reasons(folder, asked=None, deadline_s=5.0):
    """What keeps a record out when it is applied, with a policy of the team beside those of Narrows."""
    gate = Gate.reading([SHIPPED, folder], Regopy(deadline_s))
    judge = judge_of(Reviewer(BFF, lambda: gate, MemoryReviews(), now=lambda: 0.0))
    return " ".join(await judge("apply", asked or record(), digest="d1", by="amina@example.com"))


async def test_a_sound_policy_lets_a_record_through(tmp_path):
    """What the attacks below change is what denies."""
    write_policy(tmp_path)
    assert await reasons(tmp_path) == ""


@pytest.mark.parametrize(
    ("policy", "tests", "said"),
    [
        (POLICY, None, "it has no tests"),
        (POLICY, TESTS.replace("test_", "tset_"), "there is no test"),
        (POLICY, TESTS.replace(" if not named.allow with", " if named.allow with"), "test_denied is not true"),
        (POLICY.replace("allow if count(deny) == 0", "allow if input.connector.nothing"), TESTS, "is not true"),
        (POLICY.replace("default allow := false\n", ""), TESTS, "`allow` can be undefined"),
        (POLICY.replace("allow if count(deny) == 0", "allow { true }"), TESTS, "Rego v0"),
        (POLICY.replace("count(deny) == 0", "not undeclared == 1"), TESTS, "is declared nowhere"),
        (POLICY.replace("count(deny) == 0", SENDS), TESTS, "no function that a policy"),
        (POLICY.replace("count(deny) == 0", "opa.runtime().env"), TESTS, "no function that a policy"),
        (POLICY.replace("count(deny) == 0", "count(deny) == 1 / 0"), TESTS, "test_allowed ended in an error"),
        (POLICY.replace("count(deny) == 0", BACKTRACKS), TESTS, "took longer than 0.8 s"),
        (POLICY + "#" * 65_536, TESTS, "more than 65536 bytes"),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 40 else "",
)  # fmt: skip
async def test_a_policy_that_is_no_clear_yes_is_a_no(tmp_path, policy, tests, said):
    """Each of them denies a record that nothing else is against."""
    write_policy(tmp_path, policy, tests)
    # Only what never ends is given a short time: a busy machine must not decide this test.
    assert said in await reasons(tmp_path, deadline_s=0.8 if BACKTRACKS in policy else 30.0)


async def test_an_input_over_its_size_is_denied(tmp_path):
    """A record of whatever size is not judged by half."""
    wide = record(endpoints=tuple(f"lunch.{'e' * 120}{number}" for number in range(3_000)))
    assert "the input has more than 262144 bytes" in await reasons(tmp_path, wide)


async def test_a_policy_that_passes_its_tests_and_is_late_later_denies(tmp_path):
    """What it takes for this record counts, not what it took in its tests."""
    body = 'if {\n\tcount(deny) == 0\n\tnot regex.match("^(a+)+$", input.connector.purpose)\n}'
    slow = POLICY.replace("if count(deny) == 0", body)
    write_policy(tmp_path, slow)
    gate = Gate.reading([tmp_path])
    assert gate.refusals == ()
    late = Gate(gate.policies, (), Regopy(0.8))
    judge = judge_of(Reviewer(BFF, lambda: late, MemoryReviews(), now=lambda: 0.0))
    (reason,) = await judge("apply", record(purpose="a" * 60 + "b"), digest="d1", by="amina@example.com")
    assert "took longer than 0.8 s [named/no-clear-yes]" in reason
