"""Case 85, at what operators are given: no fact of a declaration adds a line to the rules that are made from it."""

from __future__ import annotations

import pytest

from narrows import Bff
from narrows.checks.bff import bff_refusals

FACTS = {
    "version": "1.0.0", "owner": "a@example.com", "purpose": "Lunch", "exposure": "internal",
    "sensitivity": "personal", "importance": "low", "review_by": "2027-05-01",
}  # fmt: skip


def codes(**over: str) -> list[str]:
    """What is refused of a BFF with these facts."""
    made = Bff("lunch", **{**FACTS, **over})  # type: ignore[arg-type]  # words of lists
    return [refusal.code for refusal in bff_refusals(made)]


@pytest.mark.parametrize("fact", ["version", "owner", "purpose"])
@pytest.mark.parametrize("evil", ["1\ngroups: []", "1\r", "1\x85", "1\u2028x", "\x1b[2J", "\u202eevil"], ids=ascii)
def test_case_85_a_fact_stands_on_one_line(fact: str, evil: str) -> None:
    """A start refuses one that would end a comment of YAML, or turn a terminal."""
    assert codes() == []
    assert codes(**{fact: "1\u3000\u00e9 \u00a0x"}) == []
    assert codes(**{fact: evil}) == ["fact-unclear"]
