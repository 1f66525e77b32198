from pathlib import Path

import msgspec
import pytest

from narrows.errors import SettingsError
from narrows.settings import Secret, Settings, is_loopback, load_settings, merge, read_settings

GOOD = """
public_url = "https://bff.test"

[issuers.corp]
url = "https://issuer.test"
audience = "lunch-api"

[issuers.corp.client]
id = "lunch-bff"
secret = { env = "CLIENT_SECRET" }

[connectors.copilot]
issuer = "corp"
client_id = "lunch-copilot"
tenant = "example"
kind = "copilot"

[upstreams.people]
url = "https://people.test/v1"
audience = "people-api"

[environments.development]
public_url = "http://127.0.0.1:8000"

[environments.development.limits]
call_s = 60
"""
VARIABLES = {"CLIENT_SECRET": "hidden-secret"}


def good(**over):
    """Tables that hold, with others laid over them."""
    return merge(
        {
            "public_url": "https://bff.test",
            "issuers": {"corp": {"url": "https://issuer.test", "audience": "lunch-api"}},
            "connectors": {
                "copilot": {"issuer": "corp", "client_id": "c1", "tenant": "example", "kind": "copilot"},
            },
            "upstreams": {"people": {"url": "https://people.test", "audience": "people-api"}},
        },
        over,
    )


def write(folder: Path, text: str = GOOD) -> Path:
    """A settings file."""
    file = folder / "narrows.toml"
    file.write_text(text, encoding="utf-8")
    return file


def refused(document=None, path=None, environ=None) -> str:
    """What is said of settings that do not hold."""
    with pytest.raises(SettingsError) as caught:
        load_settings(path, environ or {}) if path else read_settings(document, environ=environ or {})
    return str(caught.value)


def test_a_file_is_read(tmp_path):
    """Tables become typed values; what is left out has its default."""
    settings = load_settings(write(tmp_path), VARIABLES)
    assert settings.environment == "production"
    assert settings.issuers["corp"].client.secret == Secret("hidden-secret")
    assert settings.issuers["corp"].algorithms == ("RS256", "ES256")
    assert settings.connectors["copilot"].state == "draft"
    assert settings.limits.call_s == 15.0
    assert settings.base == str(tmp_path)


@pytest.mark.parametrize(
    ("text", "variables"),
    [
        (GOOD, {"NARROWS_ENVIRONMENT": "development"}),
        ('environment = "development"\n' + GOOD, {}),
        ('environment = "staging"\n' + GOOD, {"NARROWS_ENVIRONMENT": "development"}),
    ],
)
def test_the_section_of_the_environment_is_laid_over(tmp_path, text, variables):
    """The variable chooses before the file does; without either it is production."""
    settings = load_settings(write(tmp_path, text), VARIABLES | variables)
    assert settings.environment == "development"
    assert settings.public_url == "http://127.0.0.1:8000"
    assert settings.limits.call_s == 60.0


def test_an_environment_without_a_section_is_as_the_common_part(tmp_path):
    """A section is not needed."""
    settings = load_settings(write(tmp_path), VARIABLES | {"NARROWS_ENVIRONMENT": "staging"})
    assert (settings.environment, settings.public_url) == ("staging", "https://bff.test")


def test_variables_are_laid_over_the_file(tmp_path):
    """Two underscores lead a level down, and text becomes the type of the key."""
    variables = {
        "NARROWS_PUBLIC_URL": "https://other.test",
        "NARROWS_ISSUERS__CORP__AUDIENCE": "other-api",
        "NARROWS_SERVING__PORT": "9000",
        "NARROWS_SERVING__BEHIND_TLS_PROXY": "true",
        "NARROWS_ISSUERS__CORP__CLIENT__SECRET__ENV": "OTHER_SECRET",
        "OTHER_SECRET": "other-secret",
        "PATH": "is not ours",
    }
    settings = load_settings(write(tmp_path), VARIABLES | variables)
    assert settings.public_url == "https://other.test"
    assert settings.issuers["corp"].audience == "other-api"
    assert (settings.serving.port, settings.serving.behind_tls_proxy) == (9000, True)


def test_without_other_variables_those_of_the_process_count(tmp_path, monkeypatch):
    """The environment of the process is the default."""
    monkeypatch.setenv("CLIENT_SECRET", "from-the-process")
    monkeypatch.setenv("NARROWS_SERVING__PORT", "9001")
    assert load_settings(write(tmp_path)).serving.port == 9001
    assert read_settings(good(stores={"key": {"env": "CLIENT_SECRET"}})).stores.key == Secret("from-the-process")


@pytest.mark.parametrize(
    ("over", "told"),
    [
        ({"alerts": {"webhooks": {"ops": {"url": "x"}}}}, "alerts.webhooks.ops: Object missing required field `keys`."),
        ({"alerts": {"webhooks": 7}}, "alerts.webhooks: Expected `object`, got `int`."),
        ({"alerts": 7}, "alerts: Expected `object`, got `int`."),
        (
            {"limits": {"budget_soft": 80}},
            "limits.budget_soft: Expected `float` <= 1.0. Remedy: write a number of at most",
        ),
    ],
)
def test_what_is_missing_or_too_large_is_told_of_its_own_table(over, told):
    """However deep a table with a name of its own lies, and with the bound that the value must hold."""
    assert told in refused(good(**over))


@pytest.mark.parametrize(
    ("over", "key"),
    [
        ({"publik_url": "x"}, "`publik_url`"),
        ({"issuers": {"corp": {"urll": "x"}}}, "issuers.corp: Object contains unknown field `urll`"),
        ({"upstreams": {"people": {"timeout": 1}}}, "upstreams.people: Object contains unknown field `timeout`"),
        ({"connectors": {"copilot": {"status": "live"}}}, "connectors.copilot: Object contains unknown field `status`"),
        ({"issuers": {"corp": {"client": {"id": "a", "pw": 1}}}}, "issuers.corp.client: Object contains unknown field"),
        ({"limits": {"call": 1}}, "limits: Object contains unknown field `call`"),
        ({"tenants": {"acme": {"budget": []}}}, "tenants.acme: Object contains unknown field `budget`"),
        ({"serving": {"ports": [1]}}, "serving: Object contains unknown field `ports`"),
    ],
)
def test_an_unknown_key_is_refused_by_name(over, key):
    """A typing error never switches a rule off."""
    said = refused(good(**over))
    assert key in said
    assert "Remedy: use one of: " in said


def test_a_table_under_a_wrong_name_is_named_itself():
    """Not only what is missing because of it."""
    said = refused(good(issuer={"corp": {"url": "https://issuer.test"}}, issuers={"corp": {"urll": 1}}))
    assert (
        "Object contains unknown field `issuer`. Remedy: use one of: alerts, audit, connectors, "
        in said.splitlines()[0]
    )
    assert "issuers.corp: " in said.splitlines()[1]


@pytest.mark.parametrize(
    ("over", "remedy"),
    [
        ({"environment": "prod"}, "write one of: development, production, staging"),
        ({"issuers": {"corp": {"algorithms": ["none"]}}}, "write one of: ES256, "),
        ({"issuers": {"corp": {"client": {"id": "a", "pw": 1}}}}, "use one of: id, "),
        ({"issuers": {"corp": {"client": {"id": "a", "secret": "text"}}}}, "write it into a file, keep that out of"),
        ({"issuers": {"corp": {"client": {"id": "a", "secret": {"file": "none"}}}}}, "write the secret into that file"),
        ({"governance": {"approvers": "dana@example.com"}}, 'write a list, as in approvers = ["…"]'),
        ({"limits": {"call_s": 0}}, "write a number above 0.0."),
        ({"limits": {"call_s": []}}, "see docs/reference/settings.md for the keys"),
    ],
)
def test_a_fault_says_what_helps(over, remedy):
    """The names that there are, the form that is meant; nobody has to guess."""
    assert f"Remedy: {remedy}" in refused(good(**over))


def test_every_table_that_does_not_hold_is_named_at_once():
    """Nobody corrects settings one start at a time."""
    said = refused(good(issuers={"corp": {"urll": 1}}, limits={"call_s": 0}, upstreams={"people": {"breaker": 1}}))
    assert [line.split(": ")[1] for line in said.splitlines()] == ["limits.call_s", "issuers.corp", "upstreams.people"]


@pytest.mark.parametrize(
    ("over", "key"),
    [
        ({"environment": "prod"}, "environment: Invalid enum value 'prod'"),
        ({"issuers": {"corp": {"algorithms": ["none"]}}}, "issuers.corp.algorithms[0]: Invalid enum value"),
        ({"issuers": {"corp": {"algorithms": []}}}, "issuers.corp.algorithms: "),
        ({"issuers": {"corp": {"audience": ""}}}, "issuers.corp.audience: "),
        ({"connectors": {"copilot": {"kind": "robot"}}}, "connectors.copilot.kind: Invalid enum value 'robot'"),
        ({"connectors": {"copilot": {"tenant": ""}}}, "connectors.copilot.tenant: "),
        ({"limits": {"call_s": 0}}, "limits.call_s: Expected `float` > 0"),
        ({"limits": {"call_s": float("inf")}}, "limits.call_s: Expected `float` <= 86400"),
        ({"limits": {"call_s": float("nan")}}, "limits.call_s: Expected `float`"),
        ({"limits": {"body_bytes": -1}}, "limits.body_bytes: Expected `int` >= 1"),
        ({"upstreams": {"people": {"answer_bytes": 0}}}, "upstreams.people.answer_bytes: "),
        ({"telemetry": {"sample_ratio": 2}}, "telemetry.sample_ratio: "),
        ({"serving": {"port": 70000}}, "serving.port: Expected `int` <= 65535"),
        ({"issuers": []}, "issuers: Expected `object`, got `array`"),
    ],
)
def test_a_value_out_of_its_bounds_is_refused_by_key(over, key):
    """A limit of nothing, or none at all, is a mistake and not a wish."""
    assert key in refused({**good(), **over} if over == {"issuers": []} else good(**over))


def test_a_key_that_is_missing_is_named():
    """What has no default must be given."""
    assert "missing required field `public_url`" in refused({})
    assert "issuers.corp: Object missing required field `audience`" in refused(
        {"public_url": "https://bff.test", "issuers": {"corp": {"url": "https://issuer.test"}}}
    )


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("environments = 1\n" + GOOD.split("[environments")[0], "`environments` holds a value"),
        (GOOD + "\n[environments]\nstaging = 1\n", "`environments` holds a value"),
        (GOOD + "\n[environments.prod]\npublic_url = 'https://x.test'\n", "environments.prod is no environment"),
        ("a = = 1", "not valid TOML"),
    ],
)
def test_a_file_that_would_be_misread_is_refused(tmp_path, text, rule):
    """A section that nobody can choose is not lost in silence."""
    said = refused(path=write(tmp_path, text), environ=VARIABLES)
    assert rule in said
    assert "narrows.toml" in said
    assert "Remedy:" in said


def test_a_file_that_is_not_there_or_no_file_is_refused(tmp_path):
    """The message says which, and how another is named."""
    assert "there is no such file. Remedy: create it, or name it with --settings" in refused(path=tmp_path / "no.toml")
    assert "cannot be read (Is a directory)" in refused(path=tmp_path)
    (tmp_path / "latin.toml").write_bytes(b'public_url = "\xff"')
    assert "not valid TOML" in refused(path=tmp_path / "latin.toml")


def test_a_variable_that_leads_below_a_value_is_refused(tmp_path):
    """Its name is in the message."""
    said = refused(path=write(tmp_path), environ=VARIABLES | {"NARROWS_PUBLIC_URL__HOST": "x"})
    assert said.startswith("NARROWS_PUBLIC_URL__HOST: `public_url` is a value, not a table")


@pytest.mark.parametrize("variable", ["NARROWS_PUBLIK_URL", "NARROWS_ISSUERS__CORP__URLL", "NARROWS_"])
def test_an_unknown_variable_is_refused(tmp_path, variable):
    """A variable is a key like any other."""
    assert "unknown field" in refused(path=write(tmp_path), environ=VARIABLES | {variable: "x"})


def test_a_secret_does_not_print():
    """Not in its repr, nor in that of the settings around it."""
    settings = read_settings(good(stores={"key": Secret("hidden-secret")}), environ={})
    assert settings.stores.key.reveal() == "hidden-secret"
    assert "hidden-secret" not in f"{settings!r} {settings}"
    assert "Secret(***)" in repr(settings)


def test_secrets_are_equal_by_value():
    """They can be keys, and are equal to no text."""
    assert Secret("a") == Secret("a")
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2
    assert Secret("a") != "a"


def test_a_secret_comes_from_a_file_beside_the_settings(tmp_path):
    """A line break at its end is not part of it."""
    (tmp_path / "key").write_text("in-a-file\n", encoding="utf-8")
    assert read_settings(good(base=str(tmp_path), stores={"key": {"file": "key"}})).stores.key == Secret("in-a-file")


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        ("hidden-secret", "never as text"),
        (7, "never as text"),
        ({"file": "key", "env": "KEY"}, "never as text"),
        ({"text": "hidden-secret"}, "never as text"),
        ({"file": "none"}, "file 'none' cannot be read"),
        ({"file": "binary"}, "file 'binary' cannot be read"),
        ({"file": "empty"}, "'empty' is empty"),
        ({"env": "NOT_SET"}, "variable 'NOT_SET' is not set"),
        ({"env": "EMPTY"}, "'EMPTY' is empty"),
    ],
)
def test_a_secret_that_is_written_out_or_away_is_refused(tmp_path, given, rule):
    """The message names the key, and never the secret."""
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    (tmp_path / "empty").write_bytes(b"\n")
    said = refused(good(base=str(tmp_path), stores={"key": given}), environ={"EMPTY": ""})
    assert "see docs" not in said
    assert rule in said
    assert "stores.key" in said
    assert "hidden-secret" not in said


@pytest.mark.parametrize(
    ("over", "rule"),
    [
        ({"connectors": {"copilot": {"issuer": "corpp"}}}, "connectors.copilot.issuer names 'corpp'"),
        ({"upstreams": {"people": {"issuer": "corpp"}}}, "upstreams.people.issuer names 'corpp'"),
        (
            {"connectors": {"twin": {"issuer": "corp", "client_id": "c1", "tenant": "b", "kind": "copilot"}}},
            "connectors.twin shares (issuer, client_id) with connectors.copilot",
        ),
        (
            {"issuers": {"corp": {"exchange": "entra", "attribution": "authorization_details"}}},
            "issuers.corp.attribution is not part of Entra's dialect",
        ),
    ],
)
def test_what_would_be_lost_or_mean_two_things_is_refused(over, rule):
    """Each with its remedy."""
    said = refused(good(**over))
    assert rule in said
    assert "Remedy:" in said


def test_an_upstream_may_name_its_issuer():
    """A name that is there is no fault."""
    settings = read_settings(good(upstreams={"people": {"issuer": "corp"}}), environ={})
    assert settings.upstreams["people"].issuer == "corp"


@pytest.mark.parametrize("key", ["public_url", "issuers.corp.url", "upstreams.people.url"])
@pytest.mark.parametrize(
    "url",
    [
        "people.test",
        "ftp://people.test",
        "https://",
        "https://user:hidden@people.test",
        "https://people.test/?a=hidden",
        "https://people.test/#hidden",
        "https://people.test:99999",
        "https://[::1",
        "https://people.test/a b",
    ],
)
def test_a_url_that_is_none_or_carries_more_is_refused(key, url):
    """The key is named; the URL, which may hold a password, is not."""
    document = good()
    *tables, last = key.split(".")
    table = document
    for name in tables:
        table = table[name]
    table[last] = url
    said = refused(document)
    assert f"{key} is no plain URL" in said
    assert "hidden" not in said


@pytest.mark.parametrize("url", ["http://localhost:1", "https://127.0.0.1", "http://127.9.9.9/x", "http://[::1]:8000"])
def test_these_are_loopback(url):
    """A name or an address of this machine."""
    assert is_loopback(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1.evil.test",
        "http://127.evil.test",
        "http://localhost.evil.test",
        "http://0.0.0.0",
        "http://10.0.0.1",
        "http://[::]",
        "ftp://localhost",
        "localhost",
        "",
    ],
)
def test_these_are_not(url):
    """A host that only begins like one is another's."""
    assert not is_loopback(url)


@pytest.mark.parametrize(
    ("over", "hosts"),
    [
        ({}, {"bff.test"}),
        ({"public_url": "http://127.0.0.1:8000/base"}, {"127.0.0.1:8000"}),
        ({"hosts": ["A.test", "b.test:8443"]}, {"a.test", "b.test:8443"}),
    ],
)
def test_the_host_of_the_public_url_is_accepted_unless_others_are_named(over, hosts):
    """Hosts are compared in lower case."""
    assert read_settings(good(**over), environ={}).accepted_hosts() == hosts


def test_paths_are_beside_the_settings_file():
    """Whatever folder the process runs in."""
    assert Settings(public_url="https://bff.test", base="/etc/lunch").path("roles.csv") == Path("/etc/lunch/roles.csv")


def test_merging_changes_nothing_that_was_given():
    """Tables are laid over tables, everything else replaces."""
    below = {"a": {"x": 1, "y": [1]}, "b": 1}
    above = {"a": {"y": [2]}, "b": {"z": 1}}
    assert merge(below, above) == {"a": {"x": 1, "y": [2]}, "b": {"z": 1}}
    assert below == {"a": {"x": 1, "y": [1]}, "b": 1}


def test_settings_do_not_change():
    """What was checked at start holds until the end."""
    settings = read_settings(good(), environ={})
    with pytest.raises(AttributeError):
        settings.environment = "development"


@pytest.mark.parametrize(("value", "kept"), [("yes", "yes"), (7, 7), (True, True), (None, None), ("7", "7")])
def test_the_value_of_a_role_claim_keeps_its_type(value, kept):
    """A claim grants by value and type: 7 is not "7", and true is not 1."""
    role = {"claim": "staff", "role": "member", "domain": "bff:lunch", "value": value}
    [read] = read_settings(good(issuers={"corp": {"roles": [role]}}), environ={}).issuers["corp"].roles
    assert (read.value, type(read.value)) == (kept, type(kept))


def test_every_part_refuses_unknown_keys():
    """None was forgotten."""
    from narrows.settings import parts

    tables = [v for v in vars(parts).values() if isinstance(v, type) and issubclass(v, parts.Part)]
    assert len(tables) >= 11
    assert all(table.__struct_config__.forbid_unknown_fields for table in tables)
    assert all(isinstance(table, type(msgspec.Struct)) and table.__struct_config__.frozen for table in tables)


def test_an_environment_reads_a_secret_from_another_place():
    """The place is replaced as a whole: a file in production instead of a variable, and not both at once."""
    common = {"stores": {"key": {"env": "A"}, "rehearsals": "memory:"}}
    assert merge(common, {"stores": {"key": {"file": "key"}}}) == {
        "stores": {"key": {"file": "key"}, "rehearsals": "memory:"}
    }
