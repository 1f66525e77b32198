"""`narrows connector`: from the file to a live connector and to its end, as an operator types it."""

import getpass
import json

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from narrows.cli import main
from narrows.errors import Unavailable
from narrows.stores.sqlite_audit import SqliteAuditStore
from tests.unit.cli.graphql_lunch import SOUP as SERVED
from tests.unit.cli.graphql_lunch import write_graphql
from tests.unit.cli.lunch import KEY, write_governed

RECORD = """
version = "1.0"
issuer = "corp"
client_id = "lunch-app"
tenant = "acme"
owner = "amina@example.com"
contact = "lunch-tools@example.com"
kind = "low-code"
purpose = "Show what is eaten"
template = "read-only@1"
endpoints = ["lunch.lunch"]
scopes = ["lunch:read"]
rates = ["30/minute"]
"""
BY = ("--by", "lena@example.com")
DANA = ("--by", "dana@example.com")


@pytest.fixture
def lunch(tmp_path, monkeypatch, request):
    """The target of a BFF with one connector file and a registry."""
    monkeypatch.setenv("LUNCH_KEY", KEY)
    name = f"connector_{abs(hash(request.node.name))}"
    write_governed(tmp_path, name, "dana@example.com")
    write(tmp_path)
    return f"{name}:bff"


def write(folder, **over):
    """The connector's file, with other lines."""
    lines = {line.partition(" = ")[0]: line for line in RECORD.splitlines()}
    lines |= {name: f"{name} = {value}" for name, value in over.items()}
    (folder / "connectors" / "app.toml").write_text("\n".join(lines.values()))


def run(*arguments, code=0):
    """Run `narrows connector`, which must end with this exit code; what it prints."""
    result = CliRunner().invoke(main, ["connector", *arguments])
    assert result.exit_code == code, (result.output, result.exception)
    return result.stdout if code < 2 else result.stderr


def told(*arguments, code=0):
    """The same for a program."""
    return json.loads(run(*arguments, "--format", "json", code=code))


def live(target):
    """Apply it and approve it twice."""
    run("apply", target, *BY)
    run("approve", target, "app", *DANA)
    run("approve", target, "app", *DANA)


def test_from_a_file_to_live(lunch):
    """Each step says what became of it, and diff says when nothing is left to do."""
    assert run("list", lunch) == "The registry is empty. Put your files into it: narrows connector apply.\n"
    shown = run("diff", lunch, code=1)
    assert shown.startswith("app: new, nothing → draft\n  version: 1.0\n")
    assert "  endpoints: lunch.lunch\n" in shown
    assert "WIDENING" not in shown, "of a new one everything is new"
    assert run("apply", lunch, *BY) == shown
    assert run("diff", lunch) == "app: the same\n"
    assert run("approve", lunch, "app", *DANA).startswith("app: trial, version 1.0+1, digest ")
    digest = told("show", lunch, "app")["digest"]
    assert told("approve", lunch, "app", *DANA, "--digest", digest[:12])["state"] == "live"
    [row] = told("list", lunch)
    assert (row["connector"], row["state"], row["owner"]) == ("app", "live", "amina@example.com")
    assert run("list", lunch).splitlines()[1].split() == [
        "app", "live", "1.0+1", "low-code", "read-only@1", "amina@example.com",
    ]  # fmt: skip


def test_a_difference_is_shown_field_by_field(lunch, tmp_path):
    """What came, what went, and what widens; a program reads the same."""
    live(lunch)
    write(tmp_path, scopes='["lunch:read", "lunch:more"]', rates='["20/minute"]', version='"2"', expires="2099-01-01")
    shown = run("diff", lunch, code=1)
    assert shown.splitlines() == [
        "app: changed, live → draft",
        "  version: 1.0 → 2",
        "  scopes: +lunch:more  WIDENING",
        "  rates: +20/minute, -30/minute",
        "  expires: 2099-01-01",
    ]
    [difference] = told("diff", lunch, code=1)
    assert (difference["kind"], difference["widening"]) == ("changed", True)
    assert {field["field"]: field["widening"] for field in difference["fields"]} == {
        "version": False,
        "scopes": True,
        "rates": False,
        "expires": False,
    }
    write(tmp_path, rates='["20/minute"]')
    assert run("apply", lunch, *BY).startswith("app: changed, stays live\n")
    assert "(of a wider record before)" in run("show", lunch, "app")
    write(tmp_path, rates='["20/minute"]', scopes='["lunch:more", "lunch:read"]')
    run("apply", lunch, *BY)
    write(tmp_path, rates='["20/minute"]', scopes='["lunch:read", "lunch:more"]', budgets="[]")
    assert "  scopes: in another order" in run("diff", lunch, code=1)


def test_a_connector_without_a_file_is_named(lunch, tmp_path):
    """It is not taken away in silence."""
    run("apply", lunch, *BY)
    (tmp_path / "connectors" / "app.toml").unlink()
    assert run("diff", lunch, code=1) == "app: in the registry, and no file: revoke it\n"
    run("revoke", lunch, "app", *BY)


def test_nothing_at_all_is_said_so(lunch, tmp_path):
    """As after the first hour."""
    (tmp_path / "connectors" / "app.toml").unlink()
    assert run("diff", lunch) == "There is no file, and nothing in the registry.\n"


def test_it_is_stopped_and_goes_on_and_is_ended(lunch, monkeypatch):
    """Each with who did it and why; an account without a name is no obstacle."""
    live(lunch)
    assert run("suspend", lunch, "app", *BY, "--reason", "odd calls").startswith("app: suspended, ")
    refused = run("resume", lunch, "app", *BY, code=2)
    assert "'lena@example.com' is not in governance.approvers" in refused
    assert run("resume", lunch, "app", *DANA).startswith("app: live, ")

    def nobody():
        raise KeyError("uid")

    monkeypatch.setattr(getpass, "getuser", nobody)
    assert run("revoke", lunch, "app", *BY, "--reason", "over").startswith("app: revoked, ")
    shown = run("show", lunch, "app")
    assert "live → suspended  by lena@example.com (" in shown
    assert ": odd calls\n" in shown
    assert "live → revoked  by lena@example.com (no account)" in shown


def test_all_of_a_connector_is_shown_but_its_secrets(lunch, tmp_path):
    """Record, approval, credentials and history; the secret is printed once, where it is made."""
    write(tmp_path, sensitive="true")
    run("apply", lunch, *BY)
    assert "approved: by nobody" in run("show", lunch, "app")
    assert "SENSITIVE: its endpoints answer personal or secret data" in run("approve", lunch, "app", *DANA)
    printed = run("rotate", lunch, "app", *BY)
    secret = printed.partition("secret: ")[2].partition("\n")[0]
    assert len(secret) == 43
    assert "SENSITIVE" not in printed
    shown = run("show", lunch, "app")
    assert secret not in shown
    assert secret not in run("show", lunch, "app", "--format", "json")
    for part in (
        "SENSITIVE",
        "purpose: Show what is eaten",
        "approved: dana@example.com, ",
        ": secret, made ",
        "rotate",
    ):
        assert part in shown
    assert "tokens: only those" not in shown
    run("rotate", lunch, "app", *BY, "--compromised")
    whole = told("show", lunch, "app")
    assert len(whole["credentials"]) == 1
    assert whole["tokens_after"].endswith("Z")
    assert "tokens: only those issued after " in run("show", lunch, "app")
    assert told("rotate", lunch, "app", *BY)["secret"]


def test_a_public_key_is_registered_and_printed_for_the_issuer(lunch, tmp_path):
    """Nothing secret is made, and what is printed is what authorization servers take."""
    run("apply", lunch, *BY)
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    (tmp_path / "key.pem").write_bytes(key.public_bytes(serialization.Encoding.PEM, form))
    assert "secret" not in run("rotate", lunch, "app", *BY, "--public-key", "key.pem")
    [jwk] = json.loads(run("show", lunch, "app", "--jwks"))["keys"]
    assert (jwk["kty"], jwk["use"]) == ("EC", "sig")
    assert ": public key, made " in run("show", lunch, "app")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("apply",), "Missing option '--by'"),
        (("apply", "--by", " "), "Remedy: --by NAME."),
        (("show", "other"), "other: the registry has no such connector; it has app"),
        (("approve", "app", *BY), "'lena@example.com' is not in governance.approvers"),
        (("approve", "app", *DANA, "--digest", "00"), "not the one that you looked at"),
        (("rotate", "app", *BY, "--overlap", "soon"), "write a number and s, m, h or d"),
        (("rotate", "app", *BY, "--overlap", "8d"), "not within 0 and 7 days"),
    ],
)
def test_what_is_refused_says_why(lunch, arguments, said):
    """In words, with exit code 2."""
    run("apply", lunch, *BY)
    name, *rest = arguments
    assert said in run(name, lunch, *rest, code=2)


def test_a_file_that_does_not_hold_is_named_with_its_line(lunch, tmp_path):
    """Nothing is applied of it."""
    write(tmp_path, rates='["1000/minute"]')
    refused = run("apply", lunch, *BY, code=2)
    assert "connectors/app.toml:13: app: rates: no rate for the connector as a whole is within 120/minute" in refused
    write(tmp_path, kind='"robot"')
    assert "app.toml:8: kind: Invalid enum value 'robot'" in run("diff", lunch, code=2)
    assert told("list", lunch) == []


def test_a_registry_of_another_key_says_what_to_look_at(lunch, monkeypatch):
    """The commonest reason is a key that was made anew."""
    run("apply", lunch, *BY)
    monkeypatch.setenv("LUNCH_KEY", KEY[::-1].removeprefix("=") + "=")
    said = run("list", lunch, code=2)
    assert "The registry of connectors cannot be read. It stands in 'sqlite:connectors.db'." in said
    assert "Remedy: see whether stores.key is the key that it was sealed with" in said


def test_a_registry_in_memory_cannot_be_reached(lunch, tmp_path):
    """It is that of another process."""
    (tmp_path / "other.toml").write_text(
        (tmp_path / "narrows.toml").read_text().replace("sqlite:connectors.db", "memory:")
    )
    assert "cannot be reached from here" in run("list", lunch, "--settings", "other.toml", code=2)


# --- what the audit log keeps of it ---------------------------------------------------------------------------------


@pytest.fixture
def audited(lunch, tmp_path):
    """The same, with an audit log in a file."""
    settings = tmp_path / "narrows.toml"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(text.replace("[stores]\n", '[stores]\naudit = "sqlite:audit.db"\n'), encoding="utf-8")
    return lunch


def recorded(target):
    """The records of the audit log, without those of calls."""
    result = CliRunner().invoke(main, ["audit", "tail", target, "--format", "json"])
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_each_change_and_each_decision_of_the_policy_is_recorded(audited):
    """Who did what, from which account, and what the policy said to it; who only looks leaves nothing."""
    live(audited)
    for command in (("list",), ("show",), ("diff",), ("reviews",)):
        run(*command, audited, *(["app"] if command == ("show",) else []), code=0)
    run("rotate", audited, "app", *DANA)
    run("suspend", audited, "app", *DANA, "--reason", "odd")
    records = recorded(audited)
    assert [(r["event"], r.get("what") or r["asked"], r["by"]) for r in records] == [
        ("policy", "apply", "lena@example.com"),
        ("connector", "apply", "lena@example.com"),
        ("policy", "approve", "dana@example.com"),
        ("connector", "approve", "dana@example.com"),
        ("policy", "approve", "dana@example.com"),
        ("connector", "approve", "dana@example.com"),
        ("connector", "rotate", "dana@example.com"),
        ("connector", "suspend", "dana@example.com"),
    ]
    assert (records[-1]["account"], records[-1]["note"]) == (getpass.getuser(), "odd")


def test_a_change_that_cannot_be_recorded_is_not_made(audited, tmp_path):
    """But a program is stopped all the same, and it is told that this has no record."""
    live(audited)
    (tmp_path / "audit.db").unlink()
    (tmp_path / "audit.db").mkdir()
    said = run("rotate", audited, "app", *DANA, code=2)
    assert "stores.audit" in said
    assert told("show", audited, "app")["credentials"] == []
    said = run("suspend", audited, "app", *DANA, code=2)
    assert "suspend is done, but the audit log has no record of it" in said
    assert told("show", audited, "app")["state"] == "suspended"


def test_a_log_in_memory_is_told_to_keep_nothing(lunch):
    """In development the log is that of the process that serves."""
    result = CliRunner().invoke(main, ["connector", "apply", lunch, *BY])
    assert result.exit_code == 0
    assert result.stderr == "This change is not in the audit log, which is in memory (stores.audit).\n"


def test_a_log_that_is_away_keeps_what_gives_power_from_being_done(audited, monkeypatch):
    """It is told as what it is, and not as a fault of the registry."""
    live(audited)

    async def away(store):
        raise Unavailable("The audit log is away.")

    monkeypatch.setattr(SqliteAuditStore, "head", away)
    said = run("rotate", audited, "app", *DANA, code=2)
    assert "The audit log is away. So nothing was changed. Remedy: see whether what `stores.audit` names" in said
    assert told("show", audited, "app")["credentials"] == []


def test_a_connector_of_documents_is_registered_and_shown(tmp_path, monkeypatch):
    """It names documents as endpoints; how it may name them widens its record, and is shown."""
    monkeypatch.setenv("LUNCH_KEY", KEY)
    target = write_graphql(tmp_path, "connector_documents", monkeypatch, Soup=SERVED)
    settings = tmp_path / "narrows.toml"
    text = settings.read_text(encoding="utf-8").replace("[stores]", '[stores]\nconnectors = "sqlite:connectors.db"')
    settings.write_text(text + '\n[governance]\napprovers = ["dana@example.com"]\n', encoding="utf-8")
    (tmp_path / "connectors").mkdir()
    write(tmp_path, endpoints='["lunch.Soup"]')
    live(target)
    assert "  documents: id\n" in run("show", target, "app")
    write(tmp_path, endpoints='["lunch.Soup"]', documents='"log"')
    assert "  documents: id → log  WIDENING\n" in run("diff", target, code=1)
    run("apply", target, *BY)
    assert "app: draft" in run("show", target, "app")
    write(tmp_path, endpoints='["lunch.Stew"]')
    assert "lunch has no endpoint 'lunch.Stew'" in run("apply", target, *BY, code=2)
