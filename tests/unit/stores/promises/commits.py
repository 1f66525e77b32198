"""What every store of commits promises. `make` opens one, with bounds of `CommitBounds`; `clock` is theirs."""

import pytest

from narrows.errors import Unavailable
from narrows.stores import Attempt, Found, Outcome, Owner

KEY = bytes(range(32))
ANN = Owner("acme", "https://login.example.com", "ann", "where2eat")
OTHERS = [
    Owner("other", ANN.issuer, ANN.subject, ANN.connector),
    Owner(ANN.tenant, "https://other.example.com", ANN.subject, ANN.connector),
    Owner(ANN.tenant, ANN.issuer, "bob", ANN.connector),
    Owner(ANN.tenant, ANN.issuer, ANN.subject, "other"),
]
DONE = [Outcome("Tables.book", "done")]
FAILED = [Outcome("Tables.book", "failed")]
UNKNOWN = [Outcome("Tables.book", "done"), Outcome("Tables.cancel", "unknown")]


def attempt(name="a1", clock=None, **over):
    """One attempt of Ann to book a table."""
    fields = {"owner": ANN, "endpoint": "lunch.book", "until": 1_790_000_015.25, "trace_id": "t1", "request": "r1"}
    return Attempt(id=name, **{**fields, **over})


async def both(store, one):
    """Claim, and put the intent down."""
    await store.claim(one)
    return await store.intend(one, "Tables.book")


async def test_a_confirmation_is_of_one_rehearsal_of_one_owner(make, clock):
    """What Ann confirmed is confirmed for her rehearsal alone, and as long as a rehearsal lives."""
    store = make()
    assert not await store.is_confirmed("r1", ANN)
    await store.confirm("r1", ANN)
    await store.confirm("r1", ANN)
    assert await store.is_confirmed("r1", ANN)
    assert not await store.is_confirmed("r2", ANN)
    for other in OTHERS:
        assert not await store.is_confirmed("r1", other)
    clock.time += 60
    assert not await store.is_confirmed("r1", ANN)


async def test_no_confirmation_is_dropped_before_its_time(make, clock):
    """A full store takes no other confirmation, keeps those it has, and has room again when they are over."""
    store = make(confirmations=1)
    await store.confirm("r1", ANN)
    with pytest.raises(Unavailable):
        await store.confirm("r2", ANN)
    await store.confirm("r1", ANN)
    assert await store.is_confirmed("r1", ANN)
    clock.time += 60
    await store.confirm("r2", ANN)
    assert await store.is_confirmed("r2", ANN)


async def test_a_key_is_held_by_one_attempt_at_a_time(make, clock):
    """While the first is on its way, a second of the same request waits, and one of another request is refused."""
    store = make()
    first = attempt(key="k")
    assert await store.claim(first) == Found(state="new")
    clock.time += 5
    assert await store.claim(attempt("a2", key="k")) == Found(state="running", wait_s=10.0)
    assert (await store.claim(attempt("a3", key="k", request="r2"))).state == "other"


async def test_an_attempt_that_ended_well_is_answered_from_the_store(make, clock):
    """The answer comes back byte for byte, until the key is forgotten."""
    store = make()
    first = attempt(key="k")
    await store.claim(first)
    assert await store.intend(first, "Tables.book") == Found(state="new")
    await store.settle(first, DONE, b"\x00answer")
    again = attempt("a2", key="k")
    assert await store.claim(again) == Found(state="done", answer=b"\x00answer", outcomes=tuple(DONE))
    assert (await store.claim(attempt("a2", key="k", request="r2"))).state == "other"
    clock.time += 600
    assert (await store.claim(attempt("a2", key="k", until=clock.time + 15))).state == "new"


@pytest.mark.parametrize("other", OTHERS)
async def test_a_key_is_of_one_owner_and_one_endpoint(make, other):
    """The same text from somebody else, or at another endpoint, is another key."""
    store = make()
    first = attempt(key="k")
    await store.claim(first)
    await store.settle(first, DONE, b"answer")
    assert (await store.claim(attempt("a2", key="k", owner=other))).state == "new"
    assert (await store.claim(attempt("a3", key="k", endpoint="lunch.cancel"))).state == "new"


async def test_an_attempt_of_which_nothing_came_frees_its_key(make):
    """After a failure before any effect, or one of all effects, the same key may be tried again."""
    store = make()
    for number, outcomes in enumerate(([], FAILED)):
        one = attempt(f"a{number}", key="k", request=f"r{number}")
        assert (await store.claim(one)).state == "new"
        await store.settle(one, outcomes, None)
    assert (await store.claim(attempt("a3", key="k"))).state == "new"


async def test_an_attempt_that_may_have_had_an_effect_is_never_taken_for_new(make):
    """After an effect that happened or may have, the key tells what is known of it."""
    store = make()
    one = attempt(key="k")
    await store.claim(one)
    await store.intend(one, "Tables.book")
    await store.settle(one, UNKNOWN, None)
    assert await store.claim(attempt("a2", key="k")) == Found(state="begun", outcomes=tuple(UNKNOWN))


async def test_an_intent_without_an_outcome_is_never_taken_over(make, clock):
    """An attempt that was killed after its intent leaves its key closed; before it, the key is free after its time."""
    store = make()
    killed, early = attempt(key="k"), attempt("a2", key="l")
    for one in (killed, early):
        await store.claim(one)
    await store.intend(killed, "Tables.book")
    clock.time += 20
    assert (await store.claim(attempt("a3", key="k"))).state == "begun"
    later = attempt("a4", key="l", until=clock.time + 15)
    assert (await store.claim(later)).state == "new"
    # The one whose key was taken over has lost it: it sends nothing, and its end changes nothing.
    assert (await store.intend(early, "Tables.book")).state == "running"
    await store.settle(early, [], None)
    await store.settle(early, DONE, b"late")
    assert (await store.claim(attempt("a5", key="l"))).state == "running"


async def test_a_receipt_is_spent_once(make, clock):
    """The second attempt is told at once, and also when both had looked before; the first may do it twice."""
    store = make()
    first, second = attempt(receipt="r"), attempt("a2", receipt="r")
    for one in (first, second):
        assert (await store.claim(one)).state == "new"
    for _ in range(2):
        assert (await store.intend(first, "Tables.book")).state == "new"
    assert (await store.intend(second, "Tables.book")).state == "spent"
    assert (await store.claim(second)).state == "spent"
    assert (await store.claim(attempt("a3", receipt="other"))).state == "new"
    assert (await store.claim(attempt("a4", receipt="r", owner=OTHERS[0]))).state == "new"


async def test_a_receipt_is_spent_also_without_an_effect(make):
    """A commit that ended well without sending anything has used its receipt; one that failed has not."""
    store = make()
    failed, well = attempt(receipt="r"), attempt("a2", receipt="r")
    await store.settle(failed, [], None)
    assert (await store.claim(well)).state == "new"
    await store.settle(well, [], b"answer")
    assert (await store.claim(attempt("a3", receipt="r"))).state == "spent"
    await store.settle(attempt("a4", receipt="r"), [], b"late")


async def test_a_spent_receipt_and_a_finished_key_answer_from_the_key(make):
    """A retry that brings both reads the stored answer, and not that its receipt is used."""
    store = make()
    first = attempt(key="k", receipt="r")
    await store.claim(first)
    await store.intend(first, "Tables.book")
    await store.settle(first, DONE, b"answer")
    assert (await store.claim(attempt("a2", key="k", receipt="r"))).state == "done"


async def test_intents_without_outcome_are_listed(make, clock):
    """What was about to be sent, and by which call, is told until its outcome is there, or its time is over."""
    store = make()
    for number in range(3):
        await store.intend(attempt(f"a{number}", trace_id=f"t{number}"), "Tables.book")
    await store.settle(attempt("a1"), DONE, None)
    await store.settle(attempt("unknown"), DONE, None)
    found = await store.unsettled(10)
    assert [(one.id, one.endpoint, one.operation, one.at, one.trace_id) for one in found] == [
        ("a0", "lunch.book", "Tables.book", clock.time, "t0"),
        ("a2", "lunch.book", "Tables.book", clock.time, "t2"),
    ]
    assert len(await store.unsettled(1)) == 1
    clock.time += 600
    await store.intend(attempt("a3"), "Tables.book")
    assert [one.id for one in await store.unsettled(10)] == ["a3"]


@pytest.mark.parametrize(
    ("bounds", "first", "second"),
    [
        ({"keys": 1}, {"key": "k"}, {"key": "l", "owner": OTHERS[0]}),
        ({"keys_per_owner": 1}, {"key": "k"}, {"key": "l"}),
        ({"receipts": 1}, {"receipt": "r"}, {"receipt": "s"}),
        ({"open_intents": 1}, {}, {}),
    ],
)
async def test_a_full_store_refuses_and_forgets_nothing(make, bounds, first, second):
    """Where there is no room, nothing may be sent; what was kept is still kept."""
    store = make(**bounds)
    one, other = attempt(**first), attempt("a2", **second)
    await store.claim(one)
    await store.intend(one, "Tables.book")
    with pytest.raises(Unavailable) as caught:
        await both(store, other)
    assert caught.value.headers["Retry-After"] == "60"
    if first:
        assert (await store.claim(attempt("a3", **first))).state in ("running", "spent")
    assert [intent.id for intent in await store.unsettled(10)] == ["a1"]


async def test_what_was_not_allowed_in_a_full_store_is_not_taken_for_noted(make):
    """Whoever spends a receipt without an effect reads that there was no room; all else of the end is put down."""
    store = make(receipts=1)
    one, other = attempt(receipt="r"), attempt("a2", key="k", receipt="s")
    await store.intend(one, "Tables.book")
    await store.claim(other)
    with pytest.raises(Unavailable):
        await store.settle(other, [], b"answer")
    assert (await store.claim(attempt("a3", receipt="s"))).state == "new"
    assert (await store.claim(attempt("a3", key="k"))).answer == b"answer"


@pytest.mark.parametrize("bounds", [{"receipts": 1}, {"open_intents": 1}])
async def test_a_full_store_still_says_that_a_receipt_is_spent(make, bounds):
    """Who brings one that another used is not told to come again; who brings their own may."""
    store = make(**bounds)
    one = attempt(receipt="r")
    await store.intend(one, "Tables.book")
    assert (await store.intend(attempt("a2", receipt="r"), "Tables.book")).state == "spent"
    if "receipts" in bounds:
        assert (await store.intend(one, "Tables.book")).state == "new"


async def test_another_owner_has_room_when_one_has_none(make):
    """The bound of one owner takes nothing from another."""
    store = make(keys_per_owner=1)
    await store.claim(attempt(key="k"))
    assert (await store.claim(attempt("a2", key="k", owner=OTHERS[0]))).state == "new"


async def test_room_comes_back(make, clock):
    """What is freed or over makes room again, for keys, receipts and intents."""
    store = make(keys=1, keys_per_owner=1, receipts=1, open_intents=1, intents=1)
    for number in range(3):
        one = attempt(f"a{number}", key=f"k{number}", receipt=f"r{number}", until=clock.time + 15)
        assert (await store.claim(one)).state == "new"
        assert (await store.intend(one, "Tables.book")).state == "new"
        await store.settle(one, DONE, b"answer")
        clock.time += 600
    freed = attempt("b1", key="k", until=clock.time + 15)
    await store.claim(freed)
    await store.settle(freed, [], None)
    assert (await store.claim(attempt("b2", key="l", until=clock.time + 15))).state == "new"


@pytest.mark.parametrize("bounds", [{"answer_bytes": 5}, {"answers_bytes": 5}])
async def test_an_answer_that_is_too_large_is_not_kept_but_its_key_is(make, bounds):
    """The retry is told that it was done, without the answer."""
    store = make(**bounds)
    one = attempt(key="k")
    await store.claim(one)
    await store.settle(one, DONE, b"answer")
    assert await store.claim(attempt("a2", key="k")) == Found(state="done", outcomes=tuple(DONE))


async def test_answers_of_all_keys_have_one_bound(make, clock):
    """What is forgotten gives its bytes back."""
    store = make(answers_bytes=400)
    for number in range(2):
        one = attempt(f"a{number}", key=f"k{number}", until=clock.time + 15)
        await store.claim(one)
        await store.settle(one, DONE, b"x" * 300)
    kept = [(await store.claim(attempt("b", key=f"k{number}"))).answer for number in range(2)]
    assert kept == [b"x" * 300, None]
    clock.time += 600
    late = attempt("a3", key="k3", until=clock.time + 15)
    await store.claim(late)
    await store.settle(late, DONE, b"x" * 300)
    assert (await store.claim(attempt("b", key="k3"))).answer == b"x" * 300


async def test_an_end_that_is_put_down_twice_takes_its_room_once(make):
    """As when a call is cancelled while its end is put down: the answer is there, and there is room for another."""
    store = make(answers_bytes=200)
    for number in range(2):
        one = attempt(f"a{number}", key=f"k{number}")
        await store.claim(one)
        for _ in range(3):
            await store.settle(one, DONE, b"x" * 20)
        assert (await store.claim(attempt("b", key=f"k{number}"))).answer == b"x" * 20
