"""The production APIs behind Where2Eat, one class each."""

from bffs.where2eat.types import (
    Booking,
    BookingId,
    Bookings,
    Metres,
    Place,
    PlaceIds,
    PlaceName,
    Team,
    TeamId,
    UpstreamBooking,
)
from narrows import Answer, Latitude, Longitude, Moment, Problem, Upstream, read, write


class NoSuchBooking(Problem):
    """The booking is not there any more."""

    status = 404
    title = "There is no such booking"
    remedy = "List the team's bookings and choose one of them."


class TableTaken(Problem):
    """Somebody was faster."""

    status = 409
    title = "The table is taken"
    remedy = "Choose another time or place."


class NotBookable(Problem):
    """The place takes no booking for that time, such as one that has passed."""

    status = 409
    title = "The table cannot be booked"
    remedy = "Choose a place from the suggestions, and a time to come within a year."


class People(Upstream):
    """The staff directory."""

    @read("/teams/{team_id}", asks="profiles:read")
    def team(self, team_id: TeamId) -> Answer[Team]: ...


class Places(Upstream):
    """Places to eat."""

    @read("/places", asks="places:read")
    def nearby(
        self, lat: Latitude, lon: Longitude, radius_m: Metres = 1500, limit: int = 100, open_at: Moment | None = None
    ) -> Answer[list[Place]]: ...

    @read("/place-names", asks="places:read")
    def named(self, ids: PlaceIds) -> Answer[list[PlaceName]]: ...


class Tables(Upstream):
    """Table bookings."""

    @read("/teams/{team_id}/bookings", asks="bookings:read")
    def of_team(self, team_id: TeamId) -> Answer[Bookings]: ...

    @read("/bookings/{booking_id}", asks="bookings:read", problems={404: NoSuchBooking})
    def booking(self, booking_id: BookingId) -> Answer[Booking]: ...

    @write("/bookings", asks="bookings:write", price="0.05 EUR", problems={400: NotBookable, 409: TableTaken})
    def book(self, booking: UpstreamBooking) -> Answer[Booking]: ...

    @write("/bookings/{booking_id}", method="DELETE", asks="bookings:write", problems={404: NoSuchBooking})
    def cancel(self, booking_id: BookingId) -> Answer[None]: ...
