"""Arguments that no two functions share: what one does to its own reaches no other field and no later call."""

from __future__ import annotations

from typing import Any

import msgspec


def apart(value: Any) -> Any:
    """Take an argument apart, to be converted anew: of an object, msgspec would hand on the same one, unchecked."""
    return msgspec.to_builtins(value, str_keys=True) if isinstance(value, msgspec.Struct | list | dict) else value
