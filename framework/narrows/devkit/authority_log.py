"""What the embedded authorization server writes down: JSON lines without tokens, codes and secrets."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable

_LOGGER = logging.getLogger("narrows.authority")
_LONGEST_VALUE = 200


class Journal:
    """Writes one JSON line an event; who calls it passes facts that are fit to be read by anyone."""

    def __init__(self, now: Callable[[], float], log: Callable[[str], None] | None) -> None:
        self._now = now
        self._log = log

    def write(self, event: str, **facts: str | int | None) -> None:
        """Write `event` with its `facts`; long texts are cut, control characters escaped by JSON."""
        cut = {name: value[:_LONGEST_VALUE] if isinstance(value, str) else value for name, value in facts.items()}
        line = json.dumps({"event": event, "time": round(self._now(), 3), **cut})
        if self._log:
            self._log(line)
        else:
            _LOGGER.log(logging.WARNING if event.endswith("_refused") else logging.INFO, line)
