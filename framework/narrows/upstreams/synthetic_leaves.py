"""Synthetic numbers, texts and times: readable where the name of the field says what is meant, always as declared."""

from __future__ import annotations

import math
import re
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import Any

from msgspec import inspect

from narrows.errors import NarrowsError
from narrows.upstreams.synthetic_patterns import PatternSampler

Draw = Callable[[Random, datetime], Any]

LONGEST = 10_000
_TRIES = 200
_SPAN = 1000
_POWERS = 200
_FAR = 4
_WEEK = timedelta(days=7)
_SURROGATE = re.compile("[\ud800-\udfff]")  # matches patterns, but cannot be sent
_BETWEEN_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[\W_]+")
_DEGREES = {"lat": 90.0, "latitude": 90.0, "lon": 180.0, "lng": 180.0, "long": 180.0, "longitude": 180.0}


class CannotMake(NarrowsError):
    """No synthetic value can be made of a type; `path` is the place in it, such as `$.lines[].extra`."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


def words(name: str) -> list[str]:
    """The words of a field's name in lower case: `teamId` and `team_id` give the same."""
    return [word.lower() for word in _BETWEEN_WORDS.split(name) if word]


def is_id(name: str) -> bool:
    """Whether a field's name says that it holds an id, which differs from object to object."""
    return words(name)[-1:] == ["id"]


def size(info: Any, path: str, usual: int, most: int) -> tuple[int, int]:
    """The least and the usual length of a list, a text or bytes. Raises `CannotMake` when there is none."""
    low = info.min_length or 0
    high = most if info.max_length is None else info.max_length
    if low > high or low > most:
        raise CannotMake(path, f"no length is at least {low} and at the most {min(high, most)}")
    return low, max(low, min(usual, high))


def _integer(info: inspect.IntType, name: str, path: str) -> Draw:
    low = info.ge if info.gt is None else info.gt + 1
    high = info.le if info.lt is None else info.lt - 1
    step = info.multiple_of or 1
    first = None if low is None else -(-low // step)
    last = None if high is None else high // step
    first, last = _near(first, last, 999_999 if is_id(name) else _SPAN)
    if first > last:
        raise CannotMake(path, "no whole number is within the bounds")
    return lambda rng, _: rng.randint(first, last) * step


def _near(first: int | None, last: int | None, span: int) -> tuple[int, int]:
    """Bounds that are not far from each other, from 0 upwards where that is allowed."""
    if last is None:
        first = first or 0
        return first, first + span
    if first is None:
        first = last - span
    if first < 0 < last:
        first = 0
    return first, min(last, first + span)


def _number(info: inspect.FloatType, name: str, path: str) -> Draw:
    low = info.ge if info.gt is None else math.nextafter(info.gt, math.inf)
    high = info.le if info.lt is None else math.nextafter(info.lt, -math.inf)
    low, high = (None if bound is None else float(bound) for bound in (low, high))
    if low is not None and high is not None and low > high:
        raise CannotMake(path, "no number is within the bounds")
    if info.multiple_of:
        return _multiple(low, high, float(info.multiple_of), path)
    digits, (low, high) = _reasonable(low, high, name)
    return lambda rng, _: _rounded(rng.uniform(low, high), low, high, digits)


def _reasonable(low: float | None, high: float | None, name: str) -> tuple[int, tuple[float, float]]:
    """How many digits to show, and bounds near each other: degrees for places, else from 0 upwards where allowed."""
    degrees = _DEGREES.get((words(name) or [""])[-1])
    if degrees is not None:
        narrowed = max(-degrees, -math.inf if low is None else low), min(degrees, math.inf if high is None else high)
        if narrowed[0] <= narrowed[1]:
            return 5, narrowed
    if high is None:
        low = low or 0.0
        return 2, (low, low + _SPAN)
    if low is None:
        low = min(0.0, high) if high >= 0 else high - _SPAN
    if low < 0 < high and high - low > 2 * _SPAN:
        low = 0.0
    return 2, (low, min(high, low + _SPAN))


def _rounded(value: float, low: float, high: float, digits: int) -> float:
    """The value with few digits, if it stays within the bounds; never -0.0."""
    short = round(value, digits)
    return (short if low <= short <= high else min(max(value, low), high)) + 0.0


def _multiple(low: float | None, high: float | None, step: float, path: str) -> Draw:
    """Multiples as msgspec judges them: by `fmod`, so that 0.3 is none of 0.1 but 0.4 is one."""
    first = None if low is None else math.ceil(Fraction(low) / Fraction(step))
    last = None if high is None else math.floor(Fraction(high) / Fraction(step))
    near = _near(0 if first is None and last is not None and last >= 0 else first, last, _SPAN)
    # Far from zero hardly any multiple of such a step is a float itself, but step times a power of two always is.
    powers = [sign * 2**power for power in range(_POWERS) for sign in (1, -1)]
    far = [times for times in powers if (first is None or times >= first) and (last is None or times <= last)]
    values = [float(Fraction(step) * times) for times in (*range(near[0], near[1] + 1), *far[:_FAR])]
    fitting = [value for value in values if math.fmod(value, step) == 0]
    if not fitting:
        raise CannotMake(path, f"no multiple of {step} is within the bounds")
    return lambda rng, _: rng.choice(fitting)


def _text(info: inspect.StrType, name: str, path: str) -> Draw:
    low = size(info, path, 0, LONGEST)[0]
    high = min(LONGEST, LONGEST if info.max_length is None else info.max_length)
    sampler = PatternSampler(info.pattern) if info.pattern is not None else None
    if sampler is not None and sampler.width > high:
        raise CannotMake(path, f"the pattern needs {sampler.width} characters, {high} are allowed")
    pattern, said = re.compile(info.pattern or ""), words(name)

    def fits(text: str) -> bool:
        return low <= len(text) <= high and pattern.search(text) is not None and not _SURROGATE.search(text)

    def draw(rng: Random, _: datetime) -> str:
        for text in _readable(said, rng, low):
            if fits(text):
                return text
        candidates = _letters(rng, low, high) if sampler is None else sampler.candidates(rng, low, high, _TRIES)
        for text in candidates:
            if fits(text):
                return text
        raise CannotMake(path, f"no text was found that matches {info.pattern!r} with {low} to {high} characters")

    return draw


def _readable(name: list[str], rng: Random, low: int) -> Iterator[str]:
    """Texts in which a reader recognises the field and sees that they are made up, the nicest first."""
    tag = f"{rng.getrandbits(32):08x}"
    known = _KNOWN.get(name[-1]) if name else None
    if known is not None:
        yield known(rng, tag)
    if name[-1:] == ["id"]:
        yield "-".join(name[:-1] or ["id"]) + f"-{tag}"
    plain = " ".join(["Sample", *name, tag[:4]])
    yield plain
    yield f"sample-{tag}"
    yield tag[:4]
    if low:
        yield (plain + " sample" * (1 + low // 7))[:low].strip().ljust(low, ".")


_KNOWN: dict[str, Callable[[Random, str], str]] = {
    **dict.fromkeys(["email", "mail"], lambda _, tag: f"sample-{tag[:4]}@example.com"),
    **dict.fromkeys(["url", "uri", "link", "href", "website"], lambda _, tag: f"https://example.com/{tag[:4]}"),
    # Numbers 555-0100 to 555-0199 are set aside for fiction (North American Numbering Plan).
    **dict.fromkeys(["phone", "telephone", "mobile"], lambda rng, _: f"+1202555{rng.randint(100, 199):04}"),
    "currency": lambda rng, _: rng.choice(["EUR", "USD", "GBP", "JPY"]),
    "country": lambda rng, _: rng.choice(["DE", "FR", "GB", "JP", "NL", "US"]),
    "language": lambda rng, _: rng.choice(["de", "en", "fr", "nl"]),
}


def _letters(rng: Random, low: int, high: int) -> Iterator[str]:
    """For bounds too narrow for words."""
    yield "".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(low, min(high, low + 8))))


def _bytes(info: Any, _: str, path: str) -> Draw:
    usual = size(info, path, 16, LONGEST)[1]
    return lambda rng, _: rng.randbytes(usual)


def _moment(info: inspect.DateTimeType, *_: str) -> Draw:
    def draw(rng: Random, now: datetime) -> datetime:
        moment = _around(now, rng)
        return moment.replace(tzinfo=None) if info.tz is False else moment

    return draw


def _time(info: inspect.TimeType, *_: str) -> Draw:
    def draw(rng: Random, now: datetime) -> Any:
        moment = _around(now, rng)
        return moment.timetz() if info.tz else moment.time()

    return draw


def _around(now: datetime, rng: Random) -> datetime:
    """A moment at the most seven days from `now` (read as UTC when it has no offset), in whole seconds."""
    start = (now.replace(tzinfo=UTC) if now.tzinfo is None else now.astimezone(UTC)).replace(microsecond=0)
    seconds = int(_WEEK.total_seconds())
    return start + timedelta(seconds=rng.randint(1 - seconds, seconds))


def _simple(draw: Draw) -> Callable[[Any, str, str], Draw]:
    """A leaf whose type has no constraints."""
    return lambda info, name, path: draw  # noqa: ARG005  (every leaf is prepared with the same arguments)


def _enum(info: inspect.EnumType, *_: str) -> Draw:
    values = [member.value for member in info.cls]
    return lambda rng, _: rng.choice(values)


def _literal(info: inspect.LiteralType, *_: str) -> Draw:
    values: list[Any] = [value for value in info.values if value is not None] or [None]
    return lambda rng, _: rng.choice(values)


LEAVES: dict[type, Callable[[Any, str, str], Draw]] = {
    inspect.NoneType: _simple(lambda *_: None),
    inspect.BoolType: _simple(lambda rng, _: rng.random() < 0.5),
    inspect.IntType: _integer,
    inspect.FloatType: _number,
    inspect.StrType: _text,
    inspect.BytesType: _bytes,
    inspect.ByteArrayType: _bytes,
    inspect.MemoryViewType: _bytes,
    inspect.DateTimeType: _moment,
    inspect.DateType: _simple(lambda rng, now: _around(now, rng).date()),
    inspect.TimeType: _time,
    inspect.TimeDeltaType: _simple(lambda rng, _: timedelta(minutes=rng.randint(1, 240))),
    inspect.UUIDType: _simple(lambda rng, _: uuid.UUID(int=rng.getrandbits(128), version=4)),
    inspect.DecimalType: _simple(lambda rng, _: Decimal(rng.randint(1, 100_000)).scaleb(-2)),
    inspect.EnumType: _enum,
    inspect.LiteralType: _literal,
}
"""How a leaf is prepared: from what msgspec says of it, the name of its field and its path."""
