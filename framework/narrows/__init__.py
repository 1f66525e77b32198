"""Narrows: narrow, guarded backend-for-frontend endpoints for low-code micro-apps and desktop copilots.

The public names are loaded on first use, so that the command line need not import what it does not run.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from narrows.call import Call, Caller
    from narrows.declare.bff import Bff
    from narrows.declare.example import Example
    from narrows.declare.types import (
        Count,
        Currency,
        Id,
        Input,
        Latitude,
        Longitude,
        LongText,
        Moment,
        Money,
        Narrow,
        NumberId,
        PageSize,
        ShortText,
        hole,
    )
    from narrows.declare.upstream import Answer, Operation, Upstream, read, write
    from narrows.errors import NarrowsError, Problem
    from narrows.gathering import gather
    from narrows.plan.surroundings import Surroundings
    from narrows.settings import Settings, load_settings
    from narrows.surfaces.http import app

_HOMES = {
    "Answer": "declare.upstream",
    "Bff": "declare.bff",
    "Call": "call",
    "Caller": "call",
    "Count": "declare.types",
    "Currency": "declare.types",
    "Example": "declare.example",
    "Id": "declare.types",
    "Input": "declare.types",
    "Latitude": "declare.types",
    "LongText": "declare.types",
    "Longitude": "declare.types",
    "Moment": "declare.types",
    "Money": "declare.types",
    "Narrow": "declare.types",
    "NarrowsError": "errors",
    "NumberId": "declare.types",
    "Operation": "declare.upstream",
    "PageSize": "declare.types",
    "Problem": "errors",
    "Settings": "settings",
    "ShortText": "declare.types",
    "Surroundings": "plan.surroundings",
    "Upstream": "declare.upstream",
    "app": "surfaces.http",
    "gather": "gathering",
    "hole": "declare.types",
    "load_settings": "settings",
    "read": "declare.upstream",
    "write": "declare.upstream",
}

__all__ = [
    "Answer",
    "Bff",
    "Call",
    "Caller",
    "Count",
    "Currency",
    "Example",
    "Id",
    "Input",
    "Latitude",
    "LongText",
    "Longitude",
    "Moment",
    "Money",
    "Narrow",
    "NarrowsError",
    "NumberId",
    "Operation",
    "PageSize",
    "Problem",
    "Settings",
    "ShortText",
    "Surroundings",
    "Upstream",
    "app",
    "gather",
    "hole",
    "load_settings",
    "read",
    "write",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'narrows' has no attribute {name!r}")
    return getattr(import_module(f"narrows.{home}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
