"""A team's own ``model.conf``, run by the stock pycasbin enforcer; its cost grows with the number of policies."""

import logging
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final

import casbin
from casbin.util.log import disabled_logging

from narrows.errors import PolicyError
from narrows.identity.policy_files import PolicyText, Rule, field_names, load_model, read_rules
from narrows.identity.roles import Decision, Grant, declared_rule, domains_held, roles_granted
from narrows.identity.roles_graph import RoleGraph

_REQUEST: Final = ["r_sub", "r_dom", "r_obj"]
_DECLARED: Final = ("sub", "dom", "obj", "eft")
_CACHED: Final = 1_024
_NOBODY: Final = ("user:narrows|nobody", "narrows:nowhere", "narrows.nothing")


class _Asking(str):
    """The subject of one call, with the roles granted for it.

    Grants travel inside the request, so the shared enforcer is never changed and no call can see another's.
    """

    __slots__ = ("domain", "grants")
    domain: str
    grants: tuple[Grant, ...]


class _Held:
    """Casbin's role manager for one role definition, over immutable links."""

    def __init__(self, graph: RoleGraph, takes_grants: bool) -> None:
        self._takes_grants = takes_grants
        # Casbin asks once per policy
        self._held = lru_cache(maxsize=_CACHED)(graph.held)

    def has_link(self, name: str, role: str, domain: str = "") -> bool:
        """Tell whether the name is or holds the role in the domain, or in none for a definition without domains."""
        if role in self._held(str(name), domain):
            return True
        if not self._takes_grants or not isinstance(name, _Asking):
            return False
        # a definition without domains takes the grants of the domain asked for, or they would count everywhere
        granted = roles_granted(name.grants, domain or name.domain)
        return any(role in self._held(grant.role, domain) for grant in granted)


class StockRoles:
    """Declarations and policies on a model of the team's own."""

    __slots__ = ("_enforcer", "_graph", "_sources")

    def __init__(self, enforcer: Any, graph: RoleGraph, sources: dict[tuple[str, ...], str]) -> None:
        self._enforcer = enforcer
        self._graph = graph
        self._sources = sources

    @classmethod
    def build(
        cls, model: PolicyText, declared: Iterable[tuple[str, str]] = (), policies: Iterable[PolicyText] = ()
    ) -> "StockRoles":
        """Load a model that takes the request ``r = sub, dom, obj``, what endpoints declare, and policy files.

        What endpoints declare becomes ``p`` lines with the domain ``*`` if the model's p has no other fields than sub,
        dom, obj and eft; with other fields, the policy files must say everything.

        Raises:
            PolicyError: The model or a policy does not load, its matcher fails, or it allows who is named nowhere.
        """
        disabled_logging()  # else Casbin writes every policy to the log while it loads
        loaded = load_model(model)
        _check_model(model.name, loaded)
        rules = read_rules(loaded, policies)
        every = [*_declared_rules(loaded, declared), *rules]
        graphs = {ptype: RoleGraph(r for r in rules if r.ptype == ptype) for ptype in loaded["g"] or {}}
        enforcer = _enforcer(model.name, loaded, every, graphs)
        sources = {rule.fields: rule.source for rule in reversed(every) if rule.ptype == "p"}
        stock = cls(enforcer, graphs.get("g", RoleGraph(())), sources)
        _try_out(model.name, enforcer)
        return stock

    def decide(self, subject: str, domain: str, object_: str, grants: Iterable[Grant] = ()) -> Decision:
        """Decide by the team's own model; without policies, and if the matcher fails, the answer is no."""
        if not subject.startswith("user:"):
            return Decision(False, "the subject is not a user")
        if not self._sources:
            # Casbin asks the matcher with empty fields, which `!=` would answer with yes
            return Decision(False, "own model: no policies")
        asking = _Asking(subject)
        asking.domain, asking.grants = domain, tuple(grants)
        try:
            allowed, fields = self._enforcer.enforce_ex(asking, domain, object_)
        except Exception as error:  # whatever a matcher raises, the answer is no
            return Decision(False, f"own model: matcher error {type(error).__name__}")
        verdict = "allowed" if allowed else "denied"
        source = self._sources.get(tuple(fields), f"default, as no policy matched {object_} in {domain}")
        return Decision(allowed, f"own model: {verdict} by {source}")

    def domains_of(self, subject: str, roles: frozenset[str], grants: Iterable[Grant] = ()) -> tuple[str, ...]:
        """Domains, sorted, in which the subject holds one of the roles; ``g`` without domains adds none."""
        return domains_held(self._graph, subject, roles, grants)

    def roles_known(self, granted: Iterable[str] = ()) -> frozenset[str]:
        """Roles that ``g`` lines can give to somebody, given those that claims and declared reads can grant."""
        return self._graph.grantable(frozenset(granted))


def _check_model(name: str, model: Any) -> None:
    if model["r"]["r"].tokens != _REQUEST:
        raise PolicyError(f"{name}: the request is not what Narrows asks; write r = sub, dom, obj")
    for ptype, definition in (model["g"] or {}).items():
        if definition.params_tokens or definition.value.count("_") not in (2, 3):
            raise PolicyError(f"{name}: {ptype} is neither `_, _` nor `_, _, _`; conditions cannot be given in a file")


def _declared_rules(model: Any, declared: Iterable[tuple[str, str]]) -> list[Rule]:
    fields = field_names(model, "p")
    rules = [declared_rule(one) for one in declared]
    if not {"sub", "obj"} <= set(fields) <= set(_DECLARED):
        return []
    named = [(dict(zip(_DECLARED, rule.fields, strict=True)), rule.source) for rule in rules]
    return [Rule("p", tuple(values[field] for field in fields), source) for values, source in named]


def _enforcer(name: str, model: Any, rules: Iterable[Rule], graphs: dict[str, RoleGraph]) -> Any:
    model.clear_policy()
    for rule in rules:
        model[rule.ptype[0]][rule.ptype].policy.append(list(rule.fields))
    try:
        enforcer = casbin.Enforcer(model)
        model.sort_policies_by_subject_hierarchy()
        model.sort_policies_by_priority()
    except Exception as error:  # casbin raises whatever its reader stumbles on
        raise PolicyError(f"{name}: Casbin does not load this model ({error}); correct it") from error
    for ptype, graph in graphs.items():
        model["g"][ptype].rm = _Held(graph, takes_grants=ptype == "g")
    enforcer.logger = _silent_logger()
    return enforcer


def _silent_logger() -> logging.Logger:
    """A logger outside logging's registry, which a later logging configuration cannot switch on again.

    Casbin writes every denied request, with its values, at WARNING.
    """
    logger = logging.Logger("narrows.casbin")
    logger.disabled = True
    return logger


def _try_out(name: str, enforcer: Any) -> None:
    if not enforcer.model["p"]["p"].policy:
        return
    try:
        allowed = enforcer.enforce(*_NOBODY)
    except Exception as error:  # whatever a matcher raises, it would raise for callers too
        raise PolicyError(f"{name}: the matcher fails ({type(error).__name__}: {error}); correct it") from error
    if allowed:
        raise PolicyError(f"{name}: allows who and what is named nowhere; let the effect need an allow")
