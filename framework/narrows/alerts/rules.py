"""The rules about calls: each looks at one connector after one call, and explains what it finds."""

from __future__ import annotations

from narrows.alerts.alert import Finding
from narrows.alerts.baseline import amount, unusual_from, usual
from narrows.alerts.days import usual_day, usual_hour
from narrows.alerts.seen import DAY_S, HOUR_S, Seen, network_of
from narrows.alerts.state import ENDPOINTS, ORIGINS, Pattern, Window, refresh
from narrows.audit.record import timestamp
from narrows.settings.alerting import (
    OriginSettings,
    RefusalSettings,
    SpikeSettings,
    VolumeSettings,
)

# While a connector is new, so many days bring most of the networks that it is used from.
_SETTLING_DAYS = 3
# A little more than what was seen, so that a pace is never nothing.
_PRIOR = 0.1


def spike(pattern: Pattern, at: float, rule: SpikeSettings, learn_days: int) -> Finding | None:
    """Calls in this hour against the same hour of the days before."""
    hour = int(at % DAY_S // HOUR_S)
    calls = pattern.today.hours[hour]
    if calls <= rule.floor or len(pattern.history) < learn_days:
        return None
    base = usual_hour(pattern, hour)
    limit = base.limit(rule.floor, rule.factor, rule.spreads)
    if calls <= limit:
        return None
    return Finding(
        rule="spike",
        what=f"more calls than usual in the hour from {hour:02d}:00 UTC",
        observed=f"{calls} calls in this hour so far",
        usual=f"{base.told('calls')} {'at weekends' if pattern.today.weekend else 'on working days'} at this hour",
        limit=f"{amount(limit)} calls an hour",
        since=timestamp(at // HOUR_S * HOUR_S),
        remedy="see what it calls; a script that runs away is stopped with narrows connector suspend",
    )


def refusals(pattern: Pattern, calls: int, refused: int, rule: RefusalSettings) -> Finding | None:
    """Refusals of a connector within ten minutes against its usual peak."""
    if refused <= rule.floor or refused < rule.share * calls:
        return None
    base = usual([day.peak for day in pattern.history], counts=True)
    limit = max(rule.floor, rule.factor * base.middle)
    if refused <= limit:
        return None
    return Finding(
        rule="refusals",
        what="a burst of refusals (401, 403, 429)",
        observed=f"{refused} of {calls} calls within ten minutes",
        usual=f"{base.told('refusals')} at the peak of a day",
        limit=f"{amount(limit)} refusals in ten minutes",
        since=timestamp(pattern.window.since),
        remedy="see which rule refused it; it may be probing for what it may not see, or its last release is wrong",
    )


def unknown(network: str, refused: int, window: Window, rule: RefusalSettings) -> Finding | None:
    """Refusals of programs that nobody knows, from one network."""
    if refused <= rule.unknown_floor:
        return None
    return Finding(
        rule="refusals",
        what=f"a burst of refusals without a connector from {network}",
        observed=f"{refused} calls within ten minutes",
        usual="none: who has no token that holds is in no baseline",
        limit=f"{rule.unknown_floor} refusals in ten minutes",
        since=timestamp(window.since),
        remedy="somebody may be trying credentials: keep the network out before the BFF, and look at the issuer's log",
        thing=network,
    )


def everybody(pattern: Pattern, refused: int, rule: RefusalSettings) -> Finding | None:
    """Refusals of programs that nobody knows, from all networks together, against the usual peak."""
    base = usual([day.peak for day in pattern.history], counts=True)
    limit = max(2 * rule.unknown_floor, rule.factor * base.middle)
    if refused <= limit:
        return None
    return Finding(
        rule="refusals",
        what="a burst of refusals without a connector from many networks",
        observed=f"{refused} calls within ten minutes",
        usual=f"{base.told('refusals')} at the peak of a day",
        limit=f"{amount(limit)} refusals in ten minutes",
        since=timestamp(pattern.window.since),
        remedy="somebody may be trying credentials from many places: look at the issuer's log",
        thing="everybody",
    )


def new_endpoint(pattern: Pattern, seen: Seen, at: float, learn_days: int) -> Finding | None:
    """An endpoint that the connector has not used before, in a version that is not new."""
    if seen.outcome != "ok" or not seen.endpoint.startswith(f"{seen.bff}."):
        return None  # what was refused was not used, and Narrows' own endpoints are everybody's
    known = seen.endpoint in pattern.endpoints
    refresh(pattern.endpoints, seen.endpoint, int(at // DAY_S), ENDPOINTS)
    days = (at - pattern.version_since) / DAY_S
    if known or days < learn_days:
        return None
    return Finding(
        rule="new_endpoint",
        what=f"the first use of {seen.endpoint}",
        observed="1 call",
        usual=f"{len(pattern.endpoints) - 1} other endpoints, in this version for {amount(days)} days",
        limit="none: each first use is told",
        since=timestamp(at),
        remedy="ask its owner whether they changed it; if they did not, somebody else has its credentials",
        thing=seen.endpoint,
    )


def new_origin(pattern: Pattern, seen: Seen, at: float, rule: OriginSettings, learn_days: int) -> Finding | None:
    """A network that the connector was not seen from before, against how often that happens."""
    network = network_of(seen.peer)
    if not network:
        return None
    known = network in pattern.origins
    refresh(pattern.origins, network, int(at // DAY_S), ORIGINS)
    if known:
        return None
    pattern.today.origins += 1
    settled = int(pattern.first // DAY_S) + _SETTLING_DAYS
    days = [day.origins for day in pattern.history if day.number >= settled]
    if len(pattern.history) < learn_days or not days:
        return None
    pace = (sum(days) + _PRIOR) / len(days)
    limit = unusual_from(pace, rule.chance)
    if pattern.today.origins < limit:
        return None
    return Finding(
        rule="new_origin",
        what=f"calls from {network}, where it was not seen before",
        observed=f"{pattern.today.origins} new networks today",
        usual=f"{sum(days)} new networks in {len(days)} days",
        limit=f"{limit} new networks in a day",
        since=timestamp(at),
        remedy="ask its owner whether they moved it; if they did not, rotate its credentials as compromised",
    )


def volume(pattern: Pattern, what: str, rule: VolumeSettings, learn_days: int, at: float) -> Finding | None:
    """Bytes or records of this day against the days before; `what` says which."""
    observed = pattern.today.bytes if what == "bytes" else pattern.today.records
    floor = rule.floor_bytes if what == "bytes" else rule.floor_records
    if observed <= floor or len(pattern.history) < learn_days:
        return None
    base = usual_day(pattern, lambda day: day.bytes if what == "bytes" else day.records)
    limit = base.limit(floor, rule.factor, rule.spreads)
    if observed <= limit:
        return None
    return Finding(
        rule="volume",
        what=f"more {what} than usual in a day",
        observed=f"{observed} {what} in this day so far",
        usual=f"{base.told(what)} {'at weekends' if pattern.today.weekend else 'on working days'}",
        limit=f"{amount(limit)} {what} a day",
        since=timestamp(at // DAY_S * DAY_S),
        remedy="see what it reads and for whom; a volume budget in its record would end it by itself",
        thing=what,
    )


def budget(seen: Seen, at: float) -> Finding:
    """A budget of which a threshold was crossed (`soft`), or that stopped a call (`hard`)."""
    whose = "its budget" if seen.connector else f"the budget of {seen.tenant or 'everybody'}"
    return Finding(
        rule="budget",
        what=f"{whose} {'stopped a call' if seen.what == 'hard' else 'is nearly used up'}",
        observed=f"{seen.amount} in this period so far",
        usual="what its record or the settings allow",
        limit=seen.rule or "",
        since=timestamp(at),
        remedy="see what it spends on; who needs more asks for it in its record, which somebody else approves",
        thing=f"{seen.rule} {seen.what} {'' if seen.connector else seen.tenant}".strip(),
    )


def deprecated(seen: Seen, at: float, when: float) -> Finding:
    """A call to an endpoint that is declared deprecated."""
    return Finding(
        rule="deprecated",
        what=f"calls to {seen.endpoint}, which is deprecated since {timestamp(when)[:10]}",
        observed="1 call",
        usual="none is wanted",
        limit="none: each is told, once in the quiet time",
        since=timestamp(at),
        remedy="tell its owner what to call instead, before the endpoint is taken away",
        thing=seen.endpoint,
    )
