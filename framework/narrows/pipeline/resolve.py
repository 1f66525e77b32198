"""Step 5 of a child call: the arguments that a field resolved to are values of their types, strictly."""

from __future__ import annotations

import msgspec

from narrows.call import Call
from narrows.errors import FieldError, InvalidInput
from narrows.pipeline.step import Preparing, Step


def prepare(preparing: Preparing) -> Step | None:
    """Make the step for one endpoint; Narrows' own are no fields."""
    if preparing.endpoint.builtin:
        return None
    shape = preparing.shape
    taken = [p for source in ("path", "query", "body") for p in shape.of(source)]  # type: ignore[arg-type]

    async def resolve(call: Call) -> None:
        given, arguments, found = call.arguments, {}, []
        for parameter in taken:
            if parameter.name not in given and not parameter.required:
                arguments[parameter.name] = parameter.default
                continue
            try:
                arguments[parameter.name] = msgspec.convert(given[parameter.name], parameter.type)
            except msgspec.ValidationError as error:
                found.append(FieldError(f"/{parameter.name}", str(error), "Correct it."))
        if found:
            raise InvalidInput(errors=found)
        call.arguments = arguments
        call.decoded = True

    return resolve
