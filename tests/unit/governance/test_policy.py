"""The gate: only a clear yes of every policy is a yes (case 61), and a policy without tests that pass is none."""

import pytest

from narrows import Answer, Bff, Id, Upstream, read
from narrows.governance import policy as gates
from narrows.governance.asked import Grant, asked
from narrows.governance.policy import SHIPPED, Gate
from narrows.governance.rego.engine import UNDEFINED, EngineFailed, Failed
from tests.flow.minimal import FACTS
from tests.unit.governance.policies import POLICY, TESTS, write_policy

BFF = Bff("lunch", **FACTS)
RECORD = {
    "id": "lunch-app",
    "version": "1",
    "owner": "amina@example.com",
    "contact": "tools@example.com",
    "purpose": "Book lunch",
    "scopes": ["dining:read"],
}


def codes(gate):
    """The codes of what is refused."""
    return [refusal.code for refusal in gate.refusals]


def decide(gate, **changed):
    """Ask about the record with some fields changed."""
    return gate.decide(asked("apply", {**RECORD, **changed}, BFF, digest="d1"))


def answering(allow, deny):
    """A gate whose engine says this of everything."""

    def engine(modules, ways, inputs):
        return [[allow, deny]]

    return Gate([gates.Policy("p", "")], [], engine)


def test_a_policy_with_tests_decides(tmp_path):
    """It allows what it allows, and denies with its own words."""
    write_policy(tmp_path / "policy")
    gate = Gate.reading([tmp_path / "policy"])
    assert (codes(gate), decide(gate).allowed, decide(gate).policies) == ([], True, ("named",))
    (denial,) = decide(gate, purpose="").denials
    assert (denial.field, denial.message, denial.remedy) == ("purpose", "it has no purpose", "say it")


@pytest.mark.parametrize(
    ("policy", "tests", "code", "said"),
    [
        (POLICY, None, "rego-untested", "it has no tests"),
        (POLICY, "\n", "rego-untested", "it has no tests"),
        (POLICY, "package narrows.named_test\n\nimport rego.v1\n\nx := 1\n", "rego-untested", "there is no test"),
        (POLICY, TESTS.replace("not named", "named"), "rego-untested", "test_denied is not true"),
        (POLICY.replace("count(deny) == 0", "true"), TESTS, "rego-untested", "test_denied is not true"),
        (POLICY, TESTS.partition("test_allowed")[0], "rego-untested", "no test has an input that is allowed"),
        (POLICY, TESTS.replace("test_denied if not named.allow with input as without", "").replace(
            "without := ", "unused := "), "rego-untested", "no test has an input that is denied"),
        (POLICY, TESTS.replace(" with input as without", ""), "rego-untested", "does not give exactly one input"),
        (POLICY, TESTS.replace('without := {"connector": {"purpose": ""}}', "without if false"), "rego-untested",
         "the input `without` of test_denied has no value"),
        (POLICY, TESTS.replace("named.allow with input as full", 'startswith(1, "x") with input as full'),
         "rego-untested", "test_allowed ended in an error"),
        (POLICY, TESTS.replace('{"connector": {"purpose": "Book lunch"}}', 'startswith(1, "x")'), "rego-untested",
         "of test_allowed has no value"),
        (POLICY.replace('== ""', '== "" + )'), TESTS, "rego-untested", "does not compile"),
        (POLICY.replace("import rego.v1", ""), TESTS, "rego-form", "it does not say that it is Rego v1"),
        (POLICY, TESTS.replace("import rego.v1", ""), "rego-form", "it does not say that it is Rego v1"),
    ],
)  # fmt: skip
def test_a_policy_without_tests_that_pass_is_refused(tmp_path, policy, tests, code, said):
    """And a gate with a refused policy allows nothing at all."""
    file = write_policy(tmp_path, policy, tests)
    gate = Gate.reading([tmp_path])
    assert code in codes(gate)
    assert said in " ".join(refusal.rule for refusal in gate.refusals)
    assert all(refusal.where.startswith(str(file.with_suffix(""))) for refusal in gate.refusals)
    assert not decide(gate).allowed
    assert gate.policies == ()


def test_tests_without_a_policy_are_refused(tmp_path):
    """A policy that was renamed is not lost in silence."""
    write_policy(tmp_path).unlink()
    assert [r.rule for r in Gate.reading([tmp_path]).refusals] == ["it tests no policy"]


def test_a_policy_has_one_name(tmp_path):
    """A BFF cannot put its own policy in the place of one of Narrows."""
    write_policy(tmp_path / "a")
    write_policy(tmp_path / "b")
    gate = Gate.reading([tmp_path / "a", tmp_path / "b"])
    assert [r.rule for r in gate.refusals] == ["there is a policy named already"]
    assert not decide(gate).allowed


def test_a_file_that_cannot_be_read_is_refused(tmp_path):
    """It is not left out."""
    write_policy(tmp_path).write_bytes(b"\xff")
    assert [r.rule for r in Gate.reading([tmp_path]).refusals] == ["it or its tests cannot be read"]


def test_policies_are_counted(tmp_path):
    """A folder with thousands of files starts no thousands of processes."""
    for number in range(2 * gates.POLICIES + 1):
        (tmp_path / f"p{number}.rego").write_text("")
    assert [r.rule for r in Gate.reading([tmp_path]).refusals] == [f"more than {gates.POLICIES} policies"]


@pytest.mark.parametrize(
    ("allow", "deny", "said"),
    [
        (False, [], "it does not allow this, and gives no reason"),
        (True, UNDEFINED, "for a rule of it is undefined"),
        (UNDEFINED, [], "for a rule of it is undefined"),
        (Failed("no"), [], "for it ended in an error: no"),
        (True, Failed("no"), "for it ended in an error: no"),
        (True, {}, "gives no reason"),
        ("true", [], "gives no reason"),
        (1, [], "gives no reason"),
    ],
)
def test_only_a_clear_yes_is_a_yes(allow, deny, said):
    """Undefined, an error or another value denies."""
    (denial,) = decide(answering(allow, deny)).denials
    assert (denial.rule, said in denial.message) == ("no-clear-yes", True)


def test_a_yes_with_a_reason_against_it_is_a_no():
    """Both have to agree; a reason in another form counts too."""
    denials = decide(answering(True, ["no", {"rule": "r", "message": "m" * 9_000, "grant": 7}])).denials
    assert [(d.rule, d.grant) for d in denials] == [("unnamed", ""), ("r", "")]
    assert len(denials[1].message) == 500


def test_reasons_are_counted():
    """A policy that gives a reason for each of a million things fills no terminal and no history."""
    assert len(decide(answering(False, ["no"] * 5000)).denials) == gates.DENIALS


def test_an_engine_without_an_answer_denies():
    """A crash, a policy that is late, an input that is too large: all deny, with the reason."""

    def failing(modules, ways, inputs):
        raise EngineFailed("the policy took longer than 5 s")

    (denial,) = decide(Gate([gates.Policy("p", "")], [], failing)).denials
    assert denial.message == "the policy took longer than 5 s"
    gate = Gate.reading([SHIPPED])
    assert "more than" in decide(gate, purpose="x" * 300_000).denials[0].message


def test_no_policy_allows_nothing():
    """An installation without its policies denies."""
    assert [d.policy for d in decide(Gate.reading([])).denials] == ["gate"]


def test_what_is_left_out_of_a_record_is_still_there():
    """A condition on a field that is left out cannot be undefined."""
    document = asked("check", {}, Bff("bare"))
    assert document["connector"]["scopes"] == [] == document["connector"]["grants"]
    assert document["connector"]["owner"] == "" == document["bff"]["owner"]
    assert document["connector"]["sensitive"] is False


def test_the_document_tells_the_declarations():
    """A policy can judge by endpoints and what they use."""
    from bffs.where2eat.app import bff

    document = asked("apply", RECORD, bff)
    by_id = {endpoint["id"]: endpoint for endpoint in document["bff"]["endpoints"]}
    suggestions = by_id["where2eat.dining_suggestions"]
    assert (document["bff"]["sensitivity"], suggestions["kind"], suggestions["roles"]) == (
        "personal",
        "read",
        ["member"],
    )
    assert {"id": "People.team", "kind": "read", "asks": "profiles:read", "price": "", "times": 1} in suggestions[
        "uses"
    ]


def test_bulk_export_needs_a_grant_for_this_very_record():
    """The first policy: `data:export` is denied unless somebody else granted it to the record as it is."""
    gate = Gate.of(BFF)

    def judge(scopes, *grants):
        document = asked("apply", {**RECORD, "scopes": scopes}, BFF, digest="d1", grants=grants)
        return [(denial.rule, denial.field, denial.grant) for denial in gate.decide(document).denials]

    denied = [("data-export", "scopes", "data:export")]
    assert judge(["dining:read"]) == []
    assert judge(["dining:read", "data:export"]) == denied
    assert judge(["data:export"], Grant(grant="data:export", digest="d0", by="security@example.com")) == denied
    assert judge(["data:export"], Grant(grant="data:export", digest="d1", by="AMINA@example.com")) == denied
    assert judge(["data:export"], Grant(grant="data:export", digest="d1", by="security@example.com")) == []


class Bills(Upstream):
    """The bills."""

    @read("/bills", asks="data:export")
    def all(self) -> Answer[Id]: ...


def test_bulk_export_through_an_endpoint_needs_the_grant_too():
    """A connector that names an endpoint gets what its operations ask the upstream for, whatever its own scopes are."""
    bff = Bff("bulk")

    @bff.read("/bills", roles={"member"}, scope="bills:read", uses=[Bills.all], rate="1/minute")
    async def bills() -> Id: ...

    gate = Gate.of(bff)

    def judge(endpoints, *grants):
        fields = {**RECORD, "scopes": ["bills:read"], "endpoints": endpoints}
        return [d.grant for d in gate.decide(asked("apply", fields, bff, digest="d1", grants=grants)).denials]

    assert judge(["bulk.bills"]) == ["data:export"]
    assert judge(["bulk.menu"]) == []
    assert judge(["bulk.bills"], Grant(grant="data:export", digest="d1", by="security@example.com")) == []
