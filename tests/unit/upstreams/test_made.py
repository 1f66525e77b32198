import asyncio
from typing import Any, cast

import msgspec
import pytest

from narrows import NumberId
from narrows.call import Made
from narrows.errors import AlreadyAttempted, KeyInUse
from narrows.pipeline.claim.keys import refuse_or_replay
from narrows.pipeline.declared import declaration_digest
from narrows.stores import Found, Outcome
from narrows.upstreams.commitment import Commitment, attempt_of, owner_of
from narrows.upstreams.made import MOST, Matching, newest, note_made, recall, recalled_object
from narrows.upstreams.sandbox import Synthetic, open_digest
from tests.unit.pipeline import calls


async def team(team_id: NumberId) -> calls.Team:
    """Handle one call."""


WRITE = calls.declared(team, writes=True, uses=[calls.Directory.remove])
SENDABLE = calls.preparing(WRITE).ground.sendables[calls.Directory.remove]
PLAIN = Made(operation="Directory.remove", writes=True, price=None, content="c", slots={})


def test_a_rehearsal_of_more_than_is_kept_stops_to_put_down() -> None:
    """What is over the bound is not in it, and such a rehearsal offers no receipt."""
    call = calls.call(WRITE, mode="rehearse")
    for number in range(MOST + 1):
        note_made(call, SENDABLE, {"team_id": number}, None)
    assert len(call.made) == MOST


def test_answers_are_kept_up_to_a_size() -> None:
    """One that is too large is left out, and its call is still put down; old ones go first when more are recalled."""
    call = calls.call(WRITE, mode="rehearse")
    for text in ("x" * 200_000, "y"):
        note_made(call, SENDABLE, {"team_id": 7}, {"name": text})
    assert [made.answer for made in call.made] == [None, {"name": "y"}]
    large = msgspec.structs.replace(PLAIN, size=100_000)
    assert newest([PLAIN, large, large]) == (large,)
    recall(call, call.made)
    assert recalled_object(call, {"team_id": 7}) == {}


def test_a_slot_that_is_no_text_holds_the_very_value() -> None:
    """A number is compared as a number, and a text in which it stands as text."""
    call = calls.call(WRITE, mode="rehearse")
    call.stand_ins = {4_294_967_297}
    note_made(call, SENDABLE, {"team_id": 1}, {"id": 4_294_967_297})
    note_made(call, SENDABLE, {"team_id": 4_294_967_297}, None)
    note_made(call, SENDABLE, {"team_id": "team 4294967297"}, None)
    matching = Matching(call.made)
    assert matching.take(SENDABLE.operation, {"team_id": "team 12"}) is None
    first = matching.take(SENDABLE.operation, {"team_id": 1})
    assert first == 0
    matching.learn(first, {"id": 12})
    for wrong in (13, None, "team 13"):
        assert matching.take(SENDABLE.operation, {"team_id": wrong}) is None
    assert [matching.take(SENDABLE.operation, {"team_id": right}) for right in (12, "team 12")] == [1, 2]


def test_who_calls_must_be_known() -> None:
    """Nothing is claimed for nobody."""
    with pytest.raises(AssertionError):
        owner_of(calls.call(WRITE, anonymous=True))


async def test_an_attempt_that_lost_its_key_sends_nothing() -> None:
    """Whoever took it over goes on; the late one reads that it is in use."""

    class Taken:
        async def intend(self, *_: object) -> Found:
            return Found(state="running")

    call = calls.call(WRITE)
    commitment = Commitment(attempt_of(call, "a1", key="k", request="r"))
    with pytest.raises(KeyInUse):
        await commitment.before(cast("Any", Taken()), SENDABLE.operation, {"team_id": 7})
    assert commitment.receipt is None
    commitment.after(0, None)


async def test_the_effects_of_one_call_share_one_intent() -> None:
    """Two that leave side by side put one down."""

    class Counting:
        count = 0

        async def intend(self, *_: object) -> Found:
            self.count += 1
            await asyncio.sleep(0)
            return Found(state="new")

    store = Counting()
    commitment = Commitment(attempt_of(calls.call(WRITE), "a1"))
    await asyncio.gather(*(commitment.before(cast("Any", store), SENDABLE.operation, {"team_id": n}) for n in range(3)))
    assert store.count == 1


def test_what_was_done_and_not_kept_is_said_so() -> None:
    """A finished request whose answer was too large is told with its effects."""
    with pytest.raises(AlreadyAttempted, match="too large") as caught:
        refuse_or_replay(calls.call(WRITE), Found(state="done", outcomes=(Outcome("Directory.remove", "done"),)))
    assert caught.value.members == {"effects": ["Directory.remove"]}


def test_a_declaration_that_is_refused_elsewhere_has_a_digest_all_the_same() -> None:
    """An operation without settings and a type without a schema do not end the start before its reasons are told."""
    ready = calls.preparing(WRITE)
    whole = declaration_digest(ready)
    ready.ground = msgspec.structs.replace(ready.ground, sendables={})
    ready.shape = msgspec.structs.replace(ready.shape, answer=object)
    assert declaration_digest(ready) != whole


def test_an_earlier_object_of_another_type_is_echoed() -> None:
    """What it cannot be read as is made up anew, with the fields that both have."""
    asking = calls.declared(team, writes=True, uses=[calls.Directory.team])
    sendable = calls.preparing(asking).ground.sendables[calls.Directory.team]
    call = calls.call(asking, mode="rehearse")
    earlier = {"of_id": 4_294_967_297, "name": "recalled"}
    recall(call, [msgspec.structs.replace(PLAIN, answer=earlier, stand_ins=("/of_id",))])
    answer = Synthetic(open_digest).answer(call, sendable, {"team_id": 4_294_967_297})
    assert isinstance(answer, calls.Team)
    assert answer.name == "recalled"


def test_lists_are_content_too_and_the_innermost_object_is_recalled() -> None:
    """Another item is another request; of an answer with many objects, the one that was named comes back."""
    call = calls.call(WRITE, mode="rehearse")
    note_made(call, SENDABLE, {"team_id": [1, 2]}, None)
    assert Matching(call.made).take(SENDABLE.operation, {"team_id": [1, 3]}) is None
    assert Matching(call.made).take(SENDABLE.operation, {"team_id": [1, 2]}) == 0
    named = {"item_id": "made-up-2", "text": "second"}
    answer = {"items": [{"item_id": "made-up-1"}, named]}
    recall(call, [msgspec.structs.replace(PLAIN, answer=answer, stand_ins=("/items/1/item_id",))])
    assert recalled_object(call, {"item_id": "made-up-2"}) == named
