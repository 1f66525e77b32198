from typing import Any

import msgspec
import pytest

from narrows import Narrow
from narrows.upstreams.narrowing import left_out


class Office(Narrow):
    city: str


class Person(Narrow, rename="camel"):
    first_name: str
    office: Office | None = None


class Short(Narrow, omit_defaults=True):
    name: str = ""
    note: str | None = None


class Card(Narrow, tag="card"):
    number: str


class Pair(Narrow, array_like=True):
    one: int


SECRET = {"salary": 52000, "homeAddress": {"street": "x"}}


@pytest.mark.parametrize(
    ("kind", "sent", "expected"),
    [
        (Person, {"firstName": "Anna"}, set()),
        (Person, {"firstName": "Anna", **SECRET}, {"P.salary", "P.homeAddress"}),
        (
            Person,
            {"firstName": "Anna", "office": {"city": "Wien", "lat": 1.5, "lon": 2.5}},
            {"P.office.lat", "P.office.lon"},
        ),
        (Person, {"firstName": "Anna", "office": None}, set()),
        (Person, {"firstName": "Anna", "first_name": "x"}, {"P.first_name"}),
        (list[Person], [{"firstName": "A"}, {"firstName": "B", "salary": 1}], {"P[].salary"}),
        (dict[str, Person], {"anna@example.com": {"firstName": "A", "salary": 1}}, {"P.(no field name).salary"}),
        (dict[int, Person], {"7": {"firstName": "A", "salary": 1}}, set()),
        (dict[str, int], {"a": 1}, set()),
        (Short, {"name": "", "note": None, "more": 1}, {"P.more"}),
        (Card, {"type": "card", "number": "1", "cvc": "123"}, {"P.cvc"}),
        (Pair, [1, 2, 3], set()),
        (list[int], [1], set()),
        (set[int], [1, 1], set()),
        (int, 1, set()),
        (Any, {"a": {"b": 1}}, set()),
    ],
)
def test_names_of_fields_without_a_place_are_found(kind: Any, sent: Any, expected: set[str]) -> None:
    """A rehearsal tells which fields the declaration left out, and nothing of their values."""
    body = msgspec.json.encode(sent)
    assert left_out("P", body, msgspec.json.decode(body, type=kind)) == expected


def test_what_is_found_is_bounded() -> None:
    """An upstream with a million names makes no large document."""
    sent = {"firstName": "A", **{f"k{n:04}{'x' * 59}": n for n in range(1000)}}
    body = msgspec.json.encode(sent)
    found = left_out("P", body, msgspec.json.decode(body, type=Person))
    assert len(found) == 200
    assert {len(name) for name in found} == {len("P.") + 64}


@pytest.mark.parametrize("name", ["anna@example.com", "Anna Berg", "7", "", "x" * 65, "ä"])
def test_what_looks_like_no_field_name_is_not_told(name: str) -> None:
    """An upstream may key an object by what is data, such as an address."""
    body = msgspec.json.encode({"firstName": "A", name: 1})
    assert left_out("P", body, msgspec.json.decode(body, type=Person)) == {"P.(no field name)"}


def test_an_object_that_is_kept_as_something_else_is_not_looked_into() -> None:
    """There is nothing to compare it with."""
    assert left_out("P", b'{"a":{"b":1}}', 7) == set()
    assert left_out("P", b"[1]", 7) == set()


def test_a_large_answer_is_not_compared() -> None:
    """It would take much memory, and a rehearsal is no reason for that; the document says so."""
    person = {"firstName": "A" * (256 * 1024), "salary": 1}
    body = msgspec.json.encode(person)
    assert left_out("P", body, msgspec.json.decode(body, type=Person)) == {"P: too large to be compared"}
