"""The guide to connectors shows a record that holds, and the templates as they are."""

import re

from bffs.where2eat.app import bff
from narrows.declare.connectors import read_record
from narrows.declare.templates import TEMPLATES, outside
from tests.docs.pages import ROOT, blocks

PAGE = ROOT / "docs" / "guide" / "connectors.md"


def test_the_record_of_the_guide_holds(tmp_path):
    """It is read as it stands there, and is within its template."""
    [block] = [block for block in blocks(PAGE, "text") if "client_id" in block.text]
    file = tmp_path / "page.toml"
    file.write_text(block.text, encoding="utf-8")
    record = read_record(file).record
    assert (record.id, record.kind) == ("page", "low-code")
    assert outside(record, bff, ["corp"]) == []


def test_the_templates_of_the_guide_are_those_that_ship():
    """Each with its caps."""
    rows = re.findall(r"^\| `(\S+@\d+)` \|(.+)\|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert [name for name, _ in rows] == list(TEMPLATES)
    for name, row in rows:
        template = TEMPLATES[name]
        endpoints, rate, price, needs, age = (cell.strip() for cell in row.split("|"))
        assert ("writes" in endpoints) is template.writes
        assert rate == f"up to {template.rate.amount} a minute"
        assert template.rate.seconds == 60
        assert price == f"up to {template.price}"
        assert needs == {"open": "nothing more", "receipt": "a receipt"}[template.commit]
        assert age == f"{template.credential_days} days"
