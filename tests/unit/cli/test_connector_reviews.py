"""`data:export` from the file to the registry: denied, told to its owner, queued, granted by another, applied."""

import json

import pytest
from click.testing import CliRunner

from narrows.cli import main
from tests.unit.cli.lunch import KEY, write_governed

RECORD = """
version = "1.0"
issuer = "corp"
client_id = "lunch-reports"
tenant = "acme"
owner = "amina@example.com"
contact = "lunch-tools@example.com"
kind = "service"
purpose = "Report what is eaten"
template = "read-only@1"
endpoints = ["lunch.lunch"]
scopes = ["lunch:read", "data:export"]
rates = ["30/minute"]
"""


@pytest.fixture
def lunch(tmp_path, monkeypatch, request):
    """The target of a BFF with one connector file and a registry."""
    monkeypatch.setenv("LUNCH_KEY", KEY)
    name = f"reviews_{abs(hash(request.node.name))}"
    write_governed(tmp_path, name, "security@example.com", "amina@example.com")
    (tmp_path / "connectors" / "reports.toml").write_text(RECORD)
    return f"{name}:bff"


def connector(*arguments):
    """Run `narrows connector`."""
    return CliRunner().invoke(main, ["connector", *arguments])


def waiting(target, *options):
    """What the queue holds."""
    return json.loads(connector("reviews", target, "--format", "json", *options).stdout)


def apply(target):
    """Apply the file as its owner."""
    return connector("apply", target, "--by", "amina@example.com")


def test_a_connector_that_wants_data_in_bulk_is_stopped_and_queued(lunch):
    """Not applied; the owner reads why, what to do, whom to ask and where it waits; the queue holds it."""
    assert connector("reviews", lunch).stdout == "Nothing waits for an approver.\n"
    denied = apply(lunch)
    assert denied.exit_code == 2
    for said in (
        "reports: denied by policy (its owner is amina@example.com): scopes: the scope data:export takes data out",
        "Remedy: take the scope out, or have an approver grant data:export to this record.",
        "data:export waits for an approver, see narrows connector reviews. Contact: lunch-tools@example.com.",
    ):
        assert said in denied.stderr
    assert json.loads(connector("list", lunch, "--format", "json").stdout) == []
    (review,) = waiting(lunch)
    assert (review["connector"], review["grant"], review["verdict"]) == ("reports", "data:export", "waiting")
    assert (review["owner"], review["contact"], review["tenant"]) == (
        "amina@example.com",
        "lunch-tools@example.com",
        "acme",
    )
    text = connector("reviews", lunch).stdout
    assert text.startswith("reports: data:export waiting, digest ")
    assert "owner amina@example.com, contact lunch-tools@example.com, tenant acme" in text


def test_an_approver_who_does_not_answer_for_it_lets_it_through(lunch):
    """The owner cannot; another can; then it leaves the queue, is applied, and approved under the same policy."""
    apply(lunch)
    own = connector("grant", lunch, "reports", "data:export", "--by", "amina@example.com")
    assert (own.exit_code, "answers for it" in own.stderr) == (2, True)
    granted = connector("grant", lunch, "reports", "data:export", "--by", "security@example.com", "--reason", "audited")
    assert granted.exit_code == 0
    assert granted.stdout.startswith("reports: data:export granted by security@example.com, digest ")
    assert waiting(lunch) == []
    (review,) = waiting(lunch, "--all")
    assert (review["verdict"], review["reason"], review["decided_at"][-1]) == ("granted", "audited", "Z")
    assert apply(lunch).exit_code == 0
    approved = connector("approve", lunch, "reports", "--by", "security@example.com")
    assert (approved.exit_code, "reports: trial" in approved.stdout) == (0, True)


def test_every_decision_is_recorded(lunch):
    """Denied, granted, allowed: each once, with who, for which record, and under which policies."""
    apply(lunch)
    connector("grant", lunch, "reports", "data:export", "--by", "security@example.com")
    apply(lunch)
    records = [json.loads(line) for line in connector("reviews", lunch, "--history").stdout.splitlines()]
    assert [(r["event"], r["asked"], r["allowed"], r["by"]) for r in records] == [
        ("policy", "apply", False, "amina@example.com"),
        ("review", "granted", True, "security@example.com"),
        ("policy", "apply", True, "amina@example.com"),
    ]
    assert len({r["digest"] for r in records}) == 1
    assert records[0]["denied"] == ["data_export/data-export"]


def test_a_grant_that_is_taken_back_stops_the_next_approval(lunch):
    """The policy is asked again at each approval."""
    apply(lunch)
    connector("grant", lunch, "reports", "data:export", "--by", "security@example.com")
    apply(lunch)
    denied = connector("deny", lunch, "reports", "data:export", "--by", "security@example.com", "--format", "json")
    assert json.loads(denied.stdout)["verdict"] == "denied"
    approved = connector("approve", lunch, "reports", "--by", "security@example.com")
    assert (approved.exit_code, "data_export/data-export" in approved.stderr) == (2, True)


def test_a_record_that_changes_asks_again(lunch, tmp_path):
    """A grant is for what the approver saw."""
    apply(lunch)
    connector("grant", lunch, "reports", "data:export", "--by", "security@example.com")
    (tmp_path / "connectors" / "reports.toml").write_text(RECORD.replace("30/minute", "60/minute"))
    assert apply(lunch).exit_code == 2
    assert len(waiting(lunch)) == 1


def test_nothing_is_granted_that_does_not_wait(lunch):
    """A slip in the name grants nothing."""
    refused = connector("grant", lunch, "report", "data:export", "--by", "security@example.com")
    assert (refused.exit_code, "nothing waits there for data:export" in refused.stderr) == (2, True)


def check(target, *options):
    """The refusals of `narrows check`: code, subject and line of the connector's file."""
    result = CliRunner().invoke(main, ["check", target, "--format", "json", *options])
    (found,) = json.loads(result.stdout)["targets"]
    return [(r["code"], r["subject"], f"{r['file']}:{r['line']}") for r in found["refusals"]]


def test_check_tells_what_apply_would_be_refused(lunch, monkeypatch):
    """Without the registry a grant is not known, and no key is read; with it, it counts."""
    denied = [("connector-denied", "connector reports", "connectors/reports.toml:12")]
    with monkeypatch.context() as without:
        without.delenv("LUNCH_KEY")
        assert check(lunch) == denied
    assert check(lunch, "--registry") == denied
    apply(lunch)
    connector("grant", lunch, "reports", "data:export", "--by", "security@example.com")
    assert check(lunch) == denied
    assert check(lunch, "--registry") == []


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (', "data:export"', "", []),
        ('version = "1.0"\n', 'version = "1.0"\nwho = "me"\n', [("connector-unsound", "connector reports", 3)]),
        ('kind = "service"', "kind = 7", [("connector-unsound", "connector reports", 8)]),
        ('kind = "service"', "kind = ", [("connector-unsound", "connector reports", 8)]),
        (', "data:export"', ', "x"', []),
        ("lunch.lunch", "lunch.dinner", [("connector-outside", "connector reports", 11)]),
        ("30/minute", "900/minute", [("connector-outside", "connector reports", 13)]),
    ],
)
def test_check_reads_each_connector_file(lunch, tmp_path, old, new, told):
    """Its form and its template, each fault at its line."""
    file = tmp_path / "connectors" / "reports.toml"
    file.write_text(RECORD.replace(', "data:export"', "") if "export" not in old else RECORD)
    file.write_text(file.read_text().replace(old, new))
    assert check(lunch) == [(code, subject, f"connectors/reports.toml:{line}") for code, subject, line in told]


def test_a_policy_that_does_not_hold_keeps_everything_out(lunch, tmp_path):
    """The gate allows nothing while one of its policies is refused."""
    (tmp_path / "policy").mkdir()
    (tmp_path / "policy" / "odd.rego").write_text("package narrows.odd\n")
    denied = apply(lunch)
    assert (denied.exit_code, "[rego-untested]" in denied.stderr) == (2, True)
    assert {code for code, _, _ in check(lunch)} == {"rego-form", "rego-untested"}
