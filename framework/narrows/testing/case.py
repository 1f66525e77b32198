"""One case of a matrix: what is asked, by whom, and what must be answered. `matrix` makes it, and a world asks it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from narrows.call import Mode
from narrows.settings import ConnectorState


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One request and the status of its answer.

    `claims` are those of the token, None for a request without one; `scope` what it holds; `state` is that of the
    program that sends it. `objects` says which object it is about, `remedy` what to look at if the status differs.
    """

    endpoint: str
    caller: str
    objects: str
    mode: Mode
    method: str
    path: str
    body: bytes | None
    claims: Mapping[str, Any] | None
    subject: str
    scope: str
    state: ConnectorState
    status: int

    @property
    def remedy(self) -> str:
        """What somebody looks at who sees the case fail."""
        return (
            f"{self}: if the fakes hold no such object, let them, or correct own=, foreign= and absent= of the matrix; "
            f"else a guard of {self.endpoint} has changed"
        )

    def __str__(self) -> str:
        base = "" if self.mode == "live" else f"/{self.mode}"
        return f"{self.endpoint}: {self.caller}, {self.objects}, {self.state} {self.method} {base}/ gives {self.status}"
