import json
import logging

from narrows.devkit.authority_log import Journal


def test_a_line_is_json_with_the_time_and_the_facts():
    """An event is one JSON object with the clock's time; long and odd texts stay on one line."""
    lines = []
    Journal(lambda: 1.23456, lines.append).write("scope_refused", scope="a\nb\x1b[31m" + "x" * 500, status=3, who=None)
    assert "\n" not in lines[0]
    found = json.loads(lines[0])
    assert (found["event"], found["time"], found["status"], found["who"]) == ("scope_refused", 1.235, 3, None)
    assert len(found["scope"]) == 200


def test_without_a_callable_the_lines_go_to_the_logger(caplog):
    """Refusals are warnings of the logger `narrows.authority`, the rest is information."""
    journal = Journal(lambda: 1.0, None)
    with caplog.at_level(logging.INFO, "narrows.authority"):
        journal.write("scope_refused", scope="data:export")
        journal.write("exchange", outcome="issued")
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert json.loads(caplog.records[0].message)["scope"] == "data:export"
