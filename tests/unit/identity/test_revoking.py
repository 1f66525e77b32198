"""What one process revokes every other refuses within half a second, and nobody decides by what is older."""

import msgspec
import pytest

from narrows.call import Connector
from narrows.errors import InvalidToken, Unavailable
from narrows.identity import Identity
from narrows.identity.connectors import Directory
from narrows.identity.fresh import FRESH_S
from narrows.identity.revoking import KEPT_S, Revoking, Standing
from narrows.settings import Settings
from narrows.stores.revoked import MemoryRevoked, Revocation
from narrows.testing import Clock
from tests.unit.pipeline import calls
from tests.unit.upstreams.fake_authority import credential

PROGRAM = Connector(id="copilot", issuer="corp", client_id="app", tenant="t", kind="service", state="live", version="1")


class Watched(MemoryRevoked):
    """A store that can be away, and that counts looks."""

    away = False
    looks = 0

    async def since(self, number):
        self.looks += 1
        if self.away:
            raise Unavailable("The store of revocations is away.")
        return await super().since(number)


class Process:
    """What one process knows."""

    def __init__(self, store, clock):
        self.identity = Identity(Settings(public_url="https://bff.test"), now=clock)
        self.epochs = []
        self.revoking = Revoking(self.identity, now=clock, steady=clock)
        self.revoking.attach(store, lambda *what: self.epochs.append(what))

    async def refuses(self, one):
        """Whether a credential is refused by what is known now."""
        try:
            await self.revoking.check(one)
        except InvalidToken:
            return True
        return False


@pytest.fixture
def clock():
    """The clock of all."""
    return Clock()


@pytest.fixture
def store(clock):
    """What the processes share."""
    return Watched(clock)


def issued(subject, clock, **claims):
    """A credential that was issued now."""
    return credential(subject, claims={"iat": clock(), "jti": f"of-{subject}", **claims})


async def test_what_one_revokes_another_refuses_within_half_a_second(store, clock):
    """And the one that revoked refuses it at once; other persons and later tokens hold."""
    one, other = Process(store, clock), Process(store, clock)
    anna, ben = issued("anna", clock), issued("ben", clock)
    assert not await other.refuses(anna)
    await one.revoking.revoke("corp", "anna", clock())
    assert await one.refuses(anna)
    clock.move(FRESH_S)
    assert [await other.refuses(anna), await other.refuses(ben)] == [True, False]
    assert not await other.refuses(issued("anna", clock))


async def test_all_know_a_person_under_the_same_epoch(store, clock):
    """The number of the revocation is what the keys of their tokens are made of."""
    one, other = Process(store, clock), Process(store, clock)
    await one.revoking.revoke("corp", "ben", clock())
    await one.revoking.revoke("corp", "anna", clock())
    await other.revoking.refresh()
    assert one.epochs == other.epochs == [("corp", "ben", 1), ("corp", "anna", 2)]


async def test_one_token_is_revoked_everywhere(store, clock):
    """By its name, and no other token of the person."""
    one, other = Process(store, clock), Process(store, clock)
    await one.revoking.revoke_token("corp", "of-anna")
    assert await other.refuses(issued("anna", clock))
    assert not await other.refuses(issued("anna", clock, jti="another"))


async def test_a_process_that_starts_later_knows_it(store, clock):
    """A restart forgets nothing as long as a token of before can be alive."""
    anna = issued("anna", clock)
    await Process(store, clock).revoking.revoke("corp", "anna", clock())
    clock.move(KEPT_S - 1)
    assert await Process(store, clock).refuses(anna)


async def test_a_full_store_refuses_everybody_of_before(store, clock):
    """What gave way is covered by one that names nobody."""
    await store.add(Revocation("all", "", "", clock(), clock() + KEPT_S))
    process = Process(store, clock)
    assert await process.refuses(issued("anyone", clock))
    clock.move(1)
    assert not await process.refuses(issued("anyone", clock))


async def test_nobody_is_let_in_while_nobody_knows(store, clock):
    """Half a second after the last look the store must answer; and it heals by itself."""
    process = Process(store, clock)
    await process.revoking.refresh()
    store.away = True
    await process.revoking.refresh()
    clock.move(FRESH_S)
    with pytest.raises(Unavailable):
        await process.revoking.check(issued("anna", clock))
    store.away = False
    assert not await process.refuses(issued("anna", clock))
    assert store.looks == 3
    await process.revoking.close()


async def test_a_write_asks_once_more(store, clock):
    """A person who was revoked meanwhile sends nothing, although the program still stands."""
    settings = msgspec.structs.replace(calls.settings(), connectors={})
    directory = Directory(settings, now=clock, steady=clock)
    directory._configured = {("corp", "app"): PROGRAM}
    process = Process(store, clock)
    standing = Standing(directory, process.revoking)
    await standing.refresh()
    anna = issued("anna", clock)
    await standing.check_write(PROGRAM, anna, "lunch.book")
    await store.add(Revocation("subject", "corp", "anna", clock(), clock() + KEPT_S))
    clock.move(FRESH_S)
    with pytest.raises(InvalidToken):
        await standing.check_write(PROGRAM, anna, "lunch.book")


async def test_nothing_is_revoked_before_there_is_a_store(clock):
    """A revocation that nobody keeps must not pass for one."""
    revoking = Revoking(Identity(Settings(public_url="https://bff.test"), now=clock), now=clock, steady=clock)
    await revoking.refresh()
    with pytest.raises(AssertionError):
        await revoking.revoke("corp", "anna", clock())
