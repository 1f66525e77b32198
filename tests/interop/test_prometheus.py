"""Real Prometheus reads the metrics, works out the rules, and answers every query of the dashboard."""

import json
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
import yaml
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider

from bffs.where2eat.app import bff as where2eat
from narrows.plan import Plan
from narrows.sdk.dashboard import grafana_dashboard
from narrows.sdk.objectives import RECORDED
from narrows.sdk.rules import prometheus_rules
from narrows.telemetry_names import METRICS
from narrows.telemetry_scrape import Reader, Scrape
from narrows.testing import bearer
from tests.flow.world import make_settings, world
from tests.interop.servers import Server

PATIENCE_S = 60
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
NEW = {"place_id": "node-268056325", "starts_at": "2025-12-24T12:00:00Z", "seats": 4}
SUGGEST, BOOK = "where2eat.dining_suggestions", "where2eat.book_table"
CHOSEN = {"$tenant": ".*", "$connector": ".*", "$endpoint": "where2eat[.].+", "$__rate_interval": "1m"}
NAME = re.compile(r"(?<![\w:\"])(?:narrows|http)[:_]\w+(?::\w+)?(?=[{\[ )/])")
LABELS = {key.replace(".", "_") for metric in METRICS.values() for key in metric.labels}


async def patiently(ask: Callable[[], Awaitable[Any]], part: Callable[[Any], Any]) -> Any:
    """Ask another program again and again, until a part of its answer holds something."""
    with anyio.fail_after(PATIENCE_S):
        while True:
            if found := part(await ask()):
                return found
            await anyio.sleep(0.1)


class Prometheus(Server):
    """Prometheus with a file of rules, on a free port; it reads one listener several times a second."""

    def __init__(self, folder: Path, listener: str, rules: str) -> None:
        # What is worked out each half minute there is looked at here at once.
        (folder / "rules.yml").write_text(re.sub(r"interval: \d+[sm]$", "interval: 500ms", rules, flags=re.MULTILINE))
        scrape = {"job_name": "bff", "scrape_interval": "250ms", "scrape_timeout": "250ms"}
        scrape["static_configs"] = [{"targets": [listener]}]
        config = {"rule_files": ["rules.yml"], "scrape_configs": [scrape]}
        (folder / "prometheus.yml").write_text(json.dumps(config))
        super().__init__(
            "prometheus",
            folder,
            lambda port: (
                *("prometheus", "--config.file", folder / "prometheus.yml", "--storage.tsdb.path", folder / "data"),
                *("--web.listen-address", f"127.0.0.1:{port}", "--enable-feature", "exemplar-storage"),
            ),
        )

    async def ask(self, path: str, **query: str) -> dict:
        """One answer of its API."""
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.get(f"http://127.0.0.1:{self.port}/api/v1/{path}", params=query)
        told = answer.json()
        assert told["status"] == "success", (query, told)
        return told["data"]

    async def wait_for(self, query: str) -> list:
        """What a query gives, as soon as it gives something."""
        return await patiently(lambda: self.ask("query", query=query), lambda told: told["result"])

    def _is_ready(self) -> bool:
        return httpx.get(f"http://127.0.0.1:{self.port}/-/ready", trust_env=False).status_code == 200


def expressions(dashboard: str) -> list[str]:
    """Every query of the dashboard, as Grafana sends it with all chosen."""
    found = [target["expr"] for panel in json.loads(dashboard)["panels"] for target in panel.get("targets", ())]
    return [re.sub(r"\$\w+", lambda it: CHOSEN[it[0]], one) for one in found]


@asynccontextmanager
async def watched(folder: Path) -> AsyncIterator[tuple[Prometheus, Plan]]:
    """Prometheus, and the plan of a BFF that was called: answers, a denial, a rehearsal, and one of every metric."""
    reader, tracers = Reader(), TracerProvider(shutdown_on_exit=False)
    meters = MeterProvider([reader], shutdown_on_exit=False)
    scrape = Scrape(reader, "127.0.0.1:0", 1)
    try:
        async with world(around={"meter_provider": meters, "tracer_provider": tracers}) as made:
            plan = made.app.plan
            prometheus = Prometheus(folder, scrape.url.split("/")[2], prometheus_rules(plan))
            await anyio.to_thread.run_sync(prometheus.start)
            try:
                # Both series of an objective are there before the first call, or their first growth would be missed.
                await prometheus.wait_for(f'narrows_slo_calls_total{{narrows_endpoint="{SUGGEST}"}}')
                await use(made)
                yield prometheus, plan
            finally:
                await anyio.to_thread.run_sync(prometheus.stop)
    finally:
        scrape.close()
        meters.shutdown()
        tracers.shutdown()


async def use(made) -> None:
    """Call the BFF, and put a number into what none of these calls measures."""
    trace = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
    for _ in range(3):
        answer = await made.client.get("/teams/7/dining-suggestions", headers=bearer(made.token()) | trace)
        assert answer.status_code == 200
    assert (await made.get("/teams/8/dining-suggestions")).status_code == 403
    assert (await made.post("/teams/7/bookings", NEW)).status_code == 201
    assert (await made.post("/rehearse/teams/7/bookings", NEW)).status_code == 201
    for name, metric in METRICS.items():
        if all(key.startswith("narrows.") for key in metric.labels):
            labels = {key.removeprefix("narrows."): "canary" for key in metric.labels}
            made.app.plan.telemetry.record(name, 1, **labels)


async def test_rules_and_dashboard_ask_for_what_prometheus_has(tmp_path):
    """Every rule works without an error, every query is understood, and every name in them has been scraped."""
    async with watched(tmp_path) as (prometheus, plan):
        await prometheus.wait_for(f'narrows:slo_budget_left:ratio_28d{{narrows_endpoint="{SUGGEST}"}}')
        await prometheus.wait_for('narrows_webhooks_total{narrows_event="canary"}')
        await prometheus.wait_for("narrows_upstream_duration_seconds_bucket")
        groups = (await prometheus.ask("rules"))["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        assert len(rules) > 20
        assert {rule["health"] for rule in rules} == {"ok"}
        assert [rule for rule in rules if rule.get("lastError")] == []
        dashboard = expressions(grafana_dashboard(plan))
        for query in dashboard:
            await prometheus.ask("query", query=query)
        asked = {name for one in [*dashboard, *(rule["query"] for rule in rules)] for name in NAME.findall(one)}
        there = set(await prometheus.ask("label/__name__/values"))
        assert len(asked) > 20
        assert sorted(asked - LABELS - there) == []
        assert there >= RECORDED


async def test_the_numbers_are_those_of_the_calls(tmp_path):
    """What was called, by whom, how it ended, and what it cost."""
    async with watched(tmp_path) as (prometheus, _):
        await prometheus.wait_for(f'narrows_price_total{{narrows_endpoint="{BOOK}"}}')
        calls = await prometheus.ask("query", query=f'narrows_calls_total{{narrows_endpoint="{SUGGEST}"}}')
        assert {(one["metric"]["narrows_outcome"], one["value"][1]) for one in calls["result"]} == {
            ("ok", "3"), ("denied", "1"),
        }  # fmt: skip
        assert {(one["metric"]["narrows_tenant"], one["metric"]["narrows_connector"]) for one in calls["result"]} == {
            ("example", "copilot")
        }
        (price,) = (await prometheus.ask("query", query=f'narrows_price_total{{narrows_endpoint="{BOOK}"}}'))["result"]
        assert (price["metric"]["narrows_currency"], price["value"][1]) == ("EUR", "0.05")
        (bad,) = await prometheus.wait_for(f'narrows:slo_bad:ratio_rate5m{{narrows_endpoint="{SUGGEST}"}} >= 0')
        assert bad["value"][1] == "0"


async def test_a_bucket_leads_to_its_trace(tmp_path):
    """Prometheus keeps the exemplars, and the trace is the one that the client began."""
    async with watched(tmp_path) as (prometheus, _):
        query = f'narrows_call_duration_seconds_bucket{{narrows_endpoint="{SUGGEST}",narrows_outcome="ok"}}'
        await prometheus.wait_for(query)
        when = {"start": "0", "end": "9999999999"}
        found = await patiently(lambda: prometheus.ask("query_exemplars", query=query, **when), lambda told: told)
        assert {one["labels"]["trace_id"] for series in found for one in series["exemplars"]} == {TRACE}


@pytest.fixture(scope="module")
def rules(tmp_path_factory) -> Path:
    """The rules of Where2Eat as a file."""
    file = tmp_path_factory.mktemp("rules") / "where2eat.rules.yml"
    file.write_text(prometheus_rules(Plan(where2eat, make_settings())), encoding="utf-8")
    return file


def promtool(*arguments) -> subprocess.CompletedProcess[str]:
    """Run Prometheus' own tool."""
    command = ["promtool", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)  # noqa: S603 # Debian's


@pytest.mark.parametrize("target", ["where2eat", "pulls", "visitors"])
def test_promtool_checks_the_rules_of_every_bff(target, tmp_path):
    """As `narrows telemetry rules` writes them."""
    command = [sys.executable, "-c", "from narrows.cli import main; main()", "telemetry", "rules"]
    made = subprocess.run([*command, f"bffs.{target}.app:bff"], capture_output=True, text=True, check=True)  # noqa: S603 # ours
    file = tmp_path / "rules.yml"
    file.write_text(made.stdout, encoding="utf-8")
    checked = promtool("check", "rules", "--lint=all", "--lint-fatal", file)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def calls(endpoint: str, good: str, bad: str) -> list[dict[str, str]]:
    """The series of an objective."""
    named = f'narrows_slo_calls_total{{job="bff",narrows_endpoint="{endpoint}",narrows_verdict="%s"}}'
    return [{"series": named % "good", "values": good}, {"series": named % "bad", "values": bad}]


def series(name: str, values: str, **labels: str) -> dict[str, str]:
    """One series of Narrows."""
    matchers = ",".join(f'narrows_{key}="{value}"' for key, value in labels.items())
    return {"series": f"{name}{{{matchers}}}", "values": values}


# What happens, minute by minute; at which minute it is looked at; and the alerts that are told then.
CASES = {
    "nobody is there": ([{"series": "up", "values": "0x60"}], "10m", ["NarrowsAbsent"]),
    "quiet": (calls(SUGGEST, "0+997x300", "0+3x300"), "4h", []),
    "nobody calls": (calls(SUGGEST, "0x300", "0x300"), "4h", []),
    "one bad of a few": (calls(SUGGEST, "0+1x20 20x100", "0x10 1x110"), "1h", []),
    "burns fast": (calls(SUGGEST, "0+90x120", "0+10x120"), "1h30m", ["NarrowsFastBurn", "NarrowsSlowBurn"]),
    "burns no more": (calls(SUGGEST, "0+90x60 5400+100x120", "0+10x60 600x120"), "2h30m", ["NarrowsSlowBurn"]),
    "burns slowly": (calls(SUGGEST, "0+98x300", "0+2x300"), "4h", ["NarrowsSlowBurn"]),
    "within the budget again": (calls(SUGGEST, "0+99x60 5940+100x600", "0+1x60 60x600"), "9h", []),
    "the first stop of a budget": (
        [series("narrows_budget_events_total", "_x10 1x60", tenant="acme", rule="5 EUR/day", event="hard")],
        "12m", ["NarrowsBudgetStopped"],
    ),
    "long after it": (
        [series("narrows_budget_events_total", "_x10 1x60", tenant="acme", rule="5 EUR/day", event="hard")], "50m", [],
    ),
    "near": ([series("narrows_budget_events_total", "0x9 1x60", event="soft")], "12m", ["NarrowsBudgetNear"]),
    "unusual": ([series("narrows_alerts_total", "_x5 1x60", alert="refusals")], "6m", ["NarrowsUnusual"]),
    "a store is there again": ([series("narrows_store_away_total", "_x5 1x9", store="limits", event="back")], "7m", []),
    "a store is away": ([series("narrows_store_away_total", "0x5 4x9", store="limits")], "7m", ["NarrowsStoreAway"]),
    "denied now and then": (
        [series("narrows_calls_total", "0+1x60", endpoint=SUGGEST, outcome="denied", mode="live")], "1h", [],
    ),
    "somebody tries ids": (
        [series("narrows_calls_total", "0+20x60", endpoint=SUGGEST, outcome="denied", connector="copilot")],
        "1h", ["NarrowsDenials"],
    ),
    "an upstream fails": (
        [
            {
                "series": 'narrows_upstream_duration_seconds_count{narrows_operation="Tables.book",'
                'error_type="urn:narrows:problem:upstream-failed"}',
                "values": "0+3x60",
            },
            series("narrows_upstream_duration_seconds_count", "0+9x60", operation="Tables.book"),
        ],
        "40m", ["NarrowsUpstreamFailing"],
    ),
    "it refuses": (
        [
            {
                "series": 'narrows_upstream_duration_seconds_count{narrows_operation="Tables.book",'
                'error_type="urn:where2eat:problem:table-taken"}',
                "values": "0+3x60",
            },
        ],
        "40m", [],
    ),
    "no tokens": (
        [series("narrows_exchanges_total", "0+1x60", event=event) for event in ("failed", "made")],
        "40m", ["NarrowsExchangeFailing"],
    ),
    "without a promise": (
        [
            series("narrows_calls_total", "0+1x60", endpoint="where2eat.team_bookings", mode="live", outcome=outcome)
            for outcome in ("failed", "ok")
        ],
        "40m", ["NarrowsFailing"],
    ),
    "audit fails": (
        [series("narrows_audit_commit_size_total", "0x5 7x9", outcome="failed")], "7m", ["NarrowsAuditFailing"],
    ),
    "audit is slow": (
        [
            {"series": 'narrows_audit_commit_duration_seconds_bucket{le="1.0"}', "values": "0+1x60"},
            {"series": 'narrows_audit_commit_duration_seconds_bucket{le="2.5"}', "values": "0+9x60"},
            {"series": 'narrows_audit_commit_duration_seconds_bucket{le="+Inf"}', "values": "0+9x60"},
        ],
        "40m", ["NarrowsAuditSlow"],
    ),
    "webhooks come late": ([series("narrows_webhooks_total", "_x5 1x9", event="failed")], "7m", []),
    "webhooks do not arrive": ([series("narrows_webhooks_total", "_x5 1x9", event="abandoned")], "7m",
                               ["NarrowsWebhooksFailing"]),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_alerts_are_told_when_they_should_and_at_no_other_time(case, rules, tmp_path):
    """Prometheus' own tool plays each course of events: just these alerts are told, and no other."""
    course, at, told = CASES[case]
    if "NarrowsAbsent" not in told:
        course = [*course, series("narrows_info", "1x9999", bff="where2eat", version="1.0.0")]
    known = {rule["alert"] for group in yaml.safe_load(rules.read_text())["groups"] for rule in group["rules"]
             if "alert" in rule}  # fmt: skip
    assert set(told) <= known
    looks = [
        {
            "expr": f'count by (alertname) (ALERTS{{alertname="{name}",alertstate="firing"}})',
            "eval_time": at,
            "exp_samples": [{"labels": f'{{alertname="{name}"}}', "value": 1}] if name in told else [],
        }
        for name in sorted(known)
    ]
    test = {"interval": "1m", "input_series": course, "promql_expr_test": looks}
    file = tmp_path / "test.yml"
    file.write_text(json.dumps({"rule_files": [str(rules)], "evaluation_interval": "1m", "tests": [test]}))
    tested = promtool("test", "rules", file)
    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_every_alert_is_played(rules):
    """No alert is written that no course of events has shown to be told."""
    known = {rule["alert"] for group in yaml.safe_load(rules.read_text())["groups"] for rule in group["rules"]
             if "alert" in rule}  # fmt: skip
    assert {name for _, _, told in CASES.values() for name in told} == known
