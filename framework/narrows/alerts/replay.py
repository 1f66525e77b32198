"""A log judged again from its beginning: what would have been told. Nothing is sent, kept or changed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable

from narrows.alerts.alert import Alert
from narrows.alerts.engine import Engine, Facts
from narrows.alerts.state import State
from narrows.settings import AlertSettings
from narrows.stores.audit import AuditStore
from narrows.stores.registry import Registered

_CHUNK = 1_000


async def replay(
    store: AuditStore,
    facts: Facts,
    settings: AlertSettings,
    entries: Iterable[Registered],
    now: float,
    read: Callable[[int], None] = lambda _: None,
) -> AsyncIterator[Alert]:
    """Every alert of a log, in order, and at the end what is unused at `now`. Raises `Unavailable`.

    `read` hears how many records were judged, after each thousand.
    """
    engine = Engine(facts, settings, State())
    while leaves := await store.leaves(engine.state.cursor, _CHUNK):
        for leaf in leaves:
            for alert in engine.feed(engine.state.cursor, leaf):
                yield alert
        read(engine.state.cursor)
    for alert in engine.look(entries, now):
        yield alert
