"""A cookie that no script reads and no other host sets (RFC 6265; its successor's prefix `__Host-Http-`)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Literal

# What is sealed is written in base64url; anything else was not made here.
_VALUE = re.compile(r"[A-Za-z0-9_-]{1,4000}")


class Cookie:
    """One cookie of a BFF: how it is set, cleared and read. `seconds` is how long a browser keeps it.

    Over TLS its name has the prefix `__Host-Http-`, with which a browser takes it from this very host alone, and only
    by a header. Plain HTTP, which the start allows on loopback only, can hold neither the prefix nor `Secure`.
    """

    def __init__(self, name: str, public_url: str, *, same_site: Literal["Strict", "Lax"], seconds: int) -> None:
        plain = public_url.lower().startswith("http:")
        self.name = name if plain else f"__Host-Http-{name}"
        self._attributes = f"Path=/; HttpOnly; SameSite={same_site}" + ("" if plain else "; Secure")
        self._seconds = seconds

    def set(self, value: str) -> tuple[str, str]:
        """The header that sets it; without `Domain`, so that no other host gets it."""
        return "set-cookie", f"{self.name}={value}; {self._attributes}; Max-Age={self._seconds}"

    def clear(self) -> tuple[str, str]:
        """The header that takes it away."""
        return "set-cookie", f"{self.name}=; {self._attributes}; Max-Age=0"

    def read(self, headers: Mapping[str, Sequence[str]]) -> str | None:
        """Its value in a request; None without it, and when it came twice: then somebody else set one of the two."""
        pairs = (pair.strip().partition("=") for line in headers.get("cookie", ()) for pair in line.split(";"))
        values = [value for name, _, value in pairs if name == self.name]
        return values[0] if len(values) == 1 and _VALUE.fullmatch(values[0]) else None
