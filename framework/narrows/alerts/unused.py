"""The rule about what nobody uses: connectors, credentials, endpoints and scopes, of the registry against the log."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping

from narrows.alerts.alert import Finding
from narrows.alerts.baseline import amount
from narrows.alerts.seen import DAY_S
from narrows.alerts.state import Pattern, State
from narrows.audit.record import timestamp
from narrows.settings.alerting import UnusedSettings
from narrows.stores.registry import Registered, holding, standing

_LISTED = 20


def unused(
    state: State, entry: Registered, scopes: Mapping[str, str], now: float, rule: UnusedSettings
) -> Finding | None:
    """What of a connector was not used for so many days; `scopes` are those of the endpoints.

    Nothing is told of the time before the log began, or before the connector was approved or last forgotten.
    """
    if standing(entry, now) not in ("trial", "live") or entry.approval is None or state.first is None:
        return None
    reach = max(state.first, state.forgot or 0.0)
    since = max(reach, entry.approval.at)
    if now - since < rule.days * DAY_S:
        return None
    pattern = state.connectors.get(entry.id)
    found = list(_found(entry, pattern, scopes, now, rule.days))
    if not found:
        return None
    last = "no call" if pattern is None else f"the last call at {timestamp(pattern.last)}"
    return Finding(
        rule="unused",
        what=f"not used for {rule.days} days: {', '.join(found[:_LISTED])}",
        observed=last,
        usual=f"looked at since {timestamp(since)}, for {amount((now - since) / DAY_S)} days",
        limit=f"{rule.days} days",
        since=timestamp(max(since, pattern.last if pattern else 0.0) if found[0] == "the connector" else since),
        remedy="take it out of the record, or revoke the connector: what nobody uses nobody misses when it is stolen",
        # Told again at once when something else is unused.
        thing=hashlib.sha256("\n".join(found).encode()).hexdigest()[:16],
    )


def _found(
    entry: Registered, pattern: Pattern | None, scopes: Mapping[str, str], now: float, days: int
) -> Iterator[str]:
    oldest = now - days * DAY_S
    if pattern is None or pattern.last < oldest:
        yield "the connector"
    for one in holding(entry, now):
        if one.made < oldest and (pattern is None or pattern.last < one.made):
            yield f"credential {one.id}"
    if pattern is None or pattern.last < oldest:
        return
    used = {endpoint for endpoint, day in pattern.endpoints.items() if day * DAY_S >= oldest - DAY_S}
    for endpoint in entry.record.endpoints:
        if endpoint not in used:
            yield f"endpoint {endpoint}"
    needed = {scopes.get(endpoint) for endpoint in used}
    for scope in entry.record.scopes:
        if scope not in needed:
            yield f"scope {scope}"
