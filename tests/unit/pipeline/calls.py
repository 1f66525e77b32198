"""Steps made ready for one endpoint, and calls to take through them, without a server or a network."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from narrows import Bff, Narrow, NumberId, Upstream, read, write
from narrows.audit.log import RecordLog
from narrows.audit.persons import Persons
from narrows.call import Allowance, Call, Caller, Connector, Credential, Mode, Named, Raw
from narrows.checks import sendables_of
from narrows.declare.endpoint import Endpoint, counts
from narrows.declare.shape import endpoint_shape
from narrows.declare.upstream import Answer
from narrows.identity import Identity, connectors
from narrows.identity.revoking import Revoking
from narrows.identity.roles_live import LiveRoles
from narrows.identity.sessions import Sessions
from narrows.pipeline.accounts import Accounts
from narrows.pipeline.quota import Quotas
from narrows.pipeline.receipts import Receipts
from narrows.pipeline.step import Ground, Preparing, Step
from narrows.settings import Secret, Settings, merge, read_settings
from narrows.stores.budgets import MemoryBudgets
from narrows.stores.commits import Lifetimes
from narrows.stores.ended import MemoryEnded
from narrows.stores.limits_memory import MemoryLimiter
from narrows.stores.memory import MemoryRehearsals
from narrows.stores.memory_audit import MemoryAuditStore
from narrows.stores.memory_commits import MemoryCommits
from narrows.telemetry import CallSpan, Telemetry
from narrows.testing import Clock

NAMED = Named(hash="a" * 32, key=bytes(32))
TRACE_ID = "0123456789abcdef0123456789abcdef"
PUBLIC = "https://bff.test"


class Team(Narrow):
    """A team."""

    id: NumberId
    name: str = ""


class Directory(Upstream):
    """A directory to ask, and to change."""

    @read("/teams/{team_id}", asks="teams:read")
    def team(self, team_id: NumberId) -> Answer[Team]: ...

    @write("/teams/{team_id}", method="DELETE", asks="teams:write")
    def remove(self, team_id: NumberId) -> Answer[None]: ...


GUARDS: dict[str, Any] = {"roles": {"member"}, "scope": "teams:read", "uses": [], "rate": "2/minute"}


def settings(**over: Any) -> Settings:
    """Settings of a BFF with one issuer, one connector and one upstream."""
    return read_settings(
        merge(
            {
                "environment": "development",
                "public_url": PUBLIC,
                "issuers": {
                    "corp": {
                        "url": "https://issuer.test",
                        "audience": "lunch-api",
                        "client": {"id": "lunch", "secret": Secret("s")},
                        "roles": [{"claim": "teams", "role": "member", "domain": "team:{value}"}],
                    }
                },
                "connectors": {
                    "app": {
                        "issuer": "corp",
                        "client_id": "lunch-app",
                        "tenant": "example",
                        "kind": "low-code",
                        "state": "live",
                    }
                },
                "upstreams": {"directory": {"url": "https://directory.test/api", "audience": "directory-api"}},
            },
            over,
        ),
        environ={},
    )


def declared(
    function: Callable[..., Any], path: str = "/teams/{team_id}", *, writes: bool = False, **guards: Any
) -> Endpoint:
    """One endpoint of a team, with every guard that it needs; None takes a guard away."""
    bff = Bff("lunch", version="1", owner="o", purpose="p", exposure="internal", sensitivity="internal")
    wanted = {key: value for key, value in {**GUARDS, **guards}.items() if value is not None}
    (bff.write if writes else bff.read)(path, **wanted)(function)
    return bff.endpoints[0]


def preparing(
    endpoint: Endpoint,
    *,
    identity: Any = None,
    clock: Clock | None = None,
    policies: Sequence[Path] = (),
    lines: list[bytes] | None = None,
    **over: Any,
) -> Preparing:
    """An endpoint while it is made ready, on ground without a network; `over` lays settings over the usual ones.

    `lines` gets what is put down in the log.
    """
    used = counts(endpoint.uses or ())
    guards = [*endpoint.given.values(), *(operation for operation, _ in endpoint.inside.values())]
    for operation in (*guards, *((endpoint.roles_from,) if endpoint.roles_from else ())):
        used[operation] = used.get(operation, 0) + 1
    chosen, now = settings(**over), clock or Clock()
    ended = MemoryEnded(now)
    log, telemetry = RecordLog((lines if lines is not None else []).append), Telemetry.build(chosen)
    kept, commits = MemoryRehearsals(now, 3600, bytes(32)), MemoryCommits(now, Lifetimes(3600, 86_400), bytes(32))
    budgets = MemoryBudgets(now)
    ground = Ground(
        settings=chosen,
        identity=cast("Identity", identity),
        directory=connectors.Directory(chosen, now=now, steady=now),
        revoking=Revoking(cast("Identity", identity), now=now, steady=now),
        roles=LiveRoles([(role, endpoint.id) for role in sorted(endpoint.roles or ())], policies),
        limiter=MemoryLimiter(now),
        addresses=MemoryLimiter(now),
        quotas=Quotas(bytes(32), log, lambda: telemetry, now=now, steady=now),
        sessions=Sessions(chosen, key=bytes(32), now=now, ended=lambda: ended),
        sendables=sendables_of(used, chosen, []),
        receipts=Receipts({"k": bytes(32)}),
        log=log,
        telemetry=lambda: telemetry,
        persons=persons(now),
        rehearsals=lambda: kept,
        commits=lambda: commits,
        accounts=Accounts(endpoint.bff, chosen, lambda *parts: "|".join(parts)),
        budgets=lambda: budgets,
    )
    return Preparing(endpoint=endpoint, shape=endpoint_shape(endpoint), ground=ground, counts=used)


def persons(now: Clock) -> Persons:
    """Names for callers, in a store of its own."""
    store = MemoryAuditStore()
    return Persons(lambda: store, key=bytes(32), steady=now)


def refused(step: Any, endpoint: Endpoint, **how: Any) -> list[str]:
    """The codes for which one step refuses the start of an endpoint."""
    ready = preparing(endpoint, **how)
    step.prepare(ready)
    return [refusal.code for refusal in ready.refusals]


def made(step: Any, endpoint: Endpoint, **how: Any) -> Step:
    """One step made ready for an endpoint that it does not refuse."""
    ready = preparing(endpoint, **how)
    found = step.prepare(ready)
    assert ready.refusals == []
    assert found is not None
    return cast("Step", found)


class Performing:
    """Answers operations with what a test says: a value, or a problem to raise; and keeps what was asked."""

    def __init__(self, answers: Mapping[Any, Any]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, dict[str, Any]]] = []

    async def perform(self, call: Call, operation: Any, args: Any, kwargs: Any) -> Any:
        self.asked.append((operation.id, dict(kwargs)))
        answer = self.answers[operation]
        if isinstance(answer, BaseException):
            raise answer
        return answer


def raw(
    *,
    path: Mapping[str, str] | None = None,
    query: Sequence[tuple[str, str]] = (),
    headers: Mapping[str, Sequence[str]] | None = None,
    body: bytes = b"",
    peer: str = "192.0.2.1",
) -> Raw:
    """What a way in hands over."""

    async def read_body(cap: int) -> bytes:
        assert len(body) <= cap
        return body

    return Raw(path=path or {}, query=query, headers=headers or {}, peer=peer, read_body=read_body)


def credential(**over: Any) -> Credential:
    """The token of Anna, a member of team 7."""
    fields = {
        "issuer": "corp",
        "subject": "anna",
        "client_id": "lunch-app",
        "scopes": frozenset({"teams:read"}),
        "expires_at": 2e9,
        "token": Secret("token"),
        "token_digest": b"digest",
        "claims": {"teams": ["7"]},
    }
    return Credential(**{**fields, **over})


def connector(**over: Any) -> Connector:
    """The registered program."""
    fields = {
        "id": "app",
        "issuer": "corp",
        "client_id": "lunch-app",
        "tenant": "example",
        "kind": "low-code",
        "state": "live",
        "version": "1",
    }
    return Connector(**{**fields, **over})


def call(
    endpoint: Endpoint,
    *,
    mode: Mode = "live",
    known: Credential | None = None,
    program: Connector | None = None,
    kind: str = "person",
    performer: Any = None,
    clock: Clock | None = None,
    arguments: Mapping[str, Any] | None = None,
    anonymous: bool = False,
    **parts: Any,
) -> Call:
    """A call after step 2, of Anna with the registered program; or an anonymous one, as it comes in."""
    made = Call(
        endpoint,
        mode,
        raw(**parts),
        way="rest",
        span=CallSpan(TRACE_ID),
        now_s=clock or Clock(),
        performer=performer or Performing({}),
        allowance=Allowance(counts(endpoint.uses or ()), {}, {}),
    )
    made.deadline = made.started + 15
    made.arguments.update(arguments or {})
    if not anonymous:
        made.credential = known or credential()
        made.connector = program or connector()
        made.named = NAMED
        made.caller = Caller(issuer=made.credential.issuer, subject=made.credential.subject, kind=cast("Any", kind))
    return made
