"""An endpoint as a team declares it: a frozen value; what is missing is refused at start, not here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import msgspec

from narrows.declare.commit import Commit
from narrows.declare.document import Document
from narrows.declare.upstream import Operation, Times
from narrows.errors import Problem

Kind = Literal["read", "write"]
Uses = Sequence[Operation[..., Any] | Times]
Predicate = Callable[..., bool]


class Endpoint(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One narrow thing that a client can ask of a BFF.

    `public` (with its reason) and `owned` stand only on Narrows' own endpoints: no credentials, or no role beyond being
    the authenticated owner of what is asked for. An owned one with `session` takes a browser's session, and no token,
    for its credentials. `document` stands on those that a GraphQL document declares. `unknown` keeps names that are no
    guard, for the start to refuse.
    """

    id: str
    bff: str
    kind: Kind
    method: str
    path: str
    function: Callable[..., Any]
    where: str
    status: int
    roles: frozenset[str] | None = None
    within: str | None = None
    given: Mapping[str, Operation[..., Any]] = {}
    inside: Mapping[str, tuple[Operation[..., Any], str]] = {}
    unbound: Mapping[str, str] = {}
    when: tuple[Predicate, ...] = ()
    roles_from: Operation[..., Any] | None = None
    scope: str | None = None
    uses: tuple[Operation[..., Any] | Times, ...] | None = None
    rates: tuple[str, ...] | None = None
    problems: tuple[type[Problem], ...] = ()
    for_services: bool = False
    commit: Commit = "open"
    slo: str | None = None
    deprecated: str | None = None
    sunset: str | None = None
    holes: tuple[str, ...] = ()
    public: str | None = None
    owned: bool = False
    session: bool = False
    document: Document | None = None
    unknown: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """The first line of the docstring."""
        return (self.function.__doc__ or "").strip().partition("\n")[0]

    @property
    def description(self) -> str:
        """The whole docstring, indentation folded."""
        return "\n".join(line.strip() for line in (self.function.__doc__ or "").strip().splitlines())

    @property
    def builtin(self) -> bool:
        """Whether this is one of Narrows' own endpoints."""
        return self.owned or self.public is not None

    @property
    def ad_hoc(self) -> bool:
        """Whether this is text that was not registered, whose fields alone have guards."""
        return self.document is not None and self.document.ad_hoc

    def __repr__(self) -> str:
        return f"<{self.kind} {self.id}: {self.method} {self.path}>"


def counts(uses: Uses) -> dict[Operation[..., Any], int]:
    """How often each operation of `uses` may run in one call."""
    allowed: dict[Operation[..., Any], int] = {}
    for use in uses:
        operation, count = (use.operation, use.count) if isinstance(use, Times) else (use, 1)
        allowed[operation] = allowed.get(operation, 0) + count
    return allowed
