"""What of a call's arguments its record may show; it is decided by type, once for each endpoint, at start.

Numbers, truth values, dates and words of a closed list are shown, and ids that a guard binds: where a caller may act is
what a record is about. Every other text is only named, because anybody may have written anything into it.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, NamedTuple

import msgspec
from msgspec import inspect as mi

from narrows.declare.endpoint import Endpoint
from narrows.declare.shape import Parameter, Shape, bare, needed_by, placeholders
from narrows.declare.types import is_id

MOST = 24
"""How many arguments a record shows, and how many more it names."""
_ITEMS = 8
_LONGEST = 128

Plain = str | int | float | bool
_encode = msgspec.json.Encoder(order="deterministic").encode

_SHOWN = (mi.BoolType, mi.IntType, mi.FloatType, mi.DecimalType, mi.LiteralType, mi.EnumType)
_TIMES = (mi.DateTimeType, mi.DateType, mi.TimeType, mi.TimeDeltaType)


class Told(NamedTuple):
    """What a record says of arguments: those that it shows, and the names of those that it hides."""

    shown: dict[str, Plain | None]
    hidden: list[str]

    def show(self, name: str, value: Any) -> None:
        """Show a value, as long as there is room."""
        if len(self.shown) < MOST:
            self.shown[name] = _plain(value)
        else:
            self.hide(name)

    def hide(self, name: str) -> None:
        """Name a value; behind the last name that there is room for stands an ellipsis."""
        if len(self.hidden) < MOST:
            self.hidden.append(name)
        elif self.hidden[-1] != "…":
            self.hidden.append("…")


Teller = Callable[[str, Any, Told], None]


class Redactor:
    """Tells the arguments of one endpoint."""

    def __init__(self, endpoint: Endpoint, shape: Shape) -> None:
        bound = _bound(endpoint)
        sent = [p for p in shape.parameters.values() if p.source in ("path", "query", "body", "variable")]
        self._tellers = {p.name: _teller(mi.type_info(p.type), _within(p), bound, frozenset()) for p in sent}

    def tell(self, arguments: Mapping[str, Any]) -> Told:
        """What the record says of arguments that were decoded; what was not sent is not named."""
        told = Told({}, [])
        for name, tell in self._tellers.items():
            value = arguments.get(name)
            if value is not None:
                tell(name, value, told)
        return told


def written(arguments: Mapping[str, Any]) -> bytes:
    """Arguments as JSON, in one order, for their digest."""
    return _encode(arguments)


def _bound(endpoint: Endpoint) -> frozenset[str]:
    """The names of ids that a guard binds: `within` names them, or a read of `given` or `inside` proves them."""
    read = [parameter.name for operation in endpoint.given.values() for parameter in needed_by(operation)]
    # A field of what was read is not one of the body that is called alike.
    named = [name for name in placeholders(endpoint.within or "") if name.partition(".")[0] not in endpoint.given]
    return frozenset((*named, *read, *endpoint.inside))


def _within(parameter: Parameter) -> str:
    """The place of a parameter as guards name it: fields of the body by their own names."""
    return "" if parameter.source == "body" else parameter.name


def _teller(info: Any, place: str, bound: frozenset[str], seen: frozenset[type]) -> Teller:
    """How values of a type are told; what lies in a type within itself (`seen`) is hidden."""
    kind = bare(info)
    match kind:
        case mi.UnionType(types=members):
            return _of_union([_teller(m, place, bound, seen) for m in members if not isinstance(bare(m), mi.NoneType)])
        case mi.StructType(cls=cls, fields=fields) if cls not in seen:
            return _of_struct({f.name: (f.encode_name, _field(f, place, bound, seen | {cls})) for f in fields})
        case mi.ListType(item_type=item) | mi.VarTupleType(item_type=item):
            return _of_list(_teller(item, f"{place}[]", bound, seen))
    if place in bound or (isinstance(kind, _SHOWN + _TIMES) and not is_id(info)):
        return _show
    return _hide


def _field(field: Any, place: str, bound: frozenset[str], seen: frozenset[type]) -> Teller:
    return _teller(field.type, f"{place}.{field.encode_name}" if place else field.encode_name, bound, seen)


def _of_union(tellers: list[Teller]) -> Teller:
    """One that may be absent is told as what it is else; of several kinds, only those that are all shown."""
    if len(tellers) == 1:
        return tellers[0]
    return _show if all(tell is _show for tell in tellers) else _hide


def _of_struct(below: Mapping[str, tuple[str, Teller]]) -> Teller:
    def tell(name: str, value: Any, told: Told) -> None:
        for attribute, (called, tell_field) in below.items():
            inner = getattr(value, attribute)
            if inner is not None and inner is not msgspec.UNSET:
                tell_field(f"{name}.{called}", inner, told)

    return tell


def _of_list(tell_item: Teller) -> Teller:
    def tell(name: str, value: Any, told: Told) -> None:
        for index, item in enumerate(value[:_ITEMS]):
            tell_item(f"{name}[{index}]", item, told)
        if len(value) > _ITEMS:
            told.show(f"{name}[]", len(value))

    return tell


def _show(name: str, value: Any, told: Told) -> None:
    told.show(name, value)


def _hide(name: str, _: Any, told: Told) -> None:
    told.hide(name)


def _plain(value: Any) -> Plain | None:
    """A value as a record writes it. Numbers that a reader of JSON would round stand there as text."""
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return value if abs(value) < 2**53 else str(value)[:_LONGEST]
    if isinstance(value, float):
        return value
    return _text(value)[:_LONGEST]


def _text(value: Any) -> str:
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return value.isoformat()
    return str(value)
