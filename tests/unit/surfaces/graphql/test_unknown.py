"""Query text that is no document: what is kept of it tells what a client asks for, and nothing of anybody."""

import hashlib

import msgspec
import pytest
from graphql import parse, print_ast

from narrows.audit.line import LONGEST
from narrows.declare.document import Document
from narrows.surfaces.graphql.unknown import SHAPE, Unknown
from narrows.testing import Clock
from tests.unit.pipeline import calls

SOURCE = "query Lunch($id: Int!) {\n  team(team_id: $id) { name }\n}\n"


async def of(team_id: int) -> calls.Team:
    """A team."""
    return calls.Team(id=team_id)


def known():
    """One registered document, and an endpoint that is none."""
    plain = calls.declared(of)
    document = Document(
        name="lunch",
        source=SOURCE,
        sha256=hashlib.sha256(SOURCE.encode()).hexdigest(),
        normalised=hashlib.sha256(print_ast(parse(SOURCE)).encode()).hexdigest(),
        operation="query",
        variables=msgspec.Struct,
    )
    return [plain, msgspec.structs.replace(plain, id="lunch.lunch", document=document)]


def event(text, **how):
    """What is put down of a text."""
    return Unknown(known()).event(calls.call(known()[0], **how), text, Clock()())


def test_what_is_kept_says_who_sent_what():
    """The program, its version and tenant, the caller as a hash, the hash of the text, and the name that it has."""
    text = "query Mine { team(team_id: 7) { name } }"
    kept = event(text)
    assert (kept.event, kept.what, kept.bff) == ("document", "unknown", "lunch")
    assert (kept.tenant, kept.connector, kept.connector_version) == ("example", "app", "1")
    assert (kept.caller, kept.trace_id) == (calls.NAMED.hash, calls.TRACE_ID)
    assert kept.digest == hashlib.sha256(text.encode()).hexdigest()
    assert (kept.operation, kept.endpoint) == ("Mine", None)
    assert kept.shape == ("query Mine{team(team_id:0){name}}",)


def test_a_request_without_a_caller_is_put_down_too():
    """What is not known of it is left out."""
    kept = event("{ a }", anonymous=True)
    assert (kept.connector, kept.caller, kept.operation, kept.shape) == (None, None, None, ("{a}",))


@pytest.mark.parametrize(
    "value",
    [
        '"Anna Berg"',
        "ANNA_BERG_4711",
        "[ANNA, BERG]",
        '"""Anna\n Berg"""',
        "4711",
        "47.11",
        '["Anna", "Berg"]',
        '{anna: "Berg", deep: [{berg: 4711}]}',
    ],
)
def test_no_value_of_a_person_is_kept(value):
    """Neither in an argument, nor as a default of a variable, nor in a directive."""
    kept = event(f"query Q($v: X = {value}) @mine(of: {value}) {{ a(b: {value}, c: $v) @include(if: true) {{ d }} }}")
    shape = "".join(kept.shape).lower()
    assert "anna" not in shape
    assert "berg" not in shape
    assert "47" not in shape
    assert "a(b:" in shape
    assert "c:$v" in shape


def test_neither_alias_nor_comment_nor_description_is_kept():
    """Clients write ids and names into them."""
    kept = event('"""For Anna"""\nquery Q {\n  # Anna\n  anna_4711: a(b: $c) @skip(if: $d) { e }\n}')
    assert kept.shape == ('"" query Q{a(b:$c)@skip(if:$d){e}}',)


def test_a_document_in_another_layout_is_told_as_such():
    """So that the team need not register it twice: the client has to send it as it was registered."""
    kept = event("query Lunch($id:Int!){team(team_id:$id){name}}")
    assert (kept.what, kept.endpoint) == ("layout", "lunch.lunch")
    assert event(SOURCE.replace("name", "id")).what == "unknown"


@pytest.mark.parametrize(
    "text", ["", "{", "not a query", '{ a(b: "', "{" + "a{" * 3000, "{ " + "a " * 2000 + "}", "{a(b:" + "[" * 900]
)
def test_what_cannot_be_read_is_put_down_by_its_hash(text):
    """And no more of it is read than a document may have."""
    kept = event(text)
    assert (kept.what, kept.operation, kept.shape) == ("unreadable", None, ())
    assert kept.digest == hashlib.sha256(text.encode()).hexdigest()


def test_half_a_surrogate_pair_does_not_stop_it():
    """A text that no encoder takes has a hash too."""
    kept = event('{ a(b: "\ud800") }')
    assert (kept.what, len(kept.digest)) == ("unreadable", 64)


def test_what_is_kept_has_an_end():
    """A long name is cut, and a long shape; what is kept of it comes in pieces that a record takes whole."""
    kept = event(f"query {'q' * 100} {{ {' '.join(f'field_number_{n}' for n in range(900))} }}")
    assert kept.operation == "q" * 64
    assert len("".join(kept.shape)) == SHAPE
    assert all(len(piece) <= LONGEST for piece in kept.shape)
