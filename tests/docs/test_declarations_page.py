"""The reference of declarations has a row for every argument, and every public name stands on it or in a guide."""

import builtins
import inspect
import re
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from uuid import UUID

import pytest

import narrows
from narrows.declare.bff import Guards
from tests.docs.pages import ROOT, guides
from tests.unit.surfaces.graphql.schemas import schema_of, type_of

PAGE = (ROOT / "docs" / "reference" / "declarations.md").read_text(encoding="utf-8")
# In the prose of their section instead of its table.
IN_PROSE = {"status", "method", "path", "name"}


def section(heading: str) -> str:
    """The text of one section, by the beginning of its heading."""
    (text,) = [part for part in re.split(r"^## ", PAGE, flags=re.MULTILINE) if part.startswith(heading)]
    return text


def arguments(function) -> set[str]:
    """What a function takes by name; guards are declared as one table for reads and writes."""
    found = inspect.signature(function).parameters
    named = {name for name, one in found.items() if one.kind is one.KEYWORD_ONLY}
    return named | (Guards.__annotations__.keys() if "guards" in found else set())


@pytest.mark.parametrize(
    ("heading", "function"),
    [
        ("`Bff(", narrows.Bff),
        ("`@bff.read", narrows.Bff.read),
        ("`@bff.read", narrows.Bff.write),
        ("`bff.graphql", narrows.Bff.graphql),
        ("`Upstream`", narrows.read),
        ("`Upstream`", narrows.write),
    ],
)
def test_every_argument_has_its_row_and_no_other(heading, function):
    """Whoever looks an argument up finds it; what the table tells can be given."""
    rows = set(re.findall(r"^\| `(\w+)` \|", section(heading).partition("\n### ")[0], re.MULTILINE))
    assert arguments(function) - IN_PROSE <= rows
    other = narrows.Bff.write if "bff" in heading else narrows.write if function is narrows.read else function
    assert rows <= arguments(function) | arguments(other)


def test_types_become_those_of_graphql_that_the_page_says():
    """What the page says of a leaf is what a schema has for it."""
    known = {**vars(narrows), **{name: getattr(narrows, name) for name in narrows.__all__}, **vars(builtins)}
    known |= {kind.__name__: kind for kind in (datetime, date, time, timedelta, Decimal, UUID)}
    rows = re.findall(r"^[|] (`[^|]+`) [|] (`[^|:,]+`(?:, `[^|:,]+`)*)", section("`bff.graphql"), re.MULTILINE)
    told = 0
    for types, said in rows:
        names, expected = re.findall(r"`(\w+)`", types), re.findall(r"`(\w+)`", said)
        for name, wanted in zip(names, expected if len(expected) == len(names) else expected * len(names), strict=True):
            if name in known and name != "None":
                told += 1
                assert type_of(schema_of(known[name]), "Query.found") == f"{wanted}!", name
    assert told == 16


def test_every_public_name_is_explained():
    """A name that can be imported and is explained nowhere is one that nobody may rely on."""
    told = PAGE + "".join(page.read_text(encoding="utf-8") for page in guides())
    assert [name for name in narrows.__all__ if not re.search(rf"\b{name}\b", told)] == []


def test_the_public_names_are_sorted_and_each_has_its_home():
    """One list, in one order, whichever way the names are read."""
    assert narrows.__all__ == sorted(narrows.__all__) == sorted(narrows._HOMES) == dir(narrows)
    assert all(getattr(narrows, name) is not None for name in narrows.__all__)
