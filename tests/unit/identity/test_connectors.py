import asyncio

import msgspec
import pytest

from narrows.errors import ConnectorRefused, Unavailable
from narrows.identity.connectors import Directory, configured
from narrows.identity.fresh import FRESH_S
from narrows.settings import Settings, read_settings
from narrows.stores.connectors import MemoryConnectors
from tests.unit.declare import records
from tests.unit.declare.records import DANA, Office
from tests.unit.pipeline import calls


class Watched(MemoryConnectors):
    """A registry that counts how often it is looked at, and that can be away or slow."""

    def __init__(self) -> None:
        super().__init__()
        self.looks = self.reads = 0
        self.away = False
        self.gate: asyncio.Event | None = None

    async def generation(self) -> int:
        self.looks += 1
        if self.gate is not None:
            await self.gate.wait()
        if self.away:
            raise Unavailable("The store of connectors is away.")
        return await super().generation()

    async def all(self):
        self.reads += 1
        return await super().all()


class Knowing:
    """A directory over a registry, with a clock that a test moves."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.store = Watched()
        self.office = Office(self.store)
        self.changed: list[str] = []
        clock = self.office.clock
        self.directory = Directory(settings or bare(), now=clock, steady=clock)
        self.directory.attach(self.store, lambda name, _: self.changed.append(name))

    async def find(self, client_id: str = "lunch-app"):
        """Look a program up, when half a second has passed."""
        self.office.clock.move(FRESH_S)
        return await self.directory.find("corp", client_id)


def bare() -> Settings:
    """Settings without a connector of their own."""
    return msgspec.structs.replace(calls.settings(), connectors={})


async def test_a_registered_program_is_found_with_all_its_limits():
    """What its record allows is what its calls carry."""
    knowing = Knowing(bare())
    entry = await knowing.office.live(kind="copilot", rates=["60/minute", "5/minute per caller"], documents="log")
    found = await knowing.find()
    assert (found.id, found.tenant, found.state, found.version) == ("lunch-app", "example", "live", "1.0+1")
    assert (found.purpose, found.commit, found.generation) == ("Book lunch", "confirmed", entry.generation)
    assert found.endpoints == {"lunch.team", "lunch.book"}
    assert found.scopes == {"lunch:read"}
    assert [str(rate) for rate in found.rates] == ["60/minute per connector", "5/minute per caller"]
    assert (found.priced, str(found.price_ceiling), found.credentials_until) == (True, "0.10 EUR", None)
    assert found.documents == "log"
    assert await knowing.find("other") is None


async def test_the_stricter_of_kind_and_template_holds():
    """A service may write openly by its kind, and needs a receipt by its template."""
    knowing = Knowing(bare())
    await knowing.office.apply(records.record(kind="service"))
    assert (await knowing.find()).commit == "receipt"


@pytest.mark.parametrize(
    "over", [{"template": "free@9"}, {"budgets": ["0.0000001 EUR/day"]}, {"volumes": ["1 MB/year"]}]
)
async def test_what_is_not_known_is_a_draft(over):
    """A registry that another version wrote does not let more through here."""
    knowing = Knowing(bare())
    entry = await knowing.office.live()
    record = records.record(**over)
    approval = msgspec.structs.replace(entry.approval, digest=record.digest())
    odd = msgspec.structs.replace(entry, record=record, approval=approval)
    await knowing.office.governor.change(entry, odd, "apply", DANA)
    found = await knowing.find()
    assert (found.state, found.commit) == ("draft", "confirmed")


async def test_a_snapshot_holds_for_half_a_second_and_no_longer():
    """The registry is asked for its generation, and read only when that has changed."""
    knowing = Knowing(bare())
    await knowing.office.live()
    await knowing.office.governor.suspend("lunch-app", DANA)
    await knowing.office.governor.resume("lunch-app", DANA)
    knowing.store.looks = knowing.store.reads = 0
    assert (await knowing.find()).state == "live"
    await knowing.office.governor.suspend("lunch-app", DANA)
    knowing.office.clock.move(FRESH_S - 0.01)
    assert (await knowing.directory.find("corp", "lunch-app")).state == "live"
    knowing.office.clock.move(0.01)
    assert (await knowing.directory.find("corp", "lunch-app")).state == "suspended"
    assert (knowing.store.looks, knowing.store.reads) == (2, 2)
    await knowing.find()
    assert (knowing.store.looks, knowing.store.reads) == (3, 2)


async def test_a_change_is_told_once_for_each_connector():
    """So that the tokens that were exchanged for it are dropped, and nobody else's."""
    knowing = Knowing(bare())
    await knowing.office.live()
    await knowing.office.apply(records.record(id="other", client_id="other"))
    await knowing.find()
    assert sorted(knowing.changed) == ["lunch-app", "other"]
    knowing.changed.clear()
    await knowing.office.governor.suspend("lunch-app", DANA)
    await knowing.find()
    await knowing.find()
    assert knowing.changed == ["lunch-app"]


async def test_while_the_registry_is_away_nothing_is_known():
    """An old snapshot is never used; afterwards it goes on."""
    knowing = Knowing(bare())
    await knowing.office.live()
    await knowing.find()
    knowing.store.away = True
    with pytest.raises(Unavailable):
        await knowing.find()
    with pytest.raises(Unavailable):
        await knowing.directory.find("corp", "lunch-app")
    knowing.store.away = False
    assert (await knowing.directory.find("corp", "lunch-app")).state == "live"


async def test_many_who_ask_wait_for_one_look():
    """Also when the one who asked first goes away, and when all of them do."""
    knowing = Knowing(bare())
    await knowing.office.live()
    knowing.store.gate = asyncio.Event()
    first = asyncio.create_task(knowing.directory.find("corp", "lunch-app"))
    others = [asyncio.create_task(knowing.directory.find("corp", "lunch-app")) for _ in range(5)]
    await asyncio.sleep(0)
    first.cancel()
    knowing.store.gate.set()
    assert [(await one).state for one in others] == ["live"] * 5
    assert knowing.store.looks == 1
    knowing.office.clock.move(FRESH_S)
    knowing.store.gate, knowing.store.away = asyncio.Event(), True
    alone = asyncio.create_task(knowing.directory.find("corp", "lunch-app"))
    await asyncio.sleep(0)
    alone.cancel()
    knowing.store.gate.set()
    await knowing.directory.close()


async def test_closing_without_a_look_does_nothing():
    """As when the start was refused."""
    await Knowing(bare()).directory.close()


async def test_an_end_is_felt_without_a_change():
    """The clock alone ends a record; what is revoked stays so."""
    knowing = Knowing(bare())
    await knowing.office.live(expires="2025-11-25")
    assert (await knowing.find()).state == "live"
    knowing.office.clock.move(86_400)
    assert (await knowing.find()).state == "expired"
    await knowing.office.governor.revoke("lunch-app", DANA)
    assert (await knowing.find()).state == "revoked"


async def test_a_client_that_two_claim_is_refused():
    """Nobody can tell which of the two holds; one that is revoked gives way."""
    knowing = Knowing(bare())
    entry = await knowing.office.live()
    record = records.record(id="twin")
    twin = msgspec.structs.replace(entry, id="twin", record=record, generation=0)
    twin = await knowing.store.put(twin, (await knowing.store.history())[0], 0)
    with pytest.raises(ConnectorRefused, match="more than once"):
        await knowing.find()
    await knowing.office.governor.revoke("lunch-app", DANA)
    assert (await knowing.find()).id == "twin"
    await knowing.office.governor.revoke("twin", DANA)
    assert (await knowing.find()).state == "revoked"


async def test_a_client_of_settings_and_registry_is_refused():
    """It is named for the start, and refused when it comes later."""
    knowing = Knowing(calls.settings())
    assert (await knowing.find()).id == "app"
    await knowing.office.live()
    with pytest.raises(ConnectorRefused, match="more than once"):
        await knowing.find()
    assert knowing.directory.twice() == ["app"]


async def test_the_programs_of_an_issuer_are_those_that_were_last_read():
    """Of settings and registry, and of this issuer alone; a client that two claim is none."""
    knowing = Knowing(calls.settings())
    await knowing.office.live(client_id="other")
    await knowing.find()
    assert [one.id for one in knowing.directory.programs("corp")] == ["app", "lunch-app"]
    assert knowing.directory.programs("partner") == []


# --- before a write -------------------------------------------------------------------------------------------------


async def check(knowing: Knowing, endpoint: str = "lunch.book", iat: float = 0.0, **over) -> None:
    """Ask, half a second later, whether a call that began before may still write."""
    knowing.office.clock.move(FRESH_S)
    connector = calls.connector(id="lunch-app", **over)
    await knowing.directory.check_write(connector, calls.credential(claims={"iat": iat}), endpoint)


async def test_a_write_may_leave_while_nothing_speaks_against_it():
    """As long as the connector is live and its record names the endpoint."""
    knowing = Knowing(bare())
    await knowing.office.live()
    await check(knowing)
    with pytest.raises(ConnectorRefused, match="endpoint any more"):
        await check(knowing, "lunch.cancel")
    with pytest.raises(ConnectorRefused, match="not registered any more"):
        await check(knowing, client_id="other")
    await knowing.office.governor.suspend("lunch-app", DANA)
    with pytest.raises(ConnectorRefused, match="'suspended' by now"):
        await check(knowing)


async def test_a_client_that_is_somebody_elses_by_now_does_not_write():
    """The call began as another connector."""
    knowing = Knowing(bare())
    await knowing.office.live(id="heir")
    with pytest.raises(ConnectorRefused, match="not registered any more"):
        await check(knowing)


async def test_a_token_from_before_a_compromise_does_not_write():
    """The call that carries it may have begun before it was known."""
    from narrows.governance.rotation import rotate

    knowing = Knowing(bare())
    await knowing.office.live()
    now = knowing.office.clock
    await rotate(knowing.office.governor, "lunch-app", DANA, now=now, compromised=True)
    with pytest.raises(ConnectorRefused, match="compromised"):
        await check(knowing, iat=now())
    await check(knowing, iat=now() + 1)


async def test_a_connector_of_the_settings_has_no_registry_to_ask():
    """In development it may write as its state says."""
    made = Directory(calls.settings(), now=lambda: 0.0, steady=lambda: 0.0)
    await made.check_write(calls.connector(), calls.credential(claims={"iat": 1}), "lunch.team")


@pytest.mark.parametrize(
    ("kind", "commit", "asked"),
    [
        ("copilot", None, "confirmed"),
        ("low-code", None, "receipt"),
        ("service", None, "open"),
        ("copilot", "receipt", "receipt"),
    ],
)
def test_a_connector_of_the_settings_commits_as_its_kind_asks(kind, commit, asked):
    """What a copilot may do live does not depend on where it stands, unless development says otherwise."""
    table = {"issuer": "corp", "client_id": "c1", "tenant": "example", "kind": kind, "commit": commit}
    issuer = {"url": "https://issuer.test", "audience": "a"}
    settings = read_settings(
        {"public_url": "https://bff.test", "environment": "development", "issuers": {"corp": issuer},
         "connectors": {"one": table}},
        environ={},
    )  # fmt: skip
    assert [connector.commit for connector in configured(settings)] == [asked]
