"""How `narrows connector` shows connectors: as data for programs, and as lines for people."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from narrows.cli.saying import say

if TYPE_CHECKING:
    from narrows.governance.connectors import Difference, Governor
    from narrows.stores.registry import Change, Registered

_SENSITIVE = "SENSITIVE: its endpoints answer personal or secret data; who approves it approves that"
_KINDS = {"new": "new", "changed": "changed", "same": "the same", "absent": "in the registry, and no file: revoke it"}


def summary(governor: Governor, entry: Registered) -> dict[str, Any]:
    """One connector in a line."""
    return {
        "connector": entry.id,
        "state": governor.state(entry),
        "version": entry.version,
        "kind": entry.record.kind,
        "template": entry.record.template,
        "owner": entry.record.owner,
        "digest": entry.record.digest(),
        "sensitive": entry.record.sensitive,
    }


def whole(governor: Governor, entry: Registered, history: list[Change]) -> dict[str, Any]:
    """All that may be shown of one connector."""
    import msgspec

    from narrows.stores.registry import credential_end, holding

    approval = entry.approval
    return {
        **summary(governor, entry),
        "record": {name: value for name, value in msgspec.to_builtins(entry.record).items() if name != "id"},
        "approval": {**msgspec.to_builtins(approval), "at": moment(approval.at)} if approval else None,
        "credentials": [
            {
                "id": one.id,
                "kind": "secret" if one.jwk is None else "public key",
                "made": moment(one.made),
                "ends": moment(credential_end(entry.record, one)),
            }
            for one in holding(entry, time.time())
        ],
        "tokens_after": moment(entry.tokens_after) if entry.tokens_after is not None else None,
        "history": [{**msgspec.to_builtins(change), "at": moment(change.at)} for change in history],
    }


def tell_differences(found: list[Difference], form: str) -> None:
    """What differs between files and registry, field by field."""
    if form == "json":
        import msgspec

        tell_json([{**msgspec.to_builtins(one), "widening": one.widening} for one in found])
        return
    for one in found:
        state = f"{one.before or 'nothing'} → {one.after}" if one.before != one.after else f"stays {one.after}"
        say(f"{one.connector}: {_KINDS[one.kind]}" + ("" if one.kind in ("same", "absent") else f", {state}"))
        for field in one.fields:
            mark = "  WIDENING" if field.widening and one.kind == "changed" else ""
            say(f"  {field.field}: {_change(field.before, field.after)}{mark}")
    if not found:
        say("There is no file, and nothing in the registry.")


def _change(before: Any, after: Any) -> str:
    """A change of one field; of a list, what came and what went."""
    if isinstance(before, list | tuple) and isinstance(after, list | tuple):
        parts = [f"+{value}" for value in after if value not in before]
        return ", ".join(parts + [f"-{value}" for value in before if value not in after]) or "in another order"
    return _shown(after) if before is None else f"{_shown(before)} → {_shown(after)}"


def _shown(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)


def tell_table(rows: list[dict[str, Any]], form: str) -> None:
    """Connectors, one a line."""
    if form == "json":
        tell_json(rows)
        return
    if not rows:
        say("The registry is empty. Put your files into it: narrows connector apply.")
        return
    columns = ("connector", "state", "version", "kind", "template", "owner")
    widths = [max(len(name), *(len(str(row[name])) for row in rows)) for name in columns]
    for row in [{name: name.upper() for name in columns}, *rows]:
        line = "  ".join(str(row[name]).ljust(width) for name, width in zip(columns, widths, strict=True))
        say(line.rstrip())


def tell_changed(row: dict[str, Any], form: str, *, approving: bool = False) -> None:
    """What became of one connector."""
    if form == "json":
        tell_json(row)
        return
    say(f"{row['connector']}: {row['state']}, version {row['version']}, digest {row['digest'][:12]}")
    if row["sensitive"] and approving:
        say(_SENSITIVE)
    if "secret" in row:
        say(f"secret: {row['secret']}")
        say("It is shown this once, and kept nowhere: hand it to the owner by a safe way.")


def tell_sheet(whole: dict[str, Any]) -> None:
    """All of one connector, for a person."""
    say(f"{whole['connector']}: {whole['state']}, version {whole['version']}")
    say(f"digest {whole['digest']}")
    if whole["sensitive"]:
        say(_SENSITIVE)
    for name, value in whole["record"].items():
        say(f"  {name}: {_shown(value)}")
    approval = whole["approval"]
    carried = " (of a wider record before)" if approval and approval["carried_from"] else ""
    say(f"approved: {approval['by']}, {approval['at']}{carried}" if approval else "approved: by nobody")
    for one in whole["credentials"]:
        say(f"credential {one['id']}: {one['kind']}, made {one['made']}, ends {one['ends']}")
    if whole["tokens_after"]:
        say(f"tokens: only those issued after {whole['tokens_after']}")
    say("history:")
    for change in whole["history"]:
        states = f"{change['before'] or 'nothing'} → {change['after'] or 'nothing'}"
        by = f"{change['by']} ({change['os_user'] or 'no account'})"
        note = f": {change['note']}" if change["note"] else ""
        say(f"  {change['at']}  {change['action']}  {states}  by {by}  {change['digest'][:12]}{note}")


def moment(at: float) -> str:
    """Seconds since 1970 as RFC 3339, in UTC."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def tell_json(value: Any) -> None:
    """A value for a program."""
    import msgspec

    say(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())
