"""The reference of records lists every field of each kind, and no other."""

import re
from typing import get_args, get_type_hints

import pytest

from narrows.audit.decision import DecisionRecord
from narrows.audit.events import Event
from narrows.audit.record import Record
from narrows.cli.audit import command
from tests.docs.pages import ROOT

PAGE = ROOT / "docs" / "reference" / "records.md"
KINDS = {"Calls": Record, "Events": Event, "Decisions": DecisionRecord}


def sections():
    """The text of the page by the kind that it is about."""
    parts = re.split(r"^## (.+)$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


@pytest.mark.parametrize("heading", KINDS)
def test_every_field_has_its_row(heading):
    """In the order in which the record has them."""
    rows = re.findall(r"^\| `(\w+)` \|", sections()[heading], re.MULTILINE)
    assert set(rows) == set(KINDS[heading].__struct_fields__)
    assert len(rows) == len(set(rows))


@pytest.mark.parametrize("heading", KINDS)
def test_every_kind_is_named(heading):
    """Whoever reads the page knows what may stand in `event`, and the command finds each."""
    kinds = get_args(get_type_hints(KINDS[heading])["event"])
    assert kinds
    known = next(p.type.choices for p in command.commands["search"].params if p.name == "event")
    for kind in kinds:
        assert f"`{kind}`" in sections()[heading]
        assert kind in known
