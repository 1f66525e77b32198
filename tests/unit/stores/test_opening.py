"""Stores on a server are opened by the settings, and the server is reached at start."""

import msgspec
import pytest

from narrows.errors import SettingsError
from narrows.settings import Secret, Settings, StoreSettings
from narrows.stores import opening
from narrows.stores.servers import Servers
from narrows.testing import Clock

KEY = Secret("A" * 43 + "=")
AWAY = Secret("postgresql://narrows:canary@127.0.0.1:1/narrows")
POSTGRES = StoreSettings(
    rehearsals="postgres:", commits="postgres:", connectors="postgres:", audit="postgres:", postgres=AWAY, key=KEY
)
TIMED = ("open_rehearsals", "open_commits", "open_ended", "open_revoked")


def settings(**stores):
    """Settings with these stores, by default all in PostgreSQL."""
    return Settings(public_url="https://bff.test", stores=msgspec.structs.replace(POSTGRES, **stores))


def open_one(name, read, servers=None):
    """Open one kind of store."""
    clock = (Clock(),) if name in TIMED else ()
    return getattr(opening, name)(read, *clock, servers)


@pytest.mark.parametrize("name", [*TIMED, "open_connectors", "open_reviews", "open_audit"])
async def test_a_store_in_postgresql_asks_nothing_when_it_is_opened(name):
    """Where nobody listens that is told at start, with the remedy, and never with the password."""
    read = settings()
    servers = Servers(read.stores)
    await servers.prepare()  # nothing is opened yet, so nothing is asked
    store = open_one(name, read, servers)
    assert type(store).__name__.startswith("Postgres")
    with pytest.raises(SettingsError, match=r"stores\.postgres: it does not answer\. Remedy: ") as caught:
        await servers.prepare()
    assert "canary" not in str(caught.value)
    await store.close()
    await servers.close()


@pytest.mark.parametrize("name", [*TIMED, "open_connectors", "open_reviews", "open_audit"])
def test_a_store_in_postgresql_needs_its_server_and_its_key(name):
    """Each is named; and whoever opens it says which servers it shares."""
    for over, key in (({"postgres": None}, "postgres"), ({"key": None}, "key")):
        read = settings(**over)
        with pytest.raises(SettingsError, match=rf"stores\.{key}: "):
            open_one(name, read, Servers(read.stores))
    with pytest.raises(TypeError, match="servers"):
        open_one(name, settings())


@pytest.mark.parametrize(
    ("over", "faults"),
    [
        ({}, []),
        ({"postgres": None}, ["stores.postgres"] * 4),
        ({"key": None}, ["stores.key"] * 4),
        ({"commits": "postgres:lunch"}, ["stores.commits"]),
        ({"rehearsals": "redis:"}, ["stores.rehearsals"]),
    ],
)
def test_what_cannot_be_is_told_without_asking_a_server(over, faults):
    """By `narrows check`, which has no secret."""
    assert [fault.partition(":")[0] for fault in opening.place_faults(settings(**over))] == faults
