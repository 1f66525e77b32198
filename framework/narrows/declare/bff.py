"""The BFF: one deployable set of endpoints for one micro-app, and the decorators that declare them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any, Literal, TypedDict, TypeVar, Unpack

import msgspec

from narrows.declare.commit import Commit
from narrows.declare.document import Declared, Graphql, Join
from narrows.declare.endpoint import Endpoint, Predicate, Uses
from narrows.declare.upstream import Operation, place_of
from narrows.errors import Problem

F = TypeVar("F", bound=Callable[..., Any])

Exposure = Literal["internal", "partner", "public"]
Sensitivity = Literal["public", "internal", "personal", "secret"]
Importance = Literal["low", "medium", "high"]


class Guards(TypedDict, total=False):
    """What an endpoint says of itself; `roles`, `scope`, `uses` and `rate` are refused at start when left out.

    - `roles`: the caller needs one of them, `within` a domain such as `team:{team_id}`;
    - `given`: operations that are read first, by parameter name;
    - `inside`: for an id, the read and the field of its answer that prove it belongs to the bound object;
    - `unbound`: for an id that needs no proof, the reason;
    - `when`: predicates over caller, arguments and `now`;
    - `roles_from`: a read that answers the roles of the caller in the domain;
    - `scope`: what the token must hold;
    - `uses`: every operation that the handler may send, once each unless `.times(n)`;
    - `rate`: `30/minute` (per caller, or `… per connector`, `… per tenant`), or several;
    - `problems`: the problems that the handler itself answers with;
    - `for_services`: whether a service may call without a person;
    - `slo`: what its live calls are held to over 28 days, `99.9%` or `99.5% under 300ms`;
    - `deprecated`: the day (`2027-01-01`, UTC) from which it should not be used any more, `sunset` that from which it
      may be gone: every answer tells both;
    - `holes`: what is not decided yet: with one left, nothing starts;
    - `commit`: how a live write may come at the least: `open`, `receipt` or `confirmed`.
    """

    roles: AbstractSet[str]
    within: str
    given: Mapping[str, Operation[..., Any]]
    inside: Mapping[str, tuple[Operation[..., Any], str]]
    unbound: Mapping[str, str]
    when: Sequence[Predicate]
    roles_from: Operation[..., Any]
    scope: str
    uses: Uses
    rate: str | Sequence[str]
    problems: Sequence[type[Problem]]
    for_services: bool
    commit: Commit
    slo: str
    deprecated: str
    sunset: str
    holes: Sequence[str]


class Bff:
    """A BFF: its facts and its endpoints.

    The facts are for the people who answer for it; one that is left out is refused at start. `review_by` is a date
    (ISO 8601), `page` a folder beside the declaring file whose files are served as the micro-app's page.
    """

    def __init__(
        self,
        name: str,
        *,
        version: str | None = None,
        owner: str | None = None,
        purpose: str | None = None,
        exposure: Exposure | None = None,
        sensitivity: Sensitivity | None = None,
        importance: Importance | None = None,
        review_by: str | None = None,
        page: str | None = None,
    ) -> None:
        self.name = name
        self.version = version
        self.owner = owner
        self.purpose = purpose
        self.exposure = exposure
        self.sensitivity = sensitivity
        self.importance = importance
        self.review_by = review_by
        frame = sys._getframe(1)
        self.where = f"{frame.f_code.co_filename}:{frame.f_lineno}"
        self.folder = Path(frame.f_code.co_filename).parent
        self.page = self.folder / page if page else None
        self.endpoints: list[Endpoint] = []
        self.graphql_surface: Graphql | None = None
        self.documents: list[Declared] = []
        self.joins: list[Join] = []
        self.compiled: tuple[Endpoint, ...] = ()

    @property
    def every(self) -> list[Endpoint]:
        """Its endpoints, and its documents: those as endpoints too, once they were made so (`documents_of`)."""
        return [*self.endpoints, *self.compiled]

    def read(self, path: str, **guards: Unpack[Guards]) -> Callable[[F], F]:
        """Declare an endpoint without effects, answered to `GET path`. See `Guards`."""
        return self._declare("read", "GET", path, 200, guards)

    def write(
        self,
        path: str,
        *,
        method: Literal["POST", "PUT", "PATCH", "DELETE"] = "POST",
        status: Literal[200, 201, 202] = 200,
        **guards: Unpack[Guards],
    ) -> Callable[[F], F]:
        """Declare an endpoint that may have effects; `status` is that of its success. See `Guards`."""
        return self._declare("write", method, path, status, guards)

    def graphql(
        self,
        fields: Mapping[type[msgspec.Struct], type[Any]] | None = None,
        *,
        queries: str = "queries",
        depth: int = 8,
        aliases: int = 15,
        tokens: int = 1000,
        ceiling: str | None = None,
    ) -> None:
        """Answer GraphQL, of documents that were registered ahead and of nothing else.

        `fields` are classes of Strawberry fields that are added to the types of this BFF; `queries` is the folder of
        the documents beside the declaring file. A document may be nested `depth` deep, rename `aliases` fields, be
        `tokens` long and cost `ceiling` (`0.50 EUR`; None: nothing) at the most.
        """
        self.graphql_surface = Graphql(
            where=_caller(),
            fields=dict(fields or {}),
            queries=self.folder / queries,
            depth=depth,
            aliases=aliases,
            tokens=tokens,
            ceiling=ceiling,
            before=self.graphql_surface.where if self.graphql_surface is not None else None,
        )

    def document(self, name: str, *, ids: Sequence[str] = (), **guards: Unpack[Guards]) -> None:
        """Declare the document `queries/<name>.graphql` as an endpoint. See `Guards`; `uses` follows from it.

        `ids` are names under which programs know it already, such as those that Relay gave it; its hash needs none.
        """
        self.documents.append(Declared(name=name, where=_caller(), guards=_frozen(guards), ids=_freeze(ids)))

    def join(self, on: type[msgspec.Struct], *, uses: Uses | None = None) -> Callable[[F], F]:
        """Add a field to a type in GraphQL: the function takes all parents in a list, and answers a value for each.

        `uses` names every read that it may send, once each for each place in a document unless `.times(n)`. Further
        parameters are arguments of the field, and no object ids.
        """

        def keep(function: F) -> F:
            sends = None if uses is None else tuple(uses)
            self.joins.append(
                Join(on=on, name=function.__name__, function=function, where=place_of(function), uses=sends)
            )
            return function

        return keep

    def _declare(
        self, kind: Literal["read", "write"], method: str, path: str, status: int, guards: Guards
    ) -> Callable[[F], F]:
        """Keep the declaration as one frozen value."""

        def keep(function: F) -> F:
            self.endpoints.append(
                Endpoint(
                    id=f"{self.name}.{function.__name__}",
                    bff=self.name,
                    kind=kind,
                    method=method,
                    path=path,
                    function=function,
                    where=place_of(function),
                    status=status,
                    **_frozen(guards),
                )
            )
            return function

        return keep

    def __repr__(self) -> str:
        return f"Bff({self.name!r}, {len(self.endpoints)} endpoints)"


def _caller() -> str:
    """Where the declaration stands that is being made: `file:line`."""
    frame = sys._getframe(2)
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


def _frozen(guards: Guards) -> dict[str, Any]:
    """The guards as an `Endpoint` keeps them.

    What was left out stays left out, what is not of its kind stays as it is, and a name that is no guard is kept apart:
    the start refuses them all, with their place.
    """
    known = Guards.__optional_keys__
    kept: dict[str, Any] = {name: _freeze(value) for name, value in guards.items() if name in known}
    if "rate" in kept:
        rate = kept.pop("rate")
        kept["rates"] = (rate,) if isinstance(rate, str) else rate
    return {**kept, "unknown": tuple(name for name in guards if name not in known)}


def _freeze(value: Any) -> Any:
    """A set, list or mapping as one that nobody changes later."""
    match value:
        case AbstractSet():
            return frozenset(value)
        case list():
            return tuple(value)
        case Mapping():
            return dict(value)
    return value
