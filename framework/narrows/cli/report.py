"""Refusals as a person, a program or a code-scanning service reads them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from narrows.cli.saying import harmless, one_line

if TYPE_CHECKING:
    from narrows.errors import Refusal

FORMS = ("text", "json", "sarif")
_PLACE = re.compile(r"(?P<file>.+?)(?::(?P<line>[0-9]+))?")
_SARIF = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def report(
    form: str, found: Mapping[str, Sequence[Refusal]], root: Path, unready: Mapping[str, Sequence[str]] | None = None
) -> str:
    """What was found for each target, in one of `FORMS`; files below `root` are named from there.

    `unready` are the environments of a target that were left out, because their hosts stand for others.
    """
    left = unready or {}
    named = {target: [_named(refusal, root) for refusal in refusals] for target, refusals in found.items()}
    if form == "json":
        return json.dumps(_document(named, left), indent=2)
    return json.dumps(_sarif(named), indent=2) if form == "sarif" else _text(named, left)


def _named(refusal: Refusal, root: Path) -> dict[str, Any]:
    place = _PLACE.fullmatch(refusal.where)
    file = Path(place["file"]) if place else Path(refusal.where)
    if file.is_absolute() and file.is_relative_to(root):
        file = file.relative_to(root)
    told = {name: getattr(refusal, name) for name in ("code", "subject", "rule", "remedy")}
    return {**told, "file": file.as_posix(), "line": int(place["line"]) if place and place["line"] else 1}


def _text(named: Mapping[str, list[dict[str, Any]]], left: Mapping[str, Sequence[str]]) -> str:
    lines = []
    for target, refusals in named.items():
        lines += [
            f"{one_line(r['file'])}:{r['line']}: {one_line(r['subject'])}: {one_line(r['rule'])} [{r['code']}]\n"
            f"    remedy: {one_line(r['remedy'])}"
            for r in refusals
        ]
        named_later = (
            f" (not judged, as their hosts are not named yet: {', '.join(left[target])})" if left.get(target) else ""
        )
        lines.append(f"{target}: {_count(len(refusals))}{named_later}")
    return "\n".join(lines)


def _count(number: int) -> str:
    return f"{number} refused" if number else "ok"


def _document(named: Mapping[str, list[dict[str, Any]]], left: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    return {
        "ok": not any(named.values()),
        "targets": [
            {"target": target, "ok": not found, "refusals": found, "unready": list(left.get(target, ()))}
            for target, found in named.items()
        ],
    }


def _sarif(named: Mapping[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """SARIF 2.1.0; a file outside the folder keeps its absolute URI."""
    results = [refusal for refusals in named.values() for refusal in refusals]
    codes = sorted({refusal["code"] for refusal in results})
    return {
        "$schema": _SARIF,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": {"name": "narrows", "rules": [{"id": code} for code in codes]}},
                "columnKind": "unicodeCodePoints",
                "results": [_result(refusal, codes.index(refusal["code"])) for refusal in results],
            }
        ],
    }


def _result(refusal: dict[str, Any], rule: int) -> dict[str, Any]:
    absolute = refusal["file"].startswith("/")
    place = {"uri": f"{'file://' if absolute else ''}{quote(refusal['file'])}"}
    return {
        "ruleId": refusal["code"],
        "ruleIndex": rule,
        "level": "error",
        "message": {"text": _unlinked(f"{refusal['subject']}: {refusal['rule']}\nRemedy: {refusal['remedy']}")},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": place if absolute else {**place, "uriBaseId": "%SRCROOT%"},
                    "region": {"startLine": refusal["line"]},
                }
            }
        ],
    }


def _unlinked(text: str) -> str:
    """A text whose `[…](…)` becomes no link (SARIF 2.1.0, 3.11.6), and which is shown as it is."""
    return harmless(text.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]") if "](" in text else text)
