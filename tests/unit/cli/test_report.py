"""Refusals for people, programs and code scanning: the same ones, each with its place."""

import json
from pathlib import Path

from narrows.cli.report import report
from narrows.errors import Refusal

ROOT = Path("/srv/lunch apps")
RATE = Refusal(
    code="rate-missing",
    subject="lunch.menu",
    where=f"{ROOT}/bffs/lunch/app.py:12",
    rule="it has no rate",
    remedy='add rate="30/minute"',
)
OUTSIDE = Refusal(code="role-ungrantable", subject="x", where="/opt/x y/app.py", rule="r", remedy="m")
FOUND = {"bffs.lunch.app:bff": [RATE, OUTSIDE], "bffs.pets.app:bff": []}


def test_a_person_reads_place_rule_and_remedy():
    """One line can be clicked, the next says what to write."""
    assert report("text", FOUND, ROOT).splitlines() == [
        "bffs/lunch/app.py:12: lunch.menu: it has no rate [rate-missing]",
        '    remedy: add rate="30/minute"',
        "/opt/x y/app.py:1: x: r [role-ungrantable]",
        "    remedy: m",
        "bffs.lunch.app:bff: 2 refused",
        "bffs.pets.app:bff: ok",
    ]


def test_a_program_reads_every_field():
    """And whether all is well, for each target."""
    document = json.loads(report("json", FOUND, ROOT))
    assert (document["ok"], [target["ok"] for target in document["targets"]]) == (False, [False, True])
    assert document["targets"][0]["refusals"][0] == {
        "code": "rate-missing",
        "subject": "lunch.menu",
        "rule": "it has no rate",
        "remedy": 'add rate="30/minute"',
        "file": "bffs/lunch/app.py",
        "line": 12,
    }
    assert json.loads(report("json", {"a": []}, ROOT))["ok"] is True


def test_code_scanning_reads_sarif():
    """SARIF 2.1.0: what its schema requires is there, rules are found by index, and files by a relative URI."""
    document = json.loads(report("sarif", FOUND, ROOT))
    assert document["version"] == "2.1.0"
    (run,) = document["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == ["rate-missing", "role-ungrantable"]
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] == "error"
        assert result["message"]["text"]
    places = [result["locations"][0]["physicalLocation"] for result in run["results"]]
    assert places[0] == {
        "artifactLocation": {"uri": "bffs/lunch/app.py", "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": 12},
    }
    assert places[1]["artifactLocation"] == {"uri": "file:///opt/x%20y/app.py"}
    assert json.loads(report("sarif", {"a": []}, ROOT))["runs"][0]["results"] == []


HOSTILE = Refusal(
    code="connector-denied",
    subject="connector x\n::add-mask::a",
    where=f"{ROOT}/a\x1b[2Jb.py:1",
    rule="see [the docs](https://evil.test) \\ \u202ex",
    remedy="r\n/opt/other.py:1: y: forged [rate-missing]",
)


def test_a_text_in_a_refusal_forges_no_line():
    """One refusal is two lines for a person, whatever a record or a policy says, and no order to a CI service."""
    lines = report("text", {"a": [HOSTILE]}, ROOT).splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("a\\u001b[2Jb.py:1: connector x\\n::add-mask::a: see ")
    assert lines[1] == "    remedy: r\\n/opt/other.py:1: y: forged [rate-missing]"
    assert not [line for line in lines if not line.isprintable()]


def test_a_text_in_a_refusal_is_no_link_in_code_scanning():
    """SARIF takes `[text](address)` in a message for a link, unless its brackets are escaped."""
    result = json.loads(report("sarif", {"a": [HOSTILE, RATE]}, ROOT))["runs"][0]["results"]
    text = result[0]["message"]["text"]
    assert "see \\[the docs\\](https://evil.test) \\\\ \\u202ex" in text
    assert result[1]["message"]["text"].endswith('Remedy: add rate="30/minute"')
