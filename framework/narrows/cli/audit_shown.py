"""How records of the audit log are shown: a line each, or all that one says, or JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from narrows.cli.saying import one_line, say

if TYPE_CHECKING:
    from narrows.audit.search import Found

_CALL = "call"
_WIDEST = 24  # of the names of fields: a store may hold what Narrows never wrote
_PLAIN = re.compile(r"[\w.:@/|+-]+")


def tell_json(found: Found) -> None:
    """One record as a line of JSON, with its index."""
    said = {name: value for name, value in found.record.items() if name != "index"}
    say(json.dumps({"index": found.index, **said}, ensure_ascii=False))


def tell_line(found: Found) -> None:
    """One record as a line."""
    record = found.record
    say(one_line(f"{found.index}  {record.get('time', '')}  {_what(record)}  {_who(record)}"))


def tell_sheet(found: Found) -> None:
    """All that one record says: who did what, when, from where, with which program, with what result, at what cost."""
    record = found.record
    say(one_line(f"{found.index}  {record.get('time', '')}  {_what(record)}"))
    rows = dict(_call_rows(record) if record.get("event") == _CALL else _event_rows(record))
    width = min(_WIDEST, max([9, *map(len, rows)]))
    for name, text in rows.items():
        if text:
            say(one_line(f"    {name:<{width}} {text}"))


def _what(record: Mapping[str, Any]) -> str:
    """What happened, in short."""
    if record.get("event") != _CALL:
        words = (record.get("event"), record.get("what") or record.get("asked"), record.get("rule"))
        return " ".join(str(word) for word in words if word)
    endpoint = record.get("endpoint") or f"{record.get('method')}, which led nowhere"
    mode = "" if record.get("mode") == "live" else f" ({record.get('mode')})"
    return f"{endpoint}{mode}: {record.get('outcome')} {record.get('status')}"


def _who(record: Mapping[str, Any]) -> str:
    caller, connector, by = record.get("caller"), record.get("connector"), record.get("by")
    acted = _quoted(by) if by else "nobody"
    # Whom an operator looked up, forgot or revoked is not who did it.
    is_about = record.get("event") == "audit" or record.get("what") == "revoked"
    who = f"{acted} about {caller}" if is_about and caller else caller or acted
    return f"{who} with {connector}" if connector else str(who)


def _call_rows(record: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What a call did, a row each; what the record does not say is empty."""
    get = record.get
    yield "caller", f"{get('caller') or 'nobody'}{_through(get('actors'))}"
    yield "program", _program(record)
    yield "from", str(get("peer") or "")
    yield "arguments", _arguments(record)
    yield "rule", str(get("rule") or "")
    for number, field in enumerate(get("fields") or (), 1):
        yield f"field {number}", _field(field)
    yield "did", ", ".join(get("effects", ())) if get("mode") == "live" else _rehearsed(get("effects", ()))
    yield "result", f"{get('status')}{', ' + get('problem', '') if get('problem') else ''}"
    yield "cost", f"{get('price') or 'no price'}, {get('size', 0)} bytes, {get('duration_ms')} ms"
    yield "rehearsal", _rehearsal(record)
    yield "trace", str(get("trace_id") or "")


def _event_rows(record: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Everything that an event says, by the names of its fields."""
    for name, value in record.items():
        if name not in ("time", "event", "what"):
            between = "" if name == "shape" else ", "  # it is one text, in pieces
            yield name, between.join(map(str, value)) if isinstance(value, list) else str(value)


def _through(actors: Any) -> str:
    return f", through {', then '.join(map(_quoted, actors))}" if actors else ""


def _program(record: Mapping[str, Any]) -> str:
    if not record.get("connector"):
        return ""
    purpose = f": {record['purpose']}" if record.get("purpose") else ""
    version, tenant = record.get("connector_version", ""), record.get("tenant") or "no tenant"
    return f"{record['connector']} {version} of {tenant}{purpose}"


def _arguments(record: Mapping[str, Any]) -> str:
    shown = [f"{name}={_quoted(value)}" for name, value in record.get("arguments", {}).items()]
    hidden = record.get("hidden")
    return "; ".join(part for part in (", ".join(shown), hidden and f"not shown: {', '.join(hidden)}") if part)


def _quoted(value: object) -> str:
    """A value in a row with others; what could pass for more than one of them stands between quotes."""
    return (
        json.dumps(value, ensure_ascii=False) if isinstance(value, str) and not _PLAIN.fullmatch(value) else str(value)
    )


def _field(field: Mapping[str, Any]) -> str:
    """A field of a document: the endpoint that was asked, how it ended, by which rule."""
    rule = f", {field['rule']}" if field.get("rule") else ""
    return f"{field.get('endpoint')}: {field.get('outcome')}{rule}"


def _rehearsed(effects: Any) -> str:
    return f"nothing; it would have done {', '.join(effects)}" if effects else ""


def _rehearsal(record: Mapping[str, Any]) -> str:
    parts = [record.get("rehearsal"), record.get("decision")]
    if record.get("receipt"):
        parts.append(f"with the receipt of {record['receipt']}")
    return " ".join(part for part in parts if part)
