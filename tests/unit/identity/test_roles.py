"""Names and decisions on the built-in model: what the comparison with Casbin cannot see."""

import casbin
import pytest
from casbin.persist.adapters.string_adapter import StringAdapter
from hypothesis import example, given
from hypothesis import strategies as st

from narrows.errors import PolicyError
from narrows.identity.policy_files import PolicyText
from narrows.identity.roles import MODEL, Grant, Roles
from narrows.identity.roles_names import (
    domain_name,
    encode,
    is_domain,
    is_encoded,
    is_object,
    is_role,
    is_subject,
    role_name,
    subject_name,
)

ANN = subject_name("corp", "ann")
READ = "where2eat.read"
ANY_TEXT = st.text(st.characters(), max_size=8)


def roles(text: str = "", *declared: tuple[str, str]) -> Roles:
    """Declarations and one policy file."""
    return Roles.build(declared, [PolicyText("teams.csv", text)])


@given(ANY_TEXT)
@example("\ud800")
@example("a.b~c*|:%")
def test_encoded_text_cannot_separate(text: str):
    """No encoded text holds a separator, a wildcard or a dot, surrogates and every script included."""
    assert set(encode(text)) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-%")
    assert is_encoded(encode(text)) == bool(text)


@given(st.tuples(ANY_TEXT, ANY_TEXT), st.tuples(ANY_TEXT, ANY_TEXT))
def test_different_callers_have_different_names(one: tuple[str, str], other: tuple[str, str]):
    """Two (issuer, sub) pairs share a name only if they are the same pair."""
    assert (subject_name(*one) == subject_name(*other)) == (one == other)


@pytest.mark.parametrize("kind", [is_subject, is_role, is_domain, is_object])
def test_forms_take_no_wildcard_and_no_gaps(kind):
    """A wildcard, an empty part, a needless or lower-case escape and bytes that are no text are of no form."""
    start = {is_subject: "user:corp|", is_role: "role:", is_domain: "team:", is_object: "where2eat."}[kind]
    assert kind(start + "a%2Eb")
    for bad in ("", "*", "a b", "a%2eb", "%61", "%ff", "%FF", "%", "a:b", "a|b", '"a"', "ä"):
        assert not kind(start + bad)
    for bad in ("", "*", start.replace(":", "").replace(".", "") + " "):
        assert not kind(bad)


def test_names_are_written_as_the_design_says():
    """Subject, role and domain look as policies must write them."""
    assert subject_name("corp", "ann@example.com") == "user:corp|ann%40example%2Ecom"
    assert role_name("team lead") == "role:team%20lead"
    assert domain_name("team", 7) == domain_name("team", "7") == "team:7"


def test_declared_role_held_by_claim_is_allowed():
    """A role of the declaration, granted in the domain asked for, is enough; the audit reads which and why."""
    decision = roles("", ("member", READ)).decide(ANN, "team:7", READ, [Grant("role:member", "team:7")])
    assert decision.allowed
    assert decision.rule == "role:member in team:7 (claim), allowed by declaration of where2eat.read"


def test_inherited_role_names_every_line():
    """The rule of an inherited role names the lines that lead there, and the source of the grant."""
    text = "g, user:corp|ann, role:lead, team:7\ng, role:lead, role:member, team:7\np, role:member, team:7, *, allow"
    decision = roles(text).decide(ANN, "team:7", READ)
    assert decision.rule == (
        "role:member in team:7 (policy teams.csv:1, policy teams.csv:2), allowed by policy teams.csv:3"
    )
    grant = Grant("role:lead", "team:7", "read People.team")
    decision = roles(text).decide("user:corp|bob", "team:7", READ, [grant])
    assert decision.rule == (
        "role:member in team:7 (read People.team, policy teams.csv:2), allowed by policy teams.csv:3"
    )


def test_policy_for_one_subject_leaves_the_name_out_of_the_rule():
    """A policy that names a person counts, and the rule does not repeat who it is."""
    decision = roles("p, user:corp|ann, *, *, allow").decide(ANN, "team:7", READ)
    assert decision.allowed
    assert decision.rule == "the subject itself in team:7, allowed by policy teams.csv:1"


def test_deny_overrides_every_allow():
    """A deny by any role held, granted or linked, beats all allows."""
    text = "p, role:guest, team:7, where2eat.read, deny\np, user:corp|ann, *, *, allow"
    grants = [Grant("role:member", "team:7"), Grant("role:guest", "team:7")]
    decision = roles(text, ("member", READ)).decide(ANN, "team:7", READ, grants)
    assert not decision.allowed
    assert decision.rule == "role:guest in team:7 (claim), denied by policy teams.csv:1"


def test_nothing_allows_nothing():
    """No declaration, no policy, or an empty policy file: the answer is no, and says so."""
    for nothing in (Roles.build(), roles(""), roles("# only a comment\n\n")):
        decision = nothing.decide(ANN, "team:7", READ, [Grant("role:member", "team:7")])
        assert not decision.allowed
        assert decision.rule == "nothing allows where2eat.read in team:7"


def test_grant_counts_in_its_domain_alone():
    """A role granted in another domain, and one inherited in another domain, grant nothing."""
    both = roles("g, role:lead, role:member, team:8", ("member", READ))
    assert not both.decide(ANN, "team:7", READ, [Grant("role:member", "team:8")]).allowed
    assert not both.decide(ANN, "team:7", READ, [Grant("role:lead", "team:7")]).allowed
    assert both.decide(ANN, "team:8", READ, [Grant("role:lead", "team:8")]).allowed


@pytest.mark.parametrize("sub", ["role:member", "member", "*", "corp|ann", "user:corp|ann", "ann,role:member", "ann\n"])
def test_subject_named_like_something_else(sub: str):
    """A subject named like a role, a wildcard, another user or two fields is only itself."""
    text = "g, user:corp|ann, role:member, team:7"
    strange = subject_name("corp", sub)
    assert not roles(text, ("member", READ)).decide(strange, "team:7", READ).allowed
    assert not roles(text, ("member", READ)).decide(strange, "*", "*").allowed


@pytest.mark.parametrize("subject", ["role:member", "*", "", "corp|ann"])
def test_subject_that_is_not_a_user(subject: str):
    """What is not named as a user is refused before any policy is read."""
    decision = roles("", ("member", READ)).decide(subject, "team:7", READ, [Grant("role:member", "team:7")])
    assert not decision.allowed
    assert decision.rule == "the subject is not a user"


def test_same_sub_from_two_issuers():
    """The same sub of another issuer is another person."""
    both = roles("g, user:corp|ann, role:member, team:7", ("member", READ))
    assert both.decide(ANN, "team:7", READ).allowed
    assert not both.decide(subject_name("guest", "ann"), "team:7", READ).allowed


def test_grant_that_is_not_a_role():
    """A grant that names a user, as a hostile claim could try, grants nothing."""
    both = roles("p, user:corp|ann, *, *, allow", ("member", READ))
    for name in ("user:corp|ann", "member", "*"):
        assert not both.decide("user:corp|eve", "team:7", READ, [Grant(name, "team:7")]).allowed
        assert both.domains_of("user:corp|eve", frozenset({name}), [Grant(name, "team:7")]) == ()


@pytest.mark.parametrize("value", ["7.0", "7e0", "07", "+7", " 7", "%37", "\uff17"])
def test_deny_on_a_domain_is_not_reached_by_another_spelling(value: str):
    """Another spelling of a denied domain's value is another domain, in which nobody holds the role."""
    both = roles("p, role:member, team:7, *, deny", ("member", READ))
    grants = [Grant("role:member", "team:7")]
    assert not both.decide(ANN, "team:7", READ, grants).allowed
    assert not both.decide(ANN, domain_name("team", value), READ, grants).allowed


def chain(length: int) -> str:
    """So many roles nested in one another, the subject below, a policy for the highest."""
    links = [f"g, role:r{i}, role:r{i + 1}, team:7" for i in range(length - 1)]
    return "\n".join(["g, user:corp|ann, role:r0, team:7", *links, f"p, role:r{length - 1}, team:7, *, allow"])


def test_depth_that_casbin_follows():
    """Nine nested roles are held here and in Casbin; a tenth is not held there, so it is refused here."""

    def stock(text: str) -> bool:
        enforcer = casbin.Enforcer(casbin.Enforcer.new_model(text=MODEL), StringAdapter(text))
        return enforcer.enforce(ANN, "team:7", READ)

    assert stock(chain(9))
    assert roles(chain(9)).decide(ANN, "team:7", READ).allowed
    assert not stock(chain(10))
    with pytest.raises(PolicyError, match=r"teams\.csv:2: more than 9 roles nested"):
        roles(chain(10))


def test_depth_counts_the_subject_of_a_grant():
    """Ten nested roles are refused without any user among the links too, as a claim may grant the lowest."""
    with pytest.raises(PolicyError, match="more than 9 roles"):
        roles(chain(10).partition("\n")[2])


def test_many_links_in_one_domain_need_no_recursion():
    """A chain of thousands of roles is refused, not a crash."""
    with pytest.raises(PolicyError, match=r"and \d+ more"):
        roles(chain(5000))


def test_roles_on_two_ways_up_are_held_once():
    """A role reached on two ways is held, and the shortest way is told."""
    text = "g, role:a, role:b, team:7\ng, role:b, role:c, team:7\ng, role:a, role:c, team:7\np, role:c, *, *, allow"
    decision = roles(text).decide(ANN, "team:7", READ, [Grant("role:a", "team:7")])
    assert decision.rule == "role:c in team:7 (claim, policy teams.csv:3), allowed by policy teams.csv:4"


def test_domains_of_links_and_grants():
    """Domains in which a subject holds one of the roles come from links, inheritance and grants, sorted."""
    text = """
        g, user:corp|ann, role:member, team:9
        g, user:corp|ann, role:lead, team:7
        g, role:lead, role:member, team:7
        g, user:corp|ann, role:guest, team:8
        g, user:corp|bob, role:member, team:6
    """
    found = roles(text).domains_of(
        ANN, frozenset({"role:member"}), [Grant("role:member", "team:5"), Grant("role:lead", "team:8")]
    )
    assert found == ("team:5", "team:7", "team:9")


def test_roles_known():
    """Roles that nobody can be given are not known; those that a claim could give bring what they inherit."""
    text = "g, user:corp|ann, role:member, team:7\ng, role:lead, role:host, team:7\np, role:cook, *, *, allow"
    assert roles(text).roles_known() == {"role:member"}
    assert roles(text).roles_known(["role:lead"]) == {"role:member", "role:lead", "role:host"}


@pytest.mark.parametrize("declared", [("", READ), ("member", "*"), ("member", ""), ("member", "where2eat.a b")])
def test_declaration_that_names_nothing(declared: tuple[str, str]):
    """A declared role without a name, or an object that is no endpoint's id, is refused."""
    with pytest.raises(PolicyError, match="declaration of"):
        Roles.build([declared])
