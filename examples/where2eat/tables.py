"""Table bookings, kept in SQLite: the one service of the three where a call has an effect."""

import sqlite3
import weakref
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import httpx
import msgspec
from litestar import Litestar, Request, delete, get, post
from litestar.datastructures import State
from litestar.response import Response
from msgspec import Meta
from opentelemetry.trace import TracerProvider

from .problem import Refusal
from .service import LOOPBACK, body, service_app, subject

READ = "bookings:read"
WRITE = "bookings:write"
AHEAD = timedelta(days=366)
MAX_TEAM = 1_000_000

_SCHEMA = """
CREATE TABLE IF NOT EXISTS bookings (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  team_id INTEGER NOT NULL,
  place_id TEXT NOT NULL,
  starts_at TEXT NOT NULL,
  seats INTEGER NOT NULL,
  note TEXT NOT NULL,
  booked_by TEXT NOT NULL,
  created_at TEXT NOT NULL,
  UNIQUE (place_id, starts_at)
)
"""


class NewBooking(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is asked for: a place at a time (RFC 3339 with an offset), for so many people."""

    team_id: Annotated[int, Meta(ge=1, le=MAX_TEAM)]
    place_id: Annotated[str, Meta(pattern=r"^node-[0-9]{1,19}\Z")]
    starts_at: Annotated[datetime, Meta(tz=True)]
    seats: Annotated[int, Meta(ge=1, le=50)]
    note: Annotated[str, Meta(max_length=200)] = ""


class Card(msgspec.Struct, frozen=True):
    """The card that guarantees a table."""

    holder: str
    number: str


class Booking(msgspec.Struct, frozen=True, kw_only=True):
    """A booking as this service keeps it; times in UTC, `booked_by` a subject. The last three are its own business."""

    id: str
    team_id: int
    place_id: str
    starts_at: datetime
    seats: int
    note: str
    booked_by: str
    created_at: datetime
    card_on_file: Card
    internal_margin: str
    no_show_score: int


def _booking(row: sqlite3.Row) -> Booking:
    return Booking(
        id=f"booking-{row['number']}",
        team_id=row["team_id"],
        place_id=row["place_id"],
        starts_at=datetime.fromisoformat(row["starts_at"]),
        seats=row["seats"],
        note=row["note"],
        booked_by=row["booked_by"],
        created_at=datetime.fromisoformat(row["created_at"]),
        card_on_file=Card(row["booked_by"], "0000 0000 0000 0000"),
        internal_margin="0.17",
        no_show_score=3,
    )


def _number(booking_id: str) -> int:
    """The row behind an id; -1, which no row has, if it is none of ours."""
    digits = booking_id.removeprefix("booking-")
    plain = digits.isascii() and digits.isdigit() and len(digits) < 18
    # An id has one spelling: `booking-01` is not `booking-1`.
    return int(digits) if plain and f"booking-{int(digits)}" == booking_id else -1


class Bookings:
    """The bookings in one SQLite file (or `:memory:`). A table is taken by place and start, to the second in UTC."""

    def __init__(self, database: str | Path) -> None:
        self._db = sqlite3.connect(database, isolation_level=None, check_same_thread=False)
        self._db.row_factory = sqlite3.Row
        self._db.execute(_SCHEMA)
        weakref.finalize(self, self._db.close)

    def add(self, wanted: NewBooking, booked_by: str, created_at: datetime) -> Booking:
        """Keep a booking; raises sqlite3.IntegrityError if the table is taken."""
        starts_at = wanted.starts_at.astimezone(UTC).replace(microsecond=0)
        cursor = self._db.execute(
            "INSERT INTO bookings (team_id, place_id, starts_at, seats, note, booked_by, created_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING *",
            (
                wanted.team_id,
                wanted.place_id,
                starts_at.isoformat(),
                wanted.seats,
                wanted.note,
                booked_by,
                created_at.isoformat(),
            ),
        )
        return _booking(cursor.fetchall()[0])

    def find(self, booking_id: str) -> Booking | None:
        """The booking with this id."""
        row = self._db.execute("SELECT * FROM bookings WHERE number = ?", (_number(booking_id),)).fetchone()
        return None if row is None else _booking(row)

    def of_team(self, team_id: int) -> list[Booking]:
        """The bookings of a team, earliest start first, at most 200."""
        rows = self._db.execute(
            "SELECT * FROM bookings WHERE team_id = ? ORDER BY starts_at, number LIMIT 200", (team_id,)
        )
        return [_booking(row) for row in rows]

    def remove(self, booking_id: str) -> bool:
        """Forget a booking; False if there was none."""
        return self._db.execute("DELETE FROM bookings WHERE number = ?", (_number(booking_id),)).rowcount == 1

    def count(self) -> int:
        """How many there are."""
        return int(self._db.execute("SELECT count(*) FROM bookings").fetchone()[0])


def _absent() -> Refusal:
    return Refusal(404, "no-such-booking", "There is no such booking.")


@post("/bookings", opt={"scope": WRITE})
async def book(request: Request[Any, Any, Any], state: State) -> Response[Booking]:
    """Book a table: 201 and where the booking lies, 409 if the table is taken."""
    wanted = await body(request, NewBooking)
    created_at = datetime.fromtimestamp(int(state.now()), UTC)
    if not created_at < wanted.starts_at <= created_at + AHEAD:
        raise Refusal(400, "invalid-request", "starts_at: give a time to come, within a year")
    try:
        booking = state.bookings.add(wanted, subject(request), created_at)
    except sqlite3.IntegrityError as error:
        raise Refusal(409, "table-taken", "The table is taken at that time.") from error
    return Response(booking, status_code=201, headers={"location": f"/bookings/{booking.id}"})


@get("/bookings/{booking_id:str}", opt={"scope": READ})
async def booking(request: Request[Any, Any, Any], state: State) -> Booking:
    """One booking."""
    found: Booking | None = state.bookings.find(request.path_params["booking_id"])
    if found is None:
        raise _absent()
    return found


@get("/teams/{team_id:int}/bookings", opt={"scope": READ})
async def team_bookings(request: Request[Any, Any, Any], state: State) -> list[Booking]:
    """The bookings of a team; a team unknown here has none."""
    team_id = request.path_params["team_id"]
    found: list[Booking] = state.bookings.of_team(team_id) if 1 <= team_id <= MAX_TEAM else []
    return found


@delete("/bookings/{booking_id:str}", opt={"scope": WRITE})
async def cancel(request: Request[Any, Any, Any], state: State) -> None:
    """Cancel a booking: 204."""
    if not state.bookings.remove(request.path_params["booking_id"]):
        raise _absent()


@get("/_count", opt=LOOPBACK)
async def count(state: State) -> dict[str, int]:
    """How many bookings there are; asked by the demo, on loopback only."""
    return {"bookings": state.bookings.count()}


def tables_app(
    issuer: str,
    transport: httpx.AsyncBaseTransport,
    now: Callable[[], float],
    tracer_provider: TracerProvider | None = None,
    database: str | Path = ":memory:",
) -> Litestar:
    """The bookings, for tokens of `issuer` (asked for its keys through `transport`) with the audience `tables-api`."""
    return service_app(
        "tables",
        [book, booking, team_bookings, cancel, count],
        {"bookings": Bookings(database)},
        issuer=issuer,
        transport=transport,
        now=now,
        tracer_provider=tracer_provider,
    )
