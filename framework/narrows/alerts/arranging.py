"""The watch of an application: made of its plan, and running for as long as it is served."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from narrows.alerts.engine import Facts
from narrows.alerts.watch import Around, Watch
from narrows.alerts.webhooks import receivers
from narrows.declare.ageing import Ageing
from narrows.declare.bff import Bff
from narrows.governance.connectors import Governor
from narrows.plan import Plan
from narrows.plan.surroundings import Surroundings


def facts_of(bff: Bff) -> Facts:
    """What the rules know of a BFF from its declarations."""
    known = [(one.id, one.scope, one.deprecated, one.sunset) for one in bff.endpoints]
    # A log is also judged without its documents being made ready: what they declare is enough.
    for document in bff.documents:
        scope, deprecated, sunset = (document.guards.get(name) for name in ("scope", "deprecated", "sunset"))
        known.append((f"{bff.name}.{document.name}", scope, deprecated, sunset))
    return Facts(
        bff=bff.name,
        deprecated={
            name: Ageing.parse(deprecated, sunset).deprecated.timestamp()
            for name, _, deprecated, sunset in known
            if deprecated is not None
        },
        scopes={name: scope for name, scope, *_ in known if scope is not None},
    )


def watch_of(plan: Plan, around: Surroundings) -> Watch:
    """The watch of an application. Raises `SettingsError` for a webhook whose keys are none."""
    settings = plan.settings.alerts
    files = [str(plan.settings.path(one.ca)) if one.ca else None for one in settings.webhooks.values()]
    governor = Governor(plan.bff, plan.settings, plan.registry, now=around.now, log=plan.log)
    with_what = Around(plan.audit, plan.log, governor, plan.telemetry, around.now, around.new_id())
    return Watch(facts_of(plan.bff), settings, receivers(settings.webhooks, files, around.dial), with_what)


@asynccontextmanager
async def watching(plan: Plan, around: Surroundings) -> AsyncIterator[None]:
    """Watch the log meanwhile, unless the settings say otherwise. Raises as `watch_of` does."""
    if not plan.settings.alerts.watch:
        yield
        return
    watch = watch_of(plan, around)
    running = asyncio.create_task(watch.run())
    try:
        yield
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await watch.close()
