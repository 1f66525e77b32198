"""Leaves are canonical JSON by RFC 8785, whatever stands in a record."""

import json
from types import MappingProxyType

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from narrows.audit.canonical import canonical, leaf_of
from narrows.audit.events import Event
from narrows.audit.line import document_of

SCALARS = st.none() | st.booleans() | st.text() | st.integers(-(2**53) + 1, 2**53 - 1)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
VALUES = SCALARS | NUMBERS | st.lists(st.text()).map(tuple) | st.dictionaries(st.text(), SCALARS | NUMBERS)


@given(st.dictionaries(st.text(), VALUES))
def test_the_bytes_are_those_of_rfc_8785(document):
    """Whether they come from the fast encoder or from the library."""
    assert canonical(document) == rfc8785.dumps(document)


@given(NUMBERS)
def test_numbers_are_written_as_rfc_8785_does(number):
    """Every number there is, the shortest way that JavaScript knows."""
    assert canonical({"n": number}) == rfc8785.dumps({"n": number})


def test_a_mapping_is_written_as_the_object_that_it_is():
    """Also one that is no dict."""
    assert canonical({"m": MappingProxyType({"b": 1, "a": None})}) == rfc8785.dumps({"m": {"b": 1, "a": None}})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**53, -(2**53), "\ud800", ("\udfff",), object()])
def test_what_has_no_canonical_form_is_refused(value):
    """Rather than hashed in one of several forms."""
    with pytest.raises((ValueError, TypeError)):
        canonical({"value": value})


def test_a_leaf_says_what_its_record_says_and_no_more():
    """What is empty is left out, texts are bounded, and halves of characters are replaced."""
    event = Event(time="2026-11-25T00:00:00.000Z", event="limit", what="hard", bff="b", note="x" * 600, by="\ud800")
    said = json.loads(leaf_of(document_of(event)))
    assert sorted(said) == ["bff", "by", "event", "note", "time", "what"]
    assert (len(said["note"]), said["by"]) == (512, "?")
