"""The shape of an endpoint, if it is sound enough for the steps to be made ready with."""

from __future__ import annotations

from collections.abc import Iterable

from narrows.checks.paths import form_of_path, path_refusals
from narrows.checks.refusing import refuse
from narrows.checks.types import type_refusals, unreadable
from narrows.declare.endpoint import Endpoint
from narrows.declare.shape import Shape, ShapeError, endpoint_shape
from narrows.errors import Refusal


def shape_of(endpoint: Endpoint, builtins: Iterable[Endpoint], refusals: list[Refusal]) -> Shape | None:
    """Read and check a signature; what is wrong is added to `refusals`, and None says that the shape is not sound."""
    try:
        shape = endpoint_shape(endpoint)
    except ShapeError as error:
        refusals.append(refuse(error.code, endpoint, error.rule, error.remedy))
        return None
    if endpoint.builtin:
        return shape
    found = [*_path(endpoint, builtins, shape), *unreadable(endpoint, shape)]
    refusals += found or type_refusals(endpoint, shape)
    return None if found else shape


def _path(endpoint: Endpoint, builtins: Iterable[Endpoint], shape: Shape) -> Iterable[Refusal]:
    yield from form_of_path(endpoint, {parameter.name for parameter in shape.of("path")})
    yield from path_refusals(endpoint, builtins)
