"""A pattern is kept only if it is proven to be matched in linear time."""

import re
import time
from typing import Annotated

import pytest
from msgspec import Meta

from narrows.checks import linear
from narrows.devkit.scaffold.openapi.patterns import NotProven, can_be_made, proven

KEPT = [
    (r"^[a-z]+$", r"^[a-z]+(?!\n)$"),
    (r"^\d{4}-\d{2}-\d{2}$", r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(?!\n)$"),
    (r"^(?:[a-z]+\.)+[A-Z]$", r"^(?:[a-z]+\.)+[A-Z](?!\n)$"),
    (r"^(red|green|blue)$", r"^(red|green|blue)(?!\n)$"),
    (r"^[\w$-]+=[^=\s]*$", r"^[A-Za-z0-9_$-]+=[^=\s]*(?!\n)$"),
    (r"[0-9]{3}", r"[0-9]{3}"),
    (r"^#[0-9a-fA-F]{6}$", r"^#[0-9a-fA-F]{6}(?!\n)$"),
    (r"^a?b*\[x\]\\$", r"^a?b*\[x\]\\(?!\n)$"),
    (r"^a|b$", r"^a|b(?!\n)$"),
    (r"^.x?$", r"^.x?(?!\n)$"),
    (r"^[^\d]x*?y$", r"^[^0-9]x*?y(?!\n)$"),
    (r"^(a|)b$", r"^(a|)b(?!\n)$"),
    (r"", ""),
    (r"(ab)c", r"(ab)c"),
    (r"^[^a]b$", r"^[^a]b(?!\n)$"),
    (r"(?:ax|by){2}c", r"(?:ax|by){2}c"),
]
DROPPED = [
    r"^(a+)+$", r"^(a|a)*$", r"^(a|aa)+$", r"^([a-z]+)*$", r"^(.*)*x$", r"^a*a*a*a*b$", r"^[a-z]+[a-z0-9]*$", r"(a*)*",
    r"[a-z]+x", r"^(?=a)b$", r"^(?!a)b$", r"^(a)\1$", r"^(?P<n>a)$", r"^\p{L}+$", r"^\Aa\Z$", r"^\D$",
    r"^\W$", r"^[^\W]$",
    r"^[", "^\u00e4$", "x" * 301, "^a\n$", 7, r"^a{2000}$", r"^[a-z]{1,5000}$", r"^(a?)+$", r"^(a{0,900}){900}b$",
    r"^(|)$", r"^(?>a)$", r"^a++$", r"^\u0041$", r"^[[:alpha:]]$", r"^.*.*$", r"^\B$", r"^(?i)a$",
]  # fmt: skip


@pytest.mark.parametrize(("pattern", "written"), KEPT)
def test_a_proven_pattern_is_written_for_python(pattern, written):
    """ECMA's digits are ASCII, and `$` is the very end."""
    assert proven(pattern) == written


@pytest.mark.parametrize("pattern", DROPPED)
def test_what_is_not_proven_is_dropped(pattern):
    """More than one way to read a text, look-arounds, references, foreign forms, and what repeats too often."""
    with pytest.raises(NotProven):
        proven(pattern)


@pytest.mark.parametrize("pattern", [pattern for pattern, _ in KEPT])
def test_a_kept_pattern_is_fast_on_evil_texts(pattern):
    """A hundred thousand letters that almost match take milliseconds."""
    compiled = re.compile(proven(pattern))
    begun = time.perf_counter()
    for text in ("a" * 100_000 + "!", "a." * 50_000, "0" * 100_000, "ab" * 50_000):
        compiled.search(text)
    assert time.perf_counter() - begun < 2


def test_a_pattern_with_too_many_places_is_not_tried(monkeypatch):
    """The proof itself is bounded."""
    monkeypatch.setattr(linear, "_PLACES", 20)
    with pytest.raises(NotProven, match="too long"):
        proven("^" + "abc" * 9)


def test_what_the_sandbox_cannot_make_is_told():
    """A pattern that no text of that length matches has no use."""
    assert can_be_made(Annotated[str, Meta(pattern="^ab$")])
    assert not can_be_made(Annotated[str, Meta(pattern="^ab$", max_length=1)])
