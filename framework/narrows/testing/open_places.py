"""What keeps a BFF from starting, for a test that says what is left open."""

from __future__ import annotations

from narrows.declare.bff import Bff
from narrows.errors import Refusal, StartRefused
from narrows.plan.surroundings import Surroundings
from narrows.surfaces.http import Application
from narrows.testing.fakes import Network, Records
from narrows.testing.world import settings_of


def open_places(bff: Bff) -> tuple[Refusal, ...]:
    """Why a start with the settings beside it would be refused; nothing when it would start."""
    around = Surroundings(dial=Network({}).dial, write_record=Records().write)
    try:
        Application(bff, settings_of(bff), around)
    except StartRefused as refused:
        return refused.refusals
    return ()
