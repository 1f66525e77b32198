"""Why a start did not come about, whatever it was: as refusals with file, line and remedy."""

from __future__ import annotations

import re
import traceback
from pathlib import Path

from narrows.errors import NarrowsError, Refusal, StartRefused

_REMEDY = re.compile(r"\s*Remedy:\s*")
_PLACE = re.compile(r"^(\S+?:\d+|[^\s:]+\.(?:toml|csv|conf)): (.*)$", re.DOTALL)


def refusals_of(fault: BaseException, folder: Path | None = None) -> list[Refusal]:
    """Every reason by itself; `folder` is the BFF's own, where the line to change is looked for."""
    if isinstance(fault, StartRefused):
        return list(fault.refusals)
    if isinstance(fault, NarrowsError):
        return [_told(line) for line in str(fault).splitlines() if line.strip()]
    return [_raised(fault, folder)]


def _told(line: str) -> Refusal:
    """A line of a settings or policy error: `narrows.toml: rule. Remedy: …`."""
    rule, *remedy = _REMEDY.split(line, maxsplit=1)
    placed = _PLACE.match(rule)
    where, rule = placed.groups() if placed else ("settings", rule)
    return Refusal(
        code="settings-unsound",
        subject="settings",
        where=where,
        rule=rule,
        remedy=remedy[0] if remedy else "correct it; docs/reference/settings.md has every key",
    )


def _raised(fault: BaseException, folder: Path | None) -> Refusal:
    """What importing the BFF raised, at the innermost line of its own."""
    kind = type(fault).__name__
    if isinstance(fault, SyntaxError):
        where, rule = f"{fault.filename}:{fault.lineno}", f"{kind}: {fault.msg}"
    else:
        where, rule = _line_of(fault, folder), f"{kind}: {fault}"
    return Refusal(
        code="target-broken", subject="the target", where=where, rule=rule, remedy="correct this line, and save"
    )


def _line_of(fault: BaseException, folder: Path | None) -> str:
    frames = traceback.extract_tb(fault.__traceback__)
    own = [frame for frame in frames if folder is not None and Path(frame.filename).is_relative_to(folder)]
    last = (own or list(frames))[-1:]
    return f"{last[0].filename}:{last[0].lineno}" if last else "the target"
