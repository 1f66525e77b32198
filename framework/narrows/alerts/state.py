"""What the rules remember: of each connector some weeks of days, all of it bounded.

It is kept as one small value beside the log. Whatever is forgotten for want of room is learned anew.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any, TypeVar

import msgspec

from narrows.alerts.alert import Alert

HISTORY_DAYS = 28
WINDOW_MINUTES = 10
ORIGINS = 128
ENDPOINTS = 256
NETWORKS = 256
TOLD = 2_000

V = TypeVar("V")


class Day(msgspec.Struct, array_like=True):
    """One day (UTC) of a connector: calls by hour, bytes and records of answers, refusals at their peak, new origins.

    `number` counts days since 1970.
    """

    number: int
    hours: list[int] = msgspec.field(default_factory=lambda: [0] * 24)
    bytes: int = 0
    records: int = 0
    peak: int = 0
    origins: int = 0

    @property
    def calls(self) -> int:
        """All of its calls."""
        return sum(self.hours)

    @property
    def weekend(self) -> bool:
        """Whether it is a Saturday or a Sunday; the first day of 1970 was a Thursday."""
        return (self.number + 3) % 7 >= 5


class Window(msgspec.Struct, array_like=True):
    """Calls and refusals of the last ten minutes, by minute since 1970."""

    minutes: list[tuple[int, int, int]] = msgspec.field(default_factory=list)

    def add(self, at: float, refused: bool) -> tuple[int, int]:
        """Count one call; answers calls and refusals in the window."""
        minute = int(at // 60)
        if self.minutes and minute < self.minutes[-1][0] - WINDOW_MINUTES:
            self.minutes = []  # the clock was set back
        last, calls, refusals = self.minutes[-1] if self.minutes else (minute - 1, 0, 0)
        if last >= minute:
            self.minutes[-1] = (last, calls + 1, refusals + refused)
        else:
            self.minutes.append((minute, 1, int(refused)))
            self.minutes = [one for one in self.minutes if one[0] > minute - WINDOW_MINUTES]
        return sum(one[1] for one in self.minutes), sum(one[2] for one in self.minutes)

    @property
    def since(self) -> float:
        """When its first minute began."""
        return self.minutes[0][0] * 60.0


class Sums(msgspec.Struct, array_like=True):
    """How far a daily amount has run above the usual and since when, and from which day on its usual is taken."""

    sum: float = 0.0
    began: int = 0
    anew: int = 0


class Pattern(msgspec.Struct, array_like=True):
    """What is known of one connector. Times are seconds since 1970, days are counted since then."""

    today: Day
    first: float
    last: float
    version: str = ""
    version_since: float = 0.0
    history: list[Day] = msgspec.field(default_factory=list)
    window: Window = msgspec.field(default_factory=Window)
    endpoints: dict[str, int] = msgspec.field(default_factory=dict)
    origins: dict[str, int] = msgspec.field(default_factory=dict)
    bytes: Sums = msgspec.field(default_factory=Sums)
    records: Sums = msgspec.field(default_factory=Sums)


class Told(msgspec.Struct, array_like=True):
    """When an alert was last told, and how often the same was found since."""

    at: float
    again: int = 0


class Pending(msgspec.Struct):
    """Something that is still to be done about an alert.

    `to` is `log`, `then`, or the name of a webhook after `webhook:`; `due` is when somebody may try (again), who until
    then has it in hand.
    """

    alert: Alert
    to: str
    due: float = 0.0
    tries: int = 0


class State(msgspec.Struct):
    """All of it. `cursor` is the next record of the log; what stands before `silent` is learned, and not told.

    `looked` is the day of the last look at what is unused, `forgot` when a connector was last forgotten for want of
    room: what was used before then is not known. `lost` counts what a full queue of a webhook has dropped.
    """

    cursor: int = 0
    silent: int = 0
    first: float | None = None
    forgot: float | None = None
    looked: int = 0
    lost: int = 0
    connectors: dict[str, Pattern] = msgspec.field(default_factory=dict)
    networks: dict[str, Window] = msgspec.field(default_factory=dict)
    unknown: Pattern | None = None
    told: dict[str, Told] = msgspec.field(default_factory=dict)
    pending: list[Pending] = msgspec.field(default_factory=list)


_encoder: Any = msgspec.msgpack.Encoder()
_decoder: Any = msgspec.msgpack.Decoder(State)


def encode(state: State) -> bytes:
    """The state as it is kept."""
    written: bytes = _encoder.encode(state)
    return written


def decode(value: bytes) -> State | None:
    """A state that was kept; None for one of another version, which is then learned anew."""
    try:
        read: State = _decoder.decode(value)
    except msgspec.DecodeError:
        return None
    return read


def refresh(kept: MutableMapping[str, V], name: str, value: V, most: int) -> bool:
    """Put a value last, and drop the one that was put first when there are too many; whether one was dropped."""
    kept.pop(name, None)
    kept[name] = value
    if len(kept) <= most:
        return False
    del kept[next(iter(kept))]
    return True
