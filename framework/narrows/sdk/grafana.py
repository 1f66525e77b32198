"""The form of a dashboard of Grafana: rows of panels on a grid of 24 columns, each with its queries and its unit."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, Literal, NamedTuple

SCHEMA_VERSION = 39
"""That of Grafana 11; newer versions lift it to theirs when they load it."""

Kind = Literal["timeseries", "stat", "bargauge", "table"]
Unit = Literal["s", "percentunit", "reqps", "Bps", "bytes", "short", "cps"]

_COLUMNS = 24
_DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
_GREEN, _AMBER, _RED = "green", "orange", "red"


class Query(NamedTuple):
    """One query and how its lines are called; `exemplar` shows the traces that fell into a histogram."""

    expression: str
    legend: str = ""
    exemplar: bool = False


class Step(NamedTuple):
    """From which value on a color holds."""

    value: float
    color: str


class Panel(NamedTuple):
    """What is drawn of some queries."""

    title: str
    queries: Sequence[Query]
    unit: Unit = "short"
    kind: Kind = "timeseries"
    width: int = 8
    height: int = 8
    told: str = ""
    steps: Sequence[Step] = ()
    stacked: bool = False


class Row(NamedTuple):
    """Panels under one heading."""

    title: str
    panels: Sequence[Panel]


class Variable(NamedTuple):
    """What can be chosen at the top: the values of a label of a series."""

    name: str
    title: str
    series: str
    label: str
    every: str = ".*"
    """What stands for all of them; `.*` is also what has no such label, as a call of nobody."""


def write_dashboard(uid: str, title: str, told: str, rows: Iterable[Row], variables: Iterable[Variable]) -> str:
    """The dashboard as JSON; the same rows give the same text."""
    document = {
        "annotations": {"list": []},
        "description": told,
        "editable": True,
        "graphTooltip": 1,
        "links": [],
        "panels": _panels(rows),
        "refresh": "1m",
        "schemaVersion": SCHEMA_VERSION,
        "tags": ["narrows"],
        "templating": {"list": [_SOURCE, *map(_variable, variables)]},
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "browser",
        "title": title,
        "uid": uid,
        "version": 1,
    }
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


_SOURCE = {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus", "hide": 0}


def _variable(variable: Variable) -> dict[str, Any]:
    query = f"label_values({variable.series}, {variable.label})"
    return {
        "name": variable.name,
        "label": variable.title,
        "type": "query",
        "datasource": _DATASOURCE,
        "query": {"query": query, "refId": variable.name},
        "definition": query,
        "includeAll": True,
        "multi": True,
        "allValue": variable.every,
        "current": {"text": "All", "value": "$__all"},
        "refresh": 2,
        "sort": 1,
        "hide": 0,
    }


def _panels(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """All panels with their places: from left to right, then on in the next line."""
    placed: list[dict[str, Any]] = []
    x = y = line = 0
    for row in rows:
        y += line
        placed.append(
            {
                "id": len(placed) + 1,
                "type": "row",
                "title": row.title,
                "collapsed": False,
                "gridPos": {"h": 1, "w": _COLUMNS, "x": 0, "y": y},
                "panels": [],
            }
        )
        x, y, line = 0, y + 1, 0
        for panel in row.panels:
            if x + panel.width > _COLUMNS:
                x, y, line = 0, y + line, 0
            place = {"h": panel.height, "w": panel.width, "x": x, "y": y}
            placed.append({"id": len(placed) + 1, "gridPos": place, **_panel(panel)})
            x, line = x + panel.width, max(line, panel.height)
    return placed


def _panel(panel: Panel) -> dict[str, Any]:
    steps = [{"color": _GREEN, "value": None}, *({"color": step.color, "value": step.value} for step in panel.steps)]
    defaults: dict[str, Any] = {"unit": panel.unit, "thresholds": {"mode": "absolute", "steps": steps}}
    if panel.kind == "timeseries":
        shown = "line" if panel.steps else "off"
        stacking = {"mode": "normal" if panel.stacked else "none", "group": "A"}
        filled = 25 if panel.stacked else 5
        defaults |= {"min": 0, "custom": {"fillOpacity": filled, "stacking": stacking, "showPoints": "never"}}
        defaults["custom"]["thresholdsStyle"] = {"mode": shown}
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.told,
        "datasource": _DATASOURCE,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": _options(panel.kind),
        "targets": [_target(number, query, panel.kind) for number, query in enumerate(panel.queries)],
    }


def _options(kind: Kind) -> dict[str, Any]:
    if kind == "timeseries":
        return {
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
            "tooltip": {"mode": "multi", "sort": "desc"},
        }
    reduced = {"calcs": ["lastNotNull"], "fields": "", "values": False}
    return {"reduceOptions": reduced, "orientation": "auto", **({} if kind == "stat" else {"displayMode": "basic"})}


def _target(number: int, query: Query, kind: Kind) -> dict[str, Any]:
    return {
        "refId": chr(ord("A") + number),
        "datasource": _DATASOURCE,
        "editorMode": "code",
        "expr": query.expression,
        "legendFormat": query.legend or "__auto",
        "range": kind == "timeseries",
        "instant": kind != "timeseries",
        "exemplar": query.exemplar,
    }
