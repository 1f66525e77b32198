import pytest

from narrows import Answer, Bff, Id, Upstream, read
from narrows.checks import collisions, policy_refusals, sendables_of, settings_refusals, shape_of
from narrows.checks.paths import form_of_path
from narrows.errors import PolicyError
from narrows.settings import TenantSettings
from tests.flow.minimal import People, Tables, Team, make_bff, make_settings


class Extra(Upstream):
    """Another upstream."""

    @read("/x/{team_id}/y", asks="a")
    def one(self, team_id: Id) -> Answer[Team]: ...

    @read("/x", asks="a")
    def untyped(self, name) -> Answer[Team]: ...


@pytest.mark.parametrize(
    ("text", "where", "rule", "remedy"),
    [
        ("policy roles.csv:3: sub is wrong; write it so", "roles.csv:3", "sub is wrong", "write it so"),
        ("model.conf: a section is missing; add it", "model.conf", "a section is missing", "add it"),
        ("roles.csv: is odd", "roles.csv", "is odd", "correct the files that `policies` and `model` name"),
        ("and 3 more", "narrows.toml", "and 3 more", "correct the files that `policies` and `model` name"),
    ],
)
def test_a_fault_of_a_policy_becomes_a_refusal(text, where, rule, remedy):
    """At its own file and line, with its own remedy, or where the files are named."""
    [refusal] = policy_refusals(PolicyError(text))
    assert (refusal.code, refusal.subject) == ("policy-unloadable", "policies")
    assert (refusal.where, refusal.rule, refusal.remedy) == (where, rule, remedy)


def test_each_line_of_faults_is_one_refusal():
    """Whoever corrects a file sees all of its lines."""
    assert len(list(policy_refusals(PolicyError("policy a.csv:1: x; y\npolicy a.csv:2: x; y")))) == 2


@pytest.mark.parametrize(
    ("path", "codes"),
    [
        ("/x/{team_id}", []),
        ("/x-1/~y/.well-known/{team_id}", []),
        ("/x/{other}/{other}", ["path-form", "path-unused"]),
        ("/x/{other}", ["path-unused"]),
        ("/x/{team_id}/{team_id}", ["path-form"]),
        ("/x/..", ["path-form"]),
    ],
)
def test_the_form_of_a_path_is_judged_once_for_endpoints_and_operations(path, codes):
    """A name that stands twice and is taken by nobody has two faults, each told once."""
    bff = Bff("lunch")
    bff.read(path)(len)
    assert [refusal.code for refusal in form_of_path(bff.endpoints[0], {"team_id"})] == codes


def test_only_sound_operations_are_made_ready():
    """The others are left out, and why is said once each."""
    found = []
    ready = sendables_of([People.team, Extra.one, Extra.untyped], make_settings(), found)
    assert list(ready) == [People.team, Extra.one]
    assert [(refusal.subject, refusal.code) for refusal in found] == [("Extra.untyped", "input-untyped")]


def test_a_sendable_keeps_the_settings_of_its_upstream():
    """The host is fixed at start."""
    [sendable] = sendables_of([Tables.booking], make_settings(), []).values()
    assert (sendable.upstream, sendable.settings.url) == ("tables", "https://tables.test")


def test_upstreams_that_nobody_uses_need_not_be_safe_yet():
    """Settings may be ahead of the declarations."""
    settings = make_settings(upstreams={"extra": {"url": "http://extra.test"}})
    assert list(settings_refusals(settings, {"people", "nowhere"})) == []
    assert [refusal.code for refusal in settings_refusals(settings, {"extra"})] == ["upstream-plain"]


def test_a_sound_endpoint_has_its_shape():
    """And nothing is said of it."""
    found = []
    shape = shape_of(make_bff().endpoints[0], (), found)
    assert (list(shape.parameters), found) == (["team_id", "limit"], [])


def test_endpoints_of_their_own_do_not_collide():
    """Two methods of one path, written alike, are two routes."""
    bff = make_bff()

    @bff.write("/teams/{team_id}")
    async def x(team_id: Id) -> None: ...

    assert list(collisions(bff.endpoints)) == []


@pytest.mark.parametrize(
    ("key", "text", "example"),
    [("budgets", "5 EUR/hour", "50.00 EUR/month"), ("volumes", "5 apples/day", "1 GB/day")],
)
def test_what_is_no_budget_of_a_tenant_is_refused(key, text, example):
    """With the key, and an example of what may stand there."""
    settings = make_settings(tenants={"acme": TenantSettings(**{key: (text,)})})
    [refusal] = settings_refusals(settings, set())
    assert (refusal.code, refusal.subject) == ("budget-unclear", f"tenants.acme.{key}")
    assert text in refusal.rule
    assert refusal.remedy == f'write {key} = ["{example}"]'
