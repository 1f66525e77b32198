"""The servers of the shared stores are named in the settings, and reached with the first question."""

import sys

import pytest

from narrows.errors import SettingsError
from narrows.settings import Secret, StoreSettings
from narrows.stores.servers import Servers

KNOWN = StoreSettings(redis=Secret("redis://127.0.0.1:1/0"), postgres=Secret("postgresql://127.0.0.1:1/x"))


async def test_one_pool_each_is_made_and_closed():
    """Stores of one process share a pool, and to make it asks the server nothing."""
    servers = Servers(KNOWN)
    assert servers.redis is servers.redis
    assert servers.postgres is servers.postgres
    await servers.close()
    await Servers(StoreSettings()).close()


@pytest.mark.parametrize("name", ["redis", "postgres"])
def test_a_store_on_a_server_needs_its_url(name):
    """The message names the key and what to set."""
    with pytest.raises(SettingsError, match=rf"stores\.{name}: .*Remedy: set `stores\.{name} = "):
        getattr(Servers(StoreSettings()), name)


@pytest.mark.parametrize("name", ["redis", "postgres"])
def test_a_client_that_is_not_installed_is_told_with_its_extra(monkeypatch, name):
    """The message names the extra that brings it."""
    monkeypatch.setitem(sys.modules, f"narrows.stores.{name}_server", None)
    with pytest.raises(SettingsError, match=rf"pip install 'narrows\[{name}\]'"):
        getattr(Servers(KNOWN), name)
