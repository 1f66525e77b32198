from decimal import Decimal
from typing import Any

import msgspec
import pytest

from narrows.pipeline.finite import is_finite, odd_decimals

INF = float("inf")


class Line(msgspec.Struct):
    price: Decimal
    note: str = ""


class Order(msgspec.Struct, rename="camel"):
    main_line: Line
    more_lines: list[Line] = []
    by_name: dict[str, Decimal] = {}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1.5, True),
        (float("nan"), False),
        (INF, False),
        ([1.0, -INF], False),
        ((1.0, 2.0), True),
        ({1.0, INF}, False),
        (frozenset({1.0}), True),
        (Decimal("1E64"), True),
        (Decimal("1E-64"), True),
        (Decimal("1E65"), False),
        (Decimal("1E-65"), False),
        (Decimal("0E+999999"), False),
        (Decimal("NaN"), False),
        (Decimal("sNaN"), False),
        (Decimal("-Infinity"), False),
        ([Decimal("NaN")], False),
        ("nan", True),
        (10**60, True),
        (None, True),
    ],
)
def test_what_is_a_number_that_can_be_written_out(value: Any, expected: bool) -> None:
    """No NaN, no infinity and no exponent that fills the memory reaches a handler."""
    assert is_finite(value) is expected


def test_odd_decimals_are_found_wherever_they_are() -> None:
    """Each is named by its JSON pointer."""
    odd = Decimal("NaN")
    order = Order(Line(Decimal(1), "nan"), [Line(Decimal(2)), Line(odd)], {"a/b": odd, "c": Decimal(3)})
    assert list(odd_decimals(order, "/body")) == ["/body/moreLines/1/price", "/body/byName/a~1b"]


def test_sound_decimals_are_no_errors() -> None:
    """Most orders are sound."""
    assert list(odd_decimals(Order(Line(Decimal("12.50"))), "/body")) == []
