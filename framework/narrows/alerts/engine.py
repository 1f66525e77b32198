"""The engine: takes the records of the log one by one, in their order, and answers what is unusual.

It is a function of the log alone: time comes from the records, and nothing from chance, so that a replay tells the same
alerts with the same ids. Only the daily look at what is unused has a clock, and is told what time it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import msgspec

from narrows.alerts import rules
from narrows.alerts.alert import Alert, Finding, alert_id
from narrows.alerts.days import teach, turn
from narrows.alerts.drift import drift
from narrows.alerts.seen import DAY_S, HOUR_S, Seen, network_of, read
from narrows.alerts.state import NETWORKS, TOLD, Day, Pattern, State, Told, Window, refresh
from narrows.alerts.unused import unused
from narrows.audit.record import timestamp
from narrows.settings.alerting import AlertSettings, RuleSettings
from narrows.stores.registry import Registered


class Facts(NamedTuple):
    """What the engine knows of a BFF: its name, from when (seconds since 1970) which of its endpoints are deprecated,
    and the scope of each.
    """

    bff: str
    deprecated: Mapping[str, float]
    scopes: Mapping[str, str]


class Engine:
    """Judges the records of one BFF's log. It changes the `state` that it is given."""

    def __init__(self, facts: Facts, settings: AlertSettings, state: State) -> None:
        self.state = state
        self._facts = facts
        self._settings = settings

    def feed(self, index: int, leaf: bytes) -> list[Alert]:
        """Judge one record; `index` is its place in the log."""
        self.state.cursor = index + 1
        seen = read(leaf)
        if seen is None or seen.bff not in ("", self._facts.bff):
            return []
        at = seen.at
        if self.state.first is None:
            self.state.first = at
        return [alert for found in self._findings(seen, at) if (alert := self._alert(found, seen, index, at))]

    def look(self, entries: Iterable[Registered], now: float) -> list[Alert]:
        """Look at what nobody uses, once a day (UTC); `now` is seconds since 1970."""
        day = int(now // DAY_S)
        if day <= self.state.looked:
            return []
        self.state.looked = day
        rule = self._settings.rules.unused
        told = []
        for entry in entries:
            found = unused(self.state, entry, self._facts.scopes, now, rule)
            seen = Seen(time=timestamp(now), event="look", connector=entry.id, tenant=entry.record.tenant)
            if found and (alert := self._alert(found, seen, self.state.cursor, now)):
                told.append(alert)
        return told

    def _findings(self, seen: Seen, at: float) -> Iterable[Finding]:
        """What is unusual in a record, by what it is about."""
        if seen.event == "budget":
            return (rules.budget(seen, at),)
        return self._anonymous(seen, at) if seen.connector is None else self._of(seen.connector, seen, at)

    def _of(self, connector: str, seen: Seen, at: float) -> Iterator[Finding]:
        """What is unusual in a call of a connector."""
        pattern = self._pattern(connector, at)
        if pattern.version != (seen.connector_version or ""):
            pattern.version, pattern.version_since = seen.connector_version or "", at
        yield from self._turn(pattern, at)
        calls, refused = _count(pattern, seen, at)
        set_rules, learn = self._settings.rules, self._settings.learn_days
        found = (
            rules.spike(pattern, at, set_rules.spike, learn),
            rules.refusals(pattern, calls, refused, set_rules.refusals) if seen.refused else None,
            rules.new_endpoint(pattern, seen, at, learn),
            rules.new_origin(pattern, seen, at, set_rules.new_origin, learn),
            rules.volume(pattern, "bytes", set_rules.volume, learn, at),
            rules.volume(pattern, "records", set_rules.volume, learn, at),
        )
        yield from (one for one in found if one)
        when = self._facts.deprecated.get(seen.endpoint)
        if when is not None and at >= when:
            yield rules.deprecated(seen, at, when)

    def _turn(self, pattern: Pattern, at: float) -> Iterator[Finding]:
        """End a day: it is measured against the days before it, and then becomes one of them."""
        ended = turn(pattern, at)
        if ended is None:
            return
        for what in ("bytes", "records"):
            if found := drift(pattern, ended, what, self._settings.rules.drift):
                yield found
        teach(pattern, ended)

    def _anonymous(self, seen: Seen, at: float) -> Iterator[Finding]:
        """What is unusual in requests of which nobody knows the program."""
        if not seen.refused:
            return
        rule = self._settings.rules.refusals
        network = network_of(seen.peer)
        window = self.state.networks.get(network) or Window()
        refresh(self.state.networks, network, window, NETWORKS)
        _, refused = window.add(at, True)
        if found := rules.unknown(network, refused, window, rule):
            yield found
        if self.state.unknown is None:
            self.state.unknown = Pattern(Day(int(at // DAY_S)), at, at)
        everybody = self.state.unknown
        if ended := turn(everybody, at):
            teach(everybody, ended)
        _, refused = _count(everybody, seen, at)
        if found := rules.everybody(everybody, refused, rule):
            yield found

    def _pattern(self, connector: str, at: float) -> Pattern:
        """What is known of a connector; the one that was not seen for the longest makes room."""
        pattern = self.state.connectors.get(connector) or Pattern(Day(int(at // DAY_S)), at, at, version_since=at)
        if refresh(self.state.connectors, connector, pattern, self._settings.connectors):
            self.state.forgot = at
        return pattern

    def _alert(self, found: Finding, seen: Seen, index: int, at: float) -> Alert | None:
        """The alert of a finding, unless it is ignored, learned in silence, or was told a short while ago."""
        rule: RuleSettings = getattr(self._settings.rules, found.rule)
        if rule.then == "ignore":
            return None
        key = "\n".join((found.rule, seen.connector or "", found.thing))
        before = self.state.told.get(key)
        if before is not None and at - before.at < rule.quiet_s:
            before.again += 1
            return None
        refresh(self.state.told, key, Told(at), TOLD)
        if index < self.state.silent:
            return None
        return Alert(
            **msgspec.structs.asdict(found),
            id=alert_id(self._facts.bff, index, found.rule, seen.connector, found.thing),
            time=seen.time,
            bff=self._facts.bff,
            then=rule.then if seen.connector else "tell",
            again=before.again if before else 0,
            index=index,
            tenant=seen.tenant,
            connector=seen.connector,
            connector_version=seen.connector_version,
            trace_id=seen.trace_id,
        )


def _count(pattern: Pattern, seen: Seen, at: float) -> tuple[int, int]:
    """Add one call to its day, and answer calls and refusals of the last ten minutes."""
    today = pattern.today
    pattern.last = at
    today.hours[int(at % DAY_S // HOUR_S)] += 1
    today.bytes += seen.size
    today.records += seen.records
    calls, refused = pattern.window.add(at, seen.refused)
    today.peak = max(today.peak, refused)
    return calls, refused
