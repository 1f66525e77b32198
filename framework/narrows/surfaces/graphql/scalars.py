"""Scalars: the leaves of msgspec's types as those of GraphQL, written as REST writes them."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, NewType
from uuid import UUID

import strawberry
from graphql import FloatValueNode, GraphQLError, IntValueNode, StringValueNode, ValueNode
from msgspec import inspect as mi
from strawberry.types.scalar import ScalarDefinition

Long = NewType("Long", int)
DateTime = NewType("DateTime", datetime)
Date = NewType("Date", date)
Time = NewType("Time", time)
Exact = NewType("Exact", Decimal)
Duration = NewType("Duration", timedelta)
Uuid = NewType("Uuid", UUID)
Base64 = NewType("Base64", bytes)
Nothing = NewType("Nothing", bool)

_WIDEST = 2**31 - 1


def same(value: Any) -> Any:
    """Values are read and written by msgspec alone, before and after GraphQL has them."""
    return value


def _scalar(name: str, description: str, *literals: type[ValueNode]) -> ScalarDefinition:
    """A scalar; `literals` are how it may be written in a document, a text if that is not said."""

    def read(node: ValueNode, _: Any = None) -> Any:
        if not isinstance(node, literals or (StringValueNode,)):
            raise GraphQLError(f"{name} cannot be written so: {description}", node)
        # A number with a fraction stays a text, which becomes an exact Decimal.
        return int(node.value) if isinstance(node, IntValueNode) else node.value  # type: ignore[attr-defined]

    return strawberry.scalar(name=name, description=description, serialize=same, parse_value=same, parse_literal=read)


SCALARS: dict[object, ScalarDefinition] = {
    Long: _scalar("Long", "A whole number that may be larger than Int.", IntValueNode),
    DateTime: _scalar("DateTime", "A date and a time, mostly with its offset (RFC 3339)."),
    Date: _scalar("Date", "A day (RFC 3339, `full-date`)."),
    Time: _scalar("Time", "A time of day (RFC 3339, `full-time`)."),
    Exact: _scalar("Decimal", "An exact decimal number, as a text.", StringValueNode, IntValueNode, FloatValueNode),
    Duration: _scalar("Duration", "A length of time (ISO 8601)."),
    Uuid: _scalar("UUID", "A UUID (RFC 9562)."),
    Base64: _scalar("Base64", "Bytes as a text (RFC 4648, 4)."),
    Nothing: _scalar("Nothing", "No value: always null, as what answers nothing has none."),
}
NAMES = frozenset(definition.name for definition in SCALARS.values())

_LEAVES: dict[type[mi.Type], Any] = {
    mi.BoolType: bool,
    mi.FloatType: float,
    mi.StrType: str,
    mi.DateTimeType: DateTime,
    mi.DateType: Date,
    mi.TimeType: Time,
    mi.DecimalType: Exact,
    mi.TimeDeltaType: Duration,
    mi.UUIDType: Uuid,
    mi.BytesType: Base64,
}


def leaf(info: Any) -> Any:
    """The annotation of a leaf; None for what is none."""
    if isinstance(info, mi.IntType):
        return int if _fits(info) else Long
    return _LEAVES.get(type(info))


def whole(values: tuple[Any, ...]) -> Any:
    """The annotation of one of some whole numbers."""
    return int if all(abs(value) <= _WIDEST for value in values) else Long


def _fits(info: mi.IntType) -> bool:
    """Whether all that the type allows fits into GraphQL's Int (32 bits)."""
    low = info.ge if info.ge is not None else info.gt
    high = info.le if info.le is not None else info.lt
    return low is not None and high is not None and low >= -_WIDEST - 1 and high <= _WIDEST
