"""Tokens on a shelf that processes share: sealed for their place and their end, and never needed."""

import base64

import msgspec
import pytest

from narrows.errors import SettingsError
from narrows.settings import Secret, Settings, StoreSettings
from narrows.stores.opening import open_shelf
from narrows.stores.redis_tokens import RedisShelf
from narrows.stores.servers import Servers
from narrows.stores.tokens import PAUSE_S, Shared, SharedTokens
from narrows.testing import Clock
from tests.unit.stores.promises.tokens import *
from tests.unit.stores.promises.tokens import KEY, OTHER
from tests.unit.stores.shelf import MemoryShelf

TOKEN = Secret("canary-token")


@pytest.fixture
def shelf():
    """An empty shelf in memory."""
    return MemoryShelf()


@pytest.fixture
def clock():
    """The clock of a test."""
    return Clock()


@pytest.fixture
def events():
    """What was heard."""
    return []


@pytest.fixture
def tokens(shelf, clock, events):
    """The shelf as a process uses it."""
    return SharedTokens(shelf, bytes(32), now=clock, steady=clock, on_event=events.append)


async def test_a_token_is_found_with_its_end(tokens, shelf, clock, events):
    """It lies there until the skew before its end, and no longer."""
    assert await tokens.get(KEY, []) is None
    await tokens.put(KEY, [], Shared(TOKEN, clock() + 300))
    assert await tokens.get(KEY, []) == (TOKEN, clock() + 300)
    assert shelf.lives[KEY] == 290
    assert events == ["shared"]
    clock.move(290)
    assert await tokens.get(KEY, []) is None
    await tokens.drop(KEY)
    assert shelf.kept == {}


async def test_what_ends_within_the_skew_is_not_put_there(tokens, shelf, clock):
    """Nobody could use it."""
    await tokens.put(KEY, [], Shared(TOKEN, clock() + 10))
    assert shelf.asked == 0


async def test_the_shelf_reads_no_token(tokens, shelf, clock):
    """What lies there is sealed."""
    await tokens.put(KEY, [], Shared(TOKEN, clock() + 300))
    assert b"canary" not in shelf.kept[KEY]


@pytest.mark.parametrize("how", ["swapped", "longer", "cut", "another key", "of another kind"])
async def test_case_83_what_was_not_sealed_for_this_place_and_end_is_refused(tokens, shelf, clock, events, how):
    """It counts as absent, whoever moved or altered it."""
    await tokens.put(KEY, [], Shared(TOKEN, clock() + 300))
    await tokens.put(OTHER, [], Shared(Secret("bens"), clock() + 300))
    whole = shelf.kept[KEY]
    match how:
        case "swapped":
            shelf.kept[KEY], shelf.kept[OTHER] = shelf.kept[OTHER], shelf.kept[KEY]
        case "longer":
            shelf.kept[KEY] = bytes([whole[0], whole[1] ^ 1, *whole[2:]])
        case "cut":
            shelf.kept[KEY] = whole[:5]
        case "another key":
            tokens = SharedTokens(shelf, bytes([9]) * 32, now=clock, steady=clock, on_event=events.append)
        case _:
            shelf.kept[KEY] = b"Bearer something"
    assert await tokens.get(KEY, []) is None
    assert events == ["foreign"]


async def test_a_shelf_that_is_away_is_left_alone_for_a_while(tokens, shelf, clock, events):
    """It counts as empty, one call in five seconds asks it, and afterwards it is used again."""
    await tokens.put(KEY, [], Shared(TOKEN, clock() + 300))
    shelf.away, shelf.asked = True, 0
    for _ in range(3):
        assert await tokens.get(KEY, []) is None
        await tokens.put(KEY, [], Shared(TOKEN, clock() + 300))
        await tokens.drop(KEY)
    assert (shelf.asked, events) == (1, ["away"])
    clock.move(PAUSE_S)
    await tokens.put(KEY, [], Shared(TOKEN, clock() + 300))
    clock.move(PAUSE_S)
    await tokens.drop(KEY)
    assert (shelf.asked, events) == (3, ["away"] * 3)
    shelf.away = False
    clock.move(PAUSE_S)
    assert (await tokens.get(KEY, [])).token == TOKEN


SETTINGS = Settings(public_url="https://bff.test")
KEYED = StoreSettings(
    tokens="redis:",
    connectors="sqlite:c.db",
    redis=Secret("redis://127.0.0.1:1/0"),
    key=Secret(base64.b64encode(bytes(32)).decode()),
)


async def test_the_settings_say_where_tokens_are_shared():
    """In memory each process keeps its own; on Redis they are sealed with the key of the stores."""
    servers = Servers(KEYED)
    assert open_shelf(SETTINGS, servers) is None
    opened = open_shelf(msgspec.structs.replace(SETTINGS, stores=KEYED), servers)
    assert opened is not None
    assert isinstance(opened[0], RedisShelf)
    assert opened[1] == bytes(32)
    await servers.close()


def test_tokens_are_not_shared_by_processes_that_do_not_share_what_is_revoked():
    """A registry in memory is known to one process alone; in development there is one."""
    stores = msgspec.structs.replace(KEYED, connectors="memory:")
    with pytest.raises(SettingsError, match=r"stores\.tokens: .* Remedy: set stores\.connectors"):
        open_shelf(msgspec.structs.replace(SETTINGS, stores=stores), Servers(stores))
