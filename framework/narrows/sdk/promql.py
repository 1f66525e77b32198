"""Queries of Prometheus over the metrics of Narrows; a metric or a label that is not in the list cannot be written."""

from __future__ import annotations

import json
import re
from typing import Literal

from narrows.declare.bff import Bff
from narrows.telemetry_metrics import check
from narrows.telemetry_names import METRICS, label, prometheus

Part = Literal["", "_bucket", "_count", "_sum"]


class Series:
    """Writes selectors; with `job`, those of what Prometheus scrapes under that name alone."""

    def __init__(self, job: str | None = None) -> None:
        self._job = [] if job is None else [f"job={quoted(job)}"]

    def __call__(self, name: str, part: Part = "", /, **matching: str) -> str:
        """The series of a metric: `series("narrows.calls", mode=is_("live"))`; `part` is one of a histogram.

        Raises `ValueError` for a metric, a part or a label that there is not.
        """
        if name in METRICS and (METRICS[name].kind == "histogram") != bool(part):
            raise ValueError(f"{name!r} is a {METRICS[name].kind}, of which {part or 'the whole'!r} is no series")
        keys = {key if "." in key else f"narrows.{key}": how for key, how in matching.items()}
        check(name, keys)
        matchers = ",".join([*self._job, *(f"{label(key)}{how}" for key, how in keys.items())])
        return f"{prometheus(name)}{part}{{{matchers}}}" if matchers else f"{prometheus(name)}{part}"


def is_(text: str) -> str:
    """A label that is exactly this text."""
    return f"={quoted(text)}"


def fits(pattern: str) -> str:
    """A label that fits a pattern (RE2) as a whole."""
    return f"=~{quoted(pattern)}"


def isnt(pattern: str) -> str:
    """A label that does not fit a pattern (RE2) as a whole."""
    return f"!~{quoted(pattern)}"


def quoted(text: str) -> str:
    """Text as PromQL quotes it."""
    return json.dumps(text, ensure_ascii=False)


def endpoints_of(bff: Bff) -> str:
    """A matcher for all endpoints of a BFF."""
    return fits(f"{re.escape(bff.name)}[.].+")


def rate(what: str, window: str = "$__rate_interval") -> str:
    """How fast something grows, each second."""
    return f"rate({what}[{window}])"


def total(expression: str, *by: str) -> str:
    """The sum, for each of some labels."""
    grouped = f" by ({', '.join(label(f'narrows.{key}') for key in by)})" if by else ""
    return f"sum{grouped} ({expression})"


def ratio(part: str, whole: str, *by: str) -> str:
    """A part of a whole, each a rate; nothing of something is 0, and anything of nothing is no number."""
    return f"{total(part, *by)} / {total(whole, *by)}"


def share(part: str, whole: str) -> str:
    """A part of a whole as a panel shows it: 0, and not nothing, when there never was any of it."""
    return f"({total(part)} or 0 * {total(whole)}) / {total(whole)}"


def risen(what: str, window: str) -> str:
    """By how much a counter of rare events rose. A series that begins with one rose too, and `increase` misses that."""
    return f"(increase({what}[{window}]) and {what} offset {window}) or ({what} unless {what} offset {window})"


def grew(what: str, window: str, *by: str) -> str:
    """Whether a counter of rare events rose."""
    return f"{total(risen(what, window), *by)} > 0"


def quantile(part: float, what: str, window: str, *by: str) -> str:
    """A quantile of a histogram's buckets."""
    grouped = ", ".join(["le", *(label(f"narrows.{key}") for key in by)])
    return f"histogram_quantile({part}, sum by ({grouped}) (rate({what}[{window}])))"
