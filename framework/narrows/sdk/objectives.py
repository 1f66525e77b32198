"""Objectives as rules of Prometheus: how fast each error budget burns, over several windows at once.

The form is that of the multi-window, multi-burn-rate alerts of Google's Site Reliability Workbook (chapter 5), for
28 days: a long window says that it matters, a short one that it still goes on.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

from narrows.declare.bff import Bff
from narrows.declare.endpoint import Endpoint
from narrows.declare.slo import Slo
from narrows.sdk.promql import Series, endpoints_of, is_, quoted, rate, ratio, total
from narrows.sdk.ruling import Alert, Group, Record

DAYS = 28
BAD = "narrows:slo_bad:ratio_rate"
OBJECTIVE = "narrows:slo_objective"
LEFT = f"narrows:slo_budget_left:ratio_{DAYS}d"
WINDOWS = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")
RECORDED = frozenset({*(f"{BAD}{window}" for window in (*WINDOWS, f"{DAYS}d")), OBJECTIVE, LEFT})
"""The names of all that is recorded."""

_FEWEST = 3
_HOURS = {"1h": 1, "6h": 6, "1d": 24, "3d": 72}


class Burn(NamedTuple):
    """Which part of the budget is gone after the long window, if it goes on; the short one says that it does."""

    long: str
    short: str
    budget: Decimal

    @property
    def rate(self) -> Decimal:
        """How many times faster than the budget lasts for 28 days."""
        return (self.budget * DAYS * 24 / _HOURS[self.long]).quantize(Decimal("0.0001")).normalize()


FAST = (Burn("1h", "5m", Decimal("0.02")), Burn("6h", "30m", Decimal("0.05")))
SLOW = (Burn("1d", "2h", Decimal("0.10")), Burn("3d", "6h", Decimal("0.10")))


def objectives(bff: Bff) -> list[tuple[Endpoint, Slo]]:
    """The endpoints that have an objective, in the order of their names."""
    found = [(endpoint, Slo.parse(endpoint.slo)) for endpoint in bff.every if endpoint.slo is not None]
    return sorted(found, key=lambda one: one[0].id)


def objective_groups(bff: Bff, series: Series) -> Iterator[Group]:
    """What is recorded of the objectives of a BFF, and when somebody is told."""
    declared = objectives(bff)
    if not declared:
        return
    yield Group(f"narrows-{bff.name}-objectives", "30s", [_bad(bff, series, window) for window in WINDOWS])
    month = [_bad(bff, series, f"{DAYS}d"), *(_objective(endpoint, slo) for endpoint, slo in declared), _left(bff)]
    yield Group(f"narrows-{bff.name}-budgets", "5m", month)
    alerts = [alert for endpoint, slo in declared for alert in _alerts(endpoint, slo, series)]
    yield Group(f"narrows-{bff.name}-burning", "30s", alerts)


def _bad(bff: Bff, series: Series, window: str) -> Record:
    """The part of the calls that were bad in one window."""
    calls = {"endpoint": endpoints_of(bff)}
    bad = series("narrows.slo.calls", **calls, verdict=is_("bad"))
    return Record(
        f"{BAD}{window}", ratio(rate(bad, window), rate(series("narrows.slo.calls", **calls), window), "endpoint")
    )


def _objective(endpoint: Endpoint, slo: Slo) -> Record:
    return Record(OBJECTIVE, f"vector({slo.objective.normalize():f})", {"narrows_endpoint": endpoint.id})


def _left(bff: Bff) -> Record:
    """The part of the budget that is left; below 0 more was bad than promised."""
    mine = f"{{narrows_endpoint{endpoints_of(bff)}}}"
    return Record(LEFT, f"1 - {BAD}{DAYS}d{mine} / on (narrows_endpoint) (1 - {OBJECTIVE}{mine})")


def _alerts(endpoint: Endpoint, slo: Slo, series: Series) -> Iterator[Alert]:
    for name, severity, burns in (("NarrowsFastBurn", "page", FAST), ("NarrowsSlowBurn", "ticket", SLOW)):
        hours = " or ".join(f"{burn.budget * 100:.0f}% in {burn.long}" for burn in burns)
        yield Alert(
            name,
            "\nor\n".join(_burns(endpoint, slo, burn, series) for burn in burns),
            {"severity": severity, "narrows_endpoint": endpoint.id},
            f"{endpoint.id} burns its error budget too fast",
            f"Its objective is {slo} over {DAYS} days. So fast, {hours} of what may go wrong is gone; "
            "{{ $value | humanizePercentage }} of its live calls are bad.",
        )


def _burns(endpoint: Endpoint, slo: Slo, burn: Burn, series: Series) -> str:
    """Whether one pair of windows burns; a handful of calls, of which one is bad, is no trend."""
    mine = f"{{narrows_endpoint={quoted(endpoint.id)}}}"
    most = f"{(burn.rate * slo.budget).normalize():f}"
    bad = series("narrows.slo.calls", endpoint=is_(endpoint.id), verdict=is_("bad"))
    enough = total(f"increase({bad}[{burn.long}])", "endpoint")
    return (
        f"({BAD}{burn.long}{mine} > {most}\n"
        f"  and {BAD}{burn.short}{mine} > {most}\n"
        f"  and on (narrows_endpoint) {enough} >= {_FEWEST})"
    )
