"""Types of msgspec as types of Strawberry: written once, and never a second time for GraphQL."""

from __future__ import annotations

import types as python
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, NewType, Union, get_args, get_origin

import msgspec
import strawberry
from msgspec import inspect as mi

Long = NewType("Long", int)
Moment = NewType("Moment", datetime)
Exact = NewType("Exact", Decimal)
SCALARS = {
    kind: strawberry.scalar(name=name, serialize=lambda value: value, parse_value=lambda value: value)
    for name, kind in {"Long": Long, "Moment": Moment, "Exact": Exact}.items()
}
_INT = 2**31


class Types:
    """Makes the types of one schema; each Struct becomes one output type and one input type."""

    def __init__(self) -> None:
        self.structs: dict[str, type[msgspec.Struct]] = {}
        self._outputs: dict[type[Any], Any] = {}
        self._inputs: dict[type[Any], Any] = {}

    def output(self, hint: Any) -> Any:
        """The annotation of an answer."""
        return self._of(hint, self._object)

    def input(self, hint: Any) -> Any:
        """The annotation of an argument."""
        return self._of(hint, self._input)

    def _of(self, hint: Any, struct: Any) -> Any:
        bare = get_args(hint)[0] if get_origin(hint) is Annotated else hint
        origin = get_origin(bare)
        if origin in (Union, python.UnionType):
            members = [self._of(member, struct) for member in get_args(bare) if member is not type(None)]
            return members[0] | None
        if origin in (list, tuple, set, frozenset):
            return list[self._of(get_args(bare)[0], struct)]  # type: ignore[misc]
        if origin is Literal:
            return str
        if isinstance(bare, type) and issubclass(bare, msgspec.Struct):
            return struct(bare)
        return self._scalar(bare, hint)

    def _scalar(self, bare: Any, hint: Any) -> Any:
        if bare is int:
            info = mi.type_info(hint)
            low, high = (getattr(getattr(info, "type", info), name, None) for name in ("ge", "le"))
            return int if low is not None and high is not None and low >= -_INT and high < _INT else Long
        return {datetime: Moment, Decimal: Exact}.get(bare, bare)

    def _object(self, struct: type[msgspec.Struct]) -> Any:
        if struct not in self._outputs:
            made = self._class(struct, self.output)
            self._outputs[struct] = strawberry.type(made, name=struct.__name__)
            self.structs[struct.__name__] = struct
        return self._outputs[struct]

    def _input(self, struct: type[msgspec.Struct]) -> Any:
        if struct not in self._inputs:
            self._inputs[struct] = strawberry.input(self._class(struct, self.input), name=f"{struct.__name__}Input")
        return self._inputs[struct]

    def _class(self, struct: type[msgspec.Struct], of: Any) -> type[Any]:
        hints = _hints(struct)
        return type(struct.__name__, (), {"__annotations__": {name: of(hint) for name, hint in hints.items()}})


def _hints(struct: type[msgspec.Struct]) -> dict[str, Any]:
    return {field.encode_name: field.type for field in msgspec.structs.fields(struct)}
