"""What the steps share: the form of a step, what they are prepared with, and how they refuse a start."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from narrows.audit.log import RecordLog
from narrows.audit.persons import Persons
from narrows.call import Call, Caller, Connector, Credential
from narrows.declare.endpoint import Endpoint
from narrows.declare.shape import Shape
from narrows.declare.types import Money
from narrows.declare.upstream import Operation
from narrows.errors import Refusal
from narrows.identity import Identity
from narrows.identity.connectors import Directory
from narrows.identity.revoking import Revoking
from narrows.identity.roles_live import LiveRoles
from narrows.identity.sessions import Sessions
from narrows.pipeline.accounts import Accounts
from narrows.pipeline.quota import Quotas
from narrows.pipeline.receipts import Receipts
from narrows.settings import Settings
from narrows.stores import Commits, Limiter, Rehearsals
from narrows.stores.budgets import Budgets
from narrows.telemetry import Telemetry
from narrows.upstreams.sendable import Sendable

Step = Callable[[Call], Awaitable[None]]


class Ground(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What the steps of every endpoint stand on.

    `addresses` counts tokens that were not verified yet, apart from `limiter`: their flood fills its own store only.
    `quotas` names their buckets and refuses what is over a rate. `telemetry` and the stores are asked for when they are
    needed: a start that is refused opens none of them.
    """

    settings: Settings
    identity: Identity
    directory: Directory
    revoking: Revoking
    roles: LiveRoles
    limiter: Limiter
    addresses: Limiter
    quotas: Quotas
    sessions: Sessions
    sendables: Mapping[Operation[..., Any], Sendable]
    receipts: Receipts
    log: RecordLog
    telemetry: Callable[[], Telemetry]
    persons: Persons
    rehearsals: Callable[[], Rehearsals]
    commits: Callable[[], Commits]
    accounts: Accounts
    budgets: Callable[[], Budgets]


class Preparing(msgspec.Struct, kw_only=True, eq=False):
    """One endpoint while it is made ready; `refuse` collects every reason why it is not safe to start.

    `counts` is how often each operation may run in one call, `own` how often in the call itself, and not in the child
    calls of its fields. `fields` are the endpoints that a document asks for, and how often.
    """

    endpoint: Endpoint
    shape: Shape
    ground: Ground
    counts: Mapping[Operation[..., Any], int]
    own: Mapping[Operation[..., Any], int] = {}
    fields: Sequence[tuple[Endpoint, int]] = ()
    ceiling: Money | None = None
    declaration: str = ""
    refusals: list[Refusal] = []

    def scopes(self) -> list[str]:
        """The scopes that a token must hold: that of the endpoint first, then those of its fields."""
        return scopes_of(self.endpoint, self.fields)

    def refuse(self, code: str, rule: str, remedy: str) -> None:
        """Put down one reason, at the endpoint's own line."""
        self.refusals.append(
            Refusal(code=code, subject=self.endpoint.id, where=self.endpoint.where, rule=rule, remedy=remedy)
        )


def scopes_of(endpoint: Endpoint, fields: Iterable[tuple[Endpoint, int]]) -> list[str]:
    """The scopes that a token must hold for an endpoint and its fields, each once."""
    needed = (endpoint.scope, *(field.scope for field, _ in fields))
    return list(dict.fromkeys(scope for scope in needed if scope is not None))


class Who(NamedTuple):
    """Who calls, with which program and with which token."""

    caller: Caller
    connector: Connector
    credential: Credential


def who(call: Call) -> Who:
    """What step 2 found out. Raises `AssertionError` before it."""
    if call.caller is None or call.connector is None or call.credential is None:
        raise AssertionError("this runs after step 2")
    return Who(call.caller, call.connector, call.credential)


async def name_caller(ground: Ground, call: Call, caller: Caller) -> None:
    """Find the hash by which records name a caller, before anything is done for them. Raises `Unavailable`."""
    persons = ground.persons
    known = persons.known(caller.issuer, caller.subject)
    call.named = known or await persons.name(caller.issuer, caller.subject)


def retry_after(seconds: float) -> dict[str, str]:
    """The header that says when to come again: whole seconds, rounded up, at least one (RFC 9110, 10.2.3)."""
    return {"Retry-After": str(max(1, math.ceil(seconds)))}
