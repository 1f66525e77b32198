"""`narrows promote`: what differs between two environments, and what stands in the way; nothing is changed."""

import json

import pytest
from click.testing import CliRunner

from narrows.cli import main
from tests.unit.cli.lunch import KEY, write_lunch

STAGES = """
[audit]
key = { env = "NOBODY_SETS_THIS" }

[stores]
key = { env = "NOBODY_SETS_THIS" }

[issuers.corp.client]
id = "lunch"
secret = { env = "NOBODY_SETS_THIS" }

[environments.staging]
public_url = "https://staging.test"
hosts = ["staging.test"]
issuers.corp.url = "https://issuer.test"

[environments.production]
public_url = "https://lunch.test"
issuers.corp.url = "https://issuer.test"
issuers.corp.client.secret = { file = "away" }
limits.attempts = "60/minute"
"""


def promote(name, *arguments):
    """Run the command from staging to production."""
    return CliRunner().invoke(main, ["promote", f"{name}:bff", "--from", "staging", "--to", "production", *arguments])


def found(name, *arguments):
    """What it tells a program."""
    result = promote(name, *arguments, "--format", "json")
    return json.loads(result.stdout), result.exit_code


def write_stages(folder, name, **options):
    """A BFF with three environments."""
    settings = write_lunch(folder, name, **options)
    settings.write_text(settings.read_text() + STAGES)
    return settings


def test_settings_that_differ_are_told_key_by_key(tmp_path):
    """What is set in one alone, what is set otherwise; of a secret only that it differs."""
    write_stages(tmp_path, "promote_settings")
    document, code = found("promote_settings")
    assert (code, document["blocked"], document["refusals"]) == (0, False, [])
    assert [(c["key"], c["before"], c["after"], c["secret"]) for c in document["settings"]] == [
        ("hosts", '["staging.test"]', '["lunch"]', False),
        ("issuers.corp.client.secret", "secret", "secret", True),
        ("limits.attempts", None, '"60/minute"', False),
        ("public_url", '"https://staging.test"', '"https://lunch.test"', False),
    ]
    text = promote("promote_settings").stdout
    assert "NOBODY_SETS_THIS" not in text
    assert "  issuers.corp.client.secret: differs (secret)\n" in text
    assert '  limits.attempts: unset → "60/minute"\n' in text
    assert text.startswith("lunch 1.0.0: staging → production\n")
    assert text.endswith("\nNothing stands in the way.\n")


LEAKING = """
[issuers.corp.client]
secret = "swordfish-1"

[[receipts.keys]]
id = "k"
key = "swordfish-2"

[environments.production]
public_url = "https://amina:swordfish-3@lunch.test"
issuers.corp.client.secret = "swordfish-4"
issuers.corp.client.passwort = "swordfish-5"
stores.connectors = "sqlite:production.db"
stores.audit = "sqlite:production-audit.db"
issuers.corp.roles = [{ claim = "groups", role = "cook", domain = "bff:lunch", passwort = "swordfish-9" }]
receipts.keys = [{ id = "k", key = "swordfish-6" }, { id = "l", key = { file = "swordfish-7" } }]
"\\u001b[2J\\n::x" = "swordfish-8"
"""


def test_a_secret_in_the_wrong_place_is_not_shown(tmp_path):
    """Written out, under a wrong name, in a list, within a URL: it differs, and that is all that is told."""
    settings = write_lunch(tmp_path, "promote_leaking")
    settings.write_text(settings.read_text() + LEAKING)
    for form in ("text", "json"):
        result = promote("promote_leaking", "--format", form)
        assert result.exit_code == 1
        assert "swordfish" not in result.output
        assert "\x1b" not in result.output
        assert "sqlite:production.db" in result.output
        assert "cook" in result.output
    assert '"https://…@lunch.test"' in promote("promote_leaking").output


def test_what_the_second_environment_refuses_stands_in_the_way(tmp_path):
    """Exit code 1, with the refusals of `narrows check` there, and of no other environment."""
    settings = write_stages(tmp_path, "promote_refused")
    settings.write_text(settings.read_text().replace('"https://lunch.test"', '"http://lunch.test"'))
    document, code = found("promote_refused")
    assert (code, document["blocked"]) == (1, True)
    assert [refusal["code"] for refusal in document["refusals"]] == ["public-url-plain"]
    assert promote("promote_refused").stdout.endswith("Something stands in the way.\n")


MORE = '''
class Dish(Narrow):
    name: str
    price: int

@bff.read("/dish", roles={"member"}, scope="lunch:read", uses=[], rate="30/minute")
async def dish() -> Dish:
    """%s"""
    return Dish(name="soup", price=1)
'''


def contract(tmp_path, name, more):
    """The contract of a BFF, as a file."""
    write_stages(tmp_path, name, more=more)
    file = tmp_path / f"{name}.json"
    file.write_text(CliRunner().invoke(main, ["openapi", f"{name}:bff"]).stdout)
    return file


def bomb(levels):
    """A document of a few lines that doubles at each level."""
    below = {f"l{n}": {"a": [{"$ref": f"#/l{n + 1}"}] * 2} for n in range(levels)}
    return {"paths": {"/x": {"get": {"$ref": "#/l0"}}}, **below, f"l{levels}": {}}


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (json.dumps(bomb(60)), "an endpoint has more than 1000000 parts"),
        ('{"paths": ' + "[" * 100_000, "it is nested too deep"),
        ('{"paths": {"/x": {"get": ' + "[" * 800 + "]" * 800 + "}}}", "it is nested too deep"),
        ("[]", "it has no `paths`"),
    ],
)
def test_a_baseline_has_bounds(tmp_path, document, said):
    """One that would take hours is refused in words."""
    write_stages(tmp_path, "promote_bomb")
    file = tmp_path / "bomb.json"
    file.write_text(document)
    result = promote("promote_bomb", "--baseline", str(file))
    assert (result.exit_code, said in result.output) == (2, True)


def test_endpoints_are_compared_with_a_baseline(tmp_path):
    """Added, changed and removed ones are told; what clients lose stands in the way, and other words are no change."""
    baseline = contract(tmp_path, "promote_base", MORE % "A dish.")
    write_stages(tmp_path, "promote_words", more=MORE % "One dish, in other words.")
    assert found("promote_words", "--baseline", str(baseline))[0]["endpoints"] == []
    changed = (MORE % "A dish.").replace("price: int", "price: float").replace("price=1", "price=1.0")
    more = changed + (MORE % "x").replace("Dish", "Drink").replace("/dish", "/drink").replace("def dish", "def drink")
    write_stages(tmp_path, "promote_changed", more=more)
    document, code = found("promote_changed", "--baseline", str(baseline))
    assert [(c["change"], c["method"], c["path"]) for c in document["endpoints"]] == [
        ("changed", "GET", "/dish"),
        ("added", "GET", "/drink"),
    ]
    assert code == 0
    write_stages(tmp_path, "promote_lost")
    document, code = found("promote_lost", "--baseline", str(baseline))
    assert (document["endpoints"], code) == (
        [{"change": "removed", "method": "GET", "path": "/dish", "breaking": True}],
        1,
    )
    assert "  - GET /dish (clients lose it)\n" in promote("promote_lost", "--baseline", str(baseline)).stdout


def test_declarations_that_are_refused_are_not_compared(tmp_path):
    """There is no contract of them; the refusals are told instead."""
    baseline = contract(tmp_path, "promote_sound", "")
    write_stages(tmp_path, "promote_unsound", more=(MORE % "x").replace(', rate="30/minute"', ""))
    document, code = found("promote_unsound", "--baseline", str(baseline))
    assert (document["endpoints"], code) == ([], 1)
    assert "The endpoints are not compared: the declarations are refused." in document["notes"]


def test_a_contract_of_circles_is_compared(tmp_path):
    """A type that holds itself, a reference that leads nowhere: both end."""
    baseline = contract(tmp_path, "promote_circle", "")
    document = json.loads(baseline.read_text())
    document["components"]["schemas"]["Lunch"] = {"items": [{"$ref": "#/components/schemas/Lunch"}, {"$ref": "#/no/1"}]}
    document["paths"]["/odd"] = None
    baseline.write_text(json.dumps(document))
    changes = found("promote_circle", "--baseline", str(baseline))[0]["endpoints"]
    assert [(c["change"], c["path"]) for c in changes] == [("changed", "/lunch")]


@pytest.mark.parametrize("text", ["[]", "{}", "no"])
def test_a_baseline_that_is_no_contract_is_refused(tmp_path, text):
    """Exit code 2, as nothing was compared."""
    write_stages(tmp_path, f"promote_bad_{len(text)}")
    (tmp_path / "bad.json").write_text(text)
    result = promote(f"promote_bad_{len(text)}", "--baseline", "bad.json")
    assert (result.exit_code, "is no OpenAPI document" in result.stderr) == (2, True)


def test_one_environment_differs_from_itself_in_nothing(tmp_path):
    """It is a slip, and said so."""
    result = promote("promote_same", "--to", "staging")
    assert (result.exit_code, "Name two" in result.stderr) == (2, True)


RECORD = """
version = "1.0"
issuer = "corp"
client_id = "%s"
tenant = "acme"
owner = "amina@example.com"
contact = "tools@example.com"
kind = "low-code"
purpose = "Book lunch"
template = "read-only@1"
endpoints = ["lunch.lunch"]
scopes = ["lunch:read"]
rates = ["%s"]
"""
REGISTRIES = """
[governance]
approvers = ["dana@example.com"]

[environments.staging.stores]
connectors = "sqlite:staging.db"
audit = "sqlite:staging-audit.db"

[environments.production.stores]
connectors = "sqlite:production.db"
"""


def test_connectors_of_both_registries_are_compared(tmp_path, monkeypatch):
    """Present in one, in another state, with another record; what is the same is not told."""
    monkeypatch.setenv("LUNCH_KEY", KEY)
    monkeypatch.setenv("NOBODY_SETS_THIS", "s")
    settings = write_stages(tmp_path, "promote_registry")
    settings.write_text(
        settings.read_text()
        .replace('{ file = "away" }', '{ env = "LUNCH_KEY" }')
        .replace("NOBODY_SETS_THIS", "LUNCH_KEY")
        + REGISTRIES
    )
    (tmp_path / "connectors").mkdir()

    def apply(environment, **rates):
        monkeypatch.setenv("NARROWS_ENVIRONMENT", environment)
        for file in (tmp_path / "connectors").iterdir():
            file.unlink()
        for name, rate in rates.items():
            (tmp_path / "connectors" / f"{name}.toml").write_text(RECORD % (name, rate))
        done = CliRunner().invoke(main, ["connector", "apply", "promote_registry:bff", "--by", "amina@example.com"])
        assert done.exit_code == 0, done.output

    apply("staging", one="30/minute", same="30/minute", other="30/minute", state="30/minute")
    approve = ["connector", "approve", "promote_registry:bff", "state", "--by", "dana@example.com"]
    assert CliRunner().invoke(main, approve).exit_code == 0
    apply("production", same="30/minute", other="60/minute", state="30/minute", two="30/minute")
    monkeypatch.delenv("NARROWS_ENVIRONMENT")
    document, _ = found("promote_registry", "--registry")
    told = [(c["connector"], c["before"], c["after"], c["record_differs"]) for c in document["connectors"]]
    assert told == [
        ("one", "draft", None, True),
        ("other", "draft", "draft", True),
        ("state", "trial", "draft", False),
        ("two", None, "draft", True),
    ]
    text = promote("promote_registry", "--registry").stdout
    assert "  one: draft → absent\n  other: draft → draft, another record\n  state: trial → draft\n" in text
    assert found("promote_registry")[0]["connectors"] == []
