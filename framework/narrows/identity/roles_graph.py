"""Who holds which role in which domain: the links of the g lines, and what follows from them."""

from collections.abc import Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Final

from narrows.identity.policy_files import Rule, policy_error

LEVELS: Final = 10
"""Casbin follows ten names, the subject's own included; what lies above is silently not held."""

_Links = Mapping[str, tuple[tuple[str, str], ...]]


class RoleGraph:
    """Immutable links name → role in a domain, each with its source."""

    __slots__ = ("_domains", "_links")

    def __init__(self, rules: Iterable[Rule]) -> None:
        """Take g lines of two or three fields; those of two count for the domain ``""``.

        Raises:
            PolicyError: Roles inherit in a circle, or are nested deeper than Casbin follows.
        """
        links: dict[str, dict[str, dict[str, str]]] = {}
        domains: dict[str, dict[str, None]] = {}
        for rule in rules:
            name, role, domain = (*rule.fields, "")[:3]
            links.setdefault(domain, {}).setdefault(name, {}).setdefault(role, rule.source)
            domains.setdefault(name, {})[domain] = None
        self._links: Mapping[str, _Links] = {
            domain: {name: tuple(roles.items()) for name, roles in names.items()} for domain, names in links.items()
        }
        self._domains = {name: tuple(found) for name, found in domains.items()}
        faults = [fault for found in self._links.values() for fault in _faults(found)]
        if faults:
            raise policy_error(faults)

    def held(self, name: str, domain: str) -> dict[str, tuple[str, ...]]:
        """The name itself and every role it holds in the domain, each with the sources of the links that lead there."""
        links = self._links.get(domain, {})
        found: dict[str, tuple[str, ...]] = {name: ()}
        queue = [name]
        for current in queue:
            for role, source in links.get(current, ()):
                if role not in found:
                    found[role] = (*found[current], source)
                    queue.append(role)
        return found

    def domains(self, name: str) -> tuple[str, ...]:
        """Domains in which the name has a link of its own."""
        return self._domains.get(name, ())

    def grantable(self, roles: frozenset[str]) -> frozenset[str]:
        """Roles that a user holds, or would hold who was granted one of `roles`, those included."""
        starts = ((name, domain) for name, found in self._domains.items() for domain in found)
        reached = (self.held(*start) for start in starts if start[0] in roles or start[0].startswith("user:"))
        return frozenset(name for name in roles.union(*reached) if not name.startswith("user:"))


def _faults(links: _Links) -> Iterator[str]:
    """Circles and roles nested too deep."""
    sorter = TopologicalSorter({name: [role for role, _ in roles] for name, roles in links.items()})
    try:
        order = tuple(sorter.static_order())
    except CycleError as error:
        circle: list[str] = error.args[1]
        source = dict(links[circle[1]])[circle[0]]
        yield f"{source}: the role inherits itself; take one link out of the circle"
        return
    heights: dict[str, int] = {}
    for name in order:
        above = [(heights[role], source) for role, source in links.get(name, ())]
        heights[name] = 1 + max((height for height, _ in above), default=0)
        # below every role a call may still put the subject it grants the role to
        if heights[name] > LEVELS - (not name.startswith("user:")):
            source = max(above)[1]
            yield f"{source}: more than {LEVELS - 1} roles nested, and Casbin does not follow the rest; nest fewer"
