"""Whether a declared type still fits what a document says: wide enough for answers, narrow enough for requests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import inspect as mi

from narrows.declare.shape import bare
from narrows.devkit.scaffold.openapi.kinds import (
    Choice,
    Direction,
    Either,
    Flag,
    Keyed,
    Kind,
    Many,
    Maybe,
    Missing,
    Model,
    Nothing,
    Real,
    Ref,
    Text,
    Whole,
    core,
)

Difference = tuple[str, str]
"""Where (`/labels[]/name`), and what."""

_LISTS = (mi.ListType, mi.SetType, mi.FrozenSetType, mi.VarTupleType)
_FORMS: Mapping[type, str] = {mi.DateTimeType: "moment", mi.DateType: "date", mi.UUIDType: "uuid"}
_SORTS: Mapping[type, str] = {
    mi.StrType: "text", mi.IntType: "number", mi.FloatType: "number", mi.DecimalType: "number", mi.BoolType: "flag",
    mi.StructType: "object", mi.DictType: "object", mi.DateTimeType: "text", mi.DateType: "text", mi.UUIDType: "text",
    **dict.fromkeys(_LISTS, "list"),
}  # fmt: skip
_KINDS: Mapping[type, str] = {
    Text: "text", Whole: "number", Real: "number", Flag: "flag", Many: "list", Keyed: "object", Ref: "object",
}  # fmt: skip


class Types:
    """Compares types with kinds; `models` are the classes that the kinds name."""

    def __init__(self, models: Mapping[str, Model]) -> None:
        self._models = models
        self._seen: set[tuple[type, str]] = set()

    def differ(self, info: Any, kind: Kind, direction: Direction, at: str = "") -> Iterator[Difference]:
        """What does not fit any more. What the document does not say in a form that is understood is passed over."""
        inner, declared = core(kind), _without_none(info)
        if isinstance(inner, Missing | Nothing) or declared is None:
            return
        nullable = declared is not bare(info) and _takes_none(info)
        if direction == "out" and isinstance(kind, Maybe) and not nullable:
            yield at, "may be null now"
        if sorts := self._other_sorts(declared, inner, direction):
            yield at, f"is {' or '.join(sorts)} now"
        else:
            yield from self._within(declared, inner, direction, at)

    def _other_sorts(self, declared: Any, kind: Kind, direction: Direction) -> list[str]:
        """The sorts of values of the side that gives which the side that takes does not know."""
        own, said = _sorts(declared), _kind_sorts(kind)
        if not own:
            return []
        odd = said - own if direction == "out" else (said if own - said else set())
        return sorted(odd)

    def _within(self, declared: Any, kind: Kind, direction: Direction, at: str) -> Iterator[Difference]:
        match kind:
            case Ref(name=name) if isinstance(declared, mi.StructType):
                yield from self._fields(declared, self._models[name], direction, at)
            case Many(item=item, low=low, high=high) if isinstance(declared, _LISTS):
                yield from _bounds(declared.min_length, declared.max_length, low, high, direction, at, "items")
                yield from self.differ(declared.item_type, item, direction, f"{at}[]")
            case Keyed(value=value) if isinstance(declared, mi.DictType):
                yield from self.differ(declared.value_type, value, direction, f"{at}{{}}")
            case Text() | Choice():
                yield from _texts(declared, kind, direction, at)
            case Whole(low=low, high=high) | Real(low=low, high=high) if isinstance(
                declared, mi.IntType | mi.FloatType
            ):
                yield from _bounds(declared.ge, declared.le, low, high, direction, at, "numbers")
                if direction == "out" and isinstance(kind, Real) and isinstance(declared, mi.IntType):
                    yield at, "may have a fraction now"

    def _fields(self, declared: mi.StructType, model: Model, direction: Direction, at: str) -> Iterator[Difference]:
        if (declared.cls, model.name) in self._seen:
            return
        self._seen.add((declared.cls, model.name))
        said = {field.wire: field for field in model.fields}
        known = {field.encode_name: field for field in declared.fields}
        for wire, own in known.items():
            place = f"{at}/{wire}"
            if wire not in said:
                yield place, "is gone" if direction == "out" else "is no longer taken"
                continue
            if direction == "out" and own.required and not said[wire].required:
                yield place, "may be missing now"
            if direction == "in" and not own.required and said[wire].required:
                yield place, "is required now"
            yield from self.differ(own.type, said[wire].kind, direction, place)
        if direction == "in":
            for wire in (wire for wire, field in said.items() if field.required and wire not in known):
                yield f"{at}/{wire}", "is required now"


def _texts(declared: Any, kind: Text | Choice, direction: Direction, at: str) -> Iterator[Difference]:
    """Texts and listed values: each side's values, forms, bounds and patterns."""
    values = set(declared.values) if isinstance(declared, mi.LiteralType) else None
    if isinstance(kind, Choice):
        odd = _odd_values(values, set(kind.values), direction)
        if odd:
            yield at, f"{'has new values' if direction == 'out' else 'takes other values'} now: {', '.join(odd)}"
    elif values is not None:
        if direction == "out":
            yield at, "may be any text now"
    elif isinstance(declared, mi.StrType):
        yield from _bounds(declared.min_length, declared.max_length, kind.low, kind.high, direction, at, "texts")
        own, said = _pattern(declared.pattern), _pattern(kind.pattern)
        if (own if direction == "out" else said) is not None and own != said:
            yield at, "follows another pattern now"
    elif direction == "out" and _FORMS.get(type(declared)) not in (None, kind.form):
        yield at, "has another form now"


def _pattern(pattern: str | None) -> str | None:
    """A pattern without what Python alone needs for ECMA's `$`."""
    return None if pattern is None else pattern.replace(r"(?!\n)$", "$")


def _odd_values(declared: set[Any] | None, said: set[Any], direction: Direction) -> list[str]:
    """Values that one side gives and the other does not take; without declared values, a request may send any."""
    if direction == "out":
        odd = said - declared if declared is not None else set()
    else:
        odd = said if declared is None else declared - said
    return sorted(repr(value)[:40] for value in odd)[:5]


def _bounds(
    own_low: Any, own_high: Any, low: Any, high: Any, direction: Direction, at: str, what: str
) -> Iterator[Difference]:
    """An answer must lie within what is declared, a request within what the document says."""
    inner, outer = ((low, high), (own_low, own_high)) if direction == "out" else ((own_low, own_high), (low, high))
    lower = outer[0] is not None and outer[0] > 0 and (inner[0] is None or inner[0] < outer[0])
    if lower or (what == "numbers" and outer[0] is not None and (inner[0] is None or inner[0] < outer[0])):
        yield at, f"{_side(direction)} {'smaller numbers' if what == 'numbers' else f'shorter {what}'} now"
    if outer[1] is not None and (inner[1] is None or inner[1] > outer[1]):
        yield at, f"{_side(direction)} {'larger numbers' if what == 'numbers' else f'longer {what}'} now"


def _side(direction: Direction) -> str:
    return "may hold" if direction == "out" else "does not take"


def _without_none(info: Any) -> Any:
    """A type without null; a union of several stays one, and None stands for what takes anything."""
    inner = bare(info)
    if not isinstance(inner, mi.UnionType):
        return None if isinstance(inner, mi.AnyType | mi.NoneType) else inner
    members = [member for member in inner.types if not isinstance(bare(member), mi.NoneType)]
    return bare(members[0]) if len(members) == 1 else mi.UnionType(tuple(members))


def _takes_none(info: Any) -> bool:
    inner = bare(info)
    return isinstance(inner, mi.UnionType) and inner.includes_none


def _sorts(info: Any) -> set[str]:
    """The sorts of JSON values that a declared type takes; nothing for a type of another kind."""
    inner = bare(info)
    if isinstance(inner, mi.UnionType):
        return set().union(*map(_sorts, inner.types))
    if isinstance(inner, mi.LiteralType):
        return {"text" if isinstance(value, str) else "number" for value in inner.values}
    return {_SORTS[type(inner)]} if type(inner) in _SORTS else set()


def _kind_sorts(kind: Kind) -> set[str]:
    inner = core(kind)
    match inner:
        case Choice(values=values):
            return {"text" if isinstance(value, str) else "number" for value in values}
        case Either(members=members):
            return set().union(*map(_kind_sorts, members))
    return {_KINDS[type(inner)]} if type(inner) in _KINDS else set()
