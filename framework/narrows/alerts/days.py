"""How a connector's days become its baseline, and what its usual day and hour are."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from narrows.alerts.baseline import Usual, usual
from narrows.alerts.seen import DAY_S
from narrows.alerts.state import HISTORY_DAYS, Day, Pattern

# A day with less than this part of the usual calls is a holiday, and teaches nothing …
_ORDINARY = 0.2
# … unless there has been no other for so many days: then it is what is usual now.
_PATIENCE_DAYS = 14
_LEAST_OF_A_KIND = 3
# Before so many days of a kind are known, none of them can be told from a holiday.
_KNOWN_DAYS = 5
Amount = Callable[[Day], int]


def turn(pattern: Pattern, at: float) -> Day | None:
    """Go to the day of a time; answers the day that ended, if one did.

    A clock that was set back by more than a day begins anew there; by less, its calls count for today.
    """
    number = int(at // DAY_S)
    if number < pattern.today.number - 1:
        pattern.history = [day for day in pattern.history if day.number < number]
        pattern.today = Day(number)
    if number <= pattern.today.number:
        return None
    ended, pattern.today = pattern.today, Day(number)
    return ended


def teach(pattern: Pattern, ended: Day) -> None:
    """Let a day that ended become part of the baseline, unless it was a holiday."""
    alike = [day for day in pattern.history if day.weekend == ended.weekend]
    known = len(alike) >= _KNOWN_DAYS
    holiday = known and ended.calls < _ORDINARY * usual([day.calls for day in alike], counts=True).middle
    if holiday and ended.number - alike[-1].number <= _PATIENCE_DAYS:
        return
    if holiday:
        pattern.history = [day for day in pattern.history if day.weekend != ended.weekend]
    pattern.history = [*pattern.history, ended][-HISTORY_DAYS:]


def of_kind(history: Sequence[Day], like: Day) -> Sequence[Day]:
    """The working days, or the weekends; while there are few of the kind, all days."""
    alike = [day for day in history if day.weekend == like.weekend]
    return alike if len(alike) >= _LEAST_OF_A_KIND else history


def usual_hour(pattern: Pattern, hour: int) -> Usual:
    """The calls of one hour (UTC) of a day like today: the busiest of it and its neighbours, for nobody is punctual.

    What happens every week at this hour is usual too: the second highest of this day of the week, if it is more.
    """
    near = [(hour - 1) % 24, hour, (hour + 1) % 24]
    busiest = {id(day): max(day.hours[one] for one in near) for day in pattern.history}
    found = usual([busiest[id(day)] for day in of_kind(pattern.history, pattern.today)], counts=True)
    return _weekly(found, pattern, lambda day: busiest[id(day)])


def usual_day(pattern: Pattern, amount: Amount) -> Usual:
    """The bytes or records of a day like today; what comes every week is usual too."""
    found = usual([amount(day) for day in of_kind(pattern.history, pattern.today)], counts=False)
    return _weekly(found, pattern, amount)


def _weekly(found: Usual, pattern: Pattern, amount: Amount) -> Usual:
    same = sorted(
        (amount(day) for day in pattern.history if (pattern.today.number - day.number) % 7 == 0), reverse=True
    )
    return found._replace(middle=max(found.middle, *same[1:2], 0.0))
