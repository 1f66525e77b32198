"""The rules of Prometheus for one BFF, made from its declarations: objectives, and what must not happen unseen."""

from __future__ import annotations

import re
from collections.abc import Iterator

from narrows.declare.bff import Bff
from narrows.plan import Plan
from narrows.sdk.objectives import objective_groups, objectives
from narrows.sdk.promql import Series, endpoints_of, fits, grew, is_, isnt, quantile, rate, ratio, total
from narrows.sdk.ruling import Alert, Group, write_rules

HEAD = "Made by `narrows telemetry rules` from the declarations of {name} {version}; make it anew, and do not edit it."

_FAULTS = "urn:narrows:problem:(upstream-failed|upstream-timeout|unavailable)"


def prometheus_rules(plan: Plan, job: str | None = None) -> str:
    """The file of rules (YAML) for a BFF; the same declarations give the same bytes.

    With `job`, it is about what Prometheus scrapes under that name alone.
    """
    bff, series = plan.bff, Series(job)
    alerts = [*_calls(bff, series), *_limits(bff, series), *_parts(plan, series), *_keeping(bff, series)]
    groups = [*objective_groups(bff, series), Group(f"narrows-{bff.name}", "30s", alerts)]
    return write_rules(groups, HEAD.format(name=bff.name, version=bff.version))


def _calls(bff: Bff, series: Series) -> Iterator[Alert]:
    """Failures of endpoints that promise nothing, and denials."""
    promised = {endpoint.id for endpoint, _ in objectives(bff)}
    others = sorted(endpoint.id for endpoint in bff.every if endpoint.id not in promised)
    if others:
        mine = fits("|".join(map(re.escape, others)))
        live = series("narrows.calls", endpoint=mine, mode=is_("live"))
        failed = series("narrows.calls", endpoint=mine, mode=is_("live"), outcome=is_("failed"))
        yield Alert(
            "NarrowsFailing",
            f"{ratio(rate(failed, '15m'), rate(live, '15m'), 'endpoint')} > 0.05",
            {"severity": "ticket"},
            "{{ $labels.narrows_endpoint }} fails",
            "{{ $value | humanizePercentage }} of its live calls failed in 15 minutes; it declares no objective.",
            "10m",
        )
    denied = series("narrows.calls", endpoint=endpoints_of(bff), outcome=is_("denied"))
    yield Alert(
        "NarrowsDenials",
        f"{total(f'increase({denied}[15m])', 'tenant', 'connector')} > 50",
        {"severity": "ticket"},
        f"Many calls of {bff.name} are denied",
        "{{ $value | humanize }} calls of connector {{ $labels.narrows_connector }} in 15 minutes asked for what they "
        "may not have: wrong tokens, roles, scopes, or somebody who tries ids.",
    )


def _limits(bff: Bff, series: Series) -> Iterator[Alert]:
    """Money, and what the framework itself found unusual."""
    whose = ("tenant", "connector", "rule")
    stopped = series("narrows.budget.events", event=is_("hard"))
    yield Alert(
        "NarrowsBudgetStopped",
        grew(stopped, "15m", *whose),
        {"severity": "ticket"},
        f"A budget stops calls of {bff.name}",
        "{{ $labels.narrows_rule }} of {{ $labels.narrows_tenant }} {{ $labels.narrows_connector }} is used up.",
    )
    near = series("narrows.budget.events", event=is_("soft"))
    yield Alert(
        "NarrowsBudgetNear",
        grew(near, "1h", *whose),
        {"severity": "info"},
        f"A budget of {bff.name} is nearly used up",
        "{{ $labels.narrows_rule }} of {{ $labels.narrows_tenant }} {{ $labels.narrows_connector }} has crossed its "
        "threshold.",
    )
    yield Alert(
        "NarrowsUnusual",
        grew(series("narrows.alerts"), "15m", "alert", "tenant", "connector"),
        {"severity": "ticket"},
        f"{bff.name} sees an unusual pattern: {{{{ $labels.narrows_alert }}}}",
        "It is about {{ $labels.narrows_tenant }} {{ $labels.narrows_connector }}. The event in the audit log says "
        "what was seen, and against which baseline.",
    )


def _parts(plan: Plan, series: Series) -> Iterator[Alert]:
    """Upstreams, authorization servers and receivers of webhooks that do not answer."""
    bff, operations = plan.bff, operations_of(plan)
    if operations:
        mine = fits("|".join(map(re.escape, operations)))
        every = series("narrows.upstream.duration", "_count", operation=mine)
        failed = series("narrows.upstream.duration", "_count", operation=mine, **{"error.type": fits(_FAULTS)})
        yield Alert(
            "NarrowsUpstreamFailing",
            f"{ratio(rate(failed, '10m'), rate(every, '10m'), 'operation')} > 0.1",
            {"severity": "ticket"},
            "{{ $labels.narrows_operation }} fails",
            "{{ $value | humanizePercentage }} of what was sent failed, came too late or could not be sent.",
            "5m",
        )
    failed = series("narrows.exchanges", event=is_("failed"))
    looked = rate(series("narrows.exchanges"), "10m")
    yield Alert(
        "NarrowsExchangeFailing",
        f"{ratio(rate(failed, '10m'), looked)} > 0.1",
        {"severity": "page"},
        f"{bff.name} gets no tokens for its upstreams",
        "{{ $value | humanizePercentage }} of the looks for a token failed: the authorization server is away, or does "
        "not let this BFF exchange any more.",
        "5m",
    )
    yield Alert(
        "NarrowsWebhooksFailing",
        # What failed once is tried again, and does not count until it is given up.
        grew(series("narrows.webhooks", event=isnt("delivered|failed")), "30m"),
        {"severity": "ticket"},
        f"Webhooks of {bff.name} do not arrive",
        "Whoever waits for them hears of no alert.",
    )


def _keeping(bff: Bff, series: Series) -> Iterator[Alert]:
    """The BFF itself, stores, and the audit log."""
    yield Alert(
        "NarrowsAbsent",
        f"absent({series('narrows.info', bff=is_(bff.name))})",
        {"severity": "page"},
        f"No process of {bff.name} is seen",
        "None is running, or Prometheus cannot read its metrics; then no other of these alerts is told.",
        "5m",
    )
    yield Alert(
        "NarrowsStoreAway",
        grew(series("narrows.store.away", event=isnt("back")), "5m", "store", "event"),
        {"severity": "page"},
        "The store {{ $labels.narrows_store }} cannot be had",
        "What needs it is refused, or counted in each process alone (event {{ $labels.narrows_event }}).",
    )
    yield Alert(
        "NarrowsAuditFailing",
        grew(series("narrows.audit.commit.size", outcome=is_("failed")), "5m"),
        {"severity": "page"},
        "The audit log cannot be written",
        "Writes and reads of sensitive data are answered with 503 until it can.",
    )
    yield Alert(
        "NarrowsAuditSlow",
        f"{quantile(0.99, series('narrows.audit.commit.duration', '_bucket'), '10m')} > 1",
        {"severity": "ticket"},
        "The audit log is written slowly",
        "One commit of a hundred takes {{ $value | humanizeDuration }}; answers wait for it.",
        "10m",
    )


def operations_of(plan: Plan) -> list[str]:
    """The operations that the endpoints of a BFF may send, those of its guards included."""
    counted = [entry.uses for entry in plan.entries if not entry.endpoint.builtin]
    return sorted({operation.id for counts in counted for operation in counts})
