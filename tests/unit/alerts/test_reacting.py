import msgspec
import pytest

from narrows.alerts.reacting import react
from narrows.errors import Unavailable
from narrows.governance.connectors import Governor
from narrows.stores.connectors import MemoryConnectors
from tests.unit.alerts.test_webhooks import an_alert
from tests.unit.declare.records import ERIK, Office

ALERT = msgspec.structs.replace(an_alert(), connector="lunch-app", then="suspend")


async def test_a_suspension_says_who_and_why():
    """The history tells of it as of an operator's: by whom, and with the alert."""
    office = Office()
    await office.live()
    assert await react(office.governor, ALERT)
    assert (await office.governor.find("lunch-app")).state == "suspended"
    line = (await office.store.history())[-1]
    assert (line.by, line.action, line.before, line.after) == ("narrows alerts", "suspend", "live", "suspended")
    assert line.note == f"alert {ALERT.id}: {ALERT.what}; {ALERT.observed}"


@pytest.mark.parametrize(("state", "then", "after"), [
    ("suspend", "suspend", "suspended"),
    ("suspend", "revoke", "revoked"),
    ("revoke", "suspend", "revoked"),
    ("revoke", "revoke", "revoked"),
])  # fmt: skip
async def test_a_reaction_only_takes_away(state, then, after):
    """What is stopped already stays so, and is not tried again."""
    office = Office()
    await office.live()
    await getattr(office.governor, state)("lunch-app", ERIK)
    assert await react(office.governor, msgspec.structs.replace(ALERT, then=then))
    assert (await office.governor.find("lunch-app")).state == after


async def test_a_connector_that_is_not_in_the_registry(caplog):
    """One of the settings, in development, cannot be suspended: it is told, and not tried again."""
    assert await react(Office().governor, ALERT)
    assert "the registry has no such connector" in caplog.text


class Away(MemoryConnectors):
    """A registry that goes away for some of its methods, or that somebody else changes meanwhile."""

    def __init__(self, *away):
        super().__init__()
        self.away = away
        self.looked = 0

    async def put(self, entry, change, was):
        if "changes" in self.away:
            was -= 1
        if "put" in self.away:
            raise Unavailable()
        return await super().put(entry, change, was)

    async def get(self, connector_id):
        self.looked += 1
        if self.away == ("get",) or ("later" in self.away and self.looked == 2):
            raise Unavailable()
        return await super().get(connector_id)


@pytest.mark.parametrize("away", [("put",), ("get",), ("changes",), ("changes", "later")])
async def test_what_could_not_be_done_is_done_again(away):
    """The registry is away before, between or after, or somebody else was faster."""
    store = Away()
    office = Office(store)
    await office.live()
    store.away, store.looked = away, 0
    assert not await react(Governor(office.governor.bff, None, store, now=office.clock), ALERT)
    store.away = ()
    assert await react(office.governor, ALERT)
    assert (await office.governor.find("lunch-app")).state == "suspended"
