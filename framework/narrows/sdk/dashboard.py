"""The dashboard of Grafana for one BFF, made from its declarations."""

from __future__ import annotations

import re
from collections.abc import Iterator

from narrows.declare.slo import Slo
from narrows.plan import Plan
from narrows.sdk.grafana import Panel, Query, Row, Step, Variable, write_dashboard
from narrows.sdk.objectives import BAD, FAST, LEFT, SLOW, objectives
from narrows.sdk.promql import Series, endpoints_of, fits, is_, quantile, quoted, rate, risen, share, total
from narrows.sdk.rules import operations_of

_CHOSEN = {"tenant": fits("$tenant"), "connector": fits("$connector")}
_LONGEST_UID = 40


def grafana_dashboard(plan: Plan, job: str | None = None) -> str:
    """The dashboard (JSON) for a BFF; the same declarations give the same bytes.

    With `job`, it is about what Prometheus scrapes under that name alone. The panels of objectives need the recordings
    of `narrows.sdk.rules`.
    """
    bff = plan.bff
    made = _Rows(plan, Series(job))
    rows = [made.glance(), *made.objectives(), made.calls(), made.callers(), made.money(), made.guards()]
    rows += [made.upstreams(), made.narrowing(), made.keeping()]
    calls = Series(job)("narrows.calls", endpoint=endpoints_of(bff))
    variables = [
        Variable("tenant", "Tenant", calls, "narrows_tenant"),
        Variable("connector", "Connector", calls, "narrows_connector"),
        Variable("endpoint", "Endpoint", calls, "narrows_endpoint", f"{re.escape(bff.name)}[.].+"),
    ]
    told = f"{bff.purpose}. Owner: {bff.owner}. Made by `narrows telemetry dashboard` from version {bff.version}."
    return write_dashboard(f"narrows-{bff.name}"[:_LONGEST_UID], f"Narrows: {bff.name}", told, rows, variables)


class _Rows:
    """The rows, in the order in which somebody looks who was just woken up."""

    def __init__(self, plan: Plan, series: Series) -> None:
        self._plan = plan
        self._series = series
        self._mine = endpoints_of(plan.bff)
        self._endpoint = fits("$endpoint")
        self._operation = fits("|".join(map(re.escape, operations_of(plan))))

    def _calls(self, name: str = "narrows.calls", **matching: str) -> str:
        """The rate of a counter of calls, as it is chosen at the top."""
        return rate(self._series(name, endpoint=self._endpoint, **_CHOSEN, **matching))

    def _latency(self, part: float) -> Query:
        buckets = self._series("narrows.call.duration", "_bucket", endpoint=self._endpoint, mode=is_("live"), **_CHOSEN)
        return Query(quantile(part, buckets, "$__rate_interval"), f"p{part * 100:.0f}", exemplar=True)

    def glance(self) -> Row:
        """Whether anything is wrong at all."""
        live = self._calls(mode=is_("live"))
        failed, denied = self._calls(mode=is_("live"), outcome=is_("failed")), self._calls(outcome=is_("denied"))
        bad = (Step(0.01, "orange"), Step(0.05, "red"))
        left = f"min({LEFT}{{narrows_endpoint{self._mine}}})"
        panels = [
            Panel("Live calls", [Query(total(live))], "reqps", "stat", 4, 4),
            Panel("Failed", [Query(share(failed, live))], "percentunit", "stat", 4, 4, "Answered with 5xx", bad),
            Panel("95% answered within", [self._latency(0.95)._replace(exemplar=False)], "s", "stat", 4, 4),
            Panel("Denied", [Query(share(denied, self._calls()))], "percentunit", "stat", 4, 4, "401 and 403", bad),
            Panel("Least error budget left", [Query(left)], "percentunit", "stat", 4, 4, "Of 28 days", _LEFT_STEPS),
            Panel("Alerts in a day", [Query(total(self._rare("narrows.alerts", "1d")))], "short", "stat", 4, 4),
        ]
        return Row("At a glance", panels)

    def objectives(self) -> Iterator[Row]:
        """What each endpoint promises, and how fast it uses up what may go wrong."""
        declared = objectives(self._plan.bff)
        if not declared:
            return
        left = Query(f"{LEFT}{{narrows_endpoint{self._mine}}}", "{{narrows_endpoint}}")
        panels = [Panel("Error budget left of 28 days", [left], "percentunit", "bargauge", steps=_LEFT_STEPS)]
        panels += [self._burning(endpoint.id, slo) for endpoint, slo in declared]
        yield Row("Objectives", panels)

    def _burning(self, endpoint: str, slo: Slo) -> Panel:
        windows = [FAST[0].short, FAST[0].long, FAST[1].long, SLOW[1].long]
        mine = f"{{narrows_endpoint={quoted(endpoint)}}}"
        queries = [Query(f"{BAD}{window}{mine} / {slo.budget.normalize():f}", window) for window in windows]
        name = endpoint.partition(".")[2]
        told = "How many times faster than the budget lasts. Above the lines somebody is told, if it goes on."
        steps = [Step(float(SLOW[0].rate), "orange"), Step(float(FAST[0].rate), "red")]
        return Panel(f"{name} burns: {slo}", queries, steps=steps, told=told)

    def calls(self) -> Row:
        """What is asked for, how fast it is answered, and what goes wrong."""
        problems = rate(self._series("narrows.problems", endpoint=self._endpoint))
        answered = self._calls("narrows.answer.size")
        rehearsed = rate(self._series("narrows.rehearsals", endpoint=self._endpoint))
        return Row("Calls", [
            Panel("Calls by endpoint", [Query(total(self._calls(), "endpoint"), "{{narrows_endpoint}}")], "reqps"),
            Panel("Calls by outcome", [Query(total(self._calls(), "outcome"), "{{narrows_outcome}}")], "reqps",
                  stacked=True),
            Panel("Live calls answered within", [self._latency(part) for part in (0.5, 0.95, 0.99)], "s",
                  told="Points are traces, where the data source knows a trace store"),
            Panel("Problems", [Query(total(problems, "problem"), "{{narrows_problem}}")], "reqps"),
            Panel("Bytes answered", [Query(total(answered, "endpoint"), "{{narrows_endpoint}}")], "Bps"),
            Panel("Rehearsals kept", [Query(total(rehearsed, "endpoint", "mode"),
                                            "{{narrows_endpoint}} {{narrows_mode}}")], "cps"),
        ])  # fmt: skip

    def callers(self) -> Row:
        """Who it is."""
        named = "{{narrows_tenant}} {{narrows_connector}}"
        whose = ("tenant", "connector")
        denied = self._calls(outcome=fits("denied|refused"))
        return Row("Connectors", [
            Panel("Calls", [Query(total(self._calls(), *whose), named)], "reqps"),
            Panel("Denied and refused", [Query(total(denied, *whose), named)], "reqps"),
            Panel("Bytes answered", [Query(total(self._calls("narrows.answer.size"), *whose), named)], "Bps",
                  told="A connector that reads a little more each day stands out here"),
        ])  # fmt: skip

    def money(self) -> Row:
        """What is spent, and what of it is left."""
        spent = self._rare("narrows.price", "1h", endpoint=self._endpoint, mode=is_("live"), **_CHOSEN)
        named = "{{narrows_connector}} {{narrows_currency}}"
        budgets = self._series("narrows.budget.used", **_CHOSEN)
        used = f"max by (narrows_tenant, narrows_connector, narrows_rule) ({budgets})"
        crossed = total(self._rare("narrows.budget.events", "1h", **_CHOSEN), "event", "rule")
        steps, whose = (
            (Step(0.8, "orange"), Step(1, "red")),
            "{{narrows_tenant}} {{narrows_connector}} {{narrows_rule}}",
        )
        return Row("Money", [
            Panel("Spent in an hour", [Query(total(spent, "currency", "connector"), named)], stacked=True),
            Panel("Used of each budget", [Query(used, whose)], "percentunit", "bargauge", steps=steps),
            Panel("Budgets crossed in an hour", [Query(crossed, "{{narrows_event}} {{narrows_rule}}")]),
        ])  # fmt: skip

    def guards(self) -> Row:
        """What was stopped, and what looked unusual."""
        changed = [self._grown("narrows.reactions", "event"), self._grown("narrows.connector.changes", "event")]
        return Row("Limits and alerts", [
            Panel("Stopped by a limit in an hour", [self._grown("narrows.limit.breaches", "rule")]),
            Panel("Alerts in an hour", [self._grown("narrows.alerts", "alert")]),
            Panel("Reactions and changes of connectors in an hour", changed),
        ])  # fmt: skip

    def upstreams(self) -> Row:
        """The production APIs behind, and the tokens for them."""
        seen = {"operation": self._operation}
        buckets = self._series("narrows.upstream.duration", "_bucket", **seen)
        slow = quantile(0.95, buckets, "$__rate_interval", "operation")
        errors = rate(self._series("narrows.upstream.duration", "_count", **seen, **{"error.type": fits(".+")}))
        looked = rate(self._series("narrows.exchanges"))
        cached = rate(self._series("narrows.exchanges", event=fits("cached|shared")))
        named = "{{narrows_operation}}"
        return Row("Upstreams", [
            Panel("95% of operations within", [Query(slow, named, exemplar=True)], "s"),
            Panel("Operations that failed or were refused", [
                Query(f"sum by (narrows_operation, error_type) ({errors})", f"{named} {{{{error_type}}}}")], "reqps"),
            Panel("Bytes that they sent", [
                Query(total(rate(self._series("narrows.upstream.size", **seen)), "operation"), named)], "Bps"),
            Panel("Writes", [Query(total(rate(self._series("narrows.effects", **seen)), "operation", "mode"),
                                   f"{named} {{{{narrows_mode}}}}")], "cps"),
            Panel("Looks for a token", [Query(total(looked, "event"), "{{narrows_event}}")], "cps", stacked=True),
            Panel("Tokens found in the cache", [Query(share(cached, looked), "found")], "percentunit"),
        ])  # fmt: skip

    def narrowing(self) -> Row:
        """What upstreams gave and nobody got."""
        left = rate(self._series("narrows.narrowed.size", endpoint=self._endpoint))
        fields = self._rare("narrows.narrowed.fields", "1h", endpoint=self._endpoint)
        return Row("Narrowing", [
            Panel("Bytes left out", [Query(total(left, "endpoint"), "{{narrows_endpoint}}")], "Bps", width=12,
                  told="What upstreams sent, less what was answered"),
            Panel("Fields that rehearsals saw left out, in an hour", [
                Query(total(fields, "endpoint"), "{{narrows_endpoint}}")], width=12),
        ])  # fmt: skip

    def keeping(self) -> Row:
        """Stores and the audit log."""
        commit = self._series("narrows.audit.commit.duration", "_bucket")
        parts = [Query(quantile(part, commit, "$__rate_interval"), f"p{part * 100:.0f}") for part in (0.5, 0.99)]
        running = total(self._series("narrows.info", bff=is_(self._plan.bff.name)), "version")
        waiting = total(self._series("narrows.audit.queue"))
        return Row("Stores and audit", [
            Panel("Processes by version", [Query(running, "{{narrows_version}}")], width=4),
            Panel("Stores that were away, in an hour", [self._grown("narrows.store.away", "store")], width=5),
            Panel("Records that wait for the disk", [Query(waiting, "waiting")], width=5),
            Panel("Commits of the audit log within", parts, "s", width=5),
            Panel("Records in an hour", [self._grown("narrows.audit.records", "event")], width=5),
        ])  # fmt: skip

    def _rare(self, name: str, window: str, **matching: str) -> str:
        """How often something rare happened in a while."""
        return risen(self._series(name, **matching), window)

    def _grown(self, name: str, by: str) -> Query:
        return Query(total(self._rare(name, "1h"), by), f"{{{{narrows_{by}}}}}")


_LEFT_STEPS = (Step(-1000, "red"), Step(0, "orange"), Step(0.25, "green"))
