"""The rule about slow exfiltration: amounts that stay above the usual day after day (a one-sided CUSUM)."""

from __future__ import annotations

from collections.abc import Callable

from narrows.alerts.alert import Finding
from narrows.alerts.baseline import amount, usual
from narrows.alerts.days import of_kind
from narrows.alerts.seen import DAY_S
from narrows.alerts.state import Day, Pattern, Sums
from narrows.audit.record import timestamp
from narrows.settings.alerting import DriftSettings

# The last days are not part of the baseline: what creeps in must not become the measure of itself.
_HELD_BACK = 7
_LEAST_DAYS = 7
# So many spreads above are chance, and one day counts for so many at the most.
_SLACK = 1.5
_MOST = 4.0


def drift(pattern: Pattern, ended: Day, what: str, rule: DriftSettings) -> Finding | None:
    """Add a day that ended to the sum of `bytes` or `records` above the usual, and tell when it is too much."""
    amounts: Callable[[Day], int] = (lambda day: day.bytes) if what == "bytes" else (lambda day: day.records)
    sums: Sums = pattern.bytes if what == "bytes" else pattern.records
    floor = rule.floor_bytes if what == "bytes" else rule.floor_records
    known = [day for day in pattern.history if sums.anew <= day.number < ended.number - _HELD_BACK]
    if len(known) < _LEAST_DAYS:
        return None
    base = usual([amounts(day) for day in of_kind(known, ended)], counts=False)
    above = (amounts(ended) - base.middle) / max(base.spread, 1.0)
    before = sums.sum
    sums.sum = max(0.0, before + min(above, _MOST) - _SLACK) if amounts(ended) > floor else before
    if before == 0.0:
        sums.began = ended.number
    if sums.sum <= rule.sum:
        return None
    told, since = sums.sum, sums.began
    sums.sum, sums.anew = 0.0, ended.number + 1
    return Finding(
        rule="drift",
        what=f"more {what} than usual, day after day",
        observed=f"{amounts(ended)} {what} on the last day, {amount(told)} spreads above the usual together",
        usual=f"{base.told(what)} of its kind, the last {_HELD_BACK} left out",
        limit=f"{amount(rule.sum)} spreads together",
        since=timestamp(since * DAY_S),
        remedy="see whether its users or its answers grew; if neither did, somebody may be copying data slowly",
        thing=what,
    )
