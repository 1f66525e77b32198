"""What the operators read of a fault: its kind and where it went through, never a value.

The text of an error is written by whoever raised it, and may hold what an upstream or a caller sent. So only texts of
Narrows' own are told, and of msgspec's the place within the type.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator

import msgspec

from narrows.errors import NarrowsError, Problem

_FRAMES = 8
_CAUSES = 4
_PLACE = re.compile(r" - at `(\$[^`]*)`$")


def tell(fault: BaseException) -> str:
    """One line for the log, such as `KeyError at app.py:41 in menu, handle.py:60 in handle`, causes included."""
    return "; caused by ".join(map(_tell_one, _chain(fault)))


def _chain(fault: BaseException) -> Iterator[BaseException]:
    for _ in range(_CAUSES):
        yield fault
        cause = fault.__cause__ or (None if fault.__suppress_context__ else fault.__context__)
        if cause is None:
            return
        fault = cause


def _tell_one(fault: BaseException) -> str:
    places = [
        f"{frame.f_code.co_filename}:{line} in {frame.f_code.co_name}"
        for frame, line in list(traceback.walk_tb(fault.__traceback__))[-_FRAMES:]
    ]
    return f"{type(fault).__name__}{_own_text(fault)} at {', '.join(reversed(places)) or 'no line'}"


def _own_text(fault: BaseException) -> str:
    if isinstance(fault, NarrowsError) and not isinstance(fault, Problem):
        return f" ({fault})"
    if isinstance(fault, msgspec.ValidationError) and (place := _PLACE.search(str(fault))):
        return f" (at {place[1]})"
    return ""
