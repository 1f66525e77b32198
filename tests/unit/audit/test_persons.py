"""Names of callers in records: a key for each person, which can be destroyed."""

from __future__ import annotations

from typing import Any

import pytest

from narrows.audit import persons as module
from narrows.audit.persons import HELD_S, Persons, arguments_digest
from narrows.call import Named
from narrows.errors import Unavailable
from narrows.stores.audit import Person
from narrows.stores.memory_audit import MemoryAuditStore
from narrows.testing import Clock

KEY = bytes(range(32))


class Counted(MemoryAuditStore):
    """Counts how often it is asked for somebody."""

    asked = 0

    async def person(self, lookup: bytes) -> Person | None:
        """Who was put under a lookup."""
        self.asked += 1
        return await super().person(lookup)


class Names:
    """Names in a store, as one process gives them."""

    def __init__(self, store: Any = None, *, clock: Clock | None = None, key: bytes = KEY, **how: Any) -> None:
        self.store = store or Counted()
        self.clock = clock or Clock()
        self.persons = Persons(lambda: self.store, key=key, steady=self.clock, **how)


async def test_somebody_keeps_one_name_in_every_process() -> None:
    """Whoever names them first, everybody takes that name."""
    one = Names()
    other = Names(one.store)
    anna = await one.persons.name("corp", "anna")
    assert await other.persons.name("corp", "anna") == anna
    assert await one.persons.name("corp", "ben") != anna
    assert await one.persons.name("partner", "anna") != anna


async def test_of_two_processes_that_name_somebody_at_once_one_wins() -> None:
    """The slower one takes the name that is kept."""

    class Late(MemoryAuditStore):
        async def person(self, lookup: bytes) -> Person | None:
            return None

    late = Late()
    assert await Names(late).persons.name("corp", "anna") == await Names(late).persons.name("corp", "anna")


async def test_a_name_is_held_for_a_moment() -> None:
    """A call of somebody who called a moment ago asks no store."""
    names = Names()
    assert names.persons.known("corp", "anna") is None
    anna = await names.persons.name("corp", "anna")
    names.clock.move(HELD_S - 1)
    assert (names.persons.known("corp", "anna"), names.store.asked) == (anna, 1)
    names.clock.move(1)
    assert names.persons.known("corp", "anna") is None


async def test_a_hash_leads_to_somebody_until_they_are_forgotten() -> None:
    """Then it leads to nobody, and who calls again is somebody else to the log."""
    names = Names()
    anna = await names.persons.name("corp", "anna")
    assert await names.persons.resolve(anna.hash) == ("corp", "anna")
    assert await names.persons.find("corp", "anna") == anna.hash
    assert await names.persons.forget("corp", "anna")
    assert names.persons.known("corp", "anna") is None
    assert await names.persons.resolve(anna.hash) is None
    assert await names.persons.find("corp", "anna") is None
    assert not await names.persons.forget("corp", "anna")
    assert (await names.persons.name("corp", "anna")).hash != anna.hash


async def test_what_another_process_forgot_is_felt_here_in_half_a_minute() -> None:
    """No process goes on naming somebody by a key that is destroyed."""
    names = Names()
    anna = await names.persons.name("corp", "anna")
    await Names(names.store).persons.forget("corp", "anna")
    assert names.persons.known("corp", "anna") == anna
    names.clock.move(30)
    assert names.persons.known("corp", "anna") is None
    assert await names.persons.name("corp", "anna") != anna


async def test_no_key_stays_in_memory_unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is too old goes with the next name, and there are never more than so many."""
    monkeypatch.setattr(module, "MOST", 3)
    names = Names()
    for subject in "abcd":
        await names.persons.name("corp", subject)
        names.clock.move(1)
    assert [names.persons.known("corp", subject) is not None for subject in "abcd"] == [False, True, True, True]
    names.clock.move(HELD_S)
    await names.persons.name("corp", "e")
    assert len(names.persons._held) == 1


async def test_the_store_learns_nothing_of_anybody() -> None:
    """Neither a name nor a key stands in what it is given."""

    class Open(MemoryAuditStore):
        async def put_person(self, lookup: bytes, person: Person) -> Person:
            seen.append(lookup + person.hash.encode() + person.sealed)
            return await super().put_person(lookup, person)

    seen: list[bytes] = []
    anna = await Names(Open()).persons.name("corp-issuer", "anna-subject")
    assert not any(part in seen[0] for part in (b"corp-issuer", b"anna-subject", anna.key))


async def test_a_name_that_was_swapped_in_the_store_is_refused() -> None:
    """Whoever writes to the store cannot give somebody's hash the key of another."""

    class Swapped(MemoryAuditStore):
        async def person(self, lookup: bytes) -> Person | None:
            found = await super().person(lookup)
            return found and Person("0" * 32, found.sealed)

    names = Names(Swapped())
    await names.persons.name("corp", "anna")
    with pytest.raises(Unavailable):
        await names.persons.name("corp", "anna")


def test_a_digest_needs_the_key_of_whoever_sent_it() -> None:
    """Nobody without it can try what was sent."""
    anna, ben = (Named(hash="h", key=bytes([n]) * 32) for n in (1, 2))
    assert arguments_digest(anna, b"{}") == arguments_digest(anna, b"{}") != arguments_digest(ben, b"{}")
    assert arguments_digest(anna, b"{}") != arguments_digest(anna, b"[]")
    assert "\\x01" not in repr(anna)
