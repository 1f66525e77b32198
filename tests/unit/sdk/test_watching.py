"""What operators watch a BFF with: rules and a dashboard, made of its declarations and of nothing else."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any

import pytest
import yaml

from bffs.where2eat.app import bff as where2eat
from narrows import Bff
from narrows.declare.slo import Slo
from narrows.plan import Plan
from narrows.sdk.dashboard import grafana_dashboard
from narrows.sdk.objectives import FAST, RECORDED, SLOW, objectives
from narrows.sdk.promql import Series, fits, grew, is_, ratio, risen, share
from narrows.sdk.rules import prometheus_rules
from narrows.telemetry_names import METRICS, label, prometheus
from tests.flow.minimal import FACTS
from tests.flow.world import make_settings

NAME = re.compile(r"\b(?:narrows|http)_\w+(?=[{\[ )])")
RECORDING = re.compile(r"(?<!:)\bnarrows:\w+:?\w*")


@pytest.fixture(scope="module")
def plan() -> Plan:
    """The plan of Where2Eat."""
    return Plan(where2eat, make_settings())


@pytest.fixture(scope="module")
def rules(plan: Plan) -> dict[str, list[dict[str, Any]]]:
    """The rules by the names of their groups."""
    return {group["name"]: group["rules"] for group in yaml.safe_load(prometheus_rules(plan))["groups"]}


@pytest.fixture(scope="module")
def dashboard(plan: Plan) -> dict[str, Any]:
    """The dashboard."""
    made: dict[str, Any] = json.loads(grafana_dashboard(plan))
    return made


def empty() -> Plan:
    """A BFF that declares no endpoint."""
    return Plan(Bff("empty", **FACTS), make_settings())


def expressions(dashboard: dict[str, Any]) -> list[str]:
    """Every query."""
    return [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]


def known() -> set[str]:
    """Every name that can be asked for."""
    shown = {prometheus(name) for name in METRICS}
    return shown | {f"{name}_{part}" for name in shown for part in ("bucket", "count")}


def test_every_objective_has_its_burn_alerts(rules: dict[str, list[dict[str, Any]]]) -> None:
    """Two windows at once, two speeds, and thresholds that follow from the objective."""
    alerts = {(rule["alert"], rule["labels"]["narrows_endpoint"]): rule for rule in rules["narrows-where2eat-burning"]}
    declared = [endpoint.id for endpoint, _ in objectives(where2eat)]
    assert sorted(alerts) == sorted((kind, one) for kind in ("NarrowsFastBurn", "NarrowsSlowBurn") for one in declared)
    fast = alerts["NarrowsFastBurn", "where2eat.dining_suggestions"]
    for window, most in (("1h", "0.0672"), ("5m", "0.0672"), ("6h", "0.028"), ("30m", "0.028")):
        assert f'ratio_rate{window}{{narrows_endpoint="where2eat.dining_suggestions"}} > {most}\n' in fast["expr"]
    assert fast["labels"]["severity"] == "page"
    assert "99.5% under 2000ms" in fast["annotations"]["description"]
    assert alerts["NarrowsSlowBurn", "where2eat.book_table"]["labels"]["severity"] == "ticket"


def test_a_budget_is_gone_as_soon_as_the_rates_say() -> None:
    """The rate times its long window is the part of 28 days that is named."""
    assert [burn.rate for burn in (*FAST, *SLOW)] == [
        Decimal("13.44"), Decimal("5.6"), Decimal("2.8"), Decimal("0.9333"),
    ]  # fmt: skip


def test_all_that_is_recorded_is_listed_and_used(rules: dict[str, list[dict[str, Any]]]) -> None:
    """No rule or panel asks for a recording that there is not."""
    recorded = {rule["record"] for group in rules.values() for rule in group if "record" in rule}
    assert recorded == RECORDED
    asked = {name for group in rules.values() for rule in group for name in RECORDING.findall(rule["expr"])}
    assert asked <= RECORDED


def test_rules_and_panels_ask_for_what_there_is(
    rules: dict[str, list[dict[str, Any]]], dashboard: dict[str, Any]
) -> None:
    """Every metric is one of the list, and every recording one of the rules."""
    written = [rule["expr"] for group in rules.values() for rule in group] + expressions(dashboard)
    labels = {label(key) for metric in METRICS.values() for key in metric.labels}
    asked = {name for one in written for name in NAME.findall(one)} - labels
    assert asked <= known()
    assert {name for one in written for name in RECORDING.findall(one)} <= RECORDED
    for wanted in ("budget_events", "alerts", "store_away", "audit_queue", "exchanges", "narrowed_size", "price"):
        assert any(f"narrows_{wanted}" in name for name in asked), wanted


def test_endpoints_without_an_objective_are_watched_too(rules: dict[str, list[dict[str, Any]]]) -> None:
    """One rule for all of them, and for none that has an objective."""
    (failing,) = [rule for rule in rules["narrows-where2eat"] if rule["alert"] == "NarrowsFailing"]
    assert "cancel_booking" in failing["expr"]
    assert "book_table" not in failing["expr"]
    upstream = next(rule for rule in rules["narrows-where2eat"] if rule["alert"] == "NarrowsUpstreamFailing")
    assert all(f"Tables\\\\.{name}" in upstream["expr"] for name in ("book", "booking", "cancel", "of_team"))
    assert all({"summary", "description"} == set(rule["annotations"]) for rule in rules["narrows-where2eat"])


def test_a_bff_that_promises_nothing_has_no_objectives() -> None:
    """Its rules and its dashboard leave them out, and hold what is left."""
    plan = empty()
    groups = yaml.safe_load(prometheus_rules(plan))["groups"]
    assert [group["name"] for group in groups] == ["narrows-empty"]
    assert "NarrowsFailing" not in {rule["alert"] for rule in groups[0]["rules"]}
    titles = [panel["title"] for panel in json.loads(grafana_dashboard(plan))["panels"]]
    assert "Objectives" not in titles
    assert "Money" in titles


def test_a_job_is_in_every_selector(plan: Plan) -> None:
    """With several BFFs behind one Prometheus, none is watched by the rules of another."""
    for expression in expressions(json.loads(grafana_dashboard(plan, 'lunch "b"'))):
        for name, after in re.findall(r"\b(narrows_\w+)(\{[^}]*\}|\[)", expression):
            assert after.startswith('{job="lunch \\"b\\""'), (name, expression)
    assert 'narrows_webhooks_total{job="lunch",narrows_event!~"delivered|failed"}' in prometheus_rules(plan, "lunch")


def test_the_same_declarations_give_the_same_bytes(plan: Plan) -> None:
    """So that what is made can be kept in a repository, and a difference means one."""
    again = Plan(where2eat, make_settings())
    assert prometheus_rules(plan) == prometheus_rules(again)
    assert grafana_dashboard(plan) == grafana_dashboard(again)


def test_the_dashboard_has_the_form_that_grafana_reads(dashboard: dict[str, Any]) -> None:
    """Version, id, panels with types, places, units, data source and queries; none lies over another."""
    assert dashboard["schemaVersion"] >= 39
    assert re.fullmatch(r"[a-zA-Z0-9-]{1,40}", dashboard["uid"])
    panels = dashboard["panels"]
    assert [panel["id"] for panel in panels] == list(range(1, len(panels) + 1))
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
        if panel["type"] != "row":
            assert panel["type"] in ("timeseries", "stat", "bargauge")
            assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
            assert panel["fieldConfig"]["defaults"]["unit"]
            assert panel["fieldConfig"]["defaults"]["thresholds"]["steps"][0]["value"] is None
            assert [target["refId"] for target in panel["targets"]] == [*"ABCD"][: len(panel["targets"])]
            assert all(target["range"] != target["instant"] for target in panel["targets"])


def test_what_is_chosen_at_the_top_is_what_queries_ask_for(dashboard: dict[str, Any]) -> None:
    """Every variable is used, and every one that is used can be chosen."""
    variables = {variable["name"]: variable for variable in dashboard["templating"]["list"]}
    used = {name for one in expressions(dashboard) for name in re.findall(r"\$(\w+)", one)} - {"__rate_interval"}
    assert used | {"datasource"} == set(variables)
    assert variables["endpoint"]["allValue"] == "where2eat[.].+"
    assert variables["tenant"]["allValue"] == ".*"
    assert "label_values(narrows_calls_total{" in variables["connector"]["query"]["query"]


def test_each_objective_has_its_panel(dashboard: dict[str, Any]) -> None:
    """With the lines from which somebody is told."""
    titles = {panel["title"]: panel for panel in dashboard["panels"]}
    for endpoint, slo in objectives(where2eat):
        panel = titles[f"{endpoint.id.partition('.')[2]} burns: {slo}"]
        assert [step["value"] for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]] == [None, 2.8, 13.44]
        assert f"/ {Slo.parse(endpoint.slo or '').budget.normalize():f}" in panel["targets"][0]["expr"]


def test_only_what_is_listed_can_be_asked_for() -> None:
    """A metric, a label or a part of a histogram that there is not is found when the rules are made."""
    series = Series()
    assert series("narrows.calls", mode=is_("live")) == 'narrows_calls_total{narrows_mode="live"}'
    assert series("narrows.audit.queue") == "narrows_audit_queue"
    for wrong in (("narrows.canaries", ""), ("narrows.calls", "_bucket"), ("narrows.call.duration", "")):
        with pytest.raises(ValueError, match=r"narrows\."):
            series(*wrong)  # type: ignore[arg-type] # what is tested
    with pytest.raises(ValueError, match="no label"):
        series("narrows.calls", caller=is_("anna"))


def test_how_expressions_are_written() -> None:
    """Sums by labels, a share that is 0 and not nothing, and growth that sees a series begin."""
    assert fits('a"b') == '=~"a\\"b"'
    assert ratio("a", "b", "endpoint") == "sum by (narrows_endpoint) (a) / sum by (narrows_endpoint) (b)"
    assert share("a", "b") == "(sum (a) or 0 * sum (b)) / sum (b)"
    rose = "(increase(x[5m]) and x offset 5m) or (x unless x offset 5m)"
    assert (risen("x", "5m"), grew("x", "5m", "rule")) == (rose, f"sum by (narrows_rule) ({rose}) > 0")
