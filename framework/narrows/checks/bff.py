"""The facts of a BFF: who answers for it, for what it is, and how much depends on it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from datetime import date
from typing import get_args

from narrows.declare.bff import Bff, Exposure, Importance, Sensitivity
from narrows.errors import Refusal

_FACTS = {
    "version": '"1.0.0"',
    "owner": '"lunch-tools@example.com"',
    "purpose": '"Suggest places a whole team can eat at"',
    "exposure": '"internal"',
    "sensitivity": '"personal"',
    "importance": '"low"',
    "review_by": '"2027-05-01"',
}
_WORDS = {"exposure": get_args(Exposure), "sensitivity": get_args(Sensitivity), "importance": get_args(Importance)}
_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")


def bff_refusals(bff: Bff) -> Iterator[Refusal]:
    """Each fact that is missing or unclear, and a name that cannot stand in an id."""
    if not _NAME.fullmatch(bff.name):
        yield _refusal("name-form", bff, "its name is not made of a-z, 0-9 and -", 'name it as in Bff("where2eat", …)')
    for fact, example in _FACTS.items():
        yield from _fact(bff, fact, example)


def _fact(bff: Bff, fact: str, example: str) -> Iterator[Refusal]:
    value = getattr(bff, fact)
    if value is None or not str(value).strip():
        yield _refusal("fact-missing", bff, f"the BFF does not say its {fact}", f"add {fact}={example}")
    elif not _is_clear(fact, value):
        listed = f", one of: {', '.join(_WORDS[fact])}" if fact in _WORDS else ""
        yield _refusal("fact-unclear", bff, f"its {fact} is not clear", f"write {fact}={example}{listed}")


def is_one_line(text: str) -> bool:
    """Whether a text prints on one line, whatever the spaces of its script."""
    return all(letter.isprintable() or unicodedata.category(letter) == "Zs" for letter in text)


def _is_clear(fact: str, value: object) -> bool:
    """A word of the list, a date by ISO 8601, or any text of one line: it stands in files that are made from it."""
    if not isinstance(value, str) or not is_one_line(value):
        return False
    if fact != "review_by":
        return value in _WORDS.get(fact, (value,))
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return True


def _refusal(code: str, bff: Bff, rule: str, remedy: str) -> Refusal:
    return Refusal(code=code, subject=bff.name, where=bff.where, rule=rule, remedy=remedy)
