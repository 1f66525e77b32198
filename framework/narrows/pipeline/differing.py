"""An id that comes twice, in the path and in the body, is one id: the guard must see what the handler sees."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import inspect as mi

from narrows.declare.shape import Parameter, Shape, bare
from narrows.errors import FieldError
from narrows.pipeline.fields import escape
from narrows.pipeline.finite import is_finite


def shared_names(shape: Shape, body: Parameter) -> dict[str, str]:
    """Fields of the body that carry the name of a path parameter: attribute → encoded name."""
    in_path = {parameter.name for parameter in shape.of("path")}
    kind = bare(mi.type_info(body.type)).cls
    return {f.name: f.encode_name for f in msgspec.structs.fields(kind) if f.encode_name in in_path}


def differing(
    value: Any, arguments: Mapping[str, Any], shared: Mapping[str, str], pointer: str = "/body"
) -> Iterator[FieldError]:
    """An id in the body must be the one in the path; one that is left out names nothing."""
    for attribute, name in shared.items():
        sent = getattr(value, attribute)
        # A number that is not finite is told as such; a signalling NaN cannot even be compared.
        comparable = is_finite(sent) and is_finite(arguments[name])
        if sent is not None and sent is not msgspec.UNSET and comparable and sent != arguments[name]:
            yield FieldError(f"{pointer}/{escape(name)}", "It differs from the path.", f"Send the {name} of the path.")
