"""Surroundings that are not safe do not start: plain HTTP off loopback, development issuers elsewhere, policies."""

from pathlib import Path
from typing import Any

import pytest

from narrows import Id
from narrows.errors import SettingsError, StartRefused
from narrows.identity import Identity
from narrows.settings import Secret, read_settings
from narrows.surfaces.http import Application
from narrows.testing import Network, running
from tests.flow.minimal import Team, make_bff, make_settings, refusals, start, without

LOOPBACK: dict[str, Any] = {"issuers": {"corp": {"url": "http://127.0.0.1:9000"}}}
PROGRAM = {"issuer": "corp", "client_id": "c", "tenant": "example", "kind": "copilot", "state": "live"}
TLS = {"tls_certificate": "cert.pem", "tls_key": "key.pem"}


@pytest.mark.parametrize(
    ("over", "code", "subject"),
    [
        ({"upstreams": {"people": {"url": "http://people.test"}}}, "upstream-plain", "upstreams.people.url"),
        ({"upstreams": {"people": {"url": "http://127.0.0.1.evil.test"}}}, "upstream-plain", "upstreams.people.url"),
        ({"upstreams": {"people": {"audience": None}}}, "upstream-audience", "upstreams.people"),
        ({"upstreams": {"people": {"identity": "service"}}}, "upstream-issuer", "upstreams.people"),
        (LOOPBACK, "issuer-loopback", "issuers.corp.url"),
        ({**LOOPBACK, "environment": "staging"}, "issuer-loopback", "issuers.corp.url"),
        ({"serving": {"host": "0.0.0.0"}}, "serving-plain", "serving.host"),
        ({"serving": {"host": "::"}}, "serving-plain", "serving.host"),
        ({"serving": {"host": "lunch.test"}}, "serving-plain", "serving.host"),
        ({"serving": {"host": "0.0.0.0", "tls_certificate": "cert.pem"}}, "serving-plain", "serving.host"),
        (
            {"alerts": {"webhooks": {"ops": {"url": "http://ops.test", "keys": [Secret("hidden")]}}}},
            "webhook-plain",
            "alerts.webhooks.ops.url",
        ),
        ({"public_url": "http://bff.test"}, "public-url-plain", "public_url"),
        ({"public_url": "https://lunch.invalid"}, "placeholder-left", "public_url"),
        ({"issuers": {"corp": {"url": "https://INVALID"}}}, "placeholder-left", "issuers.corp.url"),
        ({"upstreams": {"people": {"url": "https://people.invalid/x"}}}, "placeholder-left", "upstreams.people.url"),
        ({"connectors": {"app": PROGRAM}}, "connector-unregistered", "connectors.app"),
        ({"connectors": {"app": PROGRAM}, "environment": "staging"}, "connector-unregistered", "connectors.app"),
        ({"limits": {"attempts": "many"}}, "rate-unclear", "limits.attempts"),
        ({"limits": {"unverified": "60/week"}}, "rate-unclear", "limits.unverified"),
        ({"tenants": {"example": {"rates": ["5/day", "many"]}}}, "rate-unclear", "tenants.example.rates[1]"),
        ({"tenants": {"example": {"rates": ["5/day per caller"]}}}, "rate-unclear", "tenants.example.rates[0]"),
    ],
)
def test_what_is_not_safe_around_is_refused(over: dict[str, Any], code: str, subject: str) -> None:
    """The key, the environment and the remedy are named."""
    found = refusals(make_bff(), **over)
    assert {(refusal.code, refusal.subject) for refusal in found} == {(code, subject)}
    environment = over.get("environment", "production")
    assert {refusal.where for refusal in found} == {f"narrows.toml ({environment})"}
    assert all(refusal.rule and refusal.remedy for refusal in found)


@pytest.mark.parametrize(
    "over",
    [
        {**LOOPBACK, "environment": "development"},
        {"serving": {"host": "0.0.0.0", **TLS}},
        {"serving": {"host": "0.0.0.0", "behind_tls_proxy": True}},
        {"serving": {"host": "::1"}},
        {"tenants": {"example": {"rates": ["5/day", "9 concurrent per tenant"]}}},
        {"serving": {"host": "localhost"}},
        {"upstreams": {"people": {"url": "http://localhost:8001"}}},
        {"upstreams": {"unused": {"url": "http://unused.test"}}},
        {"upstreams": {"unused": {"url": "https://unused.invalid"}}},
        {"public_url": "https://lunch.invalid", "environment": "development"},
        {"public_url": "https://invalid.test"},
        {"public_url": "http://127.0.0.1:8000"},
    ],
)
def test_what_is_safe_around_starts(over: dict[str, Any]) -> None:
    """TLS or its proxy, loopback, development, and upstreams that nobody uses."""
    assert start(make_bff(), **over)


def test_without_an_issuer_nobody_could_call() -> None:
    """It is refused, with what follows from it."""
    settings = {"issuers": {"corp": {"roles": []}}}
    assert {refusal.code for refusal in refusals(make_bff(), **settings)} == {"role-ungrantable"}
    with pytest.raises(StartRefused) as caught:
        Application(make_bff(), read_settings({"public_url": "https://bff.test"}, environ={}))
    codes = [refusal.code for refusal in caught.value.refusals]
    assert "issuer-missing" in codes
    assert "upstream-missing" in codes


@pytest.mark.parametrize("domain", ["team", "team:", "team:{valu}", "{value}", "{value}:x", "team:{value}{value}"])
def test_a_claim_that_grants_nowhere_is_refused(domain: str) -> None:
    """A role in no domain is held by nobody, whatever the token says."""
    roles = [{"claim": "teams", "role": "member", "domain": domain}]
    [refusal] = refusals(make_bff(), issuers={"corp": {"roles": roles}})
    assert (refusal.code, refusal.subject) == ("domain-unclear", "issuers.corp.roles[0].domain")


@pytest.mark.parametrize("domain", ["team:{value}", "bff:lunch", "team:de-{value}", "team:{value}.at"])
def test_a_claim_that_grants_somewhere_starts(domain: str) -> None:
    """In the domain of its value, or in one that is fixed."""
    assert start(make_bff(), issuers={"corp": {"roles": [{"claim": "teams", "role": "member", "domain": domain}]}})


NESTED = "\n".join(f"g, role:r{n}, role:r{n + 1}, team:7" for n in range(12))


@pytest.mark.parametrize(
    ("files", "where", "rule"),
    [
        ({"roles.csv": "g, user:corp|anna, role:member, team:7\nx, y"}, "roles.csv:2", "type"),
        ({"roles.csv": "g, anna, role:member, team:7"}, "roles.csv:1", "form"),
        ({"roles.csv": "g, role:a, role:b, team:7\ng, role:b, role:a, team:7"}, "roles.csv:", "inherits itself"),
        ({"roles.csv": NESTED}, "roles.csv:", "nested"),
        ({}, "roles.csv", "cannot be read"),
        ({"roles.csv": "", "model.conf": "[matchers]\nm = r.sub == p.sub"}, "model.conf", "missing"),
        ({"roles.csv": "", "model.conf": "no model"}, "model.conf", "Casbin cannot read this model"),
    ],
)
def test_a_model_or_policy_that_does_not_load_is_refused(
    tmp_path: Path, files: dict[str, str], where: str, rule: str
) -> None:
    """At its own file and line; what only follows from it, a role that nobody grants then, is not told as well."""
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    over = {"policies": ["roles.csv"], "model": "model.conf" if "model.conf" in files else None, "base": str(tmp_path)}
    bff = make_bff()

    @bff.read("/x/{team_id}", **without("roles", roles={"steward"}))
    async def x(team_id: Id) -> Team: ...

    found = refusals(bff, **over)
    assert {refusal.code for refusal in found} == {"policy-unloadable"}
    assert all(refusal.where.startswith(where) and refusal.remedy for refusal in found)
    assert any(rule in refusal.rule for refusal in found)


def test_every_fault_of_a_policy_is_a_refusal_of_its_own(tmp_path: Path) -> None:
    """With the line that it is about; what is too much is counted."""
    (tmp_path / "roles.csv").write_text("x, y\n" * 22, encoding="utf-8")
    found = refusals(make_bff(), policies=["roles.csv"], base=str(tmp_path))
    assert [refusal.where for refusal in found[:20]] == [f"roles.csv:{line}" for line in range(1, 21)]
    assert [(refusal.where, refusal.rule) for refusal in found[20:]] == [("narrows.toml", "and 2 more")]


def test_a_policy_can_grant_a_role(tmp_path: Path) -> None:
    """A role that a g line gives to somebody is no mistake."""
    (tmp_path / "roles.csv").write_text("g, user:corp|anna, role:steward, team:7\n", encoding="utf-8")
    bff = make_bff()

    @bff.read("/x/{team_id}", **without("roles", roles={"steward"}))
    async def x(team_id: Id) -> Team: ...

    assert start(bff, policies=["roles.csv"], base=str(tmp_path))


async def test_two_issuers_with_one_url_are_refused() -> None:
    """A token must have one issuer; it is found when the issuers are looked up."""
    twin = make_settings().issuers["corp"]
    settings = make_settings(issuers={"twin": {"url": twin.url, "audience": twin.audience}})
    identity = Identity(settings, dial=Network({}).dial)
    with pytest.raises(StartRefused) as caught:
        await identity.start()
    assert "issuer-twice" in [refusal.code for refusal in caught.value.refusals]


async def test_a_refused_start_is_told_to_the_server() -> None:
    """What is found only by looking up the issuers ends the lifespan, with the reason."""
    client = {"id": "lunch-bff", "secret": Secret("hidden")}
    over = {"issuers": {"twin": {"url": "https://issuer.test", "audience": "lunch-api", "client": client}}}
    with pytest.raises(RuntimeError, match="issuer-twice"):
        async with running(start(make_bff(), **over)):
            raise AssertionError("it must not start")


def test_a_connector_of_an_unknown_issuer_is_refused() -> None:
    """Already by the settings."""
    table = {"issuer": "other", "client_id": "c", "tenant": "example", "kind": "copilot"}
    with pytest.raises(SettingsError, match=r"connectors\.copilot\.issuer names 'other'"):
        make_settings(connectors={"copilot": table})


def test_an_environment_that_is_unknown_is_refused() -> None:
    """Nobody knows which rules would hold in it."""
    with pytest.raises(SettingsError, match="environment: Invalid enum value 'prod'"):
        make_settings(environment="prod")
