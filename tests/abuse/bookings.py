"""Bookings that are there before a test begins."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

from examples.where2eat.tables import NewBooking
from tests.flow.world import World

_numbers = itertools.count(1)


def put(made: World, team_id: int) -> str:
    """Put a booking of a team into the tables service, past the BFF; its id."""
    bookings = made.upstreams["tables"].state.bookings
    now = datetime.fromtimestamp(made.clock(), UTC)
    wanted = NewBooking(
        team_id=team_id,
        place_id=f"node-{next(_numbers)}",
        starts_at=now + timedelta(days=1),
        seats=4,
        note=f"of team {team_id}",
    )
    return str(bookings.add(wanted, "somebody", now).id)
