"""A team's own model, run by the stock enforcer."""

import logging
import logging.config

import pytest

from narrows.errors import PolicyError
from narrows.identity.policy_files import PolicyText
from narrows.identity.roles import MODEL, Grant
from narrows.identity.roles_stock import StockRoles

ANN = "user:corp|ann"
READ = "where2eat.read"
MEMBER = Grant("role:member", "team:7")


def model(text: str = MODEL, **replaced: str) -> PolicyText:
    """The built-in model with other lines, by their key."""
    lines = text.splitlines()
    for key, value in replaced.items():
        lines = [f"{key} = {value}" if line.startswith(f"{key} =") else line for line in lines]
    return PolicyText("model.conf", "\n".join(lines))


def build(own: PolicyText, text: str = "", *declared: tuple[str, str]) -> StockRoles:
    """A model, one policy file and declarations."""
    return StockRoles.build(own, declared, [PolicyText("teams.csv", text)])


def test_rule_names_the_line():
    """The audit reads which policy allowed or denied."""
    own = build(model(), "p, role:member, team:7, *, allow\np, role:guest, team:7, *, deny", ("cook", READ))
    assert own.decide(ANN, "team:7", READ, [MEMBER]).rule == "own model: allowed by policy teams.csv:1"
    guest = Grant("role:guest", "team:7")
    assert own.decide(ANN, "team:7", READ, [MEMBER, guest]).rule == "own model: denied by policy teams.csv:2"
    cook = Grant("role:cook", "team:7")
    assert own.decide(ANN, "team:7", READ, [cook]).rule == "own model: allowed by declaration of where2eat.read"
    nobody = own.decide(ANN, "team:7", READ)
    assert nobody.rule == "own model: denied by default, as no policy matched where2eat.read in team:7"
    assert not nobody.allowed


def test_grants_are_gone_after_the_call():
    """A grant of one call is not seen by the next, of the same subject or another."""
    own = build(model(), "", ("member", READ))
    assert own.decide(ANN, "team:7", READ, [MEMBER]).allowed
    assert not own.decide(ANN, "team:7", READ).allowed
    assert not own.decide("user:corp|bob", "team:7", READ).allowed


def test_granted_roles_inherit_in_their_domain():
    """A granted role brings what it inherits, in the grant's domain only."""
    own = build(model(), "g, role:lead, role:member, team:7", ("member", READ))
    assert own.decide(ANN, "team:7", READ, [Grant("role:lead", "team:7")]).allowed
    assert not own.decide(ANN, "team:8", READ, [Grant("role:lead", "team:8")]).allowed
    assert not own.decide(ANN, "team:7", READ, [Grant("role:lead", "team:8")]).allowed


def test_subject_that_is_not_a_user_or_holds_no_role():
    """A subject named like a role, and a grant that is not a role, get nothing here either."""
    own = build(model(), "p, user:corp|ann, *, *, allow", ("member", READ))
    assert own.decide("role:member", "team:7", READ).rule == "the subject is not a user"
    assert not own.decide("user:corp|eve", "team:7", READ, [Grant(ANN, "team:7")]).allowed


def test_roles_without_domains():
    """With `g = _, _` links count everywhere; grants still count only in the domain asked for."""
    own = build(
        model(g="_, _", m='g(r.sub, p.sub) && (p.obj == "*" || r.obj == p.obj)'),
        "g, user:corp|ann, role:lead\ng, role:lead, role:member",
        ("member", READ),
    )
    assert own.decide(ANN, "team:8", READ).allowed
    assert own.decide("user:corp|bob", "team:7", READ, [MEMBER]).allowed
    assert not own.decide("user:corp|bob", "team:8", READ, [MEMBER]).allowed
    assert own.domains_of(ANN, frozenset({"role:member"}), [MEMBER]) == ("team:7",)
    assert own.roles_known() == {"role:lead", "role:member"}


def test_second_role_definition_takes_no_grants():
    """Grants are roles of `g`; another definition, such as groups of endpoints, never sees them."""
    own = build(
        model(
            MODEL.replace("g = _, _, _", "g = _, _, _\ng2 = _, _"),
            m="g(r.sub, p.sub, r.dom) && (g2(r.obj, p.obj) || g2(r.sub, p.obj))",
        ),
        "p, role:member, *, where2eat.all, allow\np, role:member, *, role:cook, allow\n"
        "g2, where2eat.read, where2eat.all",
    )
    cook = Grant("role:cook", "team:7")
    assert own.decide(ANN, "team:7", READ, [MEMBER]).allowed
    assert not own.decide(ANN, "team:7", "where2eat.write", [MEMBER, cook]).allowed


def test_model_without_roles():
    """A model may do without role definitions; its policies name subjects."""
    text = MODEL.replace("[role_definition]\ng = _, _, _\n", "")
    own = build(model(text, m="r.sub == p.sub && r.obj == p.obj"), f"p, {ANN}, *, {READ}, allow")
    assert own.decide(ANN, "team:7", READ).allowed
    assert not own.decide("user:corp|bob", "team:7", READ, [MEMBER]).allowed
    assert own.roles_known(["role:member"]) == {"role:member"}


def test_policies_with_fields_of_their_own():
    """Attribute rules run in the stock enforcer; declarations do not fit such policies, so the files say everything."""
    own = build(
        model(p="sub, rule, obj, eft", m="g(r.sub, p.sub, r.dom) && eval(p.rule) && r.obj == p.obj"),
        f"p, role:member, r.dom != 'team:8', {READ}, allow",
        ("member", "where2eat.write"),
    )
    assert own.decide(ANN, "team:7", READ, [MEMBER]).allowed
    assert not own.decide(ANN, "team:8", READ, [Grant("role:member", "team:8")]).allowed
    assert not own.decide(ANN, "team:7", "where2eat.write", [MEMBER]).allowed


def test_no_policies_denies_whatever_the_matcher():
    """With nothing loaded Casbin would ask the matcher with empty fields; the answer here is no."""
    own = build(model(m="r.sub != p.sub"))
    assert own.decide(ANN, "team:7", READ).rule == "own model: no policies"


def test_matcher_error_denies():
    """A matcher that fails for one request denies it and says only the kind of error."""
    own = build(
        model(m="g(r.sub, p.sub, r.dom) && r.dom + 1 == p.dom"), f"p, {ANN}, *, *, allow\ng, {ANN}, role:a, team:7"
    )
    decision = own.decide(ANN, "team:7", READ)
    assert not decision.allowed
    assert decision.rule == "own model: matcher error TypeError"


@pytest.mark.parametrize(
    ("own", "message"),
    [
        (PolicyText("model.conf", ""), "the definition of r, p, e, m is missing"),
        (PolicyText("model.conf", "[request_definition]\nr"), "Casbin cannot read this model"),
        (model(e="most(where (p.eft == allow))"), "Casbin does not load this model"),
        (model(r="sub, obj, act"), "write r = sub, dom, obj"),
        (model(g="_, _, _, _"), "g is neither"),
        (model(g="_, _, (_, _)"), "g is neither"),
        (model(m="g(r.sub, p.sub"), "the matcher fails"),
        (model(m="no_such(r.sub)"), "the matcher fails"),
        (model(e="!some(where (p.eft == deny))"), "allows who and what is named nowhere"),
        (model(m="r.sub != p.sub"), "allows who and what is named nowhere"),
    ],
)
def test_model_that_does_not_load(own: PolicyText, message: str):
    """A model that Casbin cannot load, that Narrows cannot ask, that fails or is open by default is refused by name."""
    with pytest.raises(PolicyError, match=message) as caught:
        build(own, "p, role:member, team:7, *, allow")
    assert str(caught.value).startswith("model.conf: ")


def test_policies_are_checked():
    """Lines and depth are checked for a team's own model too."""
    with pytest.raises(PolicyError, match=r"teams\.csv:1: starts with a type"):
        build(model(), "q, x")
    with pytest.raises(PolicyError, match="more than 9 roles"):
        build(model(), "\n".join(f"g, role:r{i}, role:r{i + 1}, team:7" for i in range(9)))


def test_request_values_are_not_logged(caplog):
    """Casbin's log of denied requests stays silent, also after a later logging configuration enables its loggers."""
    with caplog.at_level(logging.DEBUG):
        own = build(model(), f"g, {ANN}, role:member, team:7", ("member", READ))
        logging.config.dictConfig({"version": 1, "disable_existing_loggers": False})
        logging.getLogger("casbin.enforcer").disabled = False
        assert not own.decide("user:corp|eve", "team:7", READ).allowed
        assert own.decide(ANN, "team:7", READ).allowed
    assert not [record for record in caplog.records if record.name.startswith("casbin")]
