"""Budgets in memory and in a file: the one body of promises, the machine, and what each engine has of its own."""

import base64
import importlib
import tempfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from narrows.errors import SettingsError, Unavailable
from narrows.settings import Secret, Settings, StoreSettings, TenantSettings
from narrows.stores.budgets import GRACE_S, Charge, MemoryBudgets
from narrows.stores.opening import open_budgets, place_faults
from narrows.stores.redis_budgets import RedisBudgets
from narrows.stores.servers import Servers
from narrows.stores.sqlite_budgets import SqliteBudgets
from tests.unit.stores.promises.budgets import DAY_S, NOON, Promises, Spending, account, at_noon, used


class TestMemory(Promises):
    """In memory, where another store of this process is the same one."""

    @pytest.fixture
    def opened(self, clock):
        """The one store."""
        store = MemoryBudgets(clock)
        return lambda: store


class TestSqlite(Promises):
    """In a file that each opens for itself."""

    @pytest.fixture
    async def opened(self, clock, tmp_path):
        """A store on the one file."""
        stores = []

        def once_more():
            stores.append(SqliteBudgets(tmp_path / "b.db", clock))
            return stores[-1]

        yield once_more
        for store in stores:
            await store.close()


class MemorySpending(Spending):
    """The machine on a store in memory, which does not outlive its process."""

    restarts = False

    @staticmethod
    async def opened(clock, **_):
        return MemoryBudgets(clock)


class SqliteSpending(Spending):
    """The machine on a file."""

    folder = None

    @classmethod
    async def opened(cls, clock, fresh):
        cls.folder = cls.folder or tempfile.TemporaryDirectory()
        if fresh:
            cls.number = getattr(cls, "number", 0) + 1
        return SqliteBudgets(Path(cls.folder.name, f"{cls.number}.db"), clock)


def test_whatever_happens_memory_never_overspends():
    """Reserved, settled, left by the dead, with the clock set forth and back: store and books agree at every step."""
    run_state_machine_as_test(MemorySpending, settings=settings(max_examples=30, stateful_step_count=25, deadline=None))


def test_whatever_happens_a_file_never_overspends():
    """The same, and with restarts in between."""
    try:
        few = settings(max_examples=10, stateful_step_count=20, deadline=None)
        run_state_machine_as_test(SqliteSpending, settings=few)
    finally:
        SqliteSpending.folder.cleanup()


@pytest.fixture
def clock():
    """It stands at noon."""
    return at_noon()


@pytest.fixture(params=["memory", "sqlite"])
async def small(request, clock, tmp_path):
    """A store with room for two accounts."""
    make = (
        MemoryBudgets if request.param == "memory" else lambda now, cap: SqliteBudgets(tmp_path / "b.db", now, cap=cap)
    )
    store = make(clock, cap=2)
    yield store
    await store.close()


async def test_a_full_store_refuses_rather_than_forgets(small, clock):
    """What still counts is kept; what has ended long ago makes room."""
    await small.count([Charge(account("a", 10), 1), Charge(account("b", 10), 1)])
    with pytest.raises(Unavailable, match="no room"):
        await small.count([Charge(account("c", 10), 1)])
    with pytest.raises(Unavailable, match="no room"):
        await small.reserve("r1", [Charge(account("c", 10), 1)], NOON + 15)
    assert (await small.count([Charge(account("a", 10), 1)])).granted
    clock.move(402 * DAY_S)
    assert (await small.count([Charge(account("c", 10), 1)])).granted


async def test_memory_bounds_what_is_reserved(clock):
    """As many reservations as accounts; those whose calls have surely ended make room."""
    store, one = MemoryBudgets(clock, cap=2), account("a", 100)
    for number in range(2):
        await store.reserve(f"r{number}", [Charge(one, 1)], NOON + 15)
    with pytest.raises(Unavailable):
        await store.reserve("more", [Charge(one, 1)], NOON + 15)
    clock.move(15 + GRACE_S + 1)
    assert (await store.reserve("more", [Charge(one, 1)], clock() + 15)).granted
    assert await used(store, one) == [3]


async def test_a_file_that_is_away_refuses(clock, tmp_path):
    """Nothing is spent on a guess."""
    store = SqliteBudgets(tmp_path / "b.db", clock)
    store._file.connection.execute("DROP TABLE accounts")
    with pytest.raises(Unavailable, match="store of budgets is away"):
        await store.count([Charge(account("a", 10), 1)])
    await store.close()


def stores(named: str) -> Settings:
    """Settings that name one store of budgets."""
    return Settings(
        public_url="https://bff.test",
        stores=StoreSettings(
            budgets=named,
            key=Secret(base64.b64encode(bytes(32)).decode()),
            redis=Secret("redis://127.0.0.1:1/0"),
            postgres=Secret("postgresql://127.0.0.1:1/x"),
        ),
    )


@pytest.mark.parametrize(("named", "kind"), [("memory:", MemoryBudgets), ("redis:", RedisBudgets), ("postgres:", None)])
async def test_the_settings_say_where_budgets_lie(clock, named, kind):
    """A server is not asked before there is a question."""
    servers = Servers(stores(named).stores)
    store = open_budgets(stores(named), clock, servers)
    assert isinstance(store, kind or importlib.import_module("narrows.stores.postgres_budgets").PostgresBudgets)
    assert store.forgets is (named == "memory:")
    await store.close()
    await servers.close()


async def test_a_file_of_budgets_is_opened(clock, tmp_path):
    """In the folder of the settings; one that does not open is told."""
    named = msgspec.structs.replace(stores("sqlite:b.db"), base=str(tmp_path))
    store = open_budgets(named, clock, Servers(named.stores))
    assert isinstance(store, SqliteBudgets)
    await store.close()
    await store.close()
    with pytest.raises(SettingsError, match=r"stores\.budgets: .*does not open"):
        open_budgets(msgspec.structs.replace(named, base=str(tmp_path / "none")), clock, Servers(named.stores))


@pytest.mark.parametrize(("environment", "told"), [("development", 0), ("production", 1)])
def test_budgets_of_tenants_that_would_be_forgotten_are_told_without_a_store(environment, told):
    """By `narrows check`; the start refuses them too, and those of connectors."""
    named = msgspec.structs.replace(
        stores("memory:"), environment=environment, tenants={"acme": TenantSettings(budgets=("5 EUR/day",))}
    )
    faults = [fault for fault in place_faults(named) if "acme" in fault]
    assert len(faults) == told
    assert list(place_faults(msgspec.structs.replace(named, tenants={"acme": TenantSettings()}))) == []
