from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta

from narrows import Id, Latitude, Moment, NumberId, PageSize, ShortText
from narrows.declare.shape import REQUIRED, Parameter, Source
from narrows.errors import FieldError
from narrows.pipeline.textfield import TextField


class Diet(Enum):
    VEGAN = "vegan"
    ANY = "any"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


Numbers = Annotated[list[PageSize], Meta(max_length=3)]
UUID_TEXT = "0193b5a2-1c7e-7c51-8a53-5d4e21a1f0aa"


def field(kind: Any, source: Source = "query", default: Any = REQUIRED) -> TextField:
    """One parameter called `x`, made ready."""
    return TextField.prepare(Parameter(name="x", source=source, type=kind, default=default))


def errors(kind: Any, *texts: str, source: Source = "query") -> list[FieldError]:
    """What is wrong with what was sent."""
    found: list[FieldError] = []
    field(kind, source).read(texts, found)
    return found


def value(kind: Any, *texts: str, source: Source = "query") -> Any:
    """The value of what was sent, with which nothing is wrong."""
    found: list[FieldError] = []
    made = field(kind, source).read(texts, found)
    assert found == []
    return made


@pytest.mark.parametrize(
    ("kind", "texts", "expected"),
    [
        (int, ["7"], 7),
        (int, ["-7"], -7),
        (int, ["0"], 0),
        (int, ["123456789012345678901234567890"], 123456789012345678901234567890),
        (NumberId, ["7"], 7),
        (PageSize, ["50"], 50),
        (bool, ["true"], True),
        (bool, ["false"], False),
        (float, ["7"], 7.0),
        (float, ["7.50"], 7.5),
        (float, ["1e3"], 1000.0),
        (Latitude, ["-90"], -90.0),
        (Decimal, ["12.50"], Decimal("12.50")),
        (ShortText, ["7"], "7"),
        (ShortText, ["a b\u00e9"], "a b\u00e9"),
        (Id, ["a-7_B"], "a-7_B"),
        (Moment, ["2026-11-23T12:30:00+01:00"], datetime(2026, 11, 23, 11, 30, tzinfo=UTC)),
        (date, ["2026-11-23"], date(2026, 11, 23)),
        (timedelta, ["PT30M"], timedelta(minutes=30)),
        (UUID, [UUID_TEXT], UUID(UUID_TEXT)),
        (UUID, [UUID_TEXT.upper()], UUID(UUID_TEXT)),
        (Diet, ["vegan"], Diet.VEGAN),
        (Level, ["2"], Level.HIGH),
        (Literal["asc", "desc"], ["asc"], "asc"),
        (Literal[1, 2], ["2"], 2),
        (Numbers, ["1", "2"], [1, 2]),
        (list[Diet], ["any"], [Diet.ANY]),
        (Annotated[set[PageSize], Meta(max_length=3)], ["2", "1", "2"], {1, 2}),
        (Annotated[frozenset[ShortText], Meta(max_length=3)], ["b", "a"], frozenset({"a", "b"})),
        (tuple[int, ...], ["3", "1"], (3, 1)),
        (list[float], ["1", "2.5"], [1.0, 2.5]),
        (bytes, ["YWI="], b"ab"),
    ],
)
def test_a_text_becomes_a_value(kind: Any, texts: list[str], expected: Any) -> None:
    """Each declared type has its own form as text."""
    assert value(kind, *texts) == expected


@pytest.mark.parametrize(
    ("kind", "texts"),
    [
        *((int, [text]) for text in ("", "07", "+7", " 7", "7 ", "7.0", "7e0", "-0", "\uff17", "1_0", "0x7", "seven")),
        *((bool, [text]) for text in ("True", "TRUE", "1", "0", "False", "yes", "on", "")),
        *(
            (float, [text])
            for text in ("nan", "NaN", "inf", "-inf", "Infinity", "1e400", "+1", " 1", ".5", "5.", "", "1_0")
        ),
        *((Decimal, [text]) for text in ("NaN", "sNaN", "Infinity", "1e999999", "x", "")),
        (list[float], ["1", "nan"]),
        (Latitude, ["90.1"]),
        (PageSize, ["0"]),
        (PageSize, ["51"]),
        (ShortText, [""]),
        (ShortText, ["a" * 101]),
        (Id, ["a b"]),
        (Id, ["a\n"]),
        (Moment, ["2026-11-23T12:30:00"]),
        (Moment, ["1700000000"]),
        (date, ["23.11.2026"]),
        (timedelta, ["P999999999999D"]),
        (UUID, ["x"]),
        (Diet, ["VEGAN"]),
        (Level, ["3"]),
        (Level, ["02"]),
        (Level, ["2.0"]),
        (Literal["asc", "desc"], ["ASC"]),
        (Literal[1, 2], ["01"]),
        (Numbers, ["1", "2", "3", "4"]),
        (Numbers, ["1", "02"]),
        (Annotated[set[PageSize], Meta(max_length=3)], ["1", "01"]),
        (int, ["7", "7"]),
        (int, ["7", "8"]),
        (ShortText, ["a", "a"]),
        (int, []),
        (Numbers, []),
    ],
)
def test_what_does_not_hold_is_one_error(kind: Any, texts: list[str]) -> None:
    """It is named at its place, and its value is not repeated."""
    [error] = errors(kind, *texts)
    assert error.pointer == "/query/x"
    assert error.remedy.startswith("Send ")


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (UUID, UUID_TEXT.upper()),
        (UUID, UUID_TEXT.replace("-", "")),
        (float, "7"),
        (Moment, "2026-11-23T12:30:00+00:00"),
    ],
)
def test_in_a_path_there_is_one_way_to_write_a_value(kind: Any, text: str) -> None:
    """A path names one thing, so two texts never name the same."""
    assert len(errors(kind, text, source="path")) == 1


@pytest.mark.parametrize("text", ["7", "a%2Fb", "\u00e9", "a b", "..;", "?x=1"])
def test_a_text_in_a_path_is_itself(text: str) -> None:
    """A text has no second form."""
    assert value(ShortText, text, source="path") == text


def test_an_id_in_the_query_has_one_form_too() -> None:
    """It is marked by its type."""
    key = Annotated[UUID, Meta(extra={"narrows": "id"})]
    assert value(key, UUID_TEXT) == UUID(UUID_TEXT)
    assert len(errors(key, UUID_TEXT.upper())) == 1


def test_a_default_stands_in_for_what_was_not_sent() -> None:
    """It is the declared object itself."""
    found: list[FieldError] = []
    default = [1, 2]
    assert field(Numbers, default=default).read([], found) is default
    assert found == []


def test_what_was_sent_is_never_repeated() -> None:
    """A token that was put into the wrong field does not come back in an answer that is logged."""
    for kind in (int, bool, float, Moment, UUID, Diet, Id, Numbers):
        for error in errors(kind, "s3cr3t value"):
            assert "s3cr3t" not in str(error)


def test_an_offset_in_a_query_has_a_remedy_of_its_own() -> None:
    """`+` means a space in a query, which is the usual reason why a time is refused."""
    [error] = errors(Moment, "2026-11-23T12:30:00 01:00")
    assert "%2B" in error.remedy
    [error] = errors(Moment, "x", source="path")
    assert "%2B" not in error.remedy


@given(st.integers())
def test_every_whole_number_has_exactly_one_text(number: int) -> None:
    """What JSON writes is read, and no other form of it."""
    assert value(int, str(number)) == number
    assert len(errors(int, f" {number}")) == len(errors(int, f"{number}.0")) == 1


@given(st.text(max_size=20))
def test_an_integer_is_read_only_if_it_would_be_written_so(text: str) -> None:
    """There is no text beside the decimal one."""
    if not errors(int, text):
        assert str(value(int, text)) == text
