"""A parameter that comes as text, in the path or in the query: how the text becomes a typed value, strictly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import inspect as mi

from narrows.declare.shape import Parameter, bare, leaves
from narrows.declare.types import is_id
from narrows.errors import FieldError
from narrows.pipeline.fields import missing, wrong
from narrows.pipeline.finite import is_finite

_ODD: Any = object()


class TextField(msgspec.Struct, frozen=True, kw_only=True):
    """One parameter made ready.

    `strict` is False for a type with numbers, which text has to become first. With `exact`, the value written again
    must be the text that came: `07`, `7.0` and `7e0` are not 7, and `True` is not true. It holds for path values, for
    ids, and wherever there are no fractions, which can be written in more than one way.
    """

    parameter: Parameter
    pointer: str
    strict: bool
    exact: bool

    @classmethod
    def prepare(cls, parameter: Parameter) -> TextField:
        """Make ready what does not depend on the request."""
        infos = [leaf.info for leaf in leaves(parameter.type)]
        loose = any(_is_number(bare(info)) for info in infos)
        fractions = any(isinstance(bare(info), mi.FloatType) for info in infos)
        return cls(
            parameter=parameter,
            pointer=f"/{parameter.source}/{parameter.name}",
            strict=not loose,
            exact=parameter.source == "path" or any(map(is_id, infos)) or (loose and not fractions),
        )

    def read(self, texts: Sequence[str], found: list[FieldError]) -> Any:
        """The typed value of what was sent, or the default; errors are added to `found`."""
        if not texts:
            if self.parameter.required:
                found.append(missing(self.parameter.type, self.pointer))
            return self.parameter.default
        if self.parameter.many:
            return self._convert(list(texts), found)
        if len(texts) > 1:
            found.append(FieldError(self.pointer, "It came more than once.", "Send it once."))
            return None
        return self._convert(texts[0], found)

    def _convert(self, sent: str | list[str], found: list[FieldError]) -> Any:
        try:
            value = msgspec.convert(sent, self.parameter.type, strict=self.strict)
        except (ValueError, OverflowError):
            value = _ODD
        if value is _ODD or not is_finite(value) or (self.exact and not _is_same(value, sent)):
            found.append(wrong(self.parameter.type, self.pointer, in_query=self.parameter.source == "query"))
        return value


def _is_number(info: Any) -> bool:
    """Whether values of a type are numbers (or true and false), which a text is not."""
    match info:
        case mi.IntType() | mi.FloatType() | mi.BoolType():
            return True
        case mi.EnumType(cls=cls):
            return any(isinstance(member.value, int) for member in cls)
        case mi.LiteralType(values=values):
            return any(isinstance(value, int) for value in values)
    return False


def _is_same(value: Any, sent: str | list[str]) -> bool:
    """Whether the value, written again, is the text that came; of a set, whether each item is one of the texts."""
    if isinstance(sent, str):
        return _written(value) == sent
    again = [_written(item) for item in value]
    return again == sent or (isinstance(value, set | frozenset) and set(again) == set(sent))


def _written(value: Any) -> str:
    again = msgspec.to_builtins(value)
    return again if isinstance(again, str) else msgspec.json.encode(again).decode()
