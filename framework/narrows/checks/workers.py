"""What several workers cannot keep apart: a store in the memory of one is a promise that the others break."""

from __future__ import annotations

from narrows.errors import Refusal
from narrows.settings import Settings
from narrows.stores.opening import shareable

_BROKEN = {
    "rehearsals": "a rehearsal would be known to the worker that ran it alone, and a receipt to nobody else",
    "commits": "a receipt could be spent, and a key used, once in each worker",
    "connectors": "a program that is suspended, or a person who is revoked, would be let in by the other workers",
    "limits": "every rate would be allowed once in each worker",
    "budgets": "every budget could be spent once in each worker",
    "audit": "each worker would keep a log of its own, and lose it at its end",
}


def port_refusals(settings: Settings, workers: int) -> list[Refusal]:
    """Metrics of so many workers need as many ports: a worker without one could not start."""
    telemetry = settings.telemetry
    if telemetry.prometheus is None or telemetry.prometheus_ports >= workers:
        return []
    return [
        Refusal(
            code="workers-ports",
            subject="telemetry.prometheus_ports",
            where="narrows.toml",
            rule=f"{workers} workers need as many ports to be read at, and may take {telemetry.prometheus_ports}",
            remedy=f"set telemetry.prometheus_ports to {workers} or more, and have Prometheus read each of them",
        )
    ]


def worker_refusals(settings: Settings) -> list[Refusal]:
    """One refusal for each store that only one process can use."""
    return [
        Refusal(
            code="workers-memory",
            subject=f"stores.{field}",
            where="narrows.toml",
            rule=f"with several workers no store may be in memory: {_BROKEN[field]}",
            remedy=f"set stores.{field} to {' or '.join(forms)}, or run one worker",
        )
        for field, forms in shareable(settings).items()
    ]
