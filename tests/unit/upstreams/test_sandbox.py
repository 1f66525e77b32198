"""What the sandbox answers with: seeds, days, examples, scenarios and the cap."""

from __future__ import annotations

from datetime import UTC, datetime
from random import Random
from typing import Annotated, Any

import msgspec
import pytest
from msgspec import Meta

from narrows import Answer, Example, Id, Input, Moment, Narrow, NumberId, ShortText, Upstream, read, write
from narrows.errors import InvalidInput, Unavailable, UpstreamTimeout
from narrows.settings import UpstreamSettings
from narrows.upstreams.sandbox import Sandbox, Synthetic, open_digest
from narrows.upstreams.sendable import Sendable
from narrows.upstreams.synthetic import CannotMake, Generator
from tests.unit.pipeline import calls
from tests.unit.upstreams.sending import Upstreams

NOW = datetime(2026, 5, 5, tzinfo=UTC)


def seeded(seed: int) -> Random:
    """Draws that come back."""
    return Random(seed)  # noqa: S311 - made-up data guards nothing


class Dish(Narrow):
    id: Id
    team_id: NumberId
    at: Moment
    cook: ShortText | None
    tags: list[ShortText]
    note: ShortText = "none"


class NewDish(Input):
    team_id: NumberId
    note: ShortText = "-"


class Menu(Upstream):
    @read("/dishes/{team_id}", asks="menu:read")
    def dishes(
        self, team_id: NumberId, tags: Annotated[set[str], Meta(max_length=9)] = frozenset()
    ) -> Answer[list[Dish]]: ...

    @read("/names/{team_id}", asks="menu:read", examples=[Example(["soup"], team_id=7), Example([])])
    def names(self, team_id: NumberId) -> Answer[list[str]]: ...

    @write("/dishes", asks="menu:write", examples=[Example(None, dish={"note": "none"})])
    def add(self, dish: NewDish) -> Answer[Dish | None]: ...

    @write("/dishes/{dish_id}", method="DELETE", asks="menu:write")
    def drop(self, dish_id: ShortText) -> Answer[None]: ...


USES = (Menu.dishes, Menu.names, Menu.add, Menu.drop)


class Kitchen:
    """The sandbox of one upstream."""

    def __init__(self, **over: Any) -> None:
        self.live = Upstreams(lambda _: None)
        settings = UpstreamSettings(**{"url": "https://menu.test", "audience": "menu-api", **over})
        sendables = {operation: Sendable.prepare(operation, "menu", settings) for operation in USES}
        self.slept: list[float] = []
        self.sandbox = Sandbox(sendables, Synthetic(open_digest), open_digest, self.sleep)
        self.call = self.make()

    async def sleep(self, seconds: float) -> None:
        """Let time pass at once."""
        self.slept.append(seconds)

    def make(self, scenario: Any = None, **how: Any) -> Any:
        """A sandboxed call that may use everything."""
        made = self.live.call(*(one.times(9) for one in USES), mode="sandbox", performer=self.sandbox, **how)
        made.scenario = scenario
        return made


def encoded(value: Any) -> bytes:
    """What two answers are compared by."""
    return msgspec.json.encode(value)


async def test_the_seed_is_who_asks_what() -> None:
    """Tenant, connector, issuer, subject, operation and arguments: each of them gives other data, and nothing else."""
    kitchen = Kitchen()

    async def told(*args: Any, **how: Any) -> bytes:
        return encoded(await kitchen.make(**how).perform(Menu.dishes, args, {}))

    first = await told(7)
    assert await told(7) == first
    assert await told(7, program=calls.connector(version="9", state="draft")) == first
    others = [
        await told(8),
        await told(7, {"a"}),
        await told(7, program=calls.connector(tenant="other")),
        await told(7, program=calls.connector(id="other")),
        await told(7, known=calls.credential(issuer="https://other.test")),
        await told(7, known=calls.credential(subject="other")),
    ]
    assert len({first, *others}) == 7


async def test_the_order_of_a_set_does_not_count() -> None:
    """Two sets with the same items, written in another order, are the same argument."""
    kitchen = Kitchen()
    names = [f"tag-{number}" for number in range(9)]
    one = await kitchen.make().perform(Menu.dishes, (7, set(names)), {})
    other = await kitchen.make().perform(Menu.dishes, (7, {*names[::-1]}), {})
    assert encoded(one) == encoded(other)
    assert one[0].tags == other[0].tags == names


async def test_data_stays_the_same_for_a_day_and_its_times_move_with_the_clock() -> None:
    """The seed knows no time; times are counted from the day of the call, so they never grow old."""
    kitchen = Kitchen()
    kitchen.live.clock.move(-(kitchen.live.clock() % 86_400))
    first = await kitchen.make().perform(Menu.dishes, (7,), {})
    kitchen.live.clock.move(86_399)
    assert await kitchen.make().perform(Menu.dishes, (7,), {}) == first
    kitchen.live.clock.move(1)
    next_day = await kitchen.make().perform(Menu.dishes, (7,), {})
    assert [one.id for one in next_day] == [one.id for one in first]
    assert {str(one.at - other.at) for one, other in zip(next_day, first, strict=True)} == {"1 day, 0:00:00"}


async def test_an_example_goes_before_made_up_data() -> None:
    """The one for these arguments, then the one for all, also when it is empty or null; without any, made-up data."""
    kitchen = Kitchen()
    assert await kitchen.call.perform(Menu.names, (7,), {}) == ["soup"]
    assert await kitchen.call.perform(Menu.names, (8,), {}) == []
    assert await kitchen.call.perform(Menu.add, (NewDish(team_id=7, note="none"),), {}) is None
    assert (await kitchen.call.perform(Menu.add, (NewDish(team_id=7),), {})).team_id == 7
    assert [effect.operation for effect in kitchen.call.effects] == ["Menu.add", "Menu.add"]


async def test_an_example_is_given_anew_each_time() -> None:
    """What a handler does to an answer is not seen by the next call."""
    kitchen = Kitchen()
    (await kitchen.call.perform(Menu.names, (7,), {})).append("changed")
    assert await kitchen.make().perform(Menu.names, (7,), {}) == ["soup"]


async def test_values_of_an_example_are_tracked_as_stand_ins() -> None:
    """They are as little real as what is made up."""
    kitchen = Kitchen()
    made = await kitchen.call.perform(Menu.dishes, (7,), {})
    assert made[0].id in kitchen.call.stand_ins


async def test_empty_has_only_what_must_be() -> None:
    """Lists are empty, also where an example would have items; what may be null is null, what has a default has it."""
    kitchen = Kitchen()
    assert await kitchen.make("empty").perform(Menu.dishes, (7,), {}) == []
    assert await kitchen.make("empty").perform(Menu.names, (7,), {}) == []
    assert await kitchen.make("empty").perform(Menu.add, (NewDish(team_id=7),), {}) is None
    assert await kitchen.make("empty").perform(Menu.drop, ("d",), {}) is None
    sparse = Generator.build(Dish).make(seeded(1), now=NOW, sparse=True)
    assert (sparse.cook, sparse.tags, sparse.note) == (None, [], "none")


@pytest.mark.parametrize(
    ("operation", "arguments", "unknown"),
    [(Menu.dishes, (7,), []), (Menu.add, (NewDish(team_id=7),), ["Menu.add"])],
)
async def test_slow_waits_as_long_as_an_upstream_may_take(operation: Any, arguments: Any, unknown: list[str]) -> None:
    """A read times out; a write too, and nobody knows whether it happened, so it is no effect that was noted."""
    kitchen = Kitchen(deadline_s=2.0)
    call = kitchen.make("slow")
    call.deadline = call.started + 5.0
    with pytest.raises(UpstreamTimeout):
        await call.perform(operation, arguments, {})
    assert (kitchen.slept, call.unknown, call.effects) == ([2.0], unknown, [])
    kitchen.live.clock.move(4.0)
    with pytest.raises(UpstreamTimeout):
        await call.perform(operation, arguments, {})
    kitchen.live.clock.move(4.0)
    with pytest.raises(UpstreamTimeout):
        await call.perform(operation, arguments, {})
    assert kitchen.slept == [2.0, 1.0, 0.0]


async def test_unavailable_sends_and_notes_nothing() -> None:
    """As where no connection can be made: no effect, no write whose fate is unknown."""
    kitchen = Kitchen()
    call = kitchen.make("unavailable")
    with pytest.raises(Unavailable) as caught:
        await call.perform(Menu.add, (NewDish(team_id=7),), {})
    assert caught.value.headers == {"Retry-After": "1"}
    assert (call.effects, call.unknown, kitchen.slept) == ([], [], [])


@pytest.mark.parametrize("scenario", [None, "slow", "unavailable", "empty"])
async def test_what_could_not_be_sent_is_refused_here_too(scenario: Any) -> None:
    """A value that fits no path is a 400 live, so it is one in the sandbox."""
    kitchen = Kitchen()
    with pytest.raises(InvalidInput):
        await kitchen.make(scenario).perform(Menu.drop, ("..",), {})


Long = Annotated[str, Meta(min_length=600, max_length=900)]


class Page(Narrow):
    title: Long
    more: list[Long]
    last: Long | None


def test_an_answer_stays_below_its_cap() -> None:
    """What would be larger has only what must be; a type of which nothing is small enough is refused at start."""
    roomy, narrow = Generator.build(Page), Generator.build(Page, 1000)
    for seed in range(50):
        assert len(encoded(narrow.make(seeded(seed), now=NOW))) <= 1000
        assert len(roomy.make(seeded(seed), now=NOW).more) == 3
    assert narrow.make(seeded(1), now=NOW).more == []
    with pytest.raises(CannotMake, match=r"6\d\d bytes are more than 500"):
        Generator.build(Page, 500)


def test_an_echo_cannot_make_an_answer_larger_than_the_cap() -> None:
    """A long argument that stands in every item of a list is left out there before the cap is passed."""
    item = msgspec.defstruct("Item", [("note", str)])
    generator = Generator.build(list[item], 2000)
    long = "x" * 1500
    assert len(encoded(generator.make(seeded(1), now=NOW, echo={"note": long}))) <= 2000
    assert generator.make(seeded(1), now=NOW, echo={"note": "short"})[0].note == "short"
