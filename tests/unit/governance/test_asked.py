"""What a policy is asked: of a document too, what it uses."""

from narrows.governance.asked import asked
from tests.flow.minimal import make_bff
from tests.unit.declare import records
from tests.unit.declare.test_connectors import document


def test_a_document_stands_among_the_endpoints_with_what_its_fields_use():
    """A policy judges a document by the operations of its fields, as often as it asks for them."""
    bff = make_bff()
    found = asked("apply", records.record(), bff, documents=[document()])["bff"]["endpoints"]
    assert [one["id"] for one in found] == [*(one.id for one in bff.endpoints), "lunch.mine"]
    uses = {use["id"]: use["times"] for use in found[-1]["uses"]}
    # One of its own, as a join has, one of the team, and two bookings.
    assert uses == {"People.team": 1 + 1, "Tables.book": 2}


def test_how_a_connector_may_name_documents_is_told():
    """So that a policy can keep every connector from sending text."""
    assert asked("apply", records.record(documents="log"), make_bff())["connector"]["documents"] == "log"
    assert asked("apply", records.record(), make_bff())["connector"]["documents"] == "id"
