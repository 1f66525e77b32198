"""Names in a schema, and what cannot stand in one: each is refused at the line of the declaration that leads to it."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from narrows.errors import Refusal

_NAME = re.compile(r"(?!__)[_A-Za-z][_0-9A-Za-z]*")
_NO_VALUES = frozenset({"true", "false", "null"})
_RESERVED = frozenset({"Query", "Mutation", "Subscription", "Int", "Float", "String", "Boolean", "ID", "Upload"})


class Place(NamedTuple):
    """Where a type stands: whose declaration leads there, at which `file:line`, and the dotted path within it."""

    subject: str
    where: str
    path: str

    def at(self, name: str) -> Place:
        """The same declaration, at another path."""
        return Place(self.subject, self.where, name)


class Names:
    """The names of the types of one schema, and the reasons why it cannot be made."""

    def __init__(self, reserved: frozenset[str]) -> None:
        self.refusals: list[Refusal] = []
        self._known: dict[str, Any] = dict.fromkeys(_RESERVED | reserved)

    def refuse(self, code: str, place: Place, rule: str, remedy: str) -> None:
        """Put down one reason, once."""
        found = Refusal(code=code, subject=place.subject, where=place.where, rule=rule, remedy=remedy)
        if found not in self.refusals:
            self.refusals.append(found)

    def claim(self, name: str, owner: Any, place: Place) -> None:
        """Give a type its name, which no other may have."""
        self.check(name, place)
        if self._known.setdefault(name, owner) is not owner:
            rule = f"two types are called {name} in GraphQL, or GraphQL itself has one"
            self.refuse("graphql-name-twice", place, rule, f"rename the class that stands at `{place.path}`")

    def check(self, name: str, place: Place) -> None:
        """Refuse a name that GraphQL does not take (GraphQL, 2.1.9 and 4: letters, digits, `_`, no `__` in front)."""
        if not is_name(name):
            rule = f"GraphQL takes no name such as {name!r}, which stands at `{place.path}`"
            self.refuse("graphql-name", place, rule, "use letters, digits and _, and begin with no digit and no __")


def is_name(name: str) -> bool:
    """Whether GraphQL takes a name."""
    return _NAME.fullmatch(name) is not None


def are_values(values: tuple[Any, ...]) -> bool:
    """Whether texts can be the values of an enum."""
    return all(isinstance(value, str) and is_name(value) and value not in _NO_VALUES for value in values)
