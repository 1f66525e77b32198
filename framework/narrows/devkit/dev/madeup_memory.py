"""What the made-up upstreams remember: objects that were seen or written, and those that were deleted."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any, get_args, get_origin

import msgspec

from narrows.declare.shape import placeholders
from narrows.upstreams.sendable import Sendable

Key = tuple[type, str]


class Kept(msgspec.Struct, frozen=True):
    """One object; `written` if a write made it, so that lists show it."""

    value: Any
    written: bool


class Memory:
    """Objects by type and `id`. It knows nothing of an API but its declared types and paths; `most` are kept."""

    GONE: Any = object()

    def __init__(self, most: int = 2000) -> None:
        self._most = most
        self._kept: OrderedDict[Key, Kept] = OrderedDict()
        self._gone: set[Key] = set()
        self._types: dict[tuple[str, str], type] = {}

    def know(self, sendables: Iterable[Sendable]) -> None:
        """Learn which type is read at which path, so that a deletion there is one of that type."""
        for sendable in sendables:
            operation, answered = sendable.operation, sendable.shape.answer
            if operation.kind == "read" and _has_id(answered) and _ends_in_value(operation.path):
                self._types[sendable.upstream, operation.path] = answered

    def answer(self, sendable: Sendable, values: Mapping[str, Any], made: Any) -> Any:
        """What to answer where `made` was made up; `GONE` for an object that was deleted."""
        answered = sendable.shape.answer
        operation = sendable.operation
        if operation.kind == "write":
            return self._write(sendable, values, made)
        if _has_id(answered):
            return self._one(answered, values, made, by_path=_ends_in_value(operation.path))
        if get_origin(answered) is list and _has_id(get_args(answered)[0]):
            return self._list(get_args(answered)[0], values, made)
        return made

    def _write(self, sendable: Sendable, values: Mapping[str, Any], made: Any) -> Any:
        operation = sendable.operation
        if operation.method == "DELETE":
            kind = self._types.get((sendable.upstream, operation.path))
            if kind is not None:
                key = (kind, str(list(values.values())[-1]))
                if key in self._gone:
                    return self.GONE
                self._kept.pop(key, None)
                self._gone.add(key)
        elif _has_id(type(made)):
            self._keep(made, written=True)
        return made

    def _one(self, kind: type, values: Mapping[str, Any], made: Any, *, by_path: bool) -> Any:
        if by_path:
            key = (kind, str(list(values.values())[-1]))
            if key in self._gone:
                return self.GONE
            if key in self._kept:
                return self._kept[key].value
        self._keep(made, written=False)
        return made

    def _list(self, kind: type, values: Mapping[str, Any], made: list[Any]) -> list[Any]:
        own = [kept.value for (known, _), kept in self._kept.items() if known is kind and kept.written]
        fitting = [value for value in own if all(getattr(value, name, held) == held for name, held in values.items())]
        ids = {value.id for value in own}
        new = [value for value in made if value.id not in ids and (kind, str(value.id)) not in self._gone]
        for value in new:
            self._keep(value, written=False)
        return fitting + new

    def _keep(self, value: Any, *, written: bool) -> None:
        key = (type(value), str(value.id))
        before = self._kept.pop(key, None)
        self._kept[key] = Kept(value, written or (before is not None and before.written))
        self._gone.discard(key)
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)


def _has_id(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct) and "id" in kind.__struct_fields__


def _ends_in_value(path: str) -> bool:
    return bool(placeholders(path.rpartition("/")[2]))
