import asyncio

import httpx
import msgspec
import pytest

from narrows.alerts.engine import Facts
from narrows.alerts.state import State, decode, encode
from narrows.alerts.telling import AGAIN_S, IN_HAND_S, QUEUE
from narrows.alerts.watch import KEEP_S, LEASE_S, Around, Watch
from narrows.alerts.webhooks import RETRIES_S
from narrows.audit.log import RecordLog
from narrows.audit.merkle import grow, leaf_hash
from narrows.errors import Unavailable
from narrows.settings import AlertSettings
from narrows.settings.alerting import AlertRules, SpikeSettings
from narrows.stores.memory_audit import MemoryAuditStore
from narrows.testing import Records
from tests.unit.alerts.test_webhooks import Hook, receiver
from tests.unit.alerts.traffic import DAY, MONDAY, leaf
from tests.unit.declare.records import Office

WEEKS_2 = MONDAY + 14 * DAY
FACTS = Facts("shop", {}, {})


class Counted:
    """Counts what telemetry is told."""

    def __init__(self):
        self.told = []

    def count(self, name, **labels):
        self.told.append((name, *labels.values()))


class Site:
    """One log and one registry, and any number of processes that watch."""

    def __init__(self, hook=None, chosen=None, store=None):
        self.store = store or MemoryAuditStore()
        self.office = Office()
        self.office.clock.move(WEEKS_2 - self.office.clock())
        self.records = Records()
        self.hook = hook
        self.counted = Counted()
        self.chosen = chosen or AlertSettings()

    def process(self, me="one"):
        around = Around(
            self.store, RecordLog(self.records.write), self.office.governor, self.counted, self.office.clock, me
        )
        made = {"ops": receiver(self.hook, deadline_s=0.05)} if self.hook else {}
        return Watch(FACTS, self.chosen, made, around)

    async def put(self, *leaves):
        was = await self.store.head()
        head, nodes = grow(was, [leaf_hash(one) for one in leaves])
        assert await self.store.append(was, head, leaves, nodes)

    async def weeks(self, **over):
        """Two weeks of office life."""
        days = [day for day in range(14) if day % 7 < 5]
        await self.put(*(leaf(MONDAY + day * DAY + 9 * 3600 + 60 * n, **over) for day in days for n in range(20)))

    async def spike(self, at=WEEKS_2 + 3 * 3600, calls=100, **over):
        await self.put(*(leaf(at + 10 * n, **over) for n in range(calls)))

    def alerts(self):
        return [record for record in self.records.all() if record["event"] == "alert"]

    async def state(self):
        return decode((await self.store.kept("alerts.v1:shop")).value)


async def settle(watch):
    """Step until nothing is left to do at this time."""
    while await watch.step():
        await watch.teller.drain()
    await watch.teller.drain()
    while await watch.step():
        await watch.teller.drain()


async def steps(watch):
    """Step for a while, without waiting for any receiver."""
    for _ in range(10):
        await watch.step()
        await asyncio.sleep(0)


async def until(seen):
    """Let the tasks go on until something is seen."""
    async with asyncio.timeout(10):
        while not seen():  # noqa: ASYNC110 - what is waited for is a fake's list
            await asyncio.sleep(0.001)


async def started(**how):
    """A site that has learned its past, with one process."""
    site = Site(**how)
    await site.weeks()
    watch = site.process()
    await settle(watch)
    return site, watch


async def test_an_alert_is_told():
    """In the audit log, as a metric, and by webhook, once each."""
    site, watch = await started(hook=Hook())
    await site.spike()
    await settle(watch)
    (event,) = site.alerts()
    assert (event["what"], event["connector"], event["by"]) == ("spike", "app", "narrows alerts")
    assert (event["amount"], event["rule"]) == ("61 calls in this hour so far", "60 calls an hour")
    assert "usual: 0 calls" in event["note"]
    assert sorted(site.counted.told) == [
        ("narrows.alerts", "spike", "example", "app"),
        ("narrows.webhooks", "delivered"),
    ]
    assert len(site.hook.requests) == 1
    assert (await site.state()).pending == []


async def test_the_past_is_learned_and_not_told():
    """Who begins to watch a log hears nothing of its past, and all of what comes."""
    site = Site()
    await site.weeks()
    await site.spike()
    watch = site.process()
    await settle(watch)
    assert site.alerts() == []
    await site.spike(WEEKS_2 + DAY)
    await settle(watch)
    assert len(site.alerts()) == 1


async def test_of_many_processes_each_record_is_judged_by_one():
    """However they come in between each other, an alert is told once."""
    site, watch = await started(hook=Hook())
    others = [site.process(str(number)) for number in range(3)]
    await site.spike()
    for _ in range(20):
        await asyncio.gather(*(one.step() for one in (watch, *others)))
        await asyncio.sleep(0)
    assert (len(site.alerts()), len(site.hook.requests)) == (1, 1)


async def test_two_that_both_believe_to_lead():
    """The compare-and-set decides, and the slower one looks again."""
    site, watch = await started()
    other = site.process("two")
    other._leads = watch._leads = _yes
    await settle(other)
    await site.spike()
    assert await asyncio.gather(watch.step(), other.step()) == [True, True]
    await settle(watch)
    await settle(other)
    assert len(site.alerts()) == 1


async def _yes(now):
    return True


async def test_another_goes_on_after_a_while():
    """When the process that leads is gone, another takes over where it was."""
    site, _ = await started()
    await site.spike()
    other = site.process("two")
    assert not await other.step()
    assert site.alerts() == []
    site.office.clock.move(LEASE_S + 1)
    await settle(other)
    assert len(site.alerts()) == 1


async def test_a_lease_of_a_clock_that_was_wrong():
    """One that would last for a year is not waited for."""
    site, _ = await started()
    site.office.clock.move(-DAY)
    other = site.process("two")
    await site.spike()
    await settle(other)
    assert len(site.alerts()) == 1


async def test_what_was_begun_and_not_finished_is_done_again():
    """A process that is killed after it has judged leaves the telling to the next, with the same id."""
    site, watch = await started(hook=Hook())
    await site.spike()

    async def killed(mine, now):
        raise asyncio.CancelledError

    watch.teller.begin = killed
    with pytest.raises(asyncio.CancelledError):
        await watch.step()
    assert site.alerts() == []
    site.office.clock.move(IN_HAND_S + 1)
    await settle(site.process("two"))
    assert (len(site.alerts()), len(site.hook.requests)) == (1, 1)


async def test_a_reaction_is_carried_out():
    """The connector is suspended by the alert, and the alert is told."""
    site, watch = await started(chosen=AlertSettings(rules=AlertRules(spike=SpikeSettings(then="suspend"))))
    await site.office.live(id="app", client_id="app")
    await site.spike()
    await settle(watch)
    assert (await site.office.governor.find("app")).state == "suspended"
    assert ("narrows.reactions", "suspend", "example", "app") in site.counted.told
    assert len(site.alerts()) == 1


async def test_no_reaction_that_is_not_declared():
    """A rule that only tells leaves the connector alone."""
    site, watch = await started()
    await site.office.live(id="app", client_id="app")
    await site.spike()
    await settle(watch)
    assert len(site.alerts()) == 1
    assert (await site.office.governor.find("app")).state == "live"


async def test_a_reaction_that_fails_is_tried_again():
    """After a short while, until it is done."""
    site, watch = await started(chosen=AlertSettings(rules=AlertRules(spike=SpikeSettings(then="revoke"))))
    await site.office.live(id="app", client_id="app")
    put, away = site.office.store.put, True

    async def sometimes(*args):
        if away:
            raise Unavailable
        return await put(*args)

    site.office.store.put = sometimes
    await site.spike()
    await settle(watch)
    assert ("narrows.reactions", "failed", "example", "app") in site.counted.told
    for _ in range(20):
        site.office.clock.move(AGAIN_S)
        await settle(watch)
    away = False
    site.office.clock.move(AGAIN_S)
    await settle(watch)
    assert (await site.office.governor.find("app")).state == "revoked"


async def test_a_receiver_hears_of_the_rules_that_it_names():
    """And of no other."""
    site, watch = await started(hook=Hook())
    watch.teller.receivers = {"ops": receiver(site.hook, rules=("drift",))}
    await site.spike()
    await settle(watch)
    assert (len(site.alerts()), site.hook.requests) == (1, [])


async def test_a_dead_receiver_blocks_nothing():
    """The log is judged and alerts are kept, while its attempts wait for longer and longer, and then end."""
    site, watch = await started(hook=Hook(lambda: httpx.Response(503)))
    await site.spike()
    for number, pause in enumerate(RETRIES_S):
        await settle(watch)
        assert len(site.hook.requests) == number + 1
        site.office.clock.move(pause - 1)
        await settle(watch)
        assert len(site.hook.requests) == number + 1
        site.office.clock.move(1)
    await settle(watch)
    assert len(site.hook.requests) == len(RETRIES_S) + 1
    assert site.counted.told[-1] == ("narrows.webhooks", "abandoned")
    assert ((await site.state()).pending, len(site.alerts())) == ([], 1)


async def test_a_receiver_that_is_gone_gets_no_more():
    """410 ends the attempts."""
    site, watch = await started(hook=Hook(lambda: httpx.Response(410)))
    await site.spike()
    await settle(watch)
    assert ("narrows.webhooks", "gone") in site.counted.told
    assert (await site.state()).pending == []


async def test_the_queue_of_a_receiver_is_bounded():
    """The oldest is dropped and counted; a receiver that the settings do not name any more has none."""
    site, watch = await started(hook=Hook(lambda: httpx.Response(503)))
    for number in range(QUEUE + 10):
        await site.spike(WEEKS_2 + 3 * 3600 + number * 1e-3, calls=22, connector=f"app-{number}", status=403)
    await settle(watch)
    state = await site.state()
    assert (len(state.pending), state.lost) == (QUEUE, 10)
    assert site.counted.told.count(("narrows.webhooks", "dropped")) == 10
    site.hook = None
    site.office.clock.move(LEASE_S + 1)
    await site.put(leaf(WEEKS_2 + DAY))
    await settle(site.process("two"))
    assert (await site.state()).pending == []


async def test_a_slow_receiver_takes_no_more_than_its_share():
    """So many attempts at once, and no more, while it does not answer."""

    class Slow(Hook):
        def __init__(self):
            super().__init__()
            self.go = asyncio.Event()

        async def handle(self, request):
            self.requests.append(request)
            await self.go.wait()
            return httpx.Response(204)

    site, watch = await started(hook=Slow())
    watch.teller.receivers = {"ops": receiver(site.hook)}
    for number in range(10):
        await site.spike(connector=f"app-{number}", status=403)
    await steps(watch)
    assert (len(site.hook.requests), len(site.alerts())) == (4, 10)
    site.hook.go.set()
    await settle(watch)
    assert len(site.hook.requests) == 10
    await watch.close()


async def test_an_end_leaves_what_is_under_way_to_the_next():
    """Attempts are ended with the process, and made again."""

    class Never(Hook):
        async def handle(self, request):
            await asyncio.Event().wait()

    site, watch = await started(hook=Never())
    watch.teller.receivers = {"ops": receiver(site.hook)}
    await site.spike()
    await steps(watch)
    await watch.close()
    assert [one.to for one in (await site.state()).pending] == ["webhook:ops"]
    site.hook = Hook()
    site.office.clock.move(IN_HAND_S + 1)
    await settle(site.process("two"))
    assert len(site.hook.requests) == 1


async def test_the_diagnostics_say_of_whom_what_and_against_what(caplog):
    """Whoever reads the line alone can judge it."""
    site, watch = await started()
    await site.spike()
    await settle(watch)
    [line] = [record.getMessage() for record in caplog.records if record.name == "narrows.alerts"]
    assert line.startswith("alert spike of app: more calls than usual in the hour from ")
    assert line.endswith(" calls in this hour so far (limit: 60 calls an hour)")


@pytest.mark.parametrize("value", [b"\xc1", encode(State(cursor=10_000))], ids=["not to be read", "of a longer log"])
async def test_a_state_that_does_not_belong_to_the_log(value, caplog):
    """It is told, and the log is learned anew, in silence."""
    site = Site()
    await site.store.keep("alerts.v1:shop", 0, value)
    await site.weeks()
    await site.spike()
    watch = site.process()
    await settle(watch)
    assert "is learned anew" in caplog.text
    assert (site.alerts(), (await site.state()).cursor) == ([], 300)


async def test_many_records_are_judged_in_pieces():
    """A long log is read without end, and other work goes on in between."""
    site = Site()
    await site.put(*(leaf(MONDAY + n) for n in range(2_500)))
    watch = site.process()
    assert await watch.step()
    assert (await site.state()).cursor == 1000
    await settle(watch)
    assert (await site.state()).cursor == 2500


async def test_nothing_new_costs_no_write():
    """While nothing happens, what is kept stays as it is."""
    site, watch = await started()
    before = await site.store.kept("alerts.v1:shop")
    assert not await watch.step()
    assert await site.store.kept("alerts.v1:shop") == before


async def test_what_is_only_learned_is_put_down_now_and_then():
    """While there is nothing to tell, a busy log is not answered with a write for each look at it."""
    site, watch = await started()
    before = await site.store.kept("alerts.v1:shop")
    for minute in range(3):
        await site.put(leaf(WEEKS_2 + 60 * minute))
        await settle(watch)
    assert await site.store.kept("alerts.v1:shop") == before
    site.office.clock.move(KEEP_S)
    await site.put(leaf(WEEKS_2 + 300))
    await settle(watch)
    assert (await site.state()).cursor == 204


async def test_what_was_judged_and_not_kept_is_judged_again():
    """Killed in the middle of a spike: the next process comes to the same alert, and tells it once."""
    site, watch = await started()
    await site.spike(calls=50)
    await settle(watch)
    assert (await site.state()).cursor == 200
    site.office.clock.move(LEASE_S + 1)
    other = site.process("two")
    await settle(other)
    await site.spike(WEEKS_2 + 3 * 3600 + 500, calls=50)
    await settle(other)
    (event,) = site.alerts()
    assert event["amount"] == "61 calls in this hour so far"


async def test_an_orderly_end_lets_another_lead_at_once():
    """What was learned is kept, and nobody waits for the lease to end."""
    site, watch = await started()
    await site.spike(calls=50)
    await settle(watch)
    await watch.close()
    assert (await site.state()).cursor == 250
    other = site.process("two")
    await site.spike(WEEKS_2 + 3 * 3600 + 500, calls=50)
    await settle(other)
    assert len(site.alerts()) == 1
    # Whoever has lost the lead meanwhile puts nothing down over it.
    kept = await site.store.kept("alerts.v1:shop")
    await watch.close()
    assert await site.store.kept("alerts.v1:shop") == kept


async def test_an_end_while_the_log_is_away():
    """It ends all the same."""

    class Gone(MemoryAuditStore):
        gone = False

        async def keep(self, name, was, value):
            if self.gone:
                raise Unavailable
            return await super().keep(name, was, value)

    site, watch = await started(store=Gone())
    site.store.gone = True
    await watch.close()


async def test_unused_connectors_are_looked_for_once_a_day():
    """With the registry, when all of the log is judged."""
    site, watch = await started()
    await site.office.live()
    site.office.clock.move(100 * DAY)
    await settle(watch)
    (event,) = site.alerts()
    assert (event["what"], event["connector"]) == ("unused", "lunch-app")


class Away(MemoryAuditStore):
    """A log that is away when it is told to be."""

    away = False

    async def head(self):
        if self.away:
            raise Unavailable
        return await super().head()

    async def leaves(self, start, count):
        if self.away:
            raise Unavailable
        return await super().leaves(start, count)


async def test_it_runs_on_when_the_log_comes_back():
    """While it is away that is counted, and nothing is lost."""
    chosen = AlertSettings(every_s=0.001)
    site, first = await started(store=Away(), chosen=chosen)
    site.store.away = True
    await first.close()
    watch = site.process()
    running = asyncio.create_task(watch.run())
    await until(lambda: site.counted.told)
    assert site.counted.told[0] == ("narrows.store.away", "audit", "alerts")
    site.store.away = False
    await site.spike()
    await until(site.alerts)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert len(site.alerts()) == 1


async def test_a_fault_of_ours_does_not_end_the_watch(caplog):
    """It is told without its values, and the watch goes on."""
    site, _ = await started(chosen=AlertSettings(every_s=0.001))
    watch, faults = site.process(), iter([True])

    async def step():
        if next(faults, False):
            raise RuntimeError("a secret")
        return await Watch.step(watch)

    watch.step = step
    running = asyncio.create_task(watch.run())
    await until(lambda: "the watch over alerts failed" in caplog.text)
    assert "a secret" not in caplog.text
    await site.spike()
    await until(site.alerts)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


def test_what_is_kept_is_small():
    """The state of a connector with four weeks of history is a few kilobytes."""
    from tests.unit.alerts.traffic import Traffic

    traffic = Traffic()
    traffic.days(60)
    assert len(encode(traffic.engine.state)) < 3_000
    assert msgspec.msgpack.decode(encode(State()))["cursor"] == 0
