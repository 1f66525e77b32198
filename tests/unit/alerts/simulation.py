"""Months of made-up traffic with planted incidents and ordinary life, to say what the alerts find and what they cry.

`python -m tests.unit.alerts.simulation --seeds 20` prints a table. Everything follows from the seed. The traffic is
synthetic: rates, hours and sizes are assumptions written down below, not recordings of anybody's users.
"""

from __future__ import annotations

import argparse
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

import msgspec

from narrows.alerts.alert import Alert
from narrows.alerts.engine import Engine, Facts
from narrows.alerts.state import State
from narrows.audit.record import timestamp
from narrows.settings import AlertSettings

DAY = 86_400
MONDAY = 20_458  # 2026-01-05, in days since 1970
BFF = "shop"
TUNED_ON = range(100, 120)
"""The seeds that the defaults were chosen with; what is reported comes from others."""


@dataclass
class Program:
    """How one connector is used: calls per hour of the day, on working days and at weekends, and from where."""

    name: str
    hours: list[float]
    weekend: float
    networks: list[str]
    size: float
    roams: float = 0.0
    monday: float = 1.0
    endpoints: list[str] = field(default_factory=lambda: [f"{BFF}.a", f"{BFF}.b", f"{BFF}.c"])


@dataclass
class Incident:
    """One that was planted: which rule should tell it, of whom, and between which times."""

    kind: str
    rules: tuple[str, ...]
    connector: str | None
    begins: float
    ends: float
    found: Alert | None = None


Call = tuple[float, dict[str, object]]


def office(rate: float) -> list[float]:
    """People at work: 7 to 17 UTC, with a dip at noon."""
    shape = [0, 0, 0, 0, 0, 0, 0.1, 0.5, 1, 1.2, 1.1, 0.6, 0.9, 1.1, 1, 0.8, 0.4, 0.1, 0, 0, 0, 0, 0, 0]
    return [rate * part for part in shape]


def programs(random: Random) -> list[Program]:
    """Six connectors of four sorts."""

    def net() -> str:
        return f"{random.randrange(11, 200)}.{random.randrange(256)}.{random.randrange(256)}"

    night = [0.0] * 24
    night[2] = 120.0
    return [
        Program("app-1", office(random.uniform(8, 25)), 0.02, [net()], 4_000),
        Program("app-2", office(random.uniform(8, 25)), 0.3, [net(), net()], 9_000),
        Program("copilot-1", office(random.uniform(4, 10)), 0.15, [net() for _ in range(12)], 6_000, roams=0.3),
        Program("copilot-2", office(random.uniform(4, 10)), 0.15, [net() for _ in range(5)], 6_000, roams=0.03),
        Program("nightly", night, 1.0, [net()], 20_000, monday=2.5),
        Program("partner", [random.uniform(5, 9)] * 24, 0.8, [net(), net()], 3_000),
    ]


def poisson(random: Random, mean: float) -> int:
    """How many, by chance."""
    if mean > 60:
        return max(0, round(random.gauss(mean, math.sqrt(mean))))
    number, left, limit = 0, 1.0, math.exp(-mean)
    while (left := left * random.random()) > limit:
        number += 1
    return number


class Life:
    """One world of a seed: its programs, what happens to them anyway, and what was planted."""

    slow = 1.7
    """How many times as much leaves while somebody copies slowly."""

    def __init__(self, seed: int, days: int) -> None:
        self.random = Random(seed)  # noqa: S311 - a simulation, which must repeat
        self.days = days
        self.programs = programs(self.random)
        # Ordinary life: two holidays, a quiet week, summer time, growth, one release and one outage a program.
        self.holidays = set(self.random.sample(range(days), 2 + days // 60))
        quiet = self.random.randrange(days)
        self.quiet_week = range(quiet, quiet + 7)
        self.summer_time = self.random.randrange(days)
        self.growth = {one.name: self.random.uniform(-0.02, 0.08) for one in self.programs}
        self.releases = {one.name: self.random.randrange(10, days) for one in self.programs}
        self.outages = {(one.name, self.random.randrange(days), self.random.randrange(24)) for one in self.programs}
        self.incidents: list[Incident] = []
        self.exfiltrating = self._plant_exfiltration()
        self._planted = sorted(self._plant(), key=lambda call: call[0])

    def calls(self) -> Iterator[dict[str, object]]:
        """Every call, in the order of time."""
        planted = iter([*self._planted, (math.inf, {})])
        waiting = next(planted)
        for hour in range(self.days * 24):
            begins = (MONDAY * 24 + hour) * 3600.0
            calls = [call for one in self.programs for call in self._hour(one, hour // 24, hour % 24, begins)]
            calls += self._strangers(begins)
            while waiting[0] < begins + 3600:
                calls.append(waiting)
                waiting = next(planted)
            yield from (call for _, call in sorted(calls, key=lambda call: call[0]))

    def _hour(self, program: Program, day: int, hour: int, begins: float) -> Iterator[Call]:
        random = self.random
        release = day >= self.releases[program.name]
        mean = self._mean(program, day, hour) * (1.25 if release else 1.0)
        size = program.size * (1.2 if release else 1.0) * random.uniform(0.8, 1.25)
        if self.exfiltrating and program.name == self.exfiltrating.connector:
            size *= self.slow if self.exfiltrating.begins <= begins < self.exfiltrating.ends else 1.0
        for _ in range(poisson(random, mean)):
            endpoints = [*program.endpoints, f"{BFF}.{program.name}_new"] if release else program.endpoints
            network = random.choice(program.networks)
            if random.random() < program.roams / 40:
                network = f"203.{random.randrange(256)}.{random.randrange(256)}"
            status = 403 if random.random() < 0.01 else 429 if random.random() < 0.004 else 200
            at = begins + random.random() * 3600
            yield at, call(at, program.name, random.choice(endpoints), network, status, random.expovariate(1 / size),
                           version="1+2" if release else "1+1")  # fmt: skip

    def _mean(self, program: Program, day: int, hour: int) -> float:
        local = (hour + (1 if day >= self.summer_time else 0)) % 24
        mean = (
            program.hours[local] * (1 + self.growth[program.name]) ** (day / 30) * self.random.gammavariate(16, 1 / 16)
        )
        if day % 7 >= 5:
            mean *= program.weekend
        if day % 7 == 0:
            mean *= program.monday
        if day in self.holidays and program.name != "nightly":
            mean *= 0.05
        if day in self.quiet_week and program.name != "nightly":
            mean *= 0.3
        if (program.name, day, hour) in self.outages:
            return 0.0
        return mean * (1.6 if (program.name, day, hour - 1) in self.outages else 1.0)

    def _strangers(self, begins: float) -> Iterator[Call]:
        """Tokens that have ended, scanners: refused, from anywhere."""
        for _ in range(poisson(self.random, 2.0)):
            at = begins + self.random.random() * 3600
            network = f"198.{self.random.randrange(256)}.{self.random.randrange(256)}"
            yield at, call(at, None, f"{BFF}.a", network, 401, 200)

    def _plant_exfiltration(self) -> Incident:
        begins = (MONDAY + self.random.randrange(35, max(36, self.days - 22))) * float(DAY)
        chosen = self.random.choice([one.name for one in self.programs if one.name != "nightly"])
        incident = Incident("slow exfiltration (+70 % bytes)", ("drift", "volume"), chosen, begins, begins + 21 * DAY)
        self.incidents.append(incident)
        return incident

    def _plant(self) -> Iterator[Call]:
        """Each of the short incidents once, on a program and a day of chance."""
        for kind in (self._runaway, self._off_hours, self._bulk, self._stolen, self._probing, self._new_use,
                     self._stuffing, self._spread_stuffing):  # fmt: skip
            program = self.random.choice(self.programs)
            day = self.random.randrange(35, self.days - 1)
            yield from kind(program, (MONDAY + day) * float(DAY))

    def _tell(self, kind: str, rules: tuple[str, ...], name: str | None, begins: float, ends: float) -> None:
        self.incidents.append(Incident(kind, rules, name, begins, ends))

    def _burst(self, program: Program, begins: float, seconds: float, number: int, **how: object) -> Iterator[Call]:
        release = begins / DAY - MONDAY >= self.releases[program.name]
        known = {"network": self.random.choice(program.networks), "status": 200, "size": program.size, **how}
        for _ in range(number):
            at = begins + self.random.random() * seconds
            endpoint = str(known.get("endpoint", program.endpoints[0]))
            yield at, call(at, program.name, endpoint, str(known["network"]), int(str(known["status"])),
                           float(str(known["size"])), version="1+2" if release else "1+1")  # fmt: skip

    def _runaway(self, program: Program, day: float) -> Iterator[Call]:
        begins = day + 10 * 3600
        self._tell("runaway script (40 a minute, half an hour)", ("spike",), program.name, begins, begins + 1800)
        return self._burst(program, begins, 1800, 1200)

    def _off_hours(self, program: Program, day: float) -> Iterator[Call]:
        begins = day + 22 * 3600
        self._tell("off-hours spike (150 calls at 22:00)", ("spike",), program.name, begins, begins + 3600)
        return self._burst(program, begins, 3600, 150)

    def _bulk(self, program: Program, day: float) -> Iterator[Call]:
        begins = day + 9 * 3600
        self._tell("bulk download (50 pages of 1 MB)", ("volume",), program.name, begins, begins + 7200)
        return self._burst(program, begins, 7200, 50, size=1_000_000)

    def _stolen(self, program: Program, day: float) -> Iterator[Call]:
        begins = day + 14 * 3600
        self._tell("stolen credentials (10 calls, new network)", ("new_origin",), program.name, begins, begins + 3600)
        return self._burst(program, begins, 3600, 10, network="192.0.2")

    def _probing(self, program: Program, day: float) -> Iterator[Call]:
        begins = day + 11 * 3600
        self._tell("probing ids (60 of 403 in 8 minutes)", ("refusals",), program.name, begins, begins + 600)
        return self._burst(program, begins, 480, 60, status=403, size=300)

    def _new_use(self, program: Program, day: float) -> Iterator[Call]:
        begins = day + 13 * 3600
        self._tell("first use of an endpoint", ("new_endpoint",), program.name, begins, begins + 600)
        return self._burst(program, begins, 600, 5, endpoint=f"{BFF}.export")

    def _stuffing(self, _: Program, day: float) -> Iterator[Call]:
        begins = day + 4 * 3600
        self._tell("credential stuffing (150, one network)", ("refusals",), None, begins, begins + 600)
        for _ in range(150):
            at = begins + self.random.random() * 540
            yield at, call(at, None, f"{BFF}.a", "192.0.2", 401, 200)

    def _spread_stuffing(self, _: Program, day: float) -> Iterator[Call]:
        begins = day + 5 * 3600
        self._tell("credential stuffing (200, 100 networks)", ("refusals",), None, begins, begins + 600)
        for number in range(200):
            at = begins + self.random.random() * 540
            yield at, call(at, None, f"{BFF}.a", f"198.51.{number % 100}", 401, 200)


def call(
    at: float, connector: str | None, endpoint: str, network: str, status: int, size: float, version: str = "1+1"
) -> dict[str, object]:
    """A record, with what the rules look at."""
    return {
        "time": timestamp(at), "event": "call", "bff": BFF, "endpoint": endpoint, "mode": "live", "status": status,
        "outcome": "ok" if status == 200 else "denied", "tenant": "example", "connector": connector,
        "connector_version": version if connector else None, "peer": f"{network}.7", "size": int(size),
    }  # fmt: skip


@dataclass
class Outcome:
    """What came of one seed."""

    life: Life
    records: int
    alerts: list[Alert]
    false: list[Alert]

    @property
    def months(self) -> float:
        """Connector-months that were watched by their own baseline (the first 7 days are learned)."""
        return len(self.life.programs) * (self.life.days - 7) / 30


def run(seed: int, days: int = 75, settings: AlertSettings | None = None) -> Outcome:
    """Judge one world."""
    life = Life(seed, days)
    engine = Engine(Facts(BFF, {}, {}), settings or AlertSettings(), State())
    alerts, number = [], 0
    for number, one in enumerate(life.calls()):
        alerts += engine.feed(number, msgspec.json.encode(one))
    return Outcome(life, number + 1, alerts, [alert for alert in alerts if not explained(alert, life.incidents)])


def explained(alert: Alert, incidents: list[Incident]) -> bool:
    """Whether an alert belongs to an incident: of its connector, in its time or within a day after it.

    An incident may be told by another rule too (a bulk download is a spike as well): that is no false alarm, but only
    the rule that it was planted for counts as finding it.
    """
    from datetime import datetime

    at, belongs = datetime.fromisoformat(alert.time).timestamp(), False
    for incident in incidents:
        if incident.connector == alert.connector and incident.begins <= at <= incident.ends + 1.5 * DAY:
            belongs = True
            if alert.rule in incident.rules and incident.found is None:
                incident.found = alert
    return belongs


def summary(outcomes: list[Outcome]) -> tuple[dict[str, tuple[int, int]], dict[str, float], float]:
    """Found and planted by kind, false alarms a connector-month by rule, and the connector-months."""
    planted, found, false = Counter[str](), Counter[str](), Counter[str]()
    for outcome in outcomes:
        planted.update(incident.kind for incident in outcome.life.incidents)
        found.update(incident.kind for incident in outcome.life.incidents if incident.found)
        false.update(alert.rule for alert in outcome.false)
    months = sum(outcome.months for outcome in outcomes)
    return {kind: (found[kind], planted[kind]) for kind in planted}, {r: n / months for r, n in false.items()}, months


def main() -> None:
    """Print what was found and what was cried."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--verbose", action="store_true")
    asked = parser.parse_args()
    outcomes = [run(seed, asked.days) for seed in range(asked.first, asked.first + asked.seeds)]
    kinds, rates, months = summary(outcomes)
    records = sum(outcome.records for outcome in outcomes)
    print(f"{asked.seeds} seeds, {asked.days} days, {records} records, {months:.0f} connector-months")
    for kind, (found, planted) in kinds.items():
        print(f"  {kind:50} {found:3} of {planted}")
    for rule, rate in sorted(rates.items()):
        print(f"  false alarms by {rule:14} {rate:.3f} a connector-month")
    if asked.verbose:
        for outcome in outcomes:
            for alert in outcome.false:
                print(
                    alert.time,
                    alert.rule,
                    alert.connector,
                    alert.what,
                    "|",
                    alert.observed,
                    "|",
                    alert.usual,
                    "|",
                    alert.limit,
                )


if __name__ == "__main__":
    main()
