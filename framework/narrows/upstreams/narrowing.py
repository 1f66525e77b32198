"""Which fields narrowing left out: their names only, for the one who rehearses."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import msgspec

_CAP = 200
# What an upstream keys an object by may be data, such as an address: only what looks like a field is told.
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
_ODD = "(no field name)"
# To compare takes up to thirty times the memory of the text, and the loop waits for it.
_COMPARED_BYTES = 256 * 1024


def left_out(name: str, sent: bytes, kept: Any) -> set[str]:
    """The dotted names of fields that `sent` (JSON) holds and the narrow value `kept` has no place for.

    Of more than 256 KiB it only says that they were not compared.
    """
    if len(sent) > _COMPARED_BYTES:
        return {f"{name}: too large to be compared"}
    found: set[str] = set()
    _compare(msgspec.json.decode(sent), kept, name, found)
    return found


def _compare(sent: Any, kept: Any, path: str, found: set[str]) -> None:
    """Walk both side by side; a list's items are one place."""
    if isinstance(sent, dict):
        for key, value, inner in _fields(sent, kept):
            below = f"{path}.{key if _NAME.fullmatch(key) else _ODD}"
            if inner is not msgspec.NODEFAULT:
                _compare(value, inner, below, found)
            elif len(found) < _CAP:
                found.add(below)
    elif isinstance(sent, list) and isinstance(kept, list | tuple):
        for one, other in zip(sent, kept, strict=False):
            _compare(one, other, f"{path}[]", found)


def _fields(sent: dict[str, Any], kept: Any) -> list[tuple[str, Any, Any]]:
    """What was sent and what was kept under each name; `NODEFAULT` where there is no place for it."""
    if isinstance(kept, msgspec.Struct):
        names = _names(type(kept))
        return [
            (key, value, getattr(kept, names[key], None) if key in names else msgspec.NODEFAULT)
            for key, value in sent.items()
        ]
    held = kept if isinstance(kept, dict) else {}
    return [(key, value, held.get(key)) for key, value in sent.items()]


@lru_cache(maxsize=1024)
def _names(kind: type[msgspec.Struct]) -> dict[str, str]:
    """The attributes of a Struct by what they are called in JSON, its tag included."""
    tag = kind.__struct_config__.tag_field
    named = {field.encode_name: field.name for field in msgspec.structs.fields(kind)}
    return named if tag is None else {tag: tag, **named}
