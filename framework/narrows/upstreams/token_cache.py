"""Tokens that were obtained, kept while they hold: one request in flight for each key, bounded, nothing stale."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Mapping

import msgspec

from narrows.errors import Problem, Unavailable
from narrows.settings import Secret

_EMPTY: Mapping[str, str] = {}


class Granted(msgspec.Struct, frozen=True):
    """A token, and the time (seconds) until which it holds; None when it must not be kept."""

    token: Secret
    until: float | None


class Denied(msgspec.Struct, frozen=True, kw_only=True):
    """Why there is no token: what makes a fresh problem for each who waits.

    `clear` marks a plain 'no' of the server, which is remembered for a moment; a fault never is.
    """

    kind: type[Problem]
    detail: str
    remedy: str | None = None
    headers: Mapping[str, str] = _EMPTY
    clear: bool = False

    def problem(self) -> Problem:
        """A new problem, since one instance must not be raised in two tasks."""
        return self.kind(self.detail, remedy=self.remedy, headers=self.headers)


Outcome = Granted | Denied

_STOPPED = Denied(kind=Unavailable, detail="This server is stopping.", headers={"Retry-After": "1"})


class TokenCache:
    """Keeps at most `capacity` outcomes, each until its time less `skew_s`; the longest unused goes first.

    A clear 'no' is kept for `refusal_s`. `now` gives seconds; when the clock is set back nothing older is used.
    """

    def __init__(
        self,
        *,
        now: Callable[[], float],
        on_event: Callable[[str], None],
        capacity: int = 10_000,
        skew_s: float = 10.0,
        refusal_s: float = 2.0,
    ) -> None:
        self._now = now
        self._on_event = on_event
        self._capacity = capacity
        self._skew_s = skew_s
        self._refusal_s = refusal_s
        self._kept: OrderedDict[bytes, tuple[Outcome, float, float]] = OrderedDict()
        self._flights: dict[bytes, asyncio.Task[Outcome]] = {}

    async def get(self, key: bytes, obtain: Callable[[], Awaitable[Outcome]]) -> Secret:
        """The token under `key`: kept, on its way, or now obtained. Raises the problem of a `Denied`.

        The request belongs to nobody: whoever is cancelled while waiting leaves it to the others.
        """
        outcome = self._look_up(key)
        if outcome is None:
            flight = self._flights.get(key)
            if flight is not None:
                self._on_event("joined")
            outcome = await asyncio.shield(flight or self._start(key, obtain))
        elif isinstance(outcome, Granted):
            self._on_event("hit")
        if isinstance(outcome, Denied):
            raise outcome.problem()
        return outcome.token

    def discard(self, token: Secret) -> list[bytes]:
        """Forget a token wherever it is kept, because an upstream refused it; answers under which keys it was."""
        found = [key for key, (outcome, _, _) in self._kept.items() if _holds(outcome, token)]
        for key in found:
            del self._kept[key]
        return found

    async def close(self) -> None:
        """Stop the requests in flight and forget everything; those who wait read that the server is stopping."""
        flights = list(self._flights.values())
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)
        self._kept.clear()

    def __len__(self) -> int:
        return len(self._kept)

    def _start(self, key: bytes, obtain: Callable[[], Awaitable[Outcome]]) -> asyncio.Task[Outcome]:
        flight = self._flights[key] = asyncio.create_task(self._fly(key, obtain))
        flight.add_done_callback(lambda _: self._flights.pop(key))
        return flight

    async def _fly(self, key: bytes, obtain: Callable[[], Awaitable[Outcome]]) -> Outcome:
        try:
            outcome = await obtain()
        except asyncio.CancelledError:
            # Only `close` cancels a flight; those who wait for it have not been cancelled themselves.
            return _STOPPED
        self._keep(key, outcome)
        return outcome

    def _look_up(self, key: bytes) -> Outcome | None:
        found = self._kept.get(key)
        if found is None:
            return None
        outcome, since, until = found
        if not since <= self._now() < until:
            del self._kept[key]
            return None
        self._kept.move_to_end(key)
        return outcome

    def _keep(self, key: bytes, outcome: Outcome) -> None:
        now = self._now()
        if isinstance(outcome, Granted):
            until = now if outcome.until is None else outcome.until - self._skew_s
        else:
            until = now + self._refusal_s if outcome.clear else now
        if until > now:
            self._kept[key] = (outcome, now, until)
            if len(self._kept) > self._capacity:
                self._kept.popitem(last=False)


class Epochs:
    """A number for each name that grows when the name is forgotten; what was made under an older one is void.

    The numbers are those of the stores that all processes share, so that all know a name under the same epoch. At most
    `capacity` names are told apart. Beyond that all names get a new number at once, which costs exchanges but never
    revives anything.
    """

    def __init__(self, capacity: int = 10_000) -> None:
        self._capacity = capacity
        self._last = 0
        self._floor = 0
        self._of: dict[Hashable, int] = {}

    def of(self, name: Hashable) -> int:
        """The name's epoch now."""
        return self._of.get(name, self._floor)

    def advance(self, name: Hashable, number: int) -> None:
        """Begin the name's epoch of that number; one that it has reached already changes nothing."""
        if number <= self.of(name):
            return
        self._last = max(self._last, number)
        self._of[name] = number
        if len(self._of) > self._capacity:
            self._of.clear()
            self._floor = self._last


def _holds(outcome: Outcome, token: Secret) -> bool:
    return isinstance(outcome, Granted) and outcome.token == token
