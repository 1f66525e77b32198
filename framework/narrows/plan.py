"""The plan: what is made ready once, at start, from the declarations and the settings.

It runs the `prepare` of every step, collects every refusal, and knows every route.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

import httpx
import msgspec
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import TracerProvider

from narrows import checks
from narrows.audit.counting import count_commit, count_record
from narrows.audit.keys import signer_of
from narrows.audit.log import RecordLog
from narrows.audit.persons import Persons
from narrows.audit.redaction import Redactor
from narrows.audit.writer import Writer
from narrows.call import Allowance, Call, Connector, Mode, Performer, Raw, Reply, Way, random_id
from narrows.declare.ageing import Ageing
from narrows.declare.bff import Bff
from narrows.declare.endpoint import Endpoint, counts
from narrows.declare.shape import Shape
from narrows.declare.slo import Slo
from narrows.declare.types import Money
from narrows.declare.upstream import Operation
from narrows.errors import PolicyError, Refusal, StartRefused
from narrows.identity import Identity
from narrows.identity.connectors import Directory
from narrows.identity.revoking import Revoking, Standing
from narrows.identity.roles_live import LiveRoles
from narrows.identity.roles_names import is_object
from narrows.identity.sessions import Sessions
from narrows.pipeline import prepare, run
from narrows.pipeline.accounts import Accounts
from narrows.pipeline.offering import Offers
from narrows.pipeline.quota import Quotas
from narrows.pipeline.receipts import Receipts
from narrows.pipeline.settle import Settle
from narrows.pipeline.step import Ground, Preparing, Step
from narrows.settings import Settings
from narrows.settings.absent import refuse_absent
from narrows.stores import Commits, Limiter, Rehearsals
from narrows.stores.audit import AuditStore
from narrows.stores.budgets import Budgets
from narrows.stores.ended import Ended
from narrows.stores.limits_away import Away
from narrows.stores.opening import (
    open_audit,
    open_budgets,
    open_commits,
    open_connectors,
    open_ended,
    open_limiter,
    open_rehearsals,
    open_revoked,
    open_shelf,
)
from narrows.stores.registry import Connectors
from narrows.stores.sealing import Sealer, master_key
from narrows.stores.servers import Servers
from narrows.stores.tokens import SharedTokens
from narrows.telemetry import CallSpan, Telemetry
from narrows.transport import Dial, dial
from narrows.upstreams.breaker import Breaker
from narrows.upstreams.commitment import Committer
from narrows.upstreams.exchange import Exchanger
from narrows.upstreams.rehearse import Rehearser
from narrows.upstreams.sandbox import Sandbox, Synthetic, open_digest
from narrows.upstreams.send import Sendables, Sender
from narrows.upstreams.sign_in import SignIn
from narrows.upstreams.wire import LiveWire, ReadWire

Counts = dict[Operation[..., Any], int]

_TOLD = 100
_EXCHANGE = ("joined", "refused", "shared", "away", "foreign")
_log = logging.getLogger("narrows.plan")


def _to_stdout(line: bytes) -> None:
    """Where records go unless they are sent elsewhere: one line of JSON each."""
    sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What comes in from outside: the network, the clock, chance, telemetry, and where records go.

    `watch` may wrap each step of each endpoint, once at start, to see how long it takes; it is for development.
    `connectors` is a registry that is open already, and that whoever gives it closes, in place of `stores.connectors`;
    `audit` is an audit log in place of `stores.audit`, under the same conditions.
    """

    dial: Dial = dial
    now: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    new_id: Callable[[], str] = random_id
    tracer_provider: TracerProvider | None = None
    meter_provider: MeterProvider | None = None
    write_record: Callable[[bytes], object] = _to_stdout
    watch: Callable[[Step], Step] | None = None
    connectors: Connectors | None = None
    audit: AuditStore | None = None


class Entry(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One endpoint, ready to be called.

    `ceiling` is the most that one call can cost; `declaration` is a digest of a write's declaration.
    """

    endpoint: Endpoint
    shape: Shape
    steps: tuple[Step, ...]
    allowance: Allowance
    ceiling: Money | None
    declaration: str = ""


class Plan:
    """Everything that is ready: entries by route, and what calls them."""

    def __init__(
        self, bff: Bff, settings: Settings, builtins: Iterable[Endpoint] = (), around: Surroundings | None = None
    ) -> None:
        """Make everything ready. Raises `StartRefused` with every reason at once, `SettingsError`, `PolicyError`."""
        around = around or Surroundings()
        self.bff = bff
        self.settings = settings
        self.now = around.now
        # A wall clock that is set forward must not refill rates; a clock that is passed in is steady.
        self.steady = time.monotonic if around.now is time.time else around.now
        self._key = master_key(settings.stores.key)
        self.digest = Sealer(self._key, purpose="rehearse").digest
        self._watch = around.watch
        self.identity = Identity(settings, dial=around.dial, now=around.now)
        self.sessions = Sessions(
            settings, key=self._key, now=around.now, new_id=around.new_id, ended=lambda: self.ended
        )
        self.servers = Servers(settings.stores, self._count_away)
        self.addresses = self._limiter("addresses")
        self.directory = Directory(settings, now=around.now, steady=self.steady)
        self.revoking = Revoking(self.identity, now=around.now, steady=self.steady)
        self._standing = Standing(self.directory, self.revoking)
        self.receipts = Receipts.of(settings, self._key)
        self._around = around
        self._audit: AuditStore | None = None
        self.log = RecordLog(
            around.write_record, self._make_writer, heard=lambda record: count_record(self.telemetry, record)
        )
        self.persons = Persons(lambda: self.audit, key=self._key, steady=self.steady)
        self.accounts = Accounts(bff.name, settings, Sealer(self._key, purpose="budgets").digest)
        self._new_id = around.new_id
        self.quotas = Quotas(self._key, self.log, lambda: self.telemetry, now=around.now, steady=self.steady)
        self.entries = self._prepare(tuple(builtins))
        self.rehearsals: Rehearsals = open_rehearsals(settings, around.now, self.servers)
        self.commits: Commits = open_commits(settings, around.now, self.servers)
        self.budgets: Budgets = open_budgets(settings, around.now, self.servers)
        self.ended: Ended = open_ended(settings, around.now, self.servers)
        self.telemetry = Telemetry.build(
            settings, tracer_provider=around.tracer_provider, meter_provider=around.meter_provider
        )
        self.telemetry.record("narrows.info", 1, bff=bff.name, version=bff.version)
        for endpoint in bff.endpoints:
            if endpoint.slo is not None:
                self.telemetry.expect(endpoint.id, Slo.parse(endpoint.slo).under_s)
        self._exchanger = Exchanger(
            settings,
            token_endpoint=self.identity.token_endpoint,
            dial=around.dial,
            now=around.now,
            key=self._key,
            on_event=self._count_exchange,
            recheck=self._standing.refresh,
            shared=self._shared_tokens(),
            log=self.log,
        )
        self.sign_in = SignIn(
            settings, self.identity, self._exchanger.redeem, key=self._key, now=around.now, ended=self.ended
        )
        self.registry = around.connectors or open_connectors(settings, self.servers)
        self._opened = self.registry if around.connectors is None else None
        self.directory.attach(self.registry, self._exchanger.forget_connector)
        self._revoked = open_revoked(settings, around.now, self.servers)
        self.revoking.attach(self._revoked, self._exchanger.forget_subject)
        self._transports: list[httpx.AsyncBaseTransport] = []
        self._performers = self._make_performers(around)
        ceilings = {entry.endpoint: entry.ceiling for entry in self.entries}
        declarations = {entry.endpoint: entry.declaration for entry in self.entries}
        self.settle = Settle(
            log=self.log,
            rehearsals=self.rehearsals,
            commits=self.commits,
            offers=Offers(settings, self.receipts, ceilings, declarations),
            telemetry=self.telemetry,
            ceilings=ceilings,
            redactors={entry.endpoint: Redactor(entry.endpoint, entry.shape) for entry in self.entries},
            sensitive=bff.sensitivity in ("personal", "secret"),
            now=around.now,
            new_id=around.new_id,
            public_url=settings.public_url,
            ageing={
                endpoint: Ageing.parse(endpoint.deprecated, endpoint.sunset).headers()
                for endpoint in ceilings
                if endpoint.deprecated is not None
            },
        )

    @property
    def audit(self) -> AuditStore:
        """What the audit log lies on; it is opened when it is first asked for. Raises `SettingsError`."""
        if self._audit is None:
            self._audit = self._around.audit or open_audit(self.settings, self.servers)
        return self._audit

    def _make_writer(self) -> Writer:
        """What writes into the audit log. Raises `SettingsError`."""
        derived = self._around.audit is not None
        return Writer(
            self.audit,
            signer_of(self.settings, self.bff.name, self._key, derived=derived),
            most=self.settings.audit.queue,
            checkpoint_s=self.settings.audit.checkpoint_s,
            steady=self.steady,
            sleep=self._around.sleep,
            heard=lambda *attempt: count_commit(self.telemetry, *attempt),
        )

    async def start(self) -> None:
        """Look up the issuers, read the registry of connectors, and see how far the audit log goes.

        Raises `StartRefused`, `LogBroken`, `SettingsError` for settings without their secrets, and `Unavailable`.
        """
        refuse_absent(self.settings)
        self.telemetry.start()
        self.log.open()
        await self.servers.prepare()
        await self.log.start()
        await self.identity.start()
        await self._standing.refresh()
        if twice := checks.twice_refusals(self.settings, self.directory.twice()):
            raise StartRefused(twice)
        if forgotten := checks.forgotten_refusals(self.settings, self._budgeted()):
            raise StartRefused(forgotten)
        await self._tell_unsettled()

    def _budgeted(self) -> list[str]:
        """Whose budgets a restart would refill."""
        if not self.budgets.forgets:
            return []
        known = [one for issuer in self.settings.issuers for one in self.directory.programs(issuer)]
        tenants = self.settings.tenants.items()
        return [
            *(f"tenants.{name}" for name, tenant in tenants if tenant.budgets or tenant.volumes),
            *(f"connector {one.id}" for one in known if one.budgets or one.volumes),
        ]

    async def _tell_unsettled(self) -> None:
        """Tell the operators of writes of which nobody knows whether they happened: their process was killed."""
        ended = self.now() - self.settings.limits.call_s
        for intent in await self.commits.unsettled(_TOLD):
            if intent.at < ended:
                _log.warning(
                    "%s: nobody knows whether %s happened, trace %s", intent.endpoint, intent.operation, intent.trace_id
                )

    async def close(self) -> None:
        """Close what is open, the last opened first."""
        await self.settle.close()
        await self.log.close()
        if self._audit is not None and self._audit is not self._around.audit:
            await self._audit.close()
        for transport in self._transports:
            await transport.aclose()
        await self._exchanger.close()
        await self.identity.close()
        await self.directory.close()
        await self.revoking.close()
        await self._revoked.close()
        if self._opened is not None:
            await self._opened.close()
        await self.rehearsals.close()
        await self.commits.close()
        await self.budgets.close()
        await self.ended.close()
        await self.servers.close()
        await self.telemetry.close()

    async def call(self, entry: Entry, mode: Mode, raw: Raw, *, way: Way, span: CallSpan) -> Reply:
        """Take one request through the pipeline: the only way to reach a handler."""
        if way != "self-test" and (unkept := await self.room(span)) is not None:
            return unkept
        endpoint = entry.endpoint
        span.name(endpoint.method, endpoint.path)
        span.set("narrows.endpoint", endpoint.id)
        span.set("narrows.bff", endpoint.bff)
        span.set("narrows.mode", mode)
        call = Call(
            endpoint,
            mode,
            raw,
            way=way,
            span=span,
            now_s=self.now,
            # The proof at start reaches no upstream, even if it finds a pipeline without guards.
            performer=self._performers["sandbox" if way == "self-test" else mode],
            allowance=entry.allowance,
            fresh_id=self._new_id,
        )
        return await run(call, entry.steps, self.settle, self.settings.limits.call_s)

    async def room(self, span: CallSpan) -> Reply | None:
        """Wait until a request can be recorded; what it is answered when it cannot, and then nothing is begun."""
        try:
            await self.log.room()
        except Exception as fault:  # whatever the store raises: no answer without its record
            return self.settle.unrecorded(span, fault)
        return None

    async def revoke(self, issuer: str, subject: str, at: float) -> None:
        """Refuse from now on what was issued to somebody until `at` (seconds since 1970), and forget their tokens.

        Every process that shares the store of revocations feels it within half a second. Raises `Unavailable`.
        """
        await self.revoking.revoke(issuer, subject, at)

    def programs(self, issuer: str) -> list[Connector]:
        """The programs that are registered with an issuer, by its name in the settings."""
        return self.directory.programs(issuer)

    def routes(self) -> dict[str, dict[str, Entry]]:
        """The entries by path template and method."""
        routes: dict[str, dict[str, Entry]] = {}
        for entry in self.entries:
            routes.setdefault(entry.endpoint.path, {})[entry.endpoint.method] = entry
        return routes

    def _prepare(self, builtins: Sequence[Endpoint]) -> tuple[Entry, ...]:
        """Run every check and every step's `prepare`; refuse all that is wrong at once."""
        refusals = list(checks.bff_refusals(self.bff))
        endpoints = [e for e in self.bff.endpoints if not _add(refusals, checks.form_refusals(e))]
        refusals += checks.collisions((*builtins, *endpoints))
        used = {endpoint: _counts(endpoint) for endpoint in (*endpoints, *builtins)}
        operations = list(dict.fromkeys(operation for allowed in used.values() for operation in allowed))
        refusals += checks.problem_refusals(endpoints, operations)
        refusals += checks.hole_refusals(endpoints, operations)
        refusals += checks.settings_refusals(self.settings, {o.upstream.key for o in operations if o.upstream})
        self.sendables: Sendables = checks.sendables_of(operations, self.settings, refusals)
        ground = self._ground(endpoints, refusals)
        if _add(refusals, checks.limit_refusals(self.settings)):
            raise StartRefused(refusals)
        entries = [self._entry(endpoint, ground, used[endpoint], builtins, refusals) for endpoint in used]
        if refusals:
            raise StartRefused(_causes(refusals))
        return tuple(entries)

    def _ground(self, endpoints: Iterable[Endpoint], refusals: list[Refusal]) -> Ground:
        return Ground(
            settings=self.settings,
            identity=self.identity,
            directory=self.directory,
            revoking=self.revoking,
            roles=self._roles(endpoints, refusals),
            limiter=self._limiter("rates"),
            addresses=self.addresses,
            quotas=self.quotas,
            sessions=self.sessions,
            sendables=self.sendables,
            receipts=self.receipts,
            log=self.log,
            telemetry=lambda: self.telemetry,
            persons=self.persons,
            rehearsals=lambda: self.rehearsals,
            commits=lambda: self.commits,
            accounts=self.accounts,
            budgets=lambda: self.budgets,
        )

    def _limiter(self, counted: str) -> Limiter:
        """What counts calls, or tokens that were not verified yet; the flood of these fills its own store only."""
        name = f"narrows:{self.settings.environment}:{self.bff.name}:{counted}"

        def tell(away: Away) -> None:
            self.telemetry.count("narrows.store.away", store="limits", event=away)

        return open_limiter(self.settings, self.servers, self.steady, name, tell)

    def _entry(
        self, endpoint: Endpoint, ground: Ground, used: Counts, builtins: Sequence[Endpoint], refusals: list[Refusal]
    ) -> Entry:
        """Make one endpoint ready; without a sound shape, its steps can only tell what is missing altogether."""
        shape = checks.shape_of(endpoint, builtins, refusals)
        preparing = Preparing(endpoint=endpoint, shape=shape or Shape({}, None), ground=ground, counts=used)
        steps = prepare(preparing)
        refusals += (refusal for refusal in preparing.refusals if shape or refusal.code.endswith("-missing"))
        return Entry(
            endpoint=endpoint,
            shape=preparing.shape,
            steps=tuple(map(self._watch, steps)) if self._watch else steps,
            allowance=Allowance(used, _asks(used), _asks({o: n for o, n in used.items() if o.kind == "read"})),
            ceiling=preparing.ceiling,
            declaration=preparing.declaration,
        )

    def _roles(self, endpoints: Iterable[Endpoint], refusals: list[Refusal]) -> LiveRoles:
        settings = self.settings
        # What cannot be named in a policy is refused at its own line.
        declared = [(role, e.id) for e in endpoints if is_object(e.id) for role in sorted(e.roles or ())]
        try:
            return LiveRoles(
                declared,
                [settings.path(name) for name in settings.policies],
                settings.path(settings.model) if settings.model else None,
                settings.policy_check_s,
            )
        except PolicyError as error:
            refusals += checks.policy_refusals(error)
            return LiveRoles(declared)

    def _make_performers(self, around: Surroundings) -> Mapping[Mode, Performer]:
        """One performer a mode; a rehearsal's has no way to send a write."""
        wires = {}
        for key in dict.fromkeys(sendable.upstream for sendable in self.sendables.values()):
            upstream = self.settings.upstreams[key]
            ca = str(self.settings.path(upstream.ca)) if upstream.ca else None
            transport = self.telemetry.client_transport(around.dial(ca))
            self._transports.append(transport)
            breaker = Breaker(failures=upstream.breaker_failures, open_s=upstream.breaker_open_s, now=around.now)
            wires[key] = LiveWire(transport, upstream, breaker)
        synthetic = Synthetic(self.digest)

        def sender(ways: Mapping[str, Any], committer: Committer | None = None) -> Sender:
            return Sender(self.sendables, ways, self._exchanger, self._standing, around.now, committer)

        reading = sender({key: ReadWire(wire) for key, wire in wires.items()})
        return {
            "live": sender(wires, Committer(self.commits, around.new_id)),
            "rehearse": Rehearser(reading, self.sendables, synthetic, self.digest),
            "sandbox": Sandbox(self.sendables, Synthetic(open_digest), self.digest, around.sleep),
        }

    def _shared_tokens(self) -> SharedTokens | None:
        opened = open_shelf(self.settings, self.servers)
        if opened is None:
            return None
        shelf, key = opened
        return SharedTokens(shelf, key, now=self.now, steady=self.steady, on_event=self._count_exchange)

    def _count_away(self, called: str) -> None:
        self.telemetry.count("narrows.store.away", store=called, event="unanswered")

    def _count_exchange(self, event: str) -> None:
        names = {"hit": "cached", "exchange": "made", **{name: name for name in _EXCHANGE}}
        self.telemetry.exchange(names.get(event, "failed"))  # type: ignore[arg-type]  # the values are the literals


def _add(refusals: list[Refusal], found: Iterable[Refusal]) -> bool:
    """Add what was found, and tell whether that was anything."""
    before = len(refusals)
    refusals += found
    return len(refusals) > before


def _causes(refusals: Sequence[Refusal]) -> list[Refusal]:
    """The refusals without those that only follow from another: a policy that does not load grants nothing."""
    follow = "role-ungrantable" if any(r.code == "policy-unloadable" for r in refusals) else None
    return [refusal for refusal in refusals if refusal.code != follow]


def _counts(endpoint: Endpoint) -> Counts:
    """How often each operation may run in one call, the reads of the guards included."""
    allowed = counts(endpoint.uses or ())
    guards = [*endpoint.given.values(), *(operation for operation, _ in endpoint.inside.values())]
    for operation in (*guards, *((endpoint.roles_from,) if endpoint.roles_from else ())):
        allowed[operation] = allowed.get(operation, 0) + 1
    return allowed


def _asks(operations: Iterable[Operation[..., Any]]) -> dict[str, frozenset[str]]:
    """The scopes asked for at each upstream: those of its operations, and no other."""
    asked: dict[str, set[str]] = {}
    for operation in operations:
        if operation.upstream is not None:
            asked.setdefault(operation.upstream.key, set()).update({operation.asks} if operation.asks else ())
    return {key: frozenset(scopes) for key, scopes in asked.items()}
