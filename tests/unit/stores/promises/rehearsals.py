"""What every store of rehearsals promises. `make` opens one, with bounds of `Bounds`; `clock` is theirs."""

import asyncio

import pytest

from narrows.stores import Owner
from narrows.stores.rehearsals import StoreRefused

KEY = bytes(range(32))
ANN = Owner("acme", "https://login.example.com", "ann", "where2eat")
OTHERS = [
    Owner("other", ANN.issuer, ANN.subject, ANN.connector),
    Owner(ANN.tenant, "https://other.example.com", ANN.subject, ANN.connector),
    Owner(ANN.tenant, ANN.issuer, "bob", ANN.connector),
    Owner(ANN.tenant, ANN.issuer, ANN.subject, "other"),
    Owner(ANN.tenant + ANN.issuer, "", ANN.subject, ANN.connector),
]


async def test_a_document_is_found_among_owners(make, clock):
    """The one of them that it belongs to comes with it; nobody else's, and nothing that has expired, is found."""
    store = make()
    await store.put("r1", ANN, b"one")
    assert await store.find("r1", [*OTHERS, ANN]) == (ANN, b"one")
    assert await store.find("r1", OTHERS) is None
    assert await store.find("r1", []) is None
    assert await store.find("r2", [ANN]) is None
    clock.time += 60
    assert await store.find("r1", [ANN]) is None


async def test_a_document_comes_back_to_its_owner(make):
    """What was put is what its owner gets, byte for byte."""
    store = make()
    await store.put("r1", ANN, b"\x00document\xff")
    await store.put("r2", ANN, b"")
    assert await store.get("r1", ANN) == b"\x00document\xff"
    assert await store.get("r2", ANN) == b""


@pytest.mark.parametrize("other", OTHERS)
async def test_nobody_else_can_tell_that_it_exists(make, other):
    """Another tenant, issuer, subject or connector gets what one gets who asks for nothing that exists."""
    store = make()
    await store.put("r1", ANN, b"document")
    assert await store.get("r1", other) is None
    assert await store.newest(other, 10) == []
    assert await store.get("unknown", ANN) is None


async def test_an_id_that_nobody_gives_is_absent(make):
    """As any other, even if the engine has no word for it."""
    store = make()
    for strange in ("a\x00b", "", "x" * 5000):
        assert await store.get(strange, ANN) is None
        assert await store.find(strange, [ANN]) is None


async def test_documents_expire(make, clock):
    """A document is there until its lifetime is over, and not a moment longer."""
    store = make()
    await store.put("r1", ANN, b"document")
    clock.time += 59.5
    assert await store.get("r1", ANN) == b"document"
    clock.time += 0.5
    assert await store.get("r1", ANN) is None
    assert await store.newest(ANN, 10) == []


async def test_expired_documents_leave_room_and_their_id(make, clock):
    """What is over is removed by the next put, and its id is free again."""
    store = make()
    await store.put("r1", ANN, b"old")
    clock.time += 60
    await store.put("r1", ANN, b"new")
    assert await store.newest(ANN, 10) == [b"new"]


async def test_the_newest_come_first(make):
    """An owner's list goes from new to old and is as long as asked for, none of another's in it."""
    store = make()
    for number in range(5):
        await store.put(f"a{number}", ANN, b"ann %d" % number)
        await store.put(f"b{number}", OTHERS[0], b"other %d" % number)
    assert await store.newest(ANN, 3) == [b"ann 4", b"ann 3", b"ann 2"]
    assert len(await store.newest(ANN, 100)) == 5
    assert await store.newest(ANN, 0) == await store.newest(ANN, -1) == []


@pytest.mark.parametrize("owner", [ANN, OTHERS[0]])
async def test_a_used_id_is_refused(make, owner):
    """No put replaces a document, whoever's it is."""
    store = make()
    await store.put("r1", ANN, b"first")
    with pytest.raises(StoreRefused, match="kept already"):
        await store.put("r1", owner, b"second")
    assert await store.get("r1", ANN) == b"first"
    await store.put("r2", owner, b"the store goes on")
    assert await store.get("r2", owner) == b"the store goes on"


async def test_each_owner_has_a_bound(make):
    """Past an owner's bound the owner's oldest go, and nobody else's."""
    store = make(per_owner=2)
    await store.put("b", OTHERS[0], b"other")
    for number in range(4):
        await store.put(f"a{number}", ANN, b"%d" % number)
    assert await store.newest(ANN, 10) == [b"3", b"2"]
    assert await store.get("b", OTHERS[0]) == b"other"


async def test_the_store_has_a_bound_of_documents(make):
    """Past the store's bound the oldest of all go."""
    store = make(documents=2)
    for number, owner in enumerate(OTHERS[:3]):
        await store.put(f"r{number}", owner, b"document")
    kept = [await store.get(f"r{number}", owner) for number, owner in enumerate(OTHERS[:3])]
    assert kept == [None, b"document", b"document"]


async def test_the_store_has_a_bound_of_bytes(make):
    """The documents together stay under the store's bytes."""
    store = make(total_bytes=250)
    for number in range(5):
        await store.put(f"r{number}", ANN, bytes(60))
    assert len(await store.newest(ANN, 10)) == 2


async def test_a_store_with_no_room_for_one_keeps_none(make):
    """The bound of all holds for the newest too."""
    store = make(total_bytes=10)
    await store.put("r1", ANN, bytes(60))
    assert await store.get("r1", ANN) is None


@pytest.mark.parametrize("bounds", [{"documents": 4}, {"total_bytes": 500}, {"owner_bytes": 250}])
async def test_nobody_pushes_out_what_belongs_to_another(make, bounds):
    """Who fills the store loses their own documents first; another's receipts and previews stay."""
    store = make(**bounds)
    await store.put("b", OTHERS[0], bytes(60))
    for number in range(20):
        await store.put(f"a{number}", ANN, bytes(60))
    assert await store.get("b", OTHERS[0]) == bytes(60)
    assert await store.get("a19", ANN) == bytes(60)
    assert 1 < len(await store.newest(ANN, 30)) < 5


async def test_in_a_full_store_the_newest_of_an_owner_has_room(make):
    """Somebody who has nothing there yet takes the place of the oldest of all."""
    store = make(documents=2)
    for number in range(2):
        await store.put(f"a{number}", ANN, b"document")
    await store.put("b", OTHERS[0], b"document")
    assert await store.get("b", OTHERS[0]) == b"document"
    assert await store.newest(ANN, 10) == [b"document"]


async def test_a_document_that_is_too_large_is_refused(make):
    """One document cannot push all others out."""
    store = make(document_bytes=10)
    await store.put("r1", ANN, bytes(10))
    with pytest.raises(StoreRefused, match="11 bytes, the bound is 10"):
        await store.put("r2", ANN, bytes(11))
    assert await store.newest(ANN, 10) == [bytes(10)]


async def test_a_clock_set_back_harms_nothing(make, clock):
    """With the clock set back, documents stay as long as it says and still expire."""
    store = make()
    await store.put("r1", ANN, b"first")
    clock.time -= 30
    await store.put("r2", ANN, b"second")
    clock.time += 60
    await store.put("r3", ANN, b"third")
    assert await store.newest(ANN, 10) == [b"third", b"first"]


async def test_many_at_once_all_arrive(make):
    """Puts and gets side by side lose nothing."""
    store = make()
    await asyncio.gather(*(store.put(f"r{number}", ANN, b"%d" % number) for number in range(50)))
    assert await asyncio.gather(*(store.get(f"r{number}", ANN) for number in range(50))) == [
        b"%d" % number for number in range(50)
    ]


async def test_closing_twice_is_harmless(make):
    """A store can be closed again."""
    store = make()
    await store.close()
    await store.close()
