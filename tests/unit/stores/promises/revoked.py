"""What every store of revocations promises; `revoked` is one with room for three, `clock` is its own."""

from narrows.stores.revoked import Revocation

LIFE_S = 100


def subject(name, clock):
    """The revocation of somebody's tokens, now."""
    return Revocation("subject", "corp", name, clock(), clock() + LIFE_S)


async def test_what_is_added_is_read_in_its_order(revoked, clock):
    """With numbers that grow; what was read already is not read again."""
    added = [subject("anna", clock), Revocation("token", "corp", "jti-1", clock(), clock() + LIFE_S)]
    numbers = [await revoked.add(one) for one in added]
    assert numbers == sorted(set(numbers))
    assert await revoked.since(0) == list(zip(numbers, added, strict=True))
    assert await revoked.since(numbers[0]) == [(numbers[1], added[1])]
    assert await revoked.since(numbers[1]) == []


async def test_what_touches_no_token_any_more_is_forgotten(revoked, clock):
    """So that the store does not fill."""
    for name in "abcdefg":
        await revoked.add(subject(name, clock))
        clock.move(LIFE_S / 2)
    assert [one.name for _, one in await revoked.since(0)] == ["f", "g"]


async def test_a_full_store_covers_everything(revoked, clock):
    """More is refused than was asked for, and never less; what is added last stands by its name."""
    seen = 0
    for name in "abcd":
        clock.move(1)
        number = await revoked.add(subject(name, clock))
    found = [one for _, one in await revoked.since(seen)]
    assert [(one.kind, one.name) for one in found] == [("all", ""), ("subject", "d")]
    assert found[0].at == clock()
    assert found[0].until >= clock() + LIFE_S
    assert [number for number, _ in await revoked.since(number - 1)] == [number]
