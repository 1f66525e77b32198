"""Endpoints that will go: since when they are deprecated, and when they end, as clients are told of it."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from email.utils import format_datetime
from typing import NamedTuple


class Ageing(NamedTuple):
    """The first moment (UTC) from which an endpoint is deprecated, and that from which it may be gone."""

    deprecated: datetime
    sunset: datetime | None = None

    @classmethod
    def parse(cls, deprecated: str | None, sunset: str | None) -> Ageing:
        """Read days such as `2027-01-01`. Raises ValueError for another form, and for a sunset that comes first."""
        if deprecated is None:
            raise ValueError("`sunset` stands without `deprecated`")
        begins, ends = _moment(deprecated), None if sunset is None else _moment(sunset)
        if ends is not None and ends < begins:
            raise ValueError(f"its sunset {sunset!r} is before it is deprecated")
        return cls(begins, ends)

    def headers(self) -> list[tuple[str, str]]:
        """`Deprecation` (RFC 9745), and `Sunset` (RFC 8594)."""
        told = [("deprecation", f"@{int(self.deprecated.timestamp())}")]
        if self.sunset is not None:
            told.append(("sunset", format_datetime(self.sunset, usegmt=True)))
        return told


def _moment(text: str) -> datetime:
    try:
        return datetime.combine(date.fromisoformat(text), time(), UTC)
    except (ValueError, TypeError):
        raise ValueError(f"{text!r} is not a day such as '2027-01-01'") from None
