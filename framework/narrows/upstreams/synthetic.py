"""Synthetic values of declared types: what the sandbox answers with in place of an upstream.

A type is read once into a tree of makers; a value is drawn from it as plain data and then decoded with the type, just
as an upstream's answer would be, so that what comes out is valid or is not handed out at all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from random import Random
from types import MappingProxyType
from typing import Any, Protocol

import msgspec
from msgspec import inspect

from narrows.upstreams.synthetic_leaves import LEAVES, CannotMake, Draw, is_id, size

__all__ = ["CannotMake", "Generator"]

ANSWER_BYTES = 64 * 1024
"""The cap of one answer as JSON, unless the settings say otherwise (`limits.sandbox_bytes`)."""

_PARTS = 2000
_ITEMS = 1000
_USUAL_ITEMS = 3
_NESTING = 3
_TRIES = 20
_TRIAL = datetime(2026, 1, 1, tzinfo=UTC)
_NOTHING: Mapping[str, Any] = MappingProxyType({})


class Generator:
    """Makes synthetic values of one type. Build it once with `build`, then call `make` as often as wanted."""

    __slots__ = ("_cap", "_decoder", "_maker", "_sparse")

    def __init__(self, maker: _Maker, decoder: msgspec.json.Decoder[Any], cap: int) -> None:
        self._maker = maker
        self._decoder = decoder
        self._cap = cap
        self._sparse = False

    @classmethod
    def build(cls, kind: Any, cap: int = ANSWER_BYTES) -> Generator:
        """Read a type and make one value of it for trial; no value is larger than `cap` bytes as JSON.

        Raises `CannotMake` when the type, or a place in it, has no bounded form (`Any`, `Raw`, custom types), cannot
        hold any value, or none within the cap and 2,000 parts.
        """
        try:
            info, decoder = inspect.type_info(kind), msgspec.json.Decoder(kind)
        except Exception as error:  # msgspec raises whatever resolving the hints of foreign classes raises
            raise CannotMake("$", f"the type cannot be read ({error})") from None
        generator = cls(_Builder().build(info), decoder, cap)
        for sparse in (False, True):
            _, generator._sparse = generator._draw(Random(0), _TRIAL, {}, sparse)  # noqa: S311  (it guards nothing)
        return generator

    def make(self, rng: Random, *, now: datetime, echo: Mapping[str, Any] = _NOTHING, sparse: bool = False) -> Any:
        """Make a value; equal for an equal state of `rng` and equal other arguments. Raises `CannotMake`.

        Times are within seven days of `now`. A field of a Struct, however deep, that `echo` names by its encoded name
        takes that value if its type allows it; None there means that there is none. A sparse value has only what must
        be: lists are as short as they may, what is optional is absent. So is one that would else exceed the cap.
        """
        return self._draw(rng, now, echo, sparse)[0]

    def _draw(self, rng: Random, now: datetime, echo: Mapping[str, Any], sparse: bool) -> tuple[Any, bool]:
        """A value, and whether it had to be sparse for the cap."""
        encoded = {name: text for name, value in echo.items() if (text := _encoded(value)) is not None}
        problem = ""
        large = self._sparse
        for number in range(_TRIES):
            run = _Run(rng, now, encoded if number < _TRIES // 2 else {}, sparse=sparse or large)
            try:
                value = self._decoder.decode(msgspec.json.encode(self._maker.make(run)))
            except (TypeError, msgspec.MsgspecError) as error:
                problem = str(error)  # such as what a `__post_init__` refuses: another draw may hold
                continue
            written = len(msgspec.json.encode(value))
            if written <= self._cap:
                return value, large
            large, problem = True, f"{written} bytes are more than {self._cap}"
        raise CannotMake("$", f"no value was found that the type accepts ({problem})")


def _encoded(value: Any) -> bytes | None:
    """A value for an echo as JSON; None when there is none or it has no such form."""
    try:
        return None if value is None else msgspec.json.encode(value)
    except (TypeError, ValueError):
        return None


class _Run:
    """One value in the making: what it draws from, and how many parts it may still have."""

    __slots__ = ("echo", "ids", "left", "nesting", "now", "rng")

    def __init__(self, rng: Random, now: datetime, echo: Mapping[str, bytes], *, sparse: bool) -> None:
        self.rng = rng
        self.now = now
        self.echo = echo
        self.left = 0 if sparse else _PARTS
        self.nesting = 0
        self.ids: set[tuple[str, Any]] = set()

    @property
    def tight(self) -> bool:
        """Whether only what must be is made from here on."""
        return self.left <= 0 or self.nesting >= _NESTING


class _Maker(Protocol):
    """Makes the plain data of one place. `least` is the number of parts of its smallest value."""

    least: float = math.inf

    def make(self, run: _Run) -> Any:
        """Draw plain data that msgspec encodes to JSON."""

    def weigh(self) -> float:
        """Work `least` out from the makers below."""


class _Leaf(_Maker):
    """A number, a text, a time."""

    def __init__(self, draw: Draw) -> None:
        self._draw = draw

    def make(self, run: _Run) -> Any:
        run.left -= 1
        return self._draw(run.rng, run.now)

    def weigh(self) -> float:
        return 1


class _Many(_Maker):
    """A list or set, of three items where the type allows it."""

    def __init__(self, item: _Maker, low: int, usual: int, path: str, *, distinct: bool) -> None:
        self._item = item
        self._low = low
        self._usual = usual
        self._path = path
        self._distinct = distinct

    def make(self, run: _Run) -> list[Any]:
        run.left -= 1
        if self._distinct:
            return _distinct(self._item, run, self._low, self._usual, self._path)
        items: list[Any] = []
        while len(items) < (self._low if run.tight else self._usual):
            items.append(self._item.make(run))
        return items

    def weigh(self) -> float:
        return 1 + (self._low * self._item.least if self._low else 0)


class _Pairs(_Maker):
    """A mapping, of three keys where the type allows it."""

    def __init__(self, key: _Maker, value: _Maker, low: int, usual: int, path: str) -> None:
        self._key = key
        self._value = value
        self._low = low
        self._usual = usual
        self._path = path

    def make(self, run: _Run) -> dict[Any, Any]:
        run.left -= 1
        keys = _distinct(self._key, run, self._low, self._usual, self._path)
        return {key: self._value.make(run) for key in keys}

    def weigh(self) -> float:
        return 1 + (self._low * (self._key.least + self._value.least) if self._low else 0)


def _distinct(maker: _Maker, run: _Run, low: int, usual: int, path: str) -> list[Any]:
    """Items that all differ: fewer than usual when the type has not so many values, never fewer than it must."""
    found: dict[bytes, Any] = {}
    for _ in range(_TRIES * usual):
        if len(found) >= (low if run.tight else usual):
            break
        item = maker.make(run)
        found.setdefault(msgspec.json.encode(item), item)
    if len(found) < low:
        raise CannotMake(path, f"{low} different items were not found")
    return list(found.values())


class _Choice(_Maker):
    """A union: any member but None; when it is tight, the one with the fewest parts, None before others."""

    def __init__(self, members: list[_Maker], filled: list[_Maker]) -> None:
        self._members = members
        self._filled = filled

    def make(self, run: _Run) -> Any:
        if run.tight:
            return min(self._members, key=lambda member: (member.least, member in self._filled)).make(run)
        return run.rng.choice(self._filled).make(run)

    def weigh(self) -> float:
        return min(member.least for member in self._members)


class _Field:
    """A field of a record; `kind` is its type for the check of an echo, when it belongs to a Struct."""

    def __init__(self, name: str, maker: _Maker, required: bool, kind: Any) -> None:
        self.name = name
        self.maker = maker
        self.required = required
        self._kind = kind
        self._distinct = is_id(name)

    def make(self, run: _Run) -> Any:
        """The echo, if there is one that the type allows; an id is unlike the others of its name."""
        echo = run.echo.get(self.name)
        if echo is not None and self._allows(echo):
            return msgspec.Raw(echo)
        value = self.maker.make(run)
        if not self._distinct:
            return value
        for _ in range(_TRIES):
            if (self.name, repr(value)) not in run.ids:
                break
            value = self.maker.make(run)
        run.ids.add((self.name, repr(value)))
        return value

    def _allows(self, echo: bytes) -> bool:
        if self._kind is None:
            return False
        try:
            msgspec.json.decode(echo, type=self._kind)
        except msgspec.ValidationError:
            return False
        return True


class _Record(_Maker):
    """A Struct or the like. One that contains itself counts how deep it is."""

    def __init__(self, path: str, *, as_array: bool, tag: tuple[str | None, Any]) -> None:
        self.path = path
        self.recursive = False
        self._as_array = as_array
        self._tag = tag
        self._fields: list[_Field] = []
        self._needed: list[_Field] = []

    def fill(self, fields: list[_Field]) -> None:
        """Set the fields; in an array only those behind the last required one can be left out."""
        self._fields = self._needed = fields
        if not self._as_array:
            self._needed = [field for field in fields if field.required]
        while self._needed and not self._needed[-1].required:
            self._needed = self._needed[:-1]

    def make(self, run: _Run) -> Any:
        run.left -= 1
        fields = self._needed if run.tight else self._fields
        run.nesting += self.recursive
        made = [(field.name, field.make(run)) for field in fields]
        run.nesting -= self.recursive
        tag_field, tag = self._tag
        tagged = [] if tag_field is None else [(tag_field, tag)]
        return [value for _, value in tagged + made] if self._as_array else dict(tagged + made)

    def weigh(self) -> float:
        return 1 + sum(field.maker.least for field in self._needed)


class _Builder:
    """Reads one type into makers."""

    def __init__(self) -> None:
        self._made: list[tuple[str, _Maker]] = []
        self._records: dict[int, _Record] = {}
        self._open: set[int] = set()

    def build(self, info: Any) -> _Maker:
        """The maker of the whole type, weighed. Raises `CannotMake`."""
        root = self._maker(info, "$", "")
        while sum(self._weigh(maker) for _, maker in self._made):
            pass
        for path, maker in self._made:
            if math.isinf(maker.least):
                raise CannotMake(path, "the type contains itself without an end")
            if maker.least > _PARTS:
                raise CannotMake(path, f"the smallest value has {maker.least} parts, {_PARTS} are the most")
        return root

    @staticmethod
    def _weigh(maker: _Maker) -> bool:
        before, maker.least = maker.least, maker.weigh()
        return before != maker.least

    def _maker(self, info: Any, path: str, name: str) -> _Maker:
        if isinstance(info, inspect.Metadata):
            info = info.type
        group = _GROUPS.get(type(info), _Builder._leaf)
        maker = group(self, info, path, name)
        self._made.append((path, maker))
        return maker

    def _leaf(self, info: Any, path: str, name: str) -> _Maker:
        leaf = LEAVES.get(type(info))
        if leaf is None:
            raise CannotMake(path, f"{_called(info)} says nothing of what it holds; declare the fields that are used")
        return _Leaf(leaf(info, name, path))

    def _many(self, info: Any, path: str, name: str) -> _Maker:
        low, usual = size(info, path, _USUAL_ITEMS, _ITEMS)
        distinct = isinstance(info, inspect.SetType | inspect.FrozenSetType)
        # Readable texts of some names (currencies, countries) are few, and a set may need more different ones.
        item = self._maker(info.item_type, f"{path}[]", "" if distinct else name.removesuffix("s"))
        return _Many(item, low, usual, path, distinct=distinct)

    def _pairs(self, info: Any, path: str, name: str) -> _Maker:
        low, usual = size(info, path, _USUAL_ITEMS, _ITEMS)
        key = self._maker(info.key_type, f"{path}{{}}", "key")
        return _Pairs(key, self._maker(info.value_type, f"{path}{{}}", name), low, usual, path)

    def _tuple(self, info: inspect.TupleType, path: str, name: str) -> _Maker:
        record = _Record(path, as_array=True, tag=(None, None))
        record.fill([_Field(name, self._maker(item, f"{path}[]", name), True, None) for item in info.item_types])
        return record

    def _choice(self, info: inspect.UnionType, path: str, name: str) -> _Maker:
        members = [(member, self._maker(member, path, name)) for member in info.types]
        filled = [maker for member, maker in members if not isinstance(member, inspect.NoneType)]
        return _Choice([maker for _, maker in members], filled)

    def _struct(self, info: inspect.StructType, path: str, _: str) -> _Maker:
        record = _Record(path, as_array=info.array_like, tag=(info.tag_field, info.tag))
        kinds = [field.type for field in msgspec.structs.fields(info.cls)]
        return self._record(info, record, kinds)

    def _mapping(self, info: Any, path: str, _: str) -> _Maker:
        record = _Record(path, as_array=isinstance(info, inspect.NamedTupleType), tag=(None, None))
        return self._record(info, record, [None] * len(info.fields))

    def _record(self, info: Any, record: _Record, kinds: Iterable[Any]) -> _Maker:
        """Fill a record, or hand out the one that was made for this class; one met inside itself is recursive."""
        known = self._records.setdefault(id(info), record)
        if known is not record:
            known.recursive |= id(info) in self._open
            return known
        self._open.add(id(info))
        record.fill([self._field(field, record.path, kind) for field, kind in zip(info.fields, kinds, strict=True)])
        self._open.remove(id(info))
        return record

    def _field(self, field: inspect.Field, path: str, kind: Any) -> _Field:
        name = field.encode_name
        return _Field(name, self._maker(field.type, f"{path}.{name}", name), field.required, kind)


def _called(info: Any) -> str:
    """What a person calls a type without a form: `Any`, `Raw`, the name of a custom class."""
    custom = getattr(info, "cls", None)
    return f"`{custom.__name__ if custom else type(info).__name__.removesuffix('Type')}`"


_GROUPS: dict[type, Callable[[_Builder, Any, str, str], _Maker]] = {
    inspect.ListType: _Builder._many,
    inspect.SetType: _Builder._many,
    inspect.FrozenSetType: _Builder._many,
    inspect.VarTupleType: _Builder._many,
    inspect.TupleType: _Builder._tuple,
    inspect.DictType: _Builder._pairs,
    inspect.FrozenDictType: _Builder._pairs,
    inspect.UnionType: _Builder._choice,
    inspect.StructType: _Builder._struct,
    inspect.DataclassType: _Builder._mapping,
    inspect.TypedDictType: _Builder._mapping,
    inspect.NamedTupleType: _Builder._mapping,
}
