import base64
import time

import httpx
import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from narrows import Bff, Surroundings
from narrows.call import Raw
from narrows.declare.types import Money
from narrows.errors import SettingsError, StartRefused, Unavailable
from narrows.plan import Plan
from narrows.settings import Secret
from narrows.stores.memory_audit import MemoryAuditStore
from narrows.surfaces.http import Application
from narrows.testing import Clock, Network
from tests.flow.minimal import FACTS, People, Tables, make_bff, make_settings, start
from tests.flow.world import world


class Dialled(httpx.AsyncBaseTransport):
    """A transport that tells whether it was closed."""

    def __init__(self, ca: str | None) -> None:
        self.ca = ca
        self.closed = False

    async def aclose(self) -> None:
        self.closed = True


class Full:
    """A log that has no room."""

    async def room(self) -> None:
        raise Unavailable


def entry_of(plan: Plan, name: str):
    """The entry of an endpoint by the name of its function."""
    [found] = [entry for entry in plan.entries if entry.endpoint.id == name]
    return found


async def no_body(_: int) -> bytes:
    """No body."""
    return b""


def test_every_endpoint_has_one_entry_and_one_route():
    """Those of the team and Narrows' own stand in one plan: nothing is served beside it."""
    plan = start(make_bff()).plan
    routes = plan.routes()
    assert sum(len(methods) for methods in routes.values()) == len(plan.entries)
    assert {"lunch.team", "lunch.book", "lunch.cancel", "lunch.chairs", "narrows./health"} <= {
        entry.endpoint.id for entry in plan.entries
    }
    assert routes["/teams/{team_id}"]["GET"] is entry_of(plan, "lunch.team")


def test_the_methods_of_a_path_stand_together():
    """So that another one can be answered with what is allowed."""
    bff = make_bff()
    bff.write("/teams/{team_id}", method="PUT", roles={"member"}, within="team:{team_id}", scope="s", uses=[],
              rate="1/minute")(put)  # fmt: skip
    assert set(start(bff).plan.routes()["/teams/{team_id}"]) == {"GET", "PUT"}


async def put(team_id: int) -> None:
    """Put a team."""


@pytest.mark.parametrize(
    ("name", "ceiling"),
    [("lunch.team", "0.01 EUR"), ("lunch.book", "0.05 EUR"), ("lunch.cancel", "0.10 EUR"), ("lunch.chairs", "0.01 EUR"),
     ("narrows./health", None)],
)  # fmt: skip
def test_the_ceiling_is_the_most_that_a_call_can_cost(name, ceiling):
    """Each operation's price, as often as it may run."""
    found = entry_of(start(make_bff()).plan, name).ceiling
    assert found == (None if ceiling is None else Money.parse(ceiling))


def test_guards_count_among_what_may_be_sent():
    """The reads of `given`, `inside` and `roles_from` are allowed once more than `uses` says."""
    plan = start(make_bff()).plan
    assert entry_of(plan, "lunch.cancel").allowance.counts == {Tables.book: 2, Tables.booking: 1, Tables.line: 1}
    assert entry_of(plan, "lunch.chairs").allowance.counts == {People.team: 1, People.roles: 1}
    assert entry_of(plan, "narrows./health").allowance.counts == {}


def test_scopes_are_asked_for_by_endpoint():
    """Least privilege follows from `uses` alone; a rehearsal asks for those of reads."""
    allowance = entry_of(start(make_bff()).plan, "lunch.cancel").allowance
    assert allowance.asks == {"tables": {"bookings:read", "bookings:write"}}
    assert allowance.read_asks == {"tables": {"bookings:read"}}
    booking = entry_of(start(make_bff()).plan, "lunch.book").allowance
    assert (booking.asks, booking.read_asks) == ({"tables": {"bookings:write"}}, {})


@pytest.mark.parametrize("mode", ["live", "rehearse", "sandbox"])
async def test_a_call_goes_through_the_pipeline_in_every_mode(mode):
    """There is no other way to a handler, and without credentials it ends in step 2."""
    plan = start(make_bff()).plan
    raw = Raw(path={"team_id": "7"}, read_body=no_body)
    replies = [
        await plan.call(entry_of(plan, name), mode, raw, way="rest", span=plan.telemetry.silent())
        for name in ("narrows./health", "lunch.team")
    ]
    assert [reply.status for reply in replies] == [200, 401]


async def test_no_call_begins_that_cannot_be_recorded():
    """Whichever way it comes in: without room in the log it is a 503, and no step has run."""
    plan = start(make_bff()).plan
    plan.log = Full()
    raw = Raw(path={"team_id": "7"}, read_body=no_body)
    reply = await plan.call(entry_of(plan, "lunch.team"), "live", raw, way="rest", span=plan.telemetry.silent())
    assert reply.status == 503
    assert b"credentials" not in reply.body


async def test_what_is_opened_is_closed():
    """One transport an upstream that is used, each with its own certificates."""
    dialled = []

    def dial(ca):
        dialled.append(Dialled(ca))
        return dialled[-1]

    settings = make_settings(upstreams={"people": {"ca": "people.pem"}}, base="/etc/lunch")
    plan = Plan(make_bff(), settings, around=Surroundings(dial=dial))
    assert {"/etc/lunch/people.pem", None} == {transport.ca for transport in dialled}
    await plan.close()
    assert all(transport.closed for transport in dialled)


def test_a_refused_start_opens_nothing(tmp_path):
    """Above all no file, which somebody would have to close."""
    key = Secret(base64.b64encode(bytes(32)).decode())
    stores = {"rehearsals": "sqlite:rehearsals.db", "key": key}
    bff = make_bff(owner=None)
    with pytest.raises(StartRefused):
        start(bff, stores=stores, base=str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_does_not_open_is_an_error_of_the_settings():
    """It is no fault of the declarations."""
    with pytest.raises(SettingsError, match=r"stores\.rehearsals"):
        start(make_bff(), stores={"rehearsals": "redis:"})


def test_rates_go_by_a_clock_that_nobody_sets():
    """A wall clock that is set forward must not refill them; a clock of a test is steady by itself."""
    clock = Clock()
    assert start(make_bff()).plan.steady is time.monotonic
    assert Plan(make_bff(), make_settings(), around=Surroundings(dial=Network({}).dial, now=clock)).steady is clock


def test_surroundings_have_defaults():
    """Ids cannot be guessed, and never come twice."""
    around = Surroundings()
    ids = {around.new_id() for _ in range(100)}
    assert len(ids) == 100
    assert all(len(made) == 22 for made in ids)


async def test_records_go_to_the_standard_output(capfdbinary):
    """One line each, unless they are sent elsewhere."""
    bff = Bff("empty", **FACTS)
    around = Surroundings(dial=Network({}).dial, audit=MemoryAuditStore())
    app = Application(bff, make_settings(public_url="https://bff.test"), around)
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="https://bff.test")
    async with client:
        assert (await client.get("/health")).status_code == 200
    [line] = capfdbinary.readouterr().out.splitlines()
    assert b'"narrows./health"' in line


async def test_a_bff_without_endpoints_serves_its_own():
    """It is odd, but not unsafe."""
    app = Application(Bff("empty", **FACTS), make_settings(), Surroundings(dial=Network({}).dial, write_record=print))
    assert all(entry.endpoint.builtin for entry in app.plan.entries)


async def caller_recorded(**over) -> str:
    """How a record of a fresh world names its caller."""
    async with world(**over) as lunch:
        await lunch.get("/teams/7/bookings")
        return lunch.records.all()[-1]["caller"]


async def test_a_caller_has_a_key_of_their_own_in_each_log():
    """A key of the settings alone names nobody: where the log is another one, so is the hash."""
    key = {"stores": {"key": Secret(base64.b64encode(b"k" * 32).decode())}}
    assert await caller_recorded(**key) != await caller_recorded(**key)


async def test_token_exchanges_are_counted():
    """Made, found, and failed: every look for a token is seen by the operators."""
    reader = InMemoryMetricReader()
    async with world(around={"meter_provider": MeterProvider([reader])}) as lunch:
        await lunch.get("/teams/7/bookings")
        await lunch.get("/teams/7/bookings", subject="ben")
        lunch.app.plan._count_exchange("unheard of")
        data = reader.get_metrics_data()
    [points] = [
        metric.data.data_points
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name == "narrows.exchanges"
    ]
    counted = {point.attributes["narrows.event"]: point.value for point in points}
    assert counted["made"] >= 1
    assert counted["failed"] == 1


async def test_who_watches_sees_every_step_in_its_order_and_changes_nothing():
    """What is given to look at the steps is laid around each of them once, at start."""
    seen = []

    def watch(step):
        async def watched(call):
            seen.append(step.__module__.rpartition(".")[2])
            await step(call)

        return watched

    around = Surroundings(dial=Network({}).dial, write_record=lambda _: None, watch=watch, audit=MemoryAuditStore())
    plan = Application(make_bff(), make_settings(), around).plan
    raw = Raw(read_body=no_body)
    reply = await plan.call(entry_of(plan, "lunch.team"), "live", raw, way="rest", span=plan.telemetry.silent())
    assert reply.status == 401
    assert seen == ["receive", "authenticate"]
    await plan.close()
