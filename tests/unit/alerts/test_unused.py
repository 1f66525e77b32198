from dataclasses import dataclass

import msgspec

from narrows.alerts.engine import Engine, Facts
from narrows.alerts.state import State
from narrows.governance.connectors import Operator
from narrows.governance.rotation import rotate
from narrows.settings import AlertSettings
from narrows.settings.alerting import UnusedSettings
from tests.unit.alerts.traffic import DAY, leaf, settings
from tests.unit.declare.records import Office

FACTS = Facts("lunch", {}, {"lunch.team": "lunch:read", "lunch.book": "lunch:book"})
BOTH = ["lunch:read", "lunch:book"]


@dataclass
class Desk:
    """A registry, and an engine that looks at it."""

    office: Office
    engine: Engine

    @classmethod
    def of(cls, chosen: AlertSettings | None = None) -> "Desk":
        return cls(Office(), Engine(FACTS, chosen or AlertSettings(), State()))

    def call(self, endpoint: str, connector: str = "lunch-app") -> None:
        record = leaf(self.office.clock(), bff="lunch", endpoint=endpoint, connector=connector)
        assert self.engine.feed(self.engine.state.cursor, record) == []

    async def look(self, days: float = 0):
        """Let days pass, and look."""
        self.office.clock.move(days * DAY)
        _, entries = await self.office.store.all()
        return self.engine.look(entries, self.office.clock())


async def test_a_connector_that_nobody_uses():
    """Approved long ago, and never called since."""
    desk = Desk.of()
    desk.call("lunch.team", "another")
    await desk.office.live()
    assert await desk.look(80) == []
    (alert,) = await desk.look(11)
    assert (alert.rule, alert.connector, alert.tenant) == ("unused", "lunch-app", "example")
    assert alert.what == "not used for 90 days: the connector"
    assert (alert.observed, alert.limit) == ("no call", "90 days")
    assert alert.usual.endswith("for 91 days")


async def test_endpoints_and_scopes_that_nobody_uses():
    """Of a connector in use, what its record asks for and its calls do not need."""
    desk = Desk.of()
    desk.call("lunch.team")
    await desk.office.live(scopes=BOTH)
    desk.office.clock.move(91 * DAY)
    desk.call("lunch.team")
    (alert,) = await desk.look()
    assert alert.what == "not used for 90 days: endpoint lunch.book, scope lunch:book"


async def test_all_in_use_is_nothing():
    """Nothing is told of a record whose parts are all used."""
    desk = Desk.of()
    desk.call("lunch.team")
    desk.call("lunch.book")
    await desk.office.live(scopes=BOTH)
    desk.office.clock.move(91 * DAY)
    desk.call("lunch.team")
    desk.call("lunch.book")
    assert await desk.look() == []


async def test_a_credential_that_was_never_used():
    """One that was made long ago, and no call came since."""
    desk = Desk.of(settings(unused=UnusedSettings(days=20)))
    desk.call("lunch.team")
    await desk.office.live(endpoints=["lunch.team"])
    desk.office.clock.move(1)
    rotated = await rotate(desk.office.governor, "lunch-app", Operator(name="olga"), now=desk.office.clock)
    (alert,) = await desk.look(21)
    assert alert.what == f"not used for 20 days: the connector, credential {rotated.entry.credentials[0].id}"
    assert "the last call at 2025-11-24" in alert.observed


async def test_a_credential_that_is_new_is_none():
    """It has had no time to be used."""
    desk = Desk.of(settings(unused=UnusedSettings(days=20)))
    desk.call("lunch.team")
    await desk.office.live(endpoints=["lunch.team"])
    desk.office.clock.move(21 * DAY)
    desk.call("lunch.team")
    desk.office.clock.move(1)
    await rotate(desk.office.governor, "lunch-app", Operator(name="olga"), now=desk.office.clock)
    assert await desk.look() == []


async def test_one_look_a_day_and_one_alert_a_month():
    """The same is not told each day; something else is at once."""
    desk = Desk.of(settings(unused=UnusedSettings(days=20)))
    desk.call("lunch.team")
    await desk.office.live(scopes=BOTH)
    desk.office.clock.move(20 * DAY)
    desk.call("lunch.team")
    assert len(await desk.look(1)) == 1
    assert await desk.look() == []
    assert await desk.look(1) == []
    assert len(await desk.look(20)) == 1
    assert len(await desk.look(30)) == 1


async def test_what_may_not_call_is_no_concern():
    """A draft and a suspended connector are stopped already, and one that nobody approved never began."""
    desk = Desk.of()
    desk.call("lunch.team")
    entry = await desk.office.live()
    await desk.office.governor.suspend("lunch-app", Operator(name="dana"))
    assert await desk.look(91) == []
    lost = msgspec.structs.replace(entry, approval=None)
    assert desk.engine.look([lost], desk.office.clock() + DAY) == []


async def test_a_log_that_does_not_reach_back_says_nothing():
    """Neither an empty one, nor one that began lately, nor one of which something was forgotten lately."""
    desk = Desk.of()
    await desk.office.live()
    assert await desk.look(91) == []
    desk.call("lunch.team", "another")
    assert await desk.look(89) == []
    desk.engine.state.forgot = desk.office.clock()
    assert await desk.look(10) == []
    assert len(await desk.look(80)) == 1
