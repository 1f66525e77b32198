from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from narrows import Narrow, NumberId, ShortText
from narrows.call import Call, Mode, Page
from narrows.pipeline import narrow
from tests.unit.pipeline import calls


class Person(Narrow):
    name: ShortText


class Team(Narrow, rename="camel"):
    team_id: NumberId
    members: list[Person]
    lead: Person | None = None


class Employee(Person):
    salary: int


class Department(Team):
    budget: int = 0


class Exact(Narrow):
    price: Decimal
    at: datetime


LEAKING = Department(
    team_id=7,
    members=[Employee(name="Anna", salary=52000), Person(name="Bert")],
    lead=Employee(name="Cleo", salary=90000),
    budget=10**6,
)


def endpoint_of(kind: Any, *, writes: bool = False, **guards: Any) -> Any:
    """An endpoint that answers a type."""

    async def answers(team_id: NumberId) -> Any:
        """Handle one call."""

    answers.__annotations__["return"] = kind
    return calls.declared(answers, writes=writes, **guards)


async def narrowed(kind: Any, answer: Any, mode: Mode = "live") -> Call:
    """A call whose answer was narrowed to a type."""
    endpoint = endpoint_of(kind)
    call = calls.call(endpoint, mode=mode)
    call.answer = answer
    await calls.made(narrow, endpoint)(call)
    return call


def body(call: Call) -> Any:
    """What the client reads."""
    assert call.reply is not None
    return msgspec.json.decode(call.reply.body)


async def test_fields_of_subclasses_are_left_out_at_every_depth() -> None:
    """Only what the endpoint declares goes out, whatever the handler had in its hands."""
    call = await narrowed(Team, LEAKING)
    assert body(call) == {"teamId": 7, "members": [{"name": "Anna"}, {"name": "Bert"}], "lead": {"name": "Cleo"}}
    assert call.reply is not None
    assert call.reply.status == 200
    assert call.reply.headers == [("content-type", "application/json")]
    assert call.left_out == set()


@pytest.mark.parametrize("mode", ["rehearse", "sandbox"])
async def test_a_rehearsal_notes_what_was_left_out(mode: Mode) -> None:
    """By name alone."""
    call = await narrowed(Team, LEAKING, mode)
    assert call.left_out == {"answer.budget", "answer.members[].salary", "answer.lead.salary"}


async def test_lists_and_dictionaries_are_narrowed_too() -> None:
    """Wherever an object stands."""
    assert body(await narrowed(list[Person], [Employee(name="Anna", salary=1)])) == [{"name": "Anna"}]
    assert body(await narrowed(dict[str, Person], {"a": Employee(name="Anna", salary=1)})) == {"a": {"name": "Anna"}}


async def test_exact_values_stay_exact() -> None:
    """Decimals and times are written as they are."""
    answer = Exact(price=Decimal("12.50"), at=datetime(2026, 1, 1, tzinfo=UTC))
    call = await narrowed(Exact, answer)
    assert body(call) == {"price": "12.50", "at": "2026-01-01T00:00:00Z"}
    assert call.answer == answer


@pytest.mark.parametrize(
    "answer",
    [Team(team_id=0, members=[]), {"teamId": 7}, None, Person(name="x"), [LEAKING], Team(team_id="7", members=[])],  # type: ignore[arg-type]  # wrong on purpose
)
async def test_an_answer_that_breaks_its_type_is_a_fault(answer: Any) -> None:
    """Nothing of it goes out."""
    with pytest.raises(msgspec.ValidationError):
        await narrowed(Team, answer)


async def test_what_cannot_be_written_is_a_fault() -> None:
    """An answer is data."""
    with pytest.raises(TypeError):
        await narrowed(Team, object())


async def test_the_status_is_the_declared_one() -> None:
    """201 for what was made."""
    endpoint = endpoint_of(Person, writes=True)
    endpoint = msgspec.structs.replace(endpoint, status=201)
    call = calls.call(endpoint)
    call.answer = Person(name="x")
    await calls.made(narrow, endpoint)(call)
    assert call.reply is not None
    assert call.reply.status == 201


async def test_nothing_is_answered_as_nothing() -> None:
    """Whatever the handler returned."""
    call = await narrowed(None, LEAKING)
    assert call.reply == (204, [], b"")
    assert call.answer is None


async def test_a_page_goes_out_as_it_was_made() -> None:
    """Narrows' own assets have a type of their own."""
    owned = msgspec.structs.replace(endpoint_of(Page), public="It tells nothing.")
    call = calls.call(owned)
    call.answer = Page(b"<p>", "text/html", (("x-frame-options", "DENY"),))
    await calls.made(narrow, owned)(call)
    assert call.reply == (200, [("content-type", "text/html"), ("x-frame-options", "DENY")], b"<p>")


@pytest.mark.parametrize("kind", [Any, dict[str, Any], list[Any], msgspec.Raw, Page, object])
def test_an_answer_of_any_kind_does_not_start(kind: Any) -> None:
    """What has no type cannot be narrowed; a team answers no bytes."""
    assert calls.refused(narrow, endpoint_of(kind)) == ["answer-untyped"]
