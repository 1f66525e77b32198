"""`narrows check`: every refusal with its place, without serving and without a secret."""

import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import CliRunner

from narrows.cli import main
from narrows.cli.check import _all
from narrows.cli.checking import line_of
from narrows.errors import Refusal
from tests.unit.cli.graphql_lunch import SOUP as SERVED
from tests.unit.cli.graphql_lunch import write_graphql
from tests.unit.cli.lunch import write_lunch
from tests.unit.cli.test_connector import RECORD
from tests.unit.governance.policies import write_policy


def check(*arguments):
    """Run the command."""
    return CliRunner().invoke(main, ["check", *map(str, arguments)])


def found(*arguments):
    """The refusals of the one target: code, subject, file and line."""
    document = json.loads(check(*arguments, "--format", "json").stdout)
    return [(r["code"], r["subject"], f"{r['file']}:{r['line']}") for r in document["targets"][0]["refusals"]]


def test_what_is_sound_is_told_so(tmp_path):
    """Exit code 0, one line, nothing on standard error."""
    write_lunch(tmp_path, "check_sound")
    result = check("check_sound:bff")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "check_sound:bff: ok\n", "")


def test_every_kind_of_refusal_is_told_at_once(tmp_path):
    """Declaration, settings, handler and policy, each with file and line; exit code 1."""
    settings = write_lunch(tmp_path, "check_wrong", more=SOUP)
    settings.write_text(
        settings.read_text().replace('public_url = "http://127.0.0.1:8000"', 'public_url = "http://lunch.test"')
    )
    write_policy(tmp_path / "policy", tests=None)
    result = check("check_wrong:bff")
    assert (result.exit_code, result.stderr) == (1, "")
    assert "check_wrong:bff: 5 refused" in result.stdout
    assert "    remedy: put named_test.rego beside it" in result.stdout
    assert sorted(found("check_wrong:bff")) == [
        ("handler-import", "lunch", "check_wrong.py:19"),
        ("public-url-plain", "public_url", "narrows.toml:3"),
        ("rate-missing", "lunch.soup", "check_wrong.py:16"),
        ("rego-untested", "policy named", "policy/named.rego:1"),
        ("role-ungrantable", "lunch.soup", "check_wrong.py:16"),
    ]


SOUP = '''
@bff.read("/soup", roles={"cook"}, scope="lunch:read", uses=[])
async def soup() -> Lunch:
    """Soup."""
    import subprocess
    return Lunch(name=subprocess.getoutput("x"))
'''


def test_every_environment_of_the_settings_is_checked(tmp_path):
    """What would fail only in production is told today, at the line of its section; one alone can be asked for."""
    settings = write_lunch(tmp_path, "check_stages")
    settings.write_text(settings.read_text() + STAGES)
    assert found("check_stages:bff") == [
        ("settings-unsound", "stores.key", "narrows.toml:23"),
        ("settings-unsound", "audit.key", "narrows.toml:1"),
        ("settings-unsound", "stores.key", "narrows.toml:1"),
        ("issuer-loopback", "issuers.corp.url", "narrows.toml:10"),
        ("serving-plain", "serving.host", "narrows.toml:22"),
    ]
    assert found("check_stages:bff", "--environment", "development") == []


STAGES = """
[environments.staging.issuers.corp]
url = "https://issuer.test"

[environments.production.serving]
host = "0.0.0.0"
[environments.staging.stores]
rehearsals = "sqlite:rehearsals.db"
"""


def test_what_does_not_hold_of_a_key_names_it_once(tmp_path):
    """`subject: rule`, and the rule does not begin with the subject again."""
    settings = write_lunch(tmp_path, "check_named")
    settings.write_text(settings.read_text().replace('public_url = "http://', 'public_url = "'))
    assert "public_url: it is no plain URL (development) [settings-unsound]" in check("check_named:bff").stdout


def test_a_key_of_a_wrong_name_is_told_once_at_its_own_line(tmp_path):
    """Whatever number of environments shares it; each of them is named."""
    settings = write_lunch(tmp_path, "check_shared")
    settings.write_text(
        f"{settings.read_text()}\n[governance]\napprover = ['dana@example.com']\n[environments.staging]\n"
        "[environments.prod]\n"
    )
    lines = settings.read_text().splitlines()
    assert found("check_shared:bff") == [
        ("settings-unsound", "environments.prod", f"narrows.toml:{lines.index('[environments.prod]') + 1}")
    ]
    settings.write_text(settings.read_text().replace("[environments.prod]\n", ""))
    assert found("check_shared:bff") == [
        ("settings-unsound", "governance", f"narrows.toml:{lines.index('[governance]') + 2}")
    ]
    said = check("check_shared:bff").stdout
    assert (
        "unknown field `approver` (development, staging) [settings-unsound]\n    remedy: use one of: approvers" in said
    )


@pytest.mark.parametrize(
    ("first", "last", "code", "subject", "line"),
    [
        ("pubic = true", "", "settings-unsound", "settings", 1),
        ("", '[limits]\nbody_bytes = "much"', "settings-unsound", "limits.body_bytes", 19),
        ("", "[limits", "settings-unsound", "settings", 18),
        ('model = "away.conf"', "", "policy-unloadable", "policies", 1),
        ("", "[stores]\nrehearsal_s = 0", "settings-unsound", "stores.rehearsal_s", 19),
        ("", '[stores]\nrehearsals = "redis:x"', "settings-unsound", "stores.rehearsals", 19),
        ("environments = 1", "", "settings-unsound", "settings", 1),
        ("", "[issuers.corp.client]\nid = 'x'", "settings-unsound", "settings", 1),
    ],
)
def test_settings_that_do_not_hold_are_told_at_their_line(request, tmp_path, first, last, code, subject, line):
    """Instead of one sentence about the first of them."""
    name = f"check_settings_{abs(hash(request.node.name))}"
    settings = write_lunch(tmp_path, name)
    settings.write_text(f"{first}{settings.read_text()}\n{last}\n")
    ((found_code, found_subject, place),) = found(f"{name}:bff")
    assert (found_code, found_subject, place.rpartition(":")[2]) == (code, subject, str(line))


def test_settings_that_are_away_are_told(tmp_path):
    """A refusal like any other."""
    write_lunch(tmp_path, "check_away").unlink()
    assert found("check_away:bff") == [("settings-unsound", "settings", "narrows.toml:1")]


def test_no_secret_is_needed_and_none_is_read(tmp_path):
    """Neither a variable nor a file that is away stops a check, and a store of the settings is not opened."""
    settings = write_lunch(tmp_path, "check_secret")
    settings.write_text(
        settings.read_text()
        + '[stores]\nrehearsals = "sqlite:r.db"\nkey = { file = "away.key" }\n'
        + '[issuers.corp.client]\nid = "lunch"\nprivate_key = { env = "AWAY_KEY" }\n'
    )
    result = check("check_secret:bff")
    assert (result.exit_code, result.output) == (0, "check_secret:bff: ok\n")
    assert not (tmp_path / "r.db").exists()


def test_a_secret_written_into_the_settings_is_refused(tmp_path):
    """Also where no secret is read."""
    settings = write_lunch(tmp_path, "check_written")
    settings.write_text(settings.read_text() + '[stores]\nkey = "swordfish"\n')
    result = check("check_written:bff")
    assert (result.exit_code, "swordfish" in result.output) == (1, False)


def test_all_bffs_are_checked_without_a_target(tmp_path):
    """Each below bffs/, in the order of their names; one that does not import is told at its line, with the others."""
    for name, more in (("alpha_checked", ""), ("beta_checked", "\nraise RuntimeError('secret')\n")):
        folder = tmp_path / "bffs" / name
        folder.mkdir(parents=True)
        write_lunch(folder, "app", more=more)
    assert _all() == ["bffs.alpha_checked.app:bff", "bffs.beta_checked.app:bff"]
    # As a process, because this one has imported other BFFs under that name.
    command = [Path(sys.executable).with_name("narrows"), "check"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)  # noqa: S603 - our own command
    assert result.returncode == 1
    assert result.stdout.splitlines() == [
        "bffs.alpha_checked.app:bff: ok",
        "bffs/beta_checked/app.py:16: bffs.beta_checked.app:bff: its module does not import: RuntimeError "
        "[target-broken]",
        "    remedy: correct that line",
        "bffs.beta_checked.app:bff: 1 refused",
    ]


def test_an_import_that_is_away_is_named(tmp_path):
    """Its name holds no secret, and says what to install."""
    write_lunch(tmp_path, "check_import", more="import not_there_at_all\n")
    assert "ModuleNotFoundError: No module named 'not_there_at_all'" in check("check_import:bff").stdout


def test_drift_from_an_upstream_is_told_with_the_rest(tmp_path, monkeypatch):
    """What differs from the document of an upstream stands in the same list."""
    write_lunch(tmp_path, "check_drift")
    (tmp_path / "pets.json").write_text("{}")
    drift = ModuleType("narrows.devkit.drift")
    drift.drift = lambda bff, name, path: [
        Refusal(code="upstream-drift", subject=f"{bff.name} {name}", where=f"{path}:1", rule="r", remedy="m")
    ]
    drift.upstreams_of = lambda bff: {"pets": bff}
    monkeypatch.setitem(sys.modules, "narrows.devkit.drift", drift)
    told = found("check_drift:bff", "--upstream", "pets=pets.json")
    assert told == [("upstream-drift", "lunch pets", "pets.json:1")]


def test_an_upstream_that_no_bff_uses_is_wrong_usage(tmp_path):
    """A name that is misspelt would hide every difference."""
    write_lunch(tmp_path, "check_misspelt")
    (tmp_path / "pets.json").write_text("{}")
    done = check("check_misspelt:bff", "--upstream", "pets=pets.json")
    assert (done.exit_code, "no BFF that was checked uses it" in done.stderr) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "There is no bffs/*/app.py here"),
        (("nowhere:bff",), "There is no module 'nowhere'"),
        (("a:b", "c:d", "--settings", "narrows.toml"), "--settings belongs to one TARGET"),
        (("a:b", "--upstream", "pets"), "write NAME=FILE"),
        (("a:b", "--upstream", "pets=away.json"), "of a file that is there"),
    ],
)
def test_wrong_usage_says_what_is_right(arguments, said):
    """Exit code 2, as nothing was checked."""
    result = check(*arguments)
    assert (result.exit_code, said in result.stderr) == (2, True)


@pytest.mark.parametrize(
    ("key", "environment", "line"),
    [
        ("public_url", "development", 1),
        ("issuers.corp.url", "development", 5),
        ("issuers.corp.url", "production", 12),
        ("issuers.corp.roles[0].domain", "development", 8),
        ("issuers.corp.client", "development", 4),
        ("upstreams.pets", "development", 10),
        ("upstreams.dogs", "development", 1),
        ("telemetry", "development", 1),
    ],
)
def test_the_line_of_a_key_is_found(key, environment, line):
    """That of the environment's section first, then its own, then that of its table, then the first."""
    text = """public_url = "x"
# a comment

[issuers.corp]
url = "a"

[[issuers.corp.roles]]
domain = "x"

upstreams.pets.url = "a" # within the table before, so no key of that name
[environments.production.issuers."corp"] # laid over
url = "b"
"""
    expected = 1 if key == "upstreams.pets" else line
    assert line_of(text, key, environment) == expected


def test_an_environment_that_nobody_has_named_yet_is_told(tmp_path):
    """It is not judged, unless it is asked for."""
    settings = write_lunch(tmp_path, "check_unready")
    settings.write_text(settings.read_text() + '[environments.staging]\npublic_url = "https://lunch.invalid"\n')
    result = check("check_unready:bff")
    assert result.stdout == "check_unready:bff: ok (not judged, as their hosts are not named yet: staging)\n"
    (target,) = json.loads(check("check_unready:bff", "--format", "json").stdout)["targets"]
    assert (target["ok"], target["unready"]) == (True, ["staging"])
    assert "placeholder-left" in [code for code, _, _ in found("check_unready:bff", "--environment", "staging")]


def test_a_connector_may_name_a_document(tmp_path, monkeypatch):
    """Which is judged as an endpoint is; of documents that do not hold, the start alone is told."""
    target = write_graphql(tmp_path, "check_documents", monkeypatch, Soup=SERVED)
    (tmp_path / "connectors").mkdir()
    (tmp_path / "connectors" / "app.toml").write_text(RECORD.replace("lunch.lunch", "lunch.Soup"))
    assert found(target) == []
    (tmp_path / "connectors" / "app.toml").write_text(RECORD.replace("lunch.lunch", "lunch.Stew"))
    assert found(target) == [("connector-outside", "connector app", "connectors/app.toml:11")]
    (tmp_path / "queries" / "Soup.graphql").write_text("query Soup { nothing }")
    assert {code for code, _, _ in found(target)} == {"document-invalid"}


def test_what_an_import_leaves_open_is_told_and_no_stack(tmp_path, monkeypatch):
    """The line that `narrows graphql import` prints, as it stands; no policy is asked of it."""
    monkeypatch.setattr(
        "tests.unit.cli.graphql_lunch.DECLARED", 'bff.document("{name}", roles=..., scope=..., rate=...)'
    )
    target = write_graphql(tmp_path, "check_imported", monkeypatch, Soup=SERVED)
    write_policy(tmp_path / "policy")
    (tmp_path / "connectors").mkdir()
    (tmp_path / "connectors" / "page.toml").write_text(RECORD, encoding="utf-8")
    told = {(code, subject) for code, subject, _ in found(target)}
    assert told >= {(code, "lunch.Soup") for code in ("roles-unclear", "scope-unclear", "rate-unclear")}
