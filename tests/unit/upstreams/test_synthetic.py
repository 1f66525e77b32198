"""Synthetic values always hold what their type declares, are bounded, readable and the same for the same seed."""

import re
import sys
from datetime import UTC, date, datetime, timedelta, timezone
from random import Random
from typing import Annotated, Any, Generic, Literal, NamedTuple, TypeVar

import msgspec
import pytest
from msgspec import Meta

from narrows.declare.types import (
    Id,
    Latitude,
    Longitude,
    Moment,
    Money,
    Narrow,
    NumberId,
    ShortText,
)
from narrows.upstreams.synthetic import CannotMake, Generator

NOW = datetime(2026, 5, 5, 12, 30, 15, 999, tzinfo=UTC)


def seeded(seed):
    """Draws that come back."""
    return Random(seed)  # noqa: S311 - a seed makes a failing value come back


def make(kind, seed=1, **more):
    """One value of a type, checked by sending and reading it strictly."""
    return checked(kind, Generator.build(kind).make(seeded(seed), now=NOW, **more))


def checked(kind, value):
    """The value, if it comes back equal through JSON with its type."""
    assert msgspec.json.decode(msgspec.json.encode(value), type=kind, strict=True) == value
    return value


def many(kind, count=30, **more):
    """Values of many seeds."""
    generator = Generator.build(kind)
    return [checked(kind, generator.make(seeded(seed), now=NOW, **more)) for seed in range(count)]


PATTERNS = [
    r"^[A-Za-z0-9_-]+(?!\n)$",
    r"^[A-Z]{3}(?!\n)$",
    r"^\d{4}-(0[1-9]|1[0-2])$",
    r"^[^@\s]+@[^@\s]+\.[a-z]{2,}$",
    r"^(?:\+|00)[1-9][0-9]{6,14}$",
    r"(a|bc)+d?e*?f{2,4}",
    r"\bword\b",
    r"^(['\"]).*\1$",
    r"^(\()?[a-z]+(?(1)\))$",
    r"^[^a-zA-Z0-9]{2,}$",
    r"^[^\x00-\x7f]+$",
    r"^[\u0400-\u04ff]{3}$",
    r"^(?i:abc)[^x]$",
    r"^\w+\s\W\D\S$",
    r"^(?>ab)++c$",
    r"^(?=.*\d)(?=.*[a-z])(?=.*[A-Z]).{8,20}$",
    r"^(?=.*[!?])[A-Za-z!?]{6,12}$",
    r"^(?!admin)[a-z]{5}$",
    r"^[\t]$",
    r"",
]


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("name", ["plate", "email", "team_id"])
def test_texts_match_their_pattern(pattern, name):
    """For the usual constructs of patterns a text is found, whatever the field is called."""
    kind = msgspec.defstruct("Holder", [(name, Annotated[str, Meta(pattern=pattern)])])
    for value in many(kind):
        assert re.search(pattern, getattr(value, name))


@pytest.mark.parametrize(("low", "high"), [(40, 40), (64, 64), (30, 45)])
@pytest.mark.parametrize("pattern", [PATTERNS[0], PATTERNS[3], r"^\w+-\w{1,3}-\w+$", r"needle"])
def test_patterns_and_lengths_hold_together(pattern, low, high):
    """A text that must match and be long is both."""
    for value in many(Annotated[str, Meta(pattern=pattern, min_length=low, max_length=high)]):
        assert low <= len(value) <= high


class Person(Narrow, kw_only=True):
    id: Id
    name: ShortText
    email: Annotated[str, Meta(max_length=80)]
    lat: Latitude
    lon: Longitude
    nickname: str | None = None
    boss: "Person | None" = None


class Team(Narrow, kw_only=True):
    team_id: NumberId
    name: ShortText
    members: list[Person]
    founded: Moment
    budget: Money


def test_values_are_readable():
    """Names of fields give values in which a reader recognises them and sees that they are made up."""
    person = make(Person)
    assert re.fullmatch(r"Sample name [0-9a-f]{4}", person.name)
    assert re.fullmatch(r"sample-[0-9a-f]{4}@example\.com", person.email)
    assert re.fullmatch(r"Sample nickname [0-9a-f]{4}", person.nickname)
    assert re.fullmatch(r"id-[0-9a-f]{8}", person.id)


KNOWN = {
    "home_url": r"https://example\.com/[0-9a-f]{4}",
    "phone": r"\+12025550[0-9]{3}",
    "currency": "EUR|USD|GBP|JPY",
    "country": "[A-Z]{2}",
    "language": "[a-z]{2}",
    "teamId": "team-[0-9a-f]{8}",
    "givenName": "Sample given name [0-9a-f]{4}",
    "größe": "Sample größe [0-9a-f]{4}",
    "__": "Sample [0-9a-f]{4}",
}


@pytest.mark.parametrize("name", KNOWN)
def test_known_names_give_known_forms(name):
    """A field called like a usual thing gets a usual value."""
    for value in many(msgspec.defstruct("Holder", [(name, str)])):
        assert re.fullmatch(KNOWN[name], getattr(value, name))


@pytest.mark.parametrize(("low", "high"), [(0, 3), (0, 0), (12, 12), (0, 6), (50, 60), (2000, 2000)])
def test_names_give_way_to_lengths(low, high):
    """A readable text is shortened or lengthened before it would break a bound."""
    kind = msgspec.defstruct("Holder", [("name", Annotated[str, Meta(min_length=low, max_length=high)])])
    assert all(low <= len(value.name) <= high for value in many(kind))


def test_places_are_on_earth():
    """Fields called like degrees are within them, and within tighter bounds, unless the two exclude each other."""
    plain = msgspec.defstruct("Place", [("lat", float), ("startLng", float), ("lon", Annotated[float, Meta(ge=100)])])
    for place in many(plain):
        assert -90 <= place.lat <= 90
        assert -180 <= place.startLng <= 180
        assert 100 <= place.lon <= 180
    odd = msgspec.defstruct("Odd", [("lat", Annotated[float, Meta(ge=500)])])
    assert all(value.lat >= 500 for value in many(odd))


def test_ids_differ():
    """Ids of one name differ within a value where the type has enough of them, and repeat where it has not."""
    many_ids = msgspec.defstruct("Item", [("item_id", Annotated[int, Meta(ge=1, le=25)])])
    items = make(Annotated[list[many_ids], Meta(min_length=20, max_length=20)])
    assert len({item.item_id for item in items}) >= 19
    one_id = msgspec.defstruct("Same", [("id", Literal["only"])])
    assert [item.id for item in make(list[one_id])] == ["only"] * 3


def test_lists_have_three_items():
    """Without other bounds three items are made."""
    assert len(make(Team).members) == len(make(dict[str, int])) == len(make(set[str])) == 3


def test_optional_values_are_there():
    """Unions prefer anything to None."""
    assert None not in many(int | None)
    assert {type(value) for value in many(int | str | None)} == {int, str}
    assert make(Person).boss.boss is not None


@pytest.mark.parametrize("now", [NOW, NOW.replace(tzinfo=None), NOW.astimezone(timezone(timedelta(hours=9)))])
def test_times_are_near_now(now):
    """Moments and days are at the most a week from now, in whole seconds, whichever offset now has."""
    generator = Generator.build(tuple[datetime, date, Annotated[datetime, Meta(tz=False)]])
    for seed in range(50):
        moment, day, local = generator.make(seeded(seed), now=now)
        assert abs(moment - NOW) <= timedelta(days=7)
        assert moment.microsecond == 0
        assert abs(day - NOW.date()) <= timedelta(days=7)
        assert local.tzinfo is None


def test_floats_next_to_each_other():
    """Where only one number is allowed, that one is made."""
    just_above = sys.float_info.min
    assert make(Annotated[float, Meta(ge=2.5, le=2.5)]) == 2.5
    assert 0 < make(Annotated[float, Meta(gt=0, lt=just_above)]) < just_above
    assert make(Annotated[float, Meta(ge=0.3, le=0.5, multiple_of=0.1)]) == 0.4


@pytest.mark.parametrize("bounds", [{"le": 305}, {"ge": 1000}, {"le": -1000}, {"gt": 1e6, "lt": 4e6}, {"ge": 900.3}])
@pytest.mark.parametrize("step", [0.1, 0.05, 0.3, 7.7])
def test_multiples_of_uneven_steps_are_found_far_from_zero(bounds, step):
    """Although hardly any multiple of such a step is a float itself there."""
    many(Annotated[float, Meta(multiple_of=step, **bounds)], 5)


def test_huge_numbers_hold():
    """Bounds far from zero, and wide ones, overflow nothing."""
    assert make(Annotated[float, Meta(ge=1e308)]) >= 1e308
    assert 0 <= make(Annotated[float, Meta(ge=-1e308, le=1e308)]) <= 1000
    assert make(Annotated[float, Meta(le=-1e308)]) <= -1e308
    assert make(Annotated[int, Meta(ge=2**62)]) >= 2**62


def test_the_same_seed_gives_the_same_value():
    """A value depends on the seed, the moment and the echo alone, also with a generator that was used before."""
    generator = Generator.build(Team)
    first = generator.make(seeded(7), now=NOW, echo={"team_id": 3})
    generator.make(seeded(8), now=NOW)
    assert generator.make(seeded(7), now=NOW, echo={"team_id": 3}) == first
    assert generator.make(seeded(8), now=NOW, echo={"team_id": 3}) != first


T = TypeVar("T")


class Box(msgspec.Struct, Generic[T], rename="camel"):
    held_id: T
    at: datetime | None = None


def test_fields_take_the_echo():
    """A field with the name of an argument takes its value, in the answer itself and below."""
    team = make(Team, echo={"team_id": 42, "id": "ann", "unknown": 1})
    assert team.team_id == 42
    assert {member.id for member in team.members} == {"ann"}
    assert make(list[Box[int]], echo={"heldId": 7, "at": NOW})[2] == Box(7, NOW)


@pytest.mark.parametrize("echo", [0, "7", None, object(), 2**60, [1], True, float("nan")])
def test_an_echo_that_the_type_does_not_allow_is_left_out(echo):
    """What does not fit a field is not forced on it."""
    team = make(Team, echo={"team_id": echo})
    assert 1 <= team.team_id <= 2**53 - 1
    assert team.team_id != echo


class Row(NamedTuple):
    team_id: int


def test_only_structs_take_the_echo():
    """Tuples and plain data of other kinds are left as they are made."""
    assert make(Row, echo={"team_id": -1}) != Row(-1)


class Span(msgspec.Struct):
    start: int
    end: int

    def __post_init__(self):
        if self.start >= self.end:
            raise ValueError("start is not before end")


class Never(msgspec.Struct):
    def __post_init__(self):
        raise ValueError("refused as always")


def test_what_a_class_checks_itself_holds():
    """A value that a `__post_init__` refuses is drawn again, without the echo when that is what it refuses."""
    assert all(span.start < span.end for span in many(Span))
    assert make(Span, echo={"start": 5, "end": 5}) != Span(0, 1)
    with pytest.raises(CannotMake, match="refused as always"):
        Generator.build(Never)


class Tree(msgspec.Struct):
    children: list["Tree"]
    by_name: dict[str, "Tree"] = {}
    twin: "Tree | int | None" = None


class Ping(msgspec.Struct):
    pong: "Pong | None"


class Pong(msgspec.Struct, array_like=True):
    note: str
    ping: Ping
    last: Ping | None = None


def parts(value):
    """How many values are within a value."""
    below = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + sum(parts(one) for one in below)


@pytest.mark.parametrize("kind", [Tree, Ping, Pong, list[Tree], dict[str, Ping]])
def test_types_that_contain_themselves_end(kind):
    """Values of recursive types, also over several classes, are bounded and still show an inner value."""
    for value in many(kind, 5):
        assert 3 < parts(msgspec.to_builtins(value)) < 4500


class Last(msgspec.Struct, array_like=True, kw_only=True):
    first: int | None = None
    needed: str
    more: "Last | None" = None


def test_arrays_keep_the_places_of_their_fields():
    """In an array only what stands behind the last required field is left out, so that no field changes its place."""
    value = make(Last)
    assert value.more.more.more is None
    assert all(isinstance(inner.needed, str) for inner in (value, value.more, value.more.more))


def test_wide_types_stay_bounded():
    """Lists of lists of lists do not multiply without end: past the cap only what must be is made."""
    kind = int
    for _ in range(9):
        kind = list[kind]
    assert parts(make(kind)) < 2100
    pairs = str
    for _ in range(9):
        pairs = dict[str, pairs]
    assert parts(make(pairs)) < 2100
    wide = msgspec.defstruct("Wide", [(f"f{n}", Annotated[list[int], Meta(min_length=90)] | None) for n in range(100)])
    value = make(wide)
    assert 2000 <= parts(msgspec.to_builtins(value)) < 2300
    assert value.f0 is not None
    assert value.f99 is None


class Endless(msgspec.Struct):
    inner: "Endless"


class Endless2(msgspec.Struct):
    inner: Annotated[list["Endless2"], Meta(min_length=1)]


class Custom:
    pass


class Unresolved(msgspec.Struct):
    inner: "Nowhere"  # noqa: F821


class Deep(msgspec.Struct):
    lines: list[dict[str, Any]]


REFUSED = [
    (Any, r"\$: `Any` says nothing"),
    (msgspec.Raw, r"\$: `Raw` says nothing"),
    (object, r"\$: `object` says nothing"),
    (list, r"\$\[\]: `Any` says nothing"),
    (Deep, r"\$\.lines\[\]\{\}: `Any` says nothing"),
    (dict, r"\$\{\}: `Any` says nothing"),
    (Custom | None, r"\$: `Custom` says nothing"),
    (Unresolved, r"\$: the type cannot be read"),
    (Endless, r"\$\.inner: the type contains itself without an end"),
    (Endless2, r"\$\.inner\[\]: the type contains itself without an end"),
    (Annotated[int, Meta(ge=3, le=2)], r"\$: no whole number is within the bounds"),
    (Annotated[int, Meta(ge=3, le=4, multiple_of=5)], r"\$: no whole number is within the bounds"),
    (Annotated[float, Meta(gt=3, lt=3)], r"\$: no number is within the bounds"),
    (Annotated[float, Meta(gt=0, lt=0.1, multiple_of=0.1)], r"\$: no multiple of 0.1 is within the bounds"),
    (Annotated[str, Meta(min_length=3, max_length=2)], r"\$: no length is at least 3 and at the most 2"),
    (Annotated[str, Meta(min_length=10**6)], r"\$: no length is at least 1000000 and at the most 10000"),
    (Annotated[list[int], Meta(min_length=1001)], r"\$: no length is at least 1001 and at the most 1000"),
    (Annotated[str, Meta(pattern="^a{9}$", max_length=8)], r"\$: the pattern needs 9 characters, 8 are allowed"),
    (Annotated[str, Meta(pattern="^[^\x00-\U0010ffff]$")], r"\$: no text was found that matches"),
    (Annotated[str, Meta(pattern="^[\ud800-\udfff]$")], r"\$: no text was found that matches"),
    (Annotated[str, Meta(pattern="(?!)")], r"\$: no text was found that matches"),
    (Annotated[set[bool], Meta(min_length=3)], r"\$: 3 different items were not found"),
    (Annotated[dict[Literal["a"], int], Meta(min_length=2)], r"\$: 2 different items were not found"),
    (dict[tuple[int, int], int], r"\$: "),
    (set[list[int]], r"\$: no value was found that the type accepts"),
    (
        Annotated[list[Annotated[list[int], Meta(min_length=100)]], Meta(min_length=100)],
        r"\$: the smallest value has 10101 parts, 2000 are the most",
    ),
]


@pytest.mark.parametrize(("kind", "message"), REFUSED)
def test_a_type_without_values_is_refused_at_build(kind, message):
    """What has no bounded form or no value is refused at start, with the place and the reason."""
    with pytest.raises(CannotMake, match=message) as caught:
        Generator.build(kind)
    assert str(caught.value) == f"{caught.value.path}: {caught.value.reason}"


def test_no_answer_is_made_too():
    """The answer of an operation that answers nothing is None."""
    assert make(None) is None
    assert make(tuple[()]) == ()
    assert make(bytearray) != bytearray()


def test_a_set_may_need_more_texts_than_a_name_has_readable_ones() -> None:
    """A set of currencies with nine items is made, although only four currencies are readable."""
    kind = msgspec.defstruct("Prices", [("currency", Annotated[set[str], Meta(min_length=9, max_length=9)])])
    made = Generator.build(kind).make(Random(1), now=NOW)  # noqa: S311 - made-up data guards nothing
    assert len(made.currency) == 9
