"""Which accounts a call draws on: its connector's and caller's by the record, its tenant's by the settings.

Within one BFF: two that share a store share no budget.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from narrows.audit.events import Event
from narrows.audit.log import RecordLog
from narrows.audit.record import timestamp
from narrows.call import Call, Caller, Connector
from narrows.declare.budget import Budget, shown
from narrows.pipeline.faults import tell as told_of
from narrows.settings import Settings
from narrows.stores.budgets import Account, Verdict

_log = logging.getLogger("narrows.pipeline")


class Held(NamedTuple):
    """A budget that holds for a call, and the account in which it is counted."""

    budget: Budget
    account: Account


class Accounts:
    """Finds the accounts of calls. `digest` is a keyed digest of texts: a store names no person.

    `soft` is the part of a limit from which on the operators are told.
    """

    def __init__(self, bff: str, settings: Settings, digest: Callable[..., str]) -> None:
        self._bff = bff
        self._digest = digest
        self._soft = settings.limits.budget_soft
        tenants = settings.tenants.items()
        self._budgets = {name: tenant_budgets(tenant.budgets, Budget.parse) for name, tenant in tenants}
        self._volumes = {name: tenant_budgets(tenant.volumes, Budget.volume) for name, tenant in tenants}

    def money(self, connector: Connector, caller: Caller | None, currency: str) -> list[Held]:
        """The budgets of one currency; without a caller, those that are shared."""
        own = (*connector.budgets, *self._budgets.get(connector.tenant, ()))
        return self._held(connector, caller, (budget for budget in own if budget.unit == currency))

    def volumes(self, connector: Connector, caller: Caller | None) -> list[Held]:
        """The volumes; without a caller, those that are shared."""
        return self._held(connector, caller, (*connector.volumes, *self._volumes.get(connector.tenant, ())))

    def currencies(self) -> Mapping[str, frozenset[str]]:
        """The currencies of the budgets of each tenant that has any."""
        return {name: frozenset(budget.unit for budget in found) for name, found in self._budgets.items() if found}

    def all(self, connector: Connector, caller: Caller | None) -> list[Held]:
        """Every budget and volume, for whoever looks at them."""
        own = (*connector.budgets, *self._budgets.get(connector.tenant, ()))
        return self._held(connector, caller, own) + self.volumes(connector, caller)

    def _held(self, connector: Connector, caller: Caller | None, budgets: Iterable[Budget]) -> list[Held]:
        """Each account once: of two limits of one account the smaller holds."""
        found: dict[str, Held] = {}
        for budget in budgets:
            if budget.per == "caller" and caller is None:
                continue
            name = self._name(budget, connector, caller)
            if name not in found or budget.amount < found[name].account.limit:
                soft = max(1, math.ceil(budget.amount * self._soft))
                found[name] = Held(budget, Account(name, budget.amount, budget.period, soft))
        return list(found.values())

    def _name(self, budget: Budget, connector: Connector, caller: Caller | None) -> str:
        """The name of an account. Neither version nor limit is in it: whoever raises one would have the budget anew."""
        whose = "" if budget.per == "tenant" else connector.id
        who = self._digest("budget", caller.issuer, caller.subject) if budget.per == "caller" and caller else ""
        return "|".join((self._bff, connector.tenant, whose, who, budget.unit, budget.period))


def tenant_budgets(texts: Iterable[str], parse: Callable[..., Budget]) -> tuple[Budget, ...]:
    """The budgets of a tenant; what is none is told at start, and left out here."""
    found = []
    for text in texts:
        try:
            found.append(parse(text, "tenant"))
        except ValueError:
            continue
    return tuple(found)


def tell(log: RecordLog, call: Call, held: Sequence[Held], verdict: Verdict) -> None:
    """Put down what the operators have to know of the accounts of a call: each thing once in a period."""
    for (budget, account), standing in zip(held, verdict.each, strict=True):
        if call.connector is not None and budget.per != "caller":  # a metric of each person would name nobody
            own = None if budget.per == "tenant" else call.connector.id
            used, rule = standing.used / max(1, account.limit), str(budget)
            call.span.measure("narrows.budget.used", used, tenant=call.connector.tenant, connector=own, rule=rule)
        if standing.told is None or call.connector is None:
            continue
        event = Event(
            time=timestamp(call.now_s()),
            event="budget",
            what=standing.told,
            bff=call.endpoint.bff,
            tenant=call.connector.tenant,
            connector=None if budget.per == "tenant" else call.connector.id,
            connector_version=None if budget.per == "tenant" else call.connector.version,
            endpoint=call.endpoint.id,
            trace_id=call.span.trace_id,
            rule=str(budget),
            amount=shown(standing.used, budget.unit),
        )
        try:
            log.append(event)
        except Exception as fault:  # whatever the sink raises: the record of the call itself is what counts
            _log.error("a budget event could not be written: %s", told_of(fault))


def short(held: Sequence[Held], verdict: Verdict, needed: Sequence[int]) -> list[dict[str, Any]]:
    """What a client reads of the accounts that do not suffice: whose they are, and when they renew.

    Only of the caller's own the amounts are told: of a shared one they would say what others do.
    """
    told = []
    for (budget, account), standing, amount in zip(held, verdict.each, needed, strict=True):
        if standing.fits:
            continue
        one = {"of": budget.per, "period": budget.period, "renews_at": moment(standing.renews)}
        if budget.per == "caller":
            amounts = {"limit": account.limit, "remaining": max(0, account.limit - standing.used), "needed": amount}
            one |= {name: shown(value, budget.unit) for name, value in amounts.items()}
        told.append(one)
    return told


def renews(verdict: Verdict) -> int:
    """When all that did not suffice will have renewed (seconds since 1970)."""
    return max(standing.renews for standing in verdict.each if not standing.fits)


def moment(at: int) -> str:
    """Seconds since 1970 as RFC 3339, in UTC."""
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")
