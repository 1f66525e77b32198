"""What of an answer counts as a record, and whose answers are counted."""

from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from narrows import Narrow, NumberId
from narrows.call import Reply
from narrows.declare.budget import Budget
from narrows.errors import NotFound, VolumeExhausted
from narrows.pipeline import volume
from narrows.pipeline.outgoing import Outgoing, records_in
from tests.unit.pipeline import calls


class Page(Narrow):
    """An answer with lists in it."""

    title: str = ""
    teams: list[calls.Team] = msgspec.field(default_factory=list)
    names: dict[str, list[int]] = msgspec.field(default_factory=dict)
    pair: tuple[int, str] | None = None


@dataclass
class Plain:
    """An answer that is no `Narrow`."""

    one: Any
    many: list[Any]


class Unread(Narrow):
    """An answer of a type that nobody can read."""

    one: str
    many: "Nowhere"  # noqa: F821 - it is nowhere


class Several(Narrow):
    """What may be one thing or several."""

    either: str | list[int] | None
    label: str | int | None = None


async def team(team_id: NumberId) -> calls.Team:
    """Handle one call."""


@pytest.mark.parametrize(
    ("answer", "count"),
    [
        (None, 0),
        (calls.Team(id=7), 1),
        ([], 1),
        ([calls.Team(id=7)] * 5, 5),
        (Page(teams=[calls.Team(id=7)] * 3), 3),
        ([Page(teams=[calls.Team(id=7)] * 3)] * 2, 8),
        (Page(names={"a": [1, 2], "b": []}), 4),
        (Page(pair=(1, "x")), 2),
        ({1, 2, 3}, 3),
        (Unread(one="x", many=[1, 2]), 2),
        ([Several(either="x"), Several(either=None, label=3), Several(either=[1, 2])], 5),
        (Plain(calls.Team(id=7), [Plain(1, ["a", "b"])]), 3),
    ],
)
def test_the_items_of_all_lists_are_records(answer: Any, count: int) -> None:
    """At any depth, entries of mappings too; what has none is one, and nothing is none."""
    assert records_in(answer) == count


@pytest.mark.parametrize(
    ("own", "counted"),
    [({"public": "health"}, False), ({"owned": True, "session": True}, False), ({"owned": True}, True)],
)
async def test_of_narrows_own_what_a_program_owns_is_counted(own: dict[str, Any], counted: bool) -> None:
    """Its rehearsals show what upstreams gave; a page without data and one for a browser's session are no program's."""
    endpoint = msgspec.structs.replace(calls.declared(team, uses=[]), **own)
    ready = calls.preparing(endpoint)
    assert (volume.prepare(ready) is not None) is counted
    call = calls.call(endpoint, program=calls.connector(volumes=(Budget.volume("1 bytes/day"),)))
    try:
        await Outgoing(endpoint, ready.ground).problem(call, NotFound("with more to say"))
    except VolumeExhausted:
        assert counted
    else:
        assert not counted


async def test_a_call_without_an_answer_is_not_counted() -> None:
    """It ends elsewhere."""
    endpoint = calls.declared(team)
    ready = calls.preparing(endpoint)
    step = volume.prepare(ready)
    assert step is not None
    program = calls.connector(volumes=(Budget.volume("5 records/day"),))
    call = calls.call(endpoint, program=program)
    await step(call)
    call.answer, call.reply = [1, 2], Reply(200, [], b"[1,2]")
    await step(call)
    held = ready.ground.accounts.volumes(program, None)
    assert [one.used for one in await ready.ground.budgets().standing([held[0].account])] == [2]
