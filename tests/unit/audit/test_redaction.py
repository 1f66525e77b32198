"""What of a call's arguments its record shows: by type, and never a text that anybody may have written."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
import pytest
from msgspec import UNSET, Meta, UnsetType

from narrows import Id, Input, LongText, Moment, NumberId, ShortText
from narrows.audit.redaction import MOST, Redactor, written
from narrows.declare.shape import endpoint_shape
from tests.unit.pipeline import calls


class Size(Enum):
    SMALL = 1
    LARGE = 3


class Line(Input):
    item_id: Id
    count: int = 1
    text: ShortText = "x"


class Sum(Input):
    amount: Decimal
    currency: Literal["EUR", "CHF"]


class Order(Input):
    team_id: NumberId
    note: LongText = ""
    lines: Annotated[list[Line], Meta(max_length=40)] = msgspec.field(default_factory=list)
    price: Sum | None = None
    gift: bool | UnsetType = UNSET
    size: Size = Size.SMALL
    either: int | bool | None = None
    mixed: int | ShortText | None = None
    more: Annotated[dict[str, int], Meta(max_length=3)] = msgspec.field(default_factory=dict)


class Renamed(Input):
    name: ShortText


class Renaming(Input):
    team: Renamed


Texts = Annotated[list[ShortText], Meta(max_length=3)]


class Inner(Input):
    text: ShortText


class Leaky(Input):
    """A place for free text of every form that a body may have."""

    short: ShortText
    plain: Annotated[str, Meta(max_length=50, pattern="^c")]
    some_id: Id
    maybe: LongText | None
    either: ShortText | int
    raw: Annotated[bytes, Meta(max_length=50)]
    texts: Texts
    fixed: tuple[ShortText, int]
    unique: Annotated[frozenset[ShortText], Meta(max_length=3)]
    named: Annotated[dict[ShortText, int], Meta(max_length=3)]
    valued: Annotated[dict[Literal["a"], ShortText], Meta(max_length=3)]
    inner: Inner
    inners: Annotated[list[Inner], Meta(max_length=3)]
    nested: Annotated[list[Texts], Meta(max_length=3)]
    either_inner: Inner | None


class Wide(Input):
    numbers: Annotated[list[Annotated[list[int], Meta(max_length=8)]], Meta(max_length=8)]


class Deep(Input):
    n: int
    below: Deep | None = None


def redactor(function: Any, path: str = "/teams/{team_id}", **guards: Any) -> Redactor:
    """What tells the arguments of one endpoint."""
    endpoint = calls.declared(function, path, **guards)
    return Redactor(endpoint, endpoint_shape(endpoint))


async def look(
    team_id: NumberId,
    place_id: Id = "p",
    open_at: Moment | None = None,
    day: dt.date | None = None,
    limit: int = 5,
    far: float | None = None,
    vegan: bool = False,
    sort: Literal["near", "new"] = "near",
    text: ShortText | None = None,
    key: UUID | None = None,
) -> calls.Team:
    """Look around."""


async def order(team_id: NumberId, wanted: Order) -> calls.Team:
    """Order something."""


def test_what_cannot_be_free_text_is_shown() -> None:
    """Numbers, truth values, times and words of a closed list are shown; other texts and ids are only named."""
    told = redactor(look, within="team:{team_id}").tell(
        {
            "team_id": 7,
            "place_id": "osm-1",
            "open_at": dt.datetime(2026, 11, 25, 12, tzinfo=dt.UTC),
            "day": dt.date(2026, 11, 25),
            "limit": 5,
            "far": 1.5,
            "vegan": False,
            "sort": "near",
            "text": "Anna is ill",
            "key": UUID(int=1),
        }
    )
    assert told.shown == {
        "team_id": 7,
        "open_at": "2026-11-25T12:00:00+00:00",
        "day": "2026-11-25",
        "limit": 5,
        "far": 1.5,
        "vegan": False,
        "sort": "near",
    }
    assert told.hidden == ["place_id", "text", "key"]


def test_an_id_is_shown_only_where_a_guard_binds_it() -> None:
    """Without `within` a number that is an id may name anybody; a read of `given` binds as well."""
    assert redactor(look, within=None).tell({"team_id": 7}) == ({}, ["team_id"])

    async def remove(team: calls.Team) -> None:
        """Remove it."""

    given = redactor(remove, given={"team": calls.Directory.team}, within="team:{team.id}")
    assert given.tell({"team_id": 7}) == ({"team_id": 7}, [])

    async def line(team_id: NumberId, line_id: Id) -> calls.Team:
        """One line."""

    proven = redactor(line, "/teams/{team_id}/lines/{line_id}", inside={"line_id": (calls.Directory.team, "id")})
    assert proven.tell({"team_id": 7, "line_id": "l"}) == ({"line_id": "l"}, ["team_id"])


def test_what_is_called_like_a_field_of_what_was_read_is_another() -> None:
    """A text of the body does not pass for the id of an object that a guard has read."""

    async def rename(team: calls.Team, wanted: Renaming) -> None:
        """Rename it."""

    given = redactor(rename, given={"team": calls.Directory.team}, within="team:{team.name}", writes=True)
    told = given.tell({"team_id": 7, "wanted": Renaming(team=Renamed(name="anything"))})
    assert told == ({"team_id": 7}, ["wanted.team.name"])


def test_a_body_is_told_field_by_field() -> None:
    """What was not sent is not named; of a long list the first items and its length are told."""
    wanted = Order(
        team_id=7,
        note="call me at home",
        lines=[Line(item_id=f"i{n}") for n in range(9)],
        price=Sum(amount=Decimal("12.50"), currency="EUR"),
        size=Size.LARGE,
        either=True,
        mixed="text",
        more={"secret": 1},
    )
    told = redactor(order, within="team:{team_id}", writes=True).tell({"team_id": 7, "wanted": wanted})
    lines = {f"wanted.lines[{n}].count": 1 for n in range(8)}
    assert told.shown == {
        "team_id": 7,
        "wanted.team_id": 7,
        **lines,
        "wanted.lines[]": 9,
        "wanted.price.amount": "12.50",
        "wanted.price.currency": "EUR",
        "wanted.size": 3,
        "wanted.either": True,
    }
    assert told.hidden[:3] == ["wanted.note", "wanted.lines[0].item_id", "wanted.lines[0].text"]
    assert told.hidden[-2:] == ["wanted.mixed", "wanted.more"]


async def leak(body: Leaky, word: ShortText, words: Texts) -> None:
    """Take text in every form."""


def test_no_free_text_is_shown_in_whatever_form_it_came() -> None:
    """What is not surely something else counts as text: each place is named, and none of what stands there."""
    text, inner = "canary", Inner(text="canary")
    body = Leaky(
        short=text,
        plain=text,
        some_id=text,
        maybe=text,
        either=text,
        raw=text.encode(),
        texts=[text],
        fixed=(text, 1),
        unique=frozenset({text}),
        named={text: 1},
        valued={"a": text},
        inner=inner,
        inners=[inner],
        nested=[[text]],
        either_inner=inner,
    )
    told = redactor(leak, "/leak", writes=True).tell({"body": body, "word": text, "words": [text]})
    assert told.shown == {}
    assert text not in str(told)
    assert len(told.hidden) == 17


def test_a_record_stays_small_whatever_is_sent() -> None:
    """Behind so many values only names are told, and behind so many names only that there are more."""

    async def wide(body: Wide) -> None:
        """Send many."""

    told = redactor(wide, "/wide", writes=True).tell({"body": Wide(numbers=[[1] * 8] * 8)})
    assert len(told.shown) == MOST
    assert len(told.hidden) == MOST + 1
    assert told.hidden[-1] == "…"


def test_a_type_within_itself_is_hidden() -> None:
    """The start ends, and so does each record."""

    async def deep(body: Deep) -> None:
        """Send something deep."""

    told = redactor(deep, "/deep", writes=True).tell({"body": Deep(n=1, below=Deep(n=2))})
    assert told == ({"body.n": 1}, ["body.below"])


@pytest.mark.parametrize(("sent", "shown"), [(2**53 - 1, 2**53 - 1), (2**53, str(2**53)), (-(2**60), str(-(2**60)))])
def test_a_number_that_json_rounds_is_told_as_text(sent: int, shown: object) -> None:
    """Whoever reads a record reads the number that was sent."""
    assert redactor(look).tell({"limit": sent}).shown == {"limit": shown}


def test_arguments_are_written_in_one_order() -> None:
    """The same arguments have the same digest."""
    assert written({"b": {"y": 1, "x": 2}, "a": 1}) == written({"a": 1, "b": {"x": 2, "y": 1}})
