"""A file of rules as Prometheus reads it: groups of recordings and alerts, written as YAML."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple


class Record(NamedTuple):
    """A series that is worked out from others."""

    name: str
    expression: str
    labels: Mapping[str, str] = {}


class Alert(NamedTuple):
    """What somebody is told when an expression holds; `lasting` is how long it has to."""

    name: str
    expression: str
    labels: Mapping[str, str]
    summary: str
    description: str
    lasting: str | None = None


class Group(NamedTuple):
    """Rules that are worked out one after the other, as often as `interval` says."""

    name: str
    interval: str
    rules: Sequence[Record | Alert]


def write_rules(groups: Iterable[Group], head: str) -> str:
    """The file; the same groups give the same text. `head` is a comment of one line."""
    lines = [f"# {head}", "groups:"]
    for group in groups:
        lines += [f"  - name: {_text(group.name)}", f"    interval: {group.interval}", "    rules:"]
        for rule in group.rules:
            lines += _rule(rule)
    return "\n".join(lines) + "\n"


def _rule(rule: Record | Alert) -> Iterator[str]:
    kind = "record" if isinstance(rule, Record) else "alert"
    yield f"      - {kind}: {_text(rule.name)}"
    yield "        expr: |-"
    yield from (f"          {line}" for line in rule.expression.splitlines())
    if isinstance(rule, Alert) and rule.lasting is not None:
        yield f"        for: {rule.lasting}"
    if rule.labels:
        yield from _table("labels", rule.labels)
    if isinstance(rule, Alert):
        yield from _table("annotations", {"summary": rule.summary, "description": rule.description})


def _table(name: str, values: Mapping[str, str]) -> Iterator[str]:
    yield f"        {name}:"
    yield from (f"          {key}: {_text(value)}" for key, value in values.items())


def _text(value: str) -> str:
    """Text between quotes: what JSON quotes, YAML reads."""
    return json.dumps(value, ensure_ascii=False)
