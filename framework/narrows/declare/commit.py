"""How a live write may come: the strictest of what its endpoint, its connector's template and kind ask for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

from narrows.settings import ConnectorKind

Commit = Literal["open", "receipt", "confirmed"]
"""`open`: as it is; `receipt`: after a rehearsal, with its receipt; `confirmed`: with a receipt that the caller has
confirmed on the BFF's own page."""

OF_KIND: Mapping[ConnectorKind, Commit] = {
    "low-code": "receipt",
    "copilot": "confirmed",
    "partner": "open",
    "service": "open",
}
"""What each kind must do at least: what a person clicks is seen first, what a program decides is confirmed."""


def strictest(*commits: Commit) -> Commit:
    """The strictest of some; `open` for none."""
    return max(commits, key=get_args(Commit).index, default="open")
