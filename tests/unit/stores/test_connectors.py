"""The promises of a registry of connectors in memory and in a file, and what the file adds."""

import sqlite3
import stat

import msgspec
import pytest

from narrows.errors import SettingsError, Unavailable
from narrows.settings import Secret
from narrows.stores.connectors import MemoryConnectors, SqliteConnectors
from narrows.stores.opening import open_connectors
from narrows.stores.registry import (
    Approval,
    StoredCredential,
    credential_end,
    credentials_until,
    standing,
)
from tests.flow.minimal import make_settings
from tests.unit.declare import records
from tests.unit.stores.promises.connectors import *

DAY = 86_400.0


@pytest.fixture(params=["memory", "sqlite"])
async def store(request, tmp_path):
    """Each engine."""
    made = MemoryConnectors() if request.param == "memory" else SqliteConnectors(tmp_path / "c.db", KEY)
    yield made
    await made.close()


# --- the file -------------------------------------------------------------------------------------------------------


async def test_nothing_in_the_file_can_be_read(tmp_path):
    """No field of a record and no name of an operator lies in it, and it is its user's alone."""
    store = SqliteConnectors(tmp_path / "c.db", KEY)
    await store.put(entry(state="live"), change(note="canary-note"), 0)
    files = list(tmp_path.iterdir())
    content = b"".join(file.read_bytes() for file in files)
    for canary in (b"lunch-app", b"olga", b"conny", b"carla", b"lunch.book", b"canary-note", b"live"):
        assert canary not in content
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    await store.close()


async def test_another_process_sees_it(tmp_path):
    """Two stores on one file are two processes."""
    one, other = SqliteConnectors(tmp_path / "c.db", KEY), SqliteConnectors(tmp_path / "c.db", KEY)
    kept = await one.put(entry(), change(), 0)
    assert await other.all() == (1, [kept])
    await one.close()
    await other.close()


async def test_the_history_cannot_be_altered(tmp_path):
    """Not even by somebody who opens the file, while the triggers stand."""
    store = SqliteConnectors(tmp_path / "c.db", KEY)
    await store.put(entry(), change(), 0)
    with sqlite3.connect(tmp_path / "c.db") as connection:
        for statement in ("DELETE FROM changes", "UPDATE changes SET name = 'x'"):
            with pytest.raises(sqlite3.IntegrityError, match="append only"):
                connection.execute(statement)
    connection.close()
    await store.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE connectors SET name = 'x' || name",
        "UPDATE connectors SET generation = generation + 1",
        "UPDATE connectors SET sealed = zeroblob(100)",
    ],
)
async def test_a_row_that_somebody_touched_does_not_open(tmp_path, statement):
    """Nothing is guessed of it: the registry is away, and nothing is let through."""
    store = SqliteConnectors(tmp_path / "c.db", KEY)
    await store.put(entry(), change(), 0)
    with sqlite3.connect(tmp_path / "c.db") as connection:
        connection.execute(statement)
    connection.close()
    with pytest.raises(Unavailable, match="cannot be read"):
        await store.all()
    await store.close()


async def test_another_key_opens_nothing(tmp_path):
    """A file is of use only to those who have its key."""
    store = SqliteConnectors(tmp_path / "c.db", KEY)
    await store.put(entry(), change(), 0)
    await store.close()
    other = SqliteConnectors(tmp_path / "c.db", b"o" * 32)
    assert await other.get("lunch-app") is None
    for read in (other.all, other.history):
        with pytest.raises(Unavailable):
            await read()
    await other.close()


async def test_the_settings_name_the_registry(tmp_path):
    """Memory, or a file with its key; anything else is refused with the key's name."""
    assert isinstance(open_connectors(make_settings()), MemoryConnectors)
    stores = {"connectors": "sqlite:c.db", "key": Secret("a" * 43 + "=")}
    store = open_connectors(make_settings(stores=stores, base=str(tmp_path)))
    assert (tmp_path / "c.db").exists()
    await store.close()
    for wrong in ({"connectors": "redis:"}, {"connectors": "sqlite:c.db"}):
        with pytest.raises(SettingsError, match=r"stores\."):
            open_connectors(make_settings(stores=wrong, base=str(tmp_path)))


# --- what holds -----------------------------------------------------------------------------------------------------


def approved(**over):
    """A live entry with its approval."""
    made = entry(state="live")
    approval = Approval(**{"by": "dana", "at": 1.0, "digest": made.digest, **over})
    return msgspec.structs.replace(made, approval=approval)


def test_only_what_was_approved_is_live():
    """A record that was changed past the command line is a draft, and one that its owner approved is too."""
    assert standing(approved(), 0.0) == "live"
    assert standing(entry(state="live"), 0.0) == "draft"
    assert standing(approved(digest="other"), 0.0) == "draft"
    assert standing(approved(by=" OLGA "), 0.0) == "draft"
    assert standing(approved(by="Conny"), 0.0) == "draft"
    widened = msgspec.structs.replace(approved(), record=records.record(scopes=["lunch:read", "data:export"]))
    assert standing(widened, 0.0) == "draft"
    assert standing(msgspec.structs.replace(approved(), state="suspended"), 0.0) == "suspended"


def test_a_record_ends_on_its_day():
    """At midnight (UTC), but what is revoked stays revoked."""
    record = records.record(expires="1970-01-03")
    made = msgspec.structs.replace(entry(), record=record)
    assert standing(made, 2 * DAY - 1) == "draft"
    assert standing(made, 2 * DAY) == "expired"
    assert standing(msgspec.structs.replace(made, state="revoked"), 2 * DAY) == "revoked"


def test_credentials_have_an_age():
    """That of the template, or their own end; a template that is not known gives none."""
    record, old = records.record(), StoredCredential(id="a", made=DAY)
    assert credential_end(record, old) == 91 * DAY
    assert credential_end(record, msgspec.structs.replace(old, ends=2 * DAY)) == 2 * DAY
    assert credential_end(msgspec.structs.replace(record, template="gone@1"), old) == DAY


def test_services_and_partners_need_one():
    """A page or a copilot may have none; a connector that has some needs one that holds."""
    assert credentials_until(entry()) is None
    service = msgspec.structs.replace(entry(), record=records.record(kind="service"))
    assert credentials_until(service) == 0.0
    assert credentials_until(entry(credentials=(StoredCredential(id="a", made=DAY),))) == 91 * DAY
