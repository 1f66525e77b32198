"""Callers by objects by endpoints: who may do what, worked out from the declarations, so that it grows with them.

A team says which objects its fakes hold; everything else follows. Each case is one request and the status that it must
be answered with.

```python
CASES = matrix(bff, own={"team_id": 7, "item_id": "i-1"}, foreign={"team_id": 8, "item_id": "i-8"},
               absent={"team_id": 9, "item_id": "i-9"})

@pytest.mark.parametrize("case", CASES, ids=str)
async def test_who_may_do_what(case: Case) -> None:
    async with world(bff, UPSTREAMS()) as w:
        assert (await w.ask(case)).status_code == case.status, case.remedy
```
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from random import Random
from typing import Any, Literal
from urllib.parse import quote, urlencode

import msgspec

from narrows.call import Mode
from narrows.declare.bff import Bff
from narrows.declare.endpoint import Endpoint
from narrows.declare.shape import Parameter, Shape, endpoint_shape, id_places, placeholders
from narrows.errors import NarrowsError
from narrows.settings import ConnectorState, RoleClaim, Settings
from narrows.surfaces.http import documents_of
from narrows.testing.case import Case as Case  # teams name it beside what makes it
from narrows.testing.world import STRANGER, holder_of, scopes_of, settings_of, with_connectors
from narrows.upstreams.synthetic import CannotMake, Generator

Object = Literal["own", "foreign", "absent"]
Values = Mapping[str, Any]
_NOW = datetime(2026, 1, 1, tzinfo=UTC)


class CannotDrive(NarrowsError):
    """Endpoints that no request can be made for; the message says what to add for each."""


def matrix(
    bff: Bff,
    *,
    own: Values,
    foreign: Values,
    absent: Values,
    subjects: Mapping[str, str] | None = None,
    settings: Settings | None = None,
) -> list[Case]:
    """Every case of a BFF.

    `own`, `foreign` and `absent` are ids by their name: of what the callers may touch, of what belongs to somebody
    else, and of what is not there. `subjects` names for a role that no claim grants somebody who holds it, by a policy
    or by what an upstream says. Raises `CannotDrive` with every endpoint that no request can be made for.
    """
    known = with_connectors(settings or settings_of(bff))
    drives = [
        _Drive(endpoint, bff, known, own, foreign, absent, subjects or {})
        for endpoint in (*bff.endpoints, *documents_of(bff))
    ]
    cases: list[Case] = []
    faults: list[str] = []
    for drive in drives:
        try:
            cases += drive.cases()
        except _Missing as missing:
            faults.append(f"{drive.endpoint.where}: {drive.endpoint.id}: {missing}")
    if faults:
        raise CannotDrive("the matrix cannot drive these endpoints:\n" + "\n".join(faults))
    return cases


class _Missing(Exception):
    """Why no request can be made, with the remedy."""


class _Drive:
    """Makes the cases of one endpoint."""

    def __init__(
        self,
        endpoint: Endpoint,
        bff: Bff,
        settings: Settings,
        own: Values,
        foreign: Values,
        absent: Values,
        subjects: Mapping[str, str],
    ) -> None:
        self.endpoint = endpoint
        self._shape: Shape = endpoint_shape(endpoint)
        self._scopes = scopes_of(bff)
        self._roles = [claim for issuer in settings.issuers.values() for claim in issuer.roles]
        self._own, self._others = own, {"foreign": foreign, "absent": absent}
        self._subjects = subjects
        # A rehearsal takes the same guards, leaves the fakes as they are, and needs no receipt.
        self._mode: Mode = "live" if endpoint.kind == "read" else "rehearse"
        self._done = 204 if self._shape.answer is None else endpoint.status

    def cases(self) -> Iterator[Case]:
        """All of them, in the order in which the guards judge. Raises `_Missing`."""
        wanted = sorted(self.endpoint.roles or ())
        holders = {role: self._holder(role) for role in wanted}
        first = next(iter(holders))
        yield self._case("nobody", None, status=401)
        yield self._case(f"{first} without the scope", holders[first], status=403, scope=self._other_scopes())
        yield from self._states(first, holders[first])
        for role, holder in holders.items():
            yield self._case(role, holder, status=self._done)
            yield from self._other_objects(role, holder)
        for role in self._unwanted(wanted):
            yield self._case(role, self._holder(role), status=403)
        yield self._case("stranger", (STRANGER, {}), status=403)
        if not self.endpoint.for_services:
            yield self._case("service", ("test-live", holders[first][1]), status=403)

    def _states(self, role: str, holder: tuple[str, Values]) -> Iterator[Case]:
        """What a program may do that is not approved yet, and one that is on trial."""
        yield self._case(role, holder, status=403, state="draft")
        yield self._case(role, holder, status=self._done, state="draft", mode="sandbox")
        yield self._case(role, holder, status=self._done, state="trial")
        if self.endpoint.kind == "write":
            yield self._case(role, holder, status=403, state="trial", mode="live")

    def _other_objects(self, role: str, holder: tuple[str, Values]) -> Iterator[Case]:
        """Each bound id in turn as that of somebody else, and as that of nothing."""
        for place in self._bound():
            for which, table in self._others.items():
                values = {**self._own, _name(place): self._value(table, place, which)}
                yield self._case(role, holder, status=403, values=values, objects=f"{which} {_name(place)}")

    def _bound(self) -> list[str]:
        """The places of ids that a domain binds; of a document those that `within` names."""
        if self.endpoint.document is not None:
            return placeholders(self.endpoint.within or "")
        return [place for place in id_places(self._shape) if place not in self.endpoint.unbound]

    def _case(
        self,
        caller: str,
        holder: tuple[str, Values] | None,
        *,
        status: int,
        mode: Mode | None = None,
        state: ConnectorState = "live",
        scope: str | None = None,
        values: Values | None = None,
        objects: str = "own",
    ) -> Case:
        subject, claims = holder or ("", None)
        known = self._own if values is None else values
        return Case(
            endpoint=self.endpoint.id,
            caller=caller,
            objects=objects,
            mode=mode or self._mode,
            method=self.endpoint.method,
            path=self._path(known),
            body=self._body(known),
            claims=claims,
            subject=subject,
            scope=" ".join(self._scopes) if scope is None else scope,
            state=state,
            status=status,
        )

    def _other_scopes(self) -> str:
        return " ".join(scope for scope in self._scopes if scope != self.endpoint.scope)

    # Who holds a role

    def _holder(self, role: str) -> tuple[str, Values]:
        """Somebody who holds a role where the caller's own objects are: a subject and the claims of the token."""
        if role in self._subjects:
            return self._subjects[role], {}
        kind, _, rest = (self.endpoint.within or f"bff:{self.endpoint.bff}").partition(":")
        for claim in self._roles:
            if claim.role == role and claim.domain.partition(":")[0] == kind:
                return holder_of(role), _claims(claim, self._domain(rest))
        raise _Missing(
            f"no claim grants {role!r} in {kind!r}. "
            f"Remedy: name who holds it for your fakes or policies: subjects={{{role!r}: …}}"
        )

    def _domain(self, rest: str) -> Any:
        """The value of the domain that the caller's own objects are in."""
        names = placeholders(rest)
        return self._value(self._own, names[0].rpartition(".")[2], "own") if names else rest

    def _unwanted(self, wanted: list[str]) -> list[str]:
        """The other roles that claims grant in a domain of this kind; they do not help here."""
        kind = (self.endpoint.within or "bff:").partition(":")[0]
        granted = {claim.role for claim in self._roles if claim.domain.partition(":")[0] == kind}
        return sorted(granted - {*wanted} - self._subjects.keys())

    # The request

    def _path(self, values: Values) -> str:
        path = self.endpoint.path
        if self.endpoint.document is not None:
            sent = urlencode({"variables": self._variables(values)})
            return f"{path}?{sent}" if self.endpoint.kind == "read" else path
        for parameter in self._shape.of("path"):
            text = _text(self._argument(parameter, values))
            path = path.replace(f"{{{parameter.name}}}", quote(text, safe=""))
        query = [(p.name, item) for p in self._shape.of("query") if p.required for item in self._query(p, values)]
        return f"{path}?{urlencode(query)}" if query else path

    def _variables(self, values: Values) -> bytes:
        """The variables of a document that a client must send, as JSON."""
        return msgspec.json.encode(
            {p.name: self._argument(p, values) for p in self._shape.of("variable") if p.required}
        )

    def _query(self, parameter: Parameter, values: Values) -> list[str]:
        value = self._argument(parameter, values)
        return [_text(item) for item in value] if parameter.many else [_text(value)]

    def _argument(self, parameter: Parameter, values: Values) -> Any:
        """The team's own value for a name; what is no id is made up from its type."""
        if parameter.name in values or parameter.name in id_places(self._shape):
            return self._value(values, parameter.name, "own")
        return msgspec.to_builtins(self._made_up(parameter, values))

    def _body(self, values: Values) -> bytes | None:
        body = self._shape.body
        if self.endpoint.document is not None and self.endpoint.kind == "write":
            return b'{"variables":%b}' % self._variables(values)
        if body is None:
            return None
        for place in id_places(self._shape):
            if self._shape.parameters.get(place) is None:
                self._value(values, place, "own")
        return msgspec.json.encode(self._made_up(body, values))

    def _made_up(self, parameter: Parameter, values: Values) -> Any:
        try:
            return Generator.build(parameter.type).make(Random(0), now=_NOW, echo=values)  # noqa: S311 - it guards nothing
        except CannotMake as error:
            raise _Missing(f"`{parameter.name}`: {error}. Remedy: use a simpler type, or test it by hand") from None

    def _value(self, values: Values, place: str, which: str) -> Any:
        name = _name(place)
        if name not in values:
            raise _Missing(f"nothing says which `{name}` to ask for. Remedy: add {name!r} to {which}= of the matrix")
        return values[name]


def _name(place: str) -> str:
    """`lines[].item_id` → `item_id`."""
    return place.replace("[]", "").rpartition(".")[2]


def _text(value: Any) -> str:
    return msgspec.json.encode(value).decode() if isinstance(value, bool) else str(value)


def _claims(claim: RoleClaim, value: Any) -> dict[str, Any]:
    """The claim that grants a role, with dots as objects."""
    told: Any = [value] if "{value}" in claim.domain else True
    found: Any = told if claim.value is None else claim.value
    for part in reversed(claim.claim.split(".")):
        found = {part: found}
    return dict(found)
