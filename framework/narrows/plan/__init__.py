"""The plan: what is made ready once, at start, from the declarations and the settings.

It runs the `prepare` of every step, collects every refusal, and knows every route.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence

from narrows import checks
from narrows.audit.counting import count_commit, count_record
from narrows.audit.keys import signer_of
from narrows.audit.log import RecordLog
from narrows.audit.persons import Persons
from narrows.audit.redaction import Redactor
from narrows.audit.writer import Writer
from narrows.call import Call, Connector, Mode, Raw, Reply, Way
from narrows.declare.ageing import Ageing
from narrows.declare.bff import Bff
from narrows.declare.endpoint import Endpoint
from narrows.declare.slo import Slo
from narrows.errors import StartRefused
from narrows.identity import Identity
from narrows.identity.connectors import Directory
from narrows.identity.revoking import Revoking, Standing
from narrows.identity.roles_live import LiveRoles
from narrows.identity.sessions import Sessions
from narrows.pipeline import run
from narrows.pipeline.accounts import Accounts
from narrows.pipeline.children import Children
from narrows.pipeline.offering import Offers
from narrows.pipeline.quota import Quotas
from narrows.pipeline.receipts import Receipts
from narrows.pipeline.recorded import Recorder
from narrows.pipeline.settle import Settle
from narrows.pipeline.step import Ground
from narrows.plan.entries import Entry, improvise, make_entries
from narrows.plan.sending import Performers
from narrows.plan.surroundings import Surroundings
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
from narrows.stores.sealing import Sealer, master_key
from narrows.stores.servers import Servers
from narrows.stores.tokens import SharedTokens
from narrows.telemetry import CallSpan, Telemetry
from narrows.upstreams.exchange import Exchanger
from narrows.upstreams.send import Sendables
from narrows.upstreams.sign_in import SignIn

_TOLD = 100
_EXCHANGE = ("joined", "refused", "shared", "away", "foreign")
_log = logging.getLogger("narrows.plan")


class Plan:
    """Everything that is ready: entries by route, and what calls them."""

    def __init__(
        self,
        bff: Bff,
        settings: Settings,
        builtins: Iterable[Endpoint] = (),
        around: Surroundings | None = None,
        *,
        documents: Callable[[], Sequence[Endpoint]] = tuple,
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
        self.sendables, self.entries = make_entries(
            bff, settings, tuple(builtins), documents, self._ground, around.watch
        )
        self._fields = Children(self.entries)
        self.rehearsals: Rehearsals = open_rehearsals(settings, around.now, self.servers)
        self.commits: Commits = open_commits(settings, around.now, self.servers)
        self.budgets: Budgets = open_budgets(settings, around.now, self.servers)
        self.ended: Ended = open_ended(settings, around.now, self.servers)
        self.telemetry = Telemetry.build(
            settings, tracer_provider=around.tracer_provider, meter_provider=around.meter_provider
        )
        self.telemetry.record("narrows.info", 1, bff=bff.name, version=bff.version)
        for endpoint in bff.every:
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
        self._performers = Performers(
            settings,
            around,
            self.sendables,
            exchanger=self._exchanger,
            standing=self._standing,
            commits=self.commits,
            telemetry=self.telemetry,
            digest=self.digest,
        )
        self._ceilings = ceilings = {entry.endpoint: entry.ceiling for entry in self.entries}
        self._declarations = declarations = {entry.endpoint: entry.declaration for entry in self.entries}
        self._scopes = {entry.endpoint: entry.scopes for entry in self.entries}
        self._redactors = {entry.endpoint: Redactor(entry.endpoint, entry.shape) for entry in self.entries}
        self.settle = Settle(
            log=self.log,
            rehearsals=self.rehearsals,
            commits=self.commits,
            offers=Offers(settings, self.receipts, ceilings, declarations),
            telemetry=self.telemetry,
            ceilings=ceilings,
            scopes=self._scopes,
            recorder=Recorder(self._redactors, around.now),
            sensitive=bff.sensitivity in ("personal", "secret"),
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
        await self._performers.close()
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
        if way != "self-test" and (unkept := await self._room_for(raw, span)) is not None:
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
            performer=self._performers.of["sandbox" if way == "self-test" else mode],
            allowance=entry.allowance,
            fresh_id=self._new_id,
            fields=self._fields,
        )
        return await run(call, entry.steps, self.settle, self.settings.limits.call_s)

    async def _room_for(self, raw: Raw, span: CallSpan) -> Reply | None:
        return await self.room(span, raw.posed.media if raw.posed else None)

    async def room(self, span: CallSpan, media: str | None = None) -> Reply | None:
        """Wait until a request can be recorded; what it is answered when it cannot, and then nothing is begun.

        `media` is the type of the answer to a GraphQL request.
        """
        try:
            await self.log.room()
        except Exception as fault:  # whatever the store raises: no answer without its record
            return self.settle.unrecorded(span, fault, media)
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

    def improvise(self, endpoint: Endpoint) -> Entry:
        """Make text ready that was not registered; for development alone. Raises `StartRefused`."""
        entry = improvise(endpoint, self.entries, self._stands_on, self._around.watch)
        self._ceilings[endpoint] = entry.ceiling
        self._declarations[endpoint] = entry.declaration
        self._scopes[endpoint] = entry.scopes
        self._redactors[endpoint] = Redactor(endpoint, entry.shape)
        return entry

    def forget(self, entry: Entry) -> None:
        """Forget what was improvised; a call of it that runs ends, without a receipt that would hold."""
        for known in (self._ceilings, self._declarations, self._scopes, self._redactors):
            known.pop(entry.endpoint, None)

    def _ground(self, sendables: Sendables, roles: LiveRoles) -> Ground:
        self._stands_on = Ground(
            settings=self.settings,
            identity=self.identity,
            directory=self.directory,
            revoking=self.revoking,
            roles=roles,
            limiter=self._limiter("rates"),
            addresses=self.addresses,
            quotas=self.quotas,
            sessions=self.sessions,
            sendables=sendables,
            receipts=self.receipts,
            log=self.log,
            telemetry=lambda: self.telemetry,
            persons=self.persons,
            rehearsals=lambda: self.rehearsals,
            commits=lambda: self.commits,
            accounts=self.accounts,
            budgets=lambda: self.budgets,
        )
        return self._stands_on

    def _limiter(self, counted: str) -> Limiter:
        """What counts calls, or tokens that were not verified yet; the flood of these fills its own store only."""
        name = f"narrows:{self.settings.environment}:{self.bff.name}:{counted}"

        def tell(away: Away) -> None:
            self.telemetry.count("narrows.store.away", store="limits", event=away)

        return open_limiter(self.settings, self.servers, self.steady, name, tell)

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
