"""What every review queue promises; `store` is one that is empty."""

import msgspec

from narrows.stores.reviews import Review

KEY = b"k" * 32
REVIEW = Review(
    connector="lunch-app",
    grant="data:export",
    digest="d1",
    tenant="acme",
    owner="amina@example.com",
    contact="tools@example.com",
    policy="data_export",
    rule="data-export",
    message="bulk",
    asked_at=1.0,
)
GRANTED = msgspec.structs.replace(REVIEW, verdict="granted", by="security@example.com", decided_at=2.0)
OTHER = msgspec.structs.replace(REVIEW, digest="d2")


async def test_a_review_is_opened_once(store):
    """Asking again does not open again what was decided; another record is another review."""
    await store.open([REVIEW, REVIEW])
    assert await store.decide(GRANTED)
    await store.open([REVIEW, OTHER])
    assert await store.all() == [GRANTED, OTHER]


async def test_a_verdict_is_given_once(store):
    """Compare and set: the second of two approvers changes nothing, nor does one for what is not there."""
    await store.open([REVIEW])
    assert await store.decide(GRANTED)
    assert not await store.decide(msgspec.structs.replace(GRANTED, verdict="denied"))
    assert await store.decide(msgspec.structs.replace(GRANTED, verdict="denied"), was="granted")
    assert not await store.decide(OTHER)
    assert [review.verdict for review in await store.all()] == ["denied"]


async def test_history_is_kept_in_its_order(store):
    """Lines are added and read, and that is all."""
    await store.note(b"one\n")
    await store.note(b"two\n")
    assert await store.history() == [b"one\n", b"two\n"]
