"""The form of an answer: against its declared type, and against another answer."""

from __future__ import annotations

import msgspec
import pytest
from msgspec import UNSET, UnsetType

from narrows import Narrow
from narrows.testing.structure import differences, faults


class Guest(Narrow):
    name: str
    age: int | None = None


class Table(Narrow, omit_defaults=True):
    id: int | str
    guests: list[Guest] = msgspec.field(default_factory=list)
    note: str = ""
    later: str | UnsetType = UNSET
    by_place: dict[str, int] = msgspec.field(default_factory=dict)


class Cat(Narrow, tag="cat"):
    lives: int


class Dog(Narrow, tag="dog"):
    tricks: int


BODY = b'{"id":1,"guests":[{"name":"a","age":3},{"name":"b","age":null}],"by_place":{"x":1}}'


@pytest.mark.parametrize("body", [BODY, b'{"id":"a"}', b'{"id":1,"note":"n","later":"l"}'])
def test_a_body_of_the_type_has_no_fault(body):
    """What the type allows is fine, also where it lets much be absent."""
    assert faults(body, Table) == []


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (b'{"guests":[]}', "Object missing required field `id`"),
        (b'{"id":1,"guests":[{"name":2}]}', "Expected `str`, got `int` - at `$.guests[0].name`"),
        (b'{"id":1,"more":2}', "`/more` is not declared"),
        (b'{"id":1,"guests":[{"name":"a","iban":"x"}]}', "`/guests/[]/iban` is not declared"),
        (b"<html>", "JSON is malformed: invalid character (byte 0)"),
        (b'{"id":"\xff"}', "Invalid UTF-8"),
    ],
)
def test_a_body_that_is_not_of_the_type_says_where(body, fault):
    """Missing, of another type, more than is declared, or no JSON."""
    (told,) = faults(body, Table)
    assert told.startswith(fault) or "utf-8" in told


def test_nothing_is_declared_so_nothing_is_there():
    """An endpoint without an answer has an empty body."""
    assert faults(b"", None) == []
    assert faults(b"{}", None) == ["there is a body, and none is declared"]


@pytest.mark.parametrize(
    "other",
    [
        BODY,
        b'{"id":2}',
        b'{"id":2,"note":"else"}',
        b'{"id":2,"guests":[]}',
        b'{"id":2,"guests":[{"name":"b","age":null}],"by_place":{"y":1,"z":2}}',
    ],
)
def test_what_the_type_lets_vary_is_no_difference(other):
    """Other values, other keys of a mapping, an empty list, null for a number, and fields that may be absent."""
    assert differences(BODY, other, Table) == []


@pytest.mark.parametrize(
    ("one", "other", "kind", "found"),
    [
        (b'{"id":1}', b'{"id":"a"}', Table, [("/id", "number", "string")]),
        (
            b'{"type":"cat","lives":7}',
            b'{"type":"dog","tricks":1}',
            Cat | Dog,
            [("/lives", "there", "absent"), ("/tricks", "absent", "there")],
        ),
        (
            b'[[{"type":"cat","lives":7}]]',
            b'[[{"type":"cat","lives":7},{"type":"dog","tricks":1}]]',
            list[list[Cat | Dog]],
            [("/[]/[]/tricks", "absent", "there")],
        ),
        (b"", b"{}", Table, [("", "no body", "a body")]),
        (b"{}", b"", Table, [("", "a body", "no body")]),
        (b"", b"", Table, []),
    ],
)
def test_another_form_is_found(one, other, kind, found):
    """Where two bodies of one type took two of its forms, each place is named once."""
    assert differences(one, other, kind) == found
