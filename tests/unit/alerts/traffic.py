"""Records of calls as the log has them, day by day, through an engine."""

from __future__ import annotations

from typing import Any

import msgspec

from narrows.alerts.alert import Alert
from narrows.alerts.engine import Engine, Facts
from narrows.alerts.state import State, decode, encode
from narrows.audit.record import timestamp
from narrows.settings import AlertSettings
from narrows.settings.alerting import AlertRules

DAY = 86_400
MONDAY = 20_458 * float(DAY)  # 2026-01-05
FACTS = Facts("shop", {}, {"shop.a": "a:read", "shop.b": "b:read"})


def settings(**rules: Any) -> AlertSettings:
    """Settings with rules of their own."""
    return AlertSettings(rules=AlertRules(**rules))


def leaf(at: float, **over: Any) -> bytes:
    """One call of `app`, as a leaf of the log."""
    record = {
        "time": timestamp(at), "event": "call", "bff": "shop", "endpoint": "shop.a", "mode": "live", "status": 200,
        "outcome": "ok", "tenant": "example", "connector": "app", "connector_version": "1+1", "peer": "198.51.100.7",
        "size": 1000, "trace_id": "t" * 32,
    }  # fmt: skip
    return msgspec.json.encode({**record, **over})


class Traffic:
    """An engine, and how far its log goes."""

    def __init__(self, chosen: AlertSettings | None = None, facts: Facts = FACTS) -> None:
        self.engine = Engine(facts, chosen or AlertSettings(), State())
        self.index = 0

    def call(self, at: float, **over: Any) -> list[Alert]:
        """One call."""
        return self.feed(leaf(at, **over))

    def feed(self, record: bytes) -> list[Alert]:
        """One record of whatever kind."""
        self.index += 1
        return self.engine.feed(self.index - 1, record)

    def calls(self, at: float, number: int, apart: float = 1.0, **over: Any) -> list[Alert]:
        """Some calls, so many seconds apart."""
        return [alert for one in range(number) for alert in self.call(at + one * apart, **over)]

    def days(self, number: int, begins: float = MONDAY, *, calls: int = 20, **over: Any) -> list[Alert]:
        """Some whole weeks and days of office life: calls from 9:00 on and from 14:00 on, on working days."""
        told = []
        for day in range(number):
            if (begins / DAY + day + 3) % 7 < 5:
                told += self.calls(begins + day * DAY + 9 * 3600, calls, 60, **over)
                told += self.calls(begins + day * DAY + 14 * 3600, calls, 60, **over)
        return told

    def restart(self) -> None:
        """Go on with what was kept, as another process does."""
        state = decode(encode(self.engine.state))
        assert state is not None
        self.engine = Engine(self.engine._facts, self.engine._settings, state)
