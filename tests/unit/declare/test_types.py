from decimal import Decimal

import msgspec
import pytest
from msgspec.inspect import type_info

from narrows.declare import types
from narrows.declare.types import Id, Input, Money, Narrow, NumberId, ShortText, is_id


class Guest(Input):
    """Somebody who comes along."""

    name: ShortText


class Member(Narrow):
    """A member of a team."""

    name: str


@pytest.mark.parametrize("body", [b'{"name": "Anna", "salary": 1}', b'{"name": ""}', b"{}", b'{"name": 7}'])
def test_an_input_takes_what_is_declared_and_nothing_else(body):
    """An unknown key is an error, not a value that is passed on."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(body, type=Guest)


def test_a_narrow_type_never_holds_more_than_its_fields():
    """What an upstream sends besides them never becomes an object."""
    member = msgspec.json.decode(b'{"name": "Anna", "salary": 70000}', type=Member)
    assert msgspec.to_builtins(member) == {"name": "Anna"}


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (types.Id, "a-Z_9"),
        (types.NumberId, 2**53 - 1),
        (types.ShortText, "x" * 100),
        (types.LongText, ""),
        (types.PageSize, 50),
        (types.Count, 0),
        (types.Latitude, -90.0),
        (types.Longitude, 180.0),
        (types.Moment, "2026-11-23T12:30:00+01:00"),
        (types.Currency, "EUR"),
    ],
)
def test_ready_types_take_what_they_promise(kind, value):
    """The bounds themselves belong to them."""
    assert msgspec.to_builtins(msgspec.convert(value, kind)) == value


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (types.Id, ""),
        (types.Id, "a/b"),
        (types.Id, "a\n"),
        (types.Id, "ä"),
        (types.Id, "x" * 65),
        (types.NumberId, 0),
        (types.NumberId, 2**53),
        (types.ShortText, ""),
        (types.ShortText, "x" * 101),
        (types.LongText, "x" * 2001),
        (types.PageSize, 0),
        (types.PageSize, 51),
        (types.Count, -1),
        (types.Latitude, 90.1),
        (types.Longitude, -180.1),
        (types.Moment, "2026-11-23T12:30:00"),
        (types.Currency, "eur"),
        (types.Currency, "EUR\n"),
        (types.Currency, "EURO"),
    ],
)
def test_ready_types_are_bounded(kind, value):
    """A ready type is the easy way to a bound."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(value, kind)


@pytest.mark.parametrize(
    ("text", "amount", "currency"),
    [
        ("0.05 EUR", "0.05", "EUR"),
        ("0 EUR", "0", "EUR"),
        ("1000000 USD", "1000000", "USD"),
        ("1.50 EUR", "1.50", "EUR"),
    ],
)
def test_a_price_is_exact(text, amount, currency):
    """A price is decimal, never binary."""
    assert Money.parse(text) == Money(Decimal(amount), currency)
    assert str(Money.parse(text)) == text


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("free", "is not a price"),
        ("", "is not a price"),
        ("0.05", "names no currency"),
        ("0.05 eur", "names no currency"),
        ("0.05 EURO", "names no currency"),
        ("0.05 ÄÖÜ", "names no currency"),
        ("0.05 EUR ", "names no currency"),
        ("-1 EUR", "is not an amount from 0"),
        ("1000001 EUR", "is not an amount from 0"),
        ("Infinity EUR", "is not an amount from 0"),
        ("NaN EUR", "is not an amount from 0"),
        ("1e-9 EUR", "is not a price"),
        ("1_0 EUR", "is not a price"),
        ("٣ EUR", "is not a price"),
    ],
)
def test_what_is_no_price_is_refused(text, rule):
    """The message says which part is wrong."""
    with pytest.raises(ValueError, match=rule):
        Money.parse(text)


def test_prices_add_and_multiply():
    """The price of a call is that of its operations."""
    assert Money.parse("0.10 EUR") + Money.parse("0.20 EUR") == Money.parse("0.30 EUR")
    assert Money.parse("0.10 EUR") * 3 == Money.parse("0.30 EUR")


def test_prices_of_two_currencies_do_not_add():
    """Nobody has said what the one is worth in the other."""
    with pytest.raises(ValueError, match="two currencies"):
        Money.parse("1 EUR") + Money.parse("1 USD")
    with pytest.raises(ValueError, match="two currencies"):
        Money.parse("1 EUR") - Money.parse("1 USD")
    assert Money.parse("1 EUR") - Money.parse("0.05 EUR") == Money.parse("0.95 EUR")


@pytest.mark.parametrize(("kind", "marked"), [(Id, True), (NumberId, True), (ShortText, False), (str, False)])
def test_ids_are_marked(kind, marked):
    """A guard knows an id by its type."""
    assert is_id(type_info(kind)) is marked


def test_another_mark_is_no_id():
    """Teams may mark their types for themselves."""
    marked = msgspec.inspect.Metadata(type_info(str), extra={"team": "lunch"})
    assert not is_id(marked)
    assert not is_id(msgspec.inspect.Metadata(type_info(str), extra_json_schema={"title": "x"}))
