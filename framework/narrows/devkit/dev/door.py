"""The door before the pages of `narrows dev`: who does not hold the secret of this start, or comes astray, is refused.

A page on the internet can send requests to loopback: under a name that it lets point there (DNS rebinding), or as a
form across origins. What it cannot do is name our host and origin, and hold our cookie.
"""

from __future__ import annotations

from collections.abc import Mapping
from secrets import compare_digest
from typing import Any

import msgspec

from narrows.devkit.dev.orders import HOST, Run

ENTER = "/dev/enter/"

_ONCE = ("host", "origin", "cookie", "content-type", "sec-fetch-site")
# A proxy in front would make these pages reachable for others; and what forwards, also lies.
_FORWARDED = ("forwarded", "via", "x-original-host", "x-original-url", "x-rewrite-url", "x-real-ip", "x-host")
_SAME = ("same-origin", "none")


class Refused(msgspec.Struct, frozen=True):
    """Why a request is not answered, and what helps."""

    status: int
    title: str
    remedy: str


class Door:
    """Judges the requests for the pages; the cookie's name holds the port, because cookies do not know ports."""

    def __init__(self, run: Run) -> None:
        self._host = f"{HOST}:{run.port}"
        self._origin = run.origin
        self._link = run.derive("link")
        self._session = run.derive("session")
        self._cookie = f"__Host-Http-narrows-dev-{run.port}"
        self._remedy = "Open the link that `narrows dev` prints in its terminal."

    def refusal(self, scope: Any) -> Refused | None:
        """Why a request is refused; None lets it in."""
        headers = headers_of(scope)
        if headers is None:
            return Refused(400, "A header came twice that may come once", "Send each once.")
        astray = self._astray(scope["method"], headers)
        if astray is not None:
            return astray
        if scope["path"].startswith(ENTER):
            known = _same(scope["path"].removeprefix(ENTER), self._link)
        else:
            known = _same(_cookies(headers).get(self._cookie, ""), self._session)
        return None if known else Refused(403, "These pages need the secret of this start", self._remedy)

    def cookie(self) -> str:
        """The cookie that the secret is exchanged for: for this origin alone, unread by scripts, never sent across."""
        return f"{self._cookie}={self._session}; Path=/; Secure; HttpOnly; SameSite=Strict"

    def _astray(self, method: str, headers: Mapping[str, str]) -> Refused | None:
        """What does not come from a page of ours or from the person at this machine."""
        if headers.get("host", "").lower() != self._host:
            return Refused(421, "This host is not served here", f"Use {self._origin}.")
        if any(name in _FORWARDED or name.startswith("x-forwarded-") for name in headers):
            return Refused(400, "A forwarded request is not answered", "Open the pages directly, without a proxy.")
        origin, site = headers.get("origin"), headers.get("sec-fetch-site", "none")
        if site not in _SAME or origin not in (None, self._origin) or (method not in ("GET", "HEAD") and not origin):
            remedy = "Paste the link into the address bar of the browser; links on other pages do not work."
            return Refused(403, "The request comes from another origin", remedy)
        return None


def headers_of(scope: Any) -> dict[str, str] | None:
    """The headers by lower-case name; None when one that decides came twice."""
    found: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name = raw_name.decode("latin-1").lower()
        if name in found and name in _ONCE:
            return None
        found[name] = raw_value.decode("latin-1")
    return found


def _cookies(headers: Mapping[str, str]) -> dict[str, str]:
    pairs = (part.strip().partition("=") for part in headers.get("cookie", "").split(";"))
    return {name: value for name, _, value in pairs}


def _same(given: str, wanted: str) -> bool:
    return compare_digest(given.encode("utf-8", "replace"), wanted.encode())
