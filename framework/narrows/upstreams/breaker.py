"""The circuit breaker of one peer: after failures in a row it is left alone for a while, then asked once."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil


class Breaker:
    """Closed until `failures` attempts in a row have failed, open for `open_s` seconds, then half-open.

    Whoever is let in by `allow` tells the outcome by exactly one of `succeeded`, `failed` and `released`. Half-open
    lets one probe in: if it succeeds the breaker closes, if it fails the time runs anew. `now` gives seconds.
    """

    __slots__ = ("_failures", "_limit", "_now", "_open_s", "_opened_at", "_probing")

    def __init__(self, *, failures: int, open_s: float, now: Callable[[], float]) -> None:
        self._limit = failures
        self._open_s = open_s
        self._now = now
        self._failures = 0
        self._opened_at: float | None = None
        self._probing = False

    def allow(self) -> bool:
        """Tell whether the peer may be asked now; True while half-open takes the one probe."""
        if self._opened_at is None:
            return True
        if self._probing or self._left():
            return False
        self._probing = True
        return True

    def succeeded(self) -> None:
        """The peer answered."""
        if not self._late():
            self._failures, self._opened_at, self._probing = 0, None, False

    def failed(self) -> None:
        """The peer did not answer, or not with anything that can be used."""
        if self._late():
            return
        self._failures += 1
        if self._probing or self._failures >= self._limit:
            self._opened_at, self._probing = self._now(), False

    def released(self) -> None:
        """The attempt ended without saying anything of the peer (it was cancelled): another may probe."""
        self._probing = False

    def wait_s(self) -> int:
        """Whole seconds after which asking again makes sense, for `Retry-After`; 0 while closed."""
        return 0 if self._opened_at is None else max(1, ceil(self._left()))

    def _late(self) -> bool:
        """An attempt from before the breaker opened ends now: it must neither close it nor keep it open."""
        return self._opened_at is not None and not self._probing

    def _left(self) -> float:
        """Seconds until a probe is let in; a clock that was set back does not keep the breaker open."""
        left = (self._opened_at or 0.0) + self._open_s - self._now()
        return left if 0 < left <= self._open_s else 0.0
