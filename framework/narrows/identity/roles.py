"""The role decision on the built-in Casbin model, at a cost that does not grow with the number of policies."""

from collections.abc import Iterable, Mapping
from functools import lru_cache, partial
from typing import Final, Protocol

import msgspec

from narrows.errors import PolicyError
from narrows.identity.policy_files import PolicyText, Rule, check_forms, load_model, read_rules
from narrows.identity.roles_graph import RoleGraph
from narrows.identity.roles_names import ANY, is_object, is_role, role_name

MODEL: Final = """\
[request_definition]
r = sub, dom, obj

[policy_definition]
p = sub, dom, obj, eft

[role_definition]
g = _, _, _

[policy_effect]
e = some(where (p.eft == allow)) && !some(where (p.eft == deny))

[matchers]
m = g(r.sub, p.sub, r.dom) && (p.dom == "*" || r.dom == p.dom) && (p.obj == "*" || r.obj == p.obj)
"""

_CACHED: Final = 16_384


class Grant(msgspec.Struct, frozen=True):
    """A role held in one domain for one call, from token claims or a declared read; both names encoded."""

    role: str
    domain: str
    source: str = "claim"


class Decision(msgspec.Struct, frozen=True):
    """Whether the call is allowed, and the rule that decided, for the audit."""

    allowed: bool
    rule: str


class DecidesRoles(Protocol):
    """What the built-in model and a team's own model have in common."""

    def decide(self, subject: str, domain: str, object_: str, grants: Iterable[Grant] = ()) -> Decision:
        """Decide whether the subject may reach the object (an endpoint's id) in the domain."""
        ...

    def domains_of(self, subject: str, roles: frozenset[str], grants: Iterable[Grant] = ()) -> tuple[str, ...]:
        """Domains, sorted, in which the subject holds one of the roles."""
        ...

    def roles_known(self, granted: Iterable[str] = ()) -> frozenset[str]:
        """Roles that somebody can hold, given those that claims and declared reads can grant."""
        ...


class _Match(msgspec.Struct, frozen=True):
    """A policy that applies: its effect, the role it names, the links that lead there, and where it stands."""

    allowed: bool
    name: str
    links: tuple[str, ...]
    source: str


_Table = Mapping[tuple[str, str], Mapping[str, str]]


class Roles:
    """Immutable declarations and policies on the built-in model; equal, decision by decision, to the stock enforcer."""

    __slots__ = ("_decide", "_find", "_graph")

    def __init__(self, graph: RoleGraph, allows: _Table, denies: _Table) -> None:
        self._graph = graph
        self._find = lru_cache(maxsize=_CACHED)(partial(_find, graph, allows, denies))
        # Each field of a document is decided about, often for the same caller in the same domain.
        self._decide = lru_cache(maxsize=_CACHED)(self._decided)

    @classmethod
    def build(cls, declared: Iterable[tuple[str, str]] = (), policies: Iterable[PolicyText] = ()) -> "Roles":
        """Compile what endpoints declare, as (role's plain name, endpoint's id), and Casbin policy files.

        Raises:
            PolicyError: A line that is malformed, of an unknown type, could never match, inherits in a circle or nests
                roles deeper than Casbin follows.
        """
        texts = tuple(policies)
        rules = read_rules(load_model(PolicyText("the built-in model", MODEL)), texts) if texts else []
        check_forms(rules)
        every = [*map(declared_rule, declared), *(rule for rule in rules if rule.ptype == "p")]
        graph = RoleGraph(rule for rule in rules if rule.ptype == "g")
        return cls(graph, _table(every, "allow"), _table(every, "deny"))

    def decide(self, subject: str, domain: str, object_: str, grants: Iterable[Grant] = ()) -> Decision:
        """Decide whether the subject may reach the object in the domain; a deny overrides every allow."""
        if not subject.startswith("user:"):
            return Decision(False, "the subject is not a user")
        names = [(grant.source, grant.role) for grant in roles_granted(grants, domain)]
        return self._decide(subject, domain, object_, ("", subject), *names)

    def _decided(self, subject: str, domain: str, object_: str, *names: tuple[str, str]) -> Decision:
        """The decision for names that the subject goes by, each with where it has it from."""
        found = [(source, self._find(name, domain, object_)) for source, name in names]
        matches = [(source, match) for source, match in found if match is not None]
        if not matches:
            return Decision(False, f"nothing allows {object_} in {domain}")
        source, match = min(matches, key=_denies_first)
        return Decision(match.allowed, _rule_text(source, match, subject, domain))

    def domains_of(self, subject: str, roles: frozenset[str], grants: Iterable[Grant] = ()) -> tuple[str, ...]:
        """Domains, sorted, in which the subject holds one of the roles (encoded names)."""
        return domains_held(self._graph, subject, roles, grants)

    def roles_known(self, granted: Iterable[str] = ()) -> frozenset[str]:
        """Roles (encoded names) that a g line can give to somebody.

        ``granted`` are the roles that claims and declared reads can grant; they count, and what they inherit.
        """
        return self._graph.grantable(frozenset(granted))


def declared_rule(declared: tuple[str, str]) -> Rule:
    """The policy that an endpoint's declaration stands for: the role reaches the endpoint in every domain.

    Raises:
        PolicyError: The role's name is empty or the object is not an endpoint's id.
    """
    role, object_ = role_name(declared[0]), declared[1]
    if not is_role(role) or not is_object(object_):
        raise PolicyError(f"declaration of {object_}: give the role a name and the endpoint an id of encoded parts")
    return Rule("p", (role, ANY, object_, "allow"), f"declaration of {object_}")


def roles_granted(grants: Iterable[Grant], domain: str) -> list[Grant]:
    """Grants that count in the domain; what is not named as a role grants nothing."""
    return [grant for grant in grants if grant.domain == domain and grant.role.startswith("role:")]


def domains_held(graph: RoleGraph, subject: str, roles: frozenset[str], grants: Iterable[Grant]) -> tuple[str, ...]:
    """Domains, sorted, in which the subject holds one of the roles by links or grants."""
    starts = [(subject, domain) for domain in graph.domains(subject) if domain]
    starts += [(grant.role, grant.domain) for grant in grants if grant.role.startswith("role:")]
    return tuple(sorted({domain for name, domain in starts if not roles.isdisjoint(graph.held(name, domain))}))


def _table(rules: Iterable[Rule], effect: str) -> _Table:
    table: dict[tuple[str, str], dict[str, str]] = {}
    for rule in rules:
        name, domain, object_, eft = rule.fields
        if eft == effect:
            table.setdefault((object_, domain), {}).setdefault(name, rule.source)
    return table


def _find(graph: RoleGraph, allows: _Table, denies: _Table, name: str, domain: str, object_: str) -> _Match | None:
    """The policy that decides for one name: a deny if there is one."""
    held = graph.held(name, domain)
    for table in (denies, allows):
        for key in ((object_, domain), (object_, ANY), (ANY, domain), (ANY, ANY)):
            named = table.get(key, {})
            # the shorter side is walked, so that neither many roles nor many policies cost alone
            for role in held if len(held) < len(named) else named:
                if role in held and role in named:
                    return _Match(table is allows, role, held[role], named[role])
    return None


def _denies_first(found: tuple[str, _Match]) -> bool:
    return found[1].allowed


def _rule_text(source: str, match: _Match, subject: str, domain: str) -> str:
    who = "the subject itself" if match.name == subject else match.name
    links = ", ".join(filter(None, (source, *match.links)))
    held = f"{who} in {domain}" + (f" ({links})" if links else "")
    return f"{held}, {'allowed' if match.allowed else 'denied'} by {match.source}"
