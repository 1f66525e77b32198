"""The guide to policies shows a policy whose tests pass, and the document that a policy is really asked."""

import json

from narrows import Bff
from narrows.governance.asked import Grant, asked
from narrows.governance.policy import Gate
from tests.docs.pages import ROOT, blocks
from tests.flow.minimal import FACTS

PAGE = ROOT / "docs" / "guide" / "policies.md"


def test_the_policy_of_the_guide_is_taken(tmp_path):
    """Its form holds and its tests pass; without them it is refused, as the guide says."""
    policy, tests = [block.text for block in blocks(PAGE, "text")]
    (tmp_path / "night.rego").write_text(policy, encoding="utf-8")
    assert [refusal.code for refusal in Gate.reading([tmp_path]).refusals] == ["rego-untested"]
    (tmp_path / "night_test.rego").write_text(tests, encoding="utf-8")
    assert Gate.reading([tmp_path]).refusals == ()


def test_the_document_has_the_fields_of_the_guide():
    """Whoever writes a policy by the guide meets no field that is not there."""
    shown = json.loads(blocks(PAGE, "json")[0].text)
    grant = Grant(grant="data:export", digest="d", by="security@example.com")
    made = asked("apply", {}, lunch(), digest="d", grants=[grant])
    assert shape(shown) == shape(made)


def lunch():
    """A BFF with one endpoint that uses one operation."""
    from tests.flow.minimal import Tables

    bff = Bff("lunch", **FACTS)

    @bff.write("/bookings", roles={"member"}, scope="lunch:book", uses=[Tables.book], rate="5/minute")
    async def book() -> None:
        """Book a table."""

    return bff


def shape(value):
    """The keys of a document, at every depth."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    return [shape(value[0])] if isinstance(value, list) and value and isinstance(value[0], dict) else type(value)
