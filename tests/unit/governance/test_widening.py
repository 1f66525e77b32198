import pytest

from narrows.declare.templates import TEMPLATES
from narrows.governance.widening import _JUDGES, differences
from tests.unit.declare.records import record

BASE = {
    "expires": "2027-05-01",
    "agreement": "C-7",
    "budgets": ["5.00 EUR/day"],
    "volumes": ["1 MB/week"],
    "rates": ["60/minute"],
}


def widens(before: dict, after: dict) -> dict[str, bool]:
    """The fields that differ, and whether each of them widens."""
    found = differences(record(**{**BASE, **before}), record(**{**BASE, **after}))
    return {change.field: change.widening for change in found}


@pytest.mark.parametrize(
    ("before", "after", "widening"),
    [
        ({}, {"endpoints": ["lunch.team"]}, False),
        ({"endpoints": ["lunch.team"]}, {}, True),
        ({"endpoints": ["lunch.team"]}, {"endpoints": ["lunch.book"]}, True),
        ({"scopes": ["a", "b"]}, {"scopes": ["b"]}, False),
        ({"scopes": ["a"]}, {"scopes": ["b", "a"]}, True),
        ({}, {"rates": ["59/minute"]}, False),
        ({}, {"rates": ["61/minute"]}, True),
        ({}, {"rates": ["1/second"]}, False),
        ({}, {"rates": ["60/hour", "2/second"]}, False),
        ({}, {"rates": ["60/minute per caller"]}, True),
        ({}, {"rates": ["60/minute", "5 concurrent"]}, False),
        ({"rates": ["60/minute", "5 concurrent"]}, {}, True),
        ({"rates": ["60/minute", "5 concurrent"]}, {"rates": ["60/minute", "4 concurrent"]}, False),
        ({"rates": ["60/minute", "5 concurrent"]}, {"rates": ["60/minute", "6 concurrent"]}, True),
        ({"rates": ["60/minute", "5 concurrent"]}, {"rates": ["60/minute", "5/day"]}, True),
        ({"rates": ["60/minute", "5 concurrent per caller"]}, {"rates": ["60/minute", "5 concurrent"]}, False),
        ({}, {"rates": ["1 concurrent"]}, True),
        ({"rates": ["60/minute", "5/minute per caller"]}, {}, True),
        ({"rates": ["60/minute", "5/minute per caller"]}, {"rates": ["5/minute"]}, False),
        ({}, {"budgets": ["4.00 EUR/day"]}, False),
        ({}, {"budgets": ["5.00 EUR/week"]}, False),
        ({}, {"budgets": ["6.00 EUR/day"]}, True),
        ({}, {"budgets": ["5.00 USD/day"]}, True),
        ({}, {"budgets": ["5.00 EUR/day per caller"]}, True),
        ({"budgets": ["5.00 EUR/day per caller"]}, {}, False),
        ({"budgets": ["5.00 EUR/week"]}, {"budgets": ["5.00 EUR/month"]}, True),
        ({}, {"documents": "match"}, True),
        ({"documents": "match"}, {"documents": "log"}, True),
        ({"documents": "log"}, {"documents": "match"}, False),
        ({"documents": "match"}, {}, False),
        ({}, {"volumes": ["500 kB/week"]}, False),
        ({}, {"volumes": ["1 MB/day"]}, True),
        ({}, {"volumes": ["1 records/week"]}, True),
        ({}, {"volumes": []}, True),
        ({"volumes": []}, {}, False),
        ({}, {"budgets": []}, True),
        ({"budgets": []}, {}, False),
        ({}, {"price_ceiling": "0.09 EUR"}, False),
        ({}, {"price_ceiling": None}, False),
        ({}, {"price_ceiling": "0.11 EUR"}, True),
        ({}, {"price_ceiling": "0.01 USD"}, True),
        ({"price_ceiling": None}, {}, True),
        ({}, {"template": "read-only@1"}, False),
        ({"template": "read-only@1"}, {}, True),
        ({}, {"template": "limited-write@2"}, True),
        ({"template": "limited-write@2"}, {}, True),
        ({}, {"kind": "copilot"}, False),
        ({"kind": "copilot"}, {}, True),
        ({"kind": "service"}, {"kind": "partner"}, True),
        ({}, {"expires": "2027-04-30"}, False),
        ({}, {"expires": "2027-05-02"}, True),
        ({}, {"expires": None}, True),
        ({"expires": None}, {}, False),
        ({}, {"sensitive": False}, False),
        ({"sensitive": False}, {}, True),
        ({}, {"issuer": "other"}, True),
        ({}, {"client_id": "other"}, True),
        ({}, {"tenant": "other"}, True),
        ({}, {"owner": "other"}, True),
        ({}, {"purpose": "Something else"}, True),
        ({}, {"agreement": "C-8"}, True),
        ({}, {"version": "2"}, False),
        ({}, {"contact": "other"}, False),
        ({}, {"platform": "web"}, False),
    ],
)
def test_more_than_before_widens(before, after, widening):
    """More endpoints, scopes, rates, money or time, a looser kind or template, or another program or purpose."""
    found = widens(before, after)
    assert list(found.values()) == [widening], found


def test_nothing_differs_from_itself():
    """And of a new one everything is more."""
    assert widens({}, {}) == {}
    found = differences(None, record())
    assert {change.field for change in found} == {name for name in record().__struct_fields__ if name != "id"}
    assert all(change.widening and change.before is None for change in found)


def test_a_field_that_nobody_judges_widens():
    """A field that is added to the record is careful until it is thought about."""
    assert set(_JUDGES) < set(record().__struct_fields__)


def test_the_templates_are_ordered():
    """Whoever adds one decides which is the looser."""
    assert list(TEMPLATES) == ["read-only@1", "limited-write@1"]
