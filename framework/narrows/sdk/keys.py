"""Keys of components: OpenAPI allows few characters in them, and each stands once (OpenAPI 3.1, 4.8.7)."""

from __future__ import annotations

import re
from collections.abc import Iterable

_NOT_ALLOWED = re.compile(r"[^A-Za-z0-9._-]")


def keys(names: Iterable[str]) -> list[str]:
    """A key for each name, in order: the name itself where it may be one and is not taken."""
    made: list[str] = []
    for name in names:
        key = plain = _NOT_ALLOWED.sub("_", name)
        count = 1
        while key in made:
            count += 1
            key = f"{plain}-{count}"
        made.append(key)
    return made
