"""Field errors: every field that does not hold, at once, each with its rule and its remedy.

msgspec stops at the first error, so this slow second pass runs only when a request was refused. No text here repeats a
value that was sent.
"""

from __future__ import annotations

import types
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec
from msgspec import inspect as mi

from narrows.errors import FieldError

CAP = 50
"""How many errors one answer names at the most, so that a small request has no large answer."""

_NAMES: dict[type, tuple[str, str]] = {
    mi.DateTimeType: ("a date and time with its offset (RFC 3339)", "2026-11-23T12:30:00+01:00"),
    mi.DateType: ("a date (RFC 3339)", "2026-11-23"),
    mi.TimeType: ("a time (RFC 3339)", "12:30:00"),
    mi.TimeDeltaType: ("a duration (ISO 8601)", "PT30M"),
    mi.UUIDType: ("a UUID (RFC 9562)", "0193b5a2-1c7e-7c51-8a53-5d4e21a1f0aa"),
    mi.DecimalType: ("an exact decimal number", "12.50"),
    mi.BoolType: ("true or false", "true"),
    mi.BytesType: ("bytes in base64 (RFC 4648)", "bmFycm93"),
    mi.NoneType: ("null", "null"),
}


def collect(value: Any, kind: Any, pointer: str) -> list[FieldError]:
    """Every error of a decoded JSON value against a type, up to a cap."""
    found: list[FieldError] = []
    for error in _walk(value, kind, pointer):
        found.append(error)
        if len(found) == CAP:
            break
    return found


def wrong(kind: Any, pointer: str, *, in_query: bool = False) -> FieldError:
    """The error of a value that is not of its type."""
    rule, remedy = describe(mi.type_info(kind))
    if in_query and "offset" in rule:
        remedy += " (in a URL, write `+` as `%2B`)"
    return FieldError(pointer, f"It must be {rule}.", f"Send {remedy}.")


def missing(kind: Any, pointer: str) -> FieldError:
    """The error of a value that was not sent."""
    rule, remedy = describe(mi.type_info(kind))
    return FieldError(pointer, f"It is required: {rule}.", f"Send {remedy}.")


def unknown(pointer: str, known: Iterable[str]) -> FieldError:
    """The error of a value that nobody declared."""
    names = ", ".join(sorted(known)) or "none"
    return FieldError(pointer, "There is nothing of this name.", f"Remove it; known are: {names}.")


def escape(name: str) -> str:
    """A name in a JSON pointer (RFC 6901, 3); one that nobody declared may be long, and is cut."""
    return name[:100].replace("~", "~0").replace("/", "~1")


def _walk(value: Any, kind: Any, pointer: str) -> Iterator[FieldError]:
    """Judge what a value holds; and the value itself, if there is nothing wrong within it."""
    sound = True
    for error in _within(value, _meant(value, kind), pointer):
        sound = False
        yield error
    if sound and not _holds(value, kind):
        yield wrong(kind, pointer)


def _within(value: Any, kind: Any, pointer: str) -> Iterator[FieldError]:
    """The errors below an object or a list; there are none below what is of another type."""
    bare = _unannotated(kind)
    match value:
        case dict() if _is_a(bare, msgspec.Struct):
            yield from _walk_struct(value, bare, pointer)
        case dict() if get_origin(bare) is dict:
            for name, inner in value.items():
                yield from _walk(inner, get_args(bare)[1], f"{pointer}/{escape(name)}")
        case list() if get_origin(bare) is list and _has_length(value, kind):
            for index, inner in enumerate(value):
                yield from _walk(inner, get_args(bare)[0], f"{pointer}/{index}")


def _meant(value: Any, kind: Any) -> Any:
    """The one member of a union that an object or a list can be meant for, if there is one."""
    if get_origin(kind) not in (Union, types.UnionType) or not isinstance(value, dict | list):
        return kind
    wanted = (msgspec.Struct, dict) if isinstance(value, dict) else (list,)
    members = [member for member in get_args(kind) if any(_is_a(_unannotated(member), one) for one in wanted)]
    return members[0] if len(members) == 1 else kind


def _unannotated(kind: Any) -> Any:
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


def _is_a(kind: Any, wanted: type) -> bool:
    return get_origin(kind) is wanted or (isinstance(kind, type) and issubclass(kind, wanted))


def _has_length(value: list[Any], kind: Any) -> bool:
    """Whether a list has as many items as it may; if not, that is its error, and its items are not looked at."""
    bounds = [meta for meta in getattr(kind, "__metadata__", ()) if isinstance(meta, msgspec.Meta)]
    return all(
        (meta.min_length or 0) <= len(value) and (meta.max_length is None or len(value) <= meta.max_length)
        for meta in bounds
    )


def _walk_struct(value: dict[str, Any], kind: type[msgspec.Struct], pointer: str) -> Iterator[FieldError]:
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    for name in value:
        if name not in fields and name != kind.__struct_config__.tag_field:
            yield unknown(f"{pointer}/{escape(name)}", fields)
    for name, field in fields.items():
        if name in value:
            yield from _walk(value[name], field.type, f"{pointer}/{escape(name)}")
        elif field.required:
            yield missing(field.type, f"{pointer}/{escape(name)}")


def _holds(value: Any, kind: Any) -> bool:
    """Ask msgspec about one value; its own message may repeat the value, so only its verdict is used."""
    try:
        msgspec.convert(value, kind, str_keys=True)
    except (ValueError, OverflowError, RecursionError):
        return False
    return True


def describe(info: Any) -> tuple[str, str]:
    """A type in words: (the rule, what to send with an example)."""
    bare = info.type if isinstance(info, mi.Metadata) else info
    match bare:
        case mi.StrType():
            return _text(bare)
        case mi.IntType() | mi.FloatType():
            return _number(bare)
        case mi.EnumType(cls=cls):
            return _choice([member.value for member in cls])
        case mi.LiteralType(values=values):
            return _choice(list(values))
        case mi.ListType() | mi.SetType() | mi.FrozenSetType() | mi.VarTupleType():
            return _several(bare)
        case mi.UnionType(types=members):
            return _either([m for m in members if not isinstance(m, mi.NoneType)])
        case mi.StructType(cls=cls):
            return f"an object {cls.__name__}", f"an object with the fields of {cls.__name__} in /openapi.json"
    rule, example = _NAMES.get(type(bare), ("of the type in /openapi.json", "a value of that type"))
    return rule, f"{rule}, for example {example}" if type(bare) in _NAMES else example


def _text(info: mi.StrType) -> tuple[str, str]:
    low, high = info.min_length or 0, info.max_length
    length = f"of {low} to {high} characters" if high is not None else f"of at least {low} characters"
    pattern = f" matching {info.pattern}" if info.pattern else ""
    return f"text {length}{pattern}", f"text {length}{pattern}"


def _number(info: mi.IntType | mi.FloatType) -> tuple[str, str]:
    kind = "a whole number" if isinstance(info, mi.IntType) else "a number"
    bounds = [
        f"{word} {bound}"
        for word, bound in (
            ("at least", info.ge),
            ("over", info.gt),
            ("at most", info.le),
            ("under", info.lt),
            ("a multiple of", info.multiple_of),
        )
        if bound is not None
    ]
    rule = f"{kind}, {' and '.join(bounds)}" if bounds else kind
    return rule, rule


def _choice(values: list[Any]) -> tuple[str, str]:
    listed = ", ".join(value if isinstance(value, str) else msgspec.json.encode(value).decode() for value in values)
    return f"one of: {listed}", f"one of: {listed}"


def _several(info: Any) -> tuple[str, str]:
    item, _ = describe(info.item_type)
    low, high = info.min_length or 0, info.max_length
    span = f"{low} to {high}" if high is not None else f"at least {low}"
    return f"a list of {span} items, each {item}", f"a list of {span} items"


def _either(members: list[Any]) -> tuple[str, str]:
    described = [describe(member) for member in members]
    return " or ".join(rule for rule, _ in described), " or ".join(remedy for _, remedy in described)
