"""The variables of a document: JSON becomes typed values, strictly, all at once; unknown ones are refused."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from msgspec import inspect as mi

from narrows.call import Call
from narrows.declare.shape import bare, leaves
from narrows.errors import FieldError
from narrows.pipeline.fields import collect, wrong
from narrows.pipeline.finite import odd_decimals
from narrows.pipeline.step import Preparing
from narrows.pipeline.strictjson import parse


def variables_reader(preparing: Preparing) -> Callable[[Call, list[FieldError]], None] | None:
    """What reads the variables of one document; None for an endpoint that is none."""
    document = preparing.endpoint.document
    if document is None:
        return None
    kind, depth = document.variables, preparing.ground.settings.limits.json_depth
    decoder, others, defaults = msgspec.json.Decoder(kind), document.also, document.defaults
    has_decimals = _has_decimals(kind)

    def read(call: Call, found: list[FieldError]) -> None:
        raw = call.raw.variables or b"{}"
        plain = parse(raw, depth, found, "/variables")
        try:
            value = decoder.decode(raw)
        except (ValueError, OverflowError, RecursionError):
            found += collect(plain, kind, "/variables") or [wrong(kind, "/variables")]
            return
        if has_decimals:
            found += [FieldError(p, "It must be finite.", "Send 12.50.") for p in odd_decimals(value, "/variables")]
        for name, kinds in others.items():
            if name in plain:
                errors = (collect(plain[name], one, f"/variables/{name}") for one in kinds)
                found += next(filter(None, errors), ())
        call.arguments |= defaults
        for name in kind.__struct_fields__:
            sent = getattr(value, name)
            # What was not sent is not there: null would be something else.
            if sent is not msgspec.UNSET:
                call.arguments[name] = sent

    return read


def _has_decimals(kind: type[msgspec.Struct]) -> bool:
    return any(isinstance(bare(leaf.info), mi.DecimalType) for leaf in leaves(kind))
