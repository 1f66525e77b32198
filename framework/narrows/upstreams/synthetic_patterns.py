"""Texts that match a pattern: a small sampler over the tree that `re` makes of it. Whoever takes one verifies it."""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from random import Random

# The tree has no public name; the deprecated `sre_parse` is the same module and warns.
from re import _parser  # type: ignore[attr-defined]  # typeshed does not know it
from typing import Any

Tree = Iterable[tuple[Any, Any]]

_USUAL = string.ascii_letters + string.digits
_PRINTABLE = "".join(map(chr, range(0x20, 0x7F)))
_FOREIGN = "".join(map(chr, range(0xA1, 0x250)))
_CATEGORIES = {
    "CATEGORY_DIGIT": re.compile(r"\d"),
    "CATEGORY_NOT_DIGIT": re.compile(r"\D"),
    "CATEGORY_SPACE": re.compile(r"\s"),
    "CATEGORY_NOT_SPACE": re.compile(r"\S"),
    "CATEGORY_WORD": re.compile(r"\w"),
    "CATEGORY_NOT_WORD": re.compile(r"\W"),
}


class PatternSampler:
    """Makes candidates for a pattern. `width` is how many characters the shortest has.

    Look-arounds and anchors take no characters, so they are left to the verification. Raises `re.error`.
    """

    def __init__(self, pattern: str) -> None:
        self._tree = _parser.parse(pattern)
        self.width: int = self._tree.getwidth()[0]

    def candidates(self, rng: Random, shortest: int, longest: int, tries: int) -> Iterator[str]:
        """Up to `tries` texts that should match and be as long as wanted, readable ones first in each round."""
        floor = max(shortest, self.width)
        for number in range(tries):
            spare = rng.randint(floor, max(floor, min(longest, floor + 8))) - self.width
            text = _Draw(rng, spare, greedy=number % 2 == 1, wide=number % 4 > 1).text(self._tree)
            yield text
            if len(text) < shortest:
                yield text.ljust(shortest, "x")


class _Draw:
    """One text. `spare` is how many characters it may have over the shortest; greedy draws use them up."""

    def __init__(self, rng: Random, spare: int, *, greedy: bool, wide: bool) -> None:
        self._rng = rng
        self._spare = spare
        self._greedy = greedy
        self._usual = _PRINTABLE if wide else _USUAL
        self._groups: dict[int, str] = {}

    def text(self, tree: Tree) -> str:
        """Draw the nodes of a tree one after the other."""
        return "".join(self._node(str(kind), value) for kind, value in tree)

    def _node(self, kind: str, value: Any) -> str:
        draw = _NODES.get(kind)
        return draw(self, value) if draw else ""

    def _literal(self, code: int) -> str:
        return chr(code)

    def _not_literal(self, code: int) -> str:
        return self._in([("NEGATE", None), ("LITERAL", code)])

    def _any(self, _: Any) -> str:
        return self._rng.choice(self._usual)

    def _in(self, members: Sequence[tuple[Any, Any]]) -> str:
        allowed = _allowed(tuple((str(kind), value) for kind, value in members), self._usual)
        return self._rng.choice(allowed) if allowed else ""

    def _branch(self, value: tuple[Any, Sequence[Tree]]) -> str:
        return self.text(self._rng.choice(value[1]))

    def _group(self, value: tuple[int | None, int, int, Tree]) -> str:
        number, *_, tree = value
        text = self.text(tree)
        if number is not None:
            self._groups[number] = text
        return text

    def _repeat(self, value: tuple[int, int, Any]) -> str:
        low, high, tree = value
        width = max(1, tree.getwidth()[0])
        room = min(high - low, max(0, self._spare) // width)
        extra = room if self._greedy else self._rng.randint(0, room)
        self._spare -= extra * width
        return "".join(self.text(tree) for _ in range(low + extra))

    def _again(self, group: int) -> str:
        return self._groups.get(group, "")

    def _if_group(self, value: tuple[int, Tree, Tree | None]) -> str:
        group, then, otherwise = value
        return self.text(then if group in self._groups else otherwise or ())


_NODES: dict[str, Callable[[_Draw, Any], str]] = {
    "LITERAL": _Draw._literal,
    "NOT_LITERAL": _Draw._not_literal,
    "ANY": _Draw._any,
    "IN": _Draw._in,
    "BRANCH": _Draw._branch,
    "SUBPATTERN": _Draw._group,
    "ATOMIC_GROUP": _Draw.text,
    "MAX_REPEAT": _Draw._repeat,
    "MIN_REPEAT": _Draw._repeat,
    "POSSESSIVE_REPEAT": _Draw._repeat,
    "GROUPREF": _Draw._again,
    "GROUPREF_EXISTS": _Draw._if_group,
}


@lru_cache(maxsize=512)
def _allowed(members: tuple[tuple[str, Any], ...], usual: str) -> str:
    """The characters of a set such as `[^a-z_\\d]`, of the plainest alphabet that has any; empty when none has."""
    negated = members[0][0] == "NEGATE"
    for alphabet in (usual, _PRINTABLE, _FOREIGN, "".join(_named(*member) for member in members)):
        found = [one for one in alphabet if any(_holds(*member, one) for member in members) != negated]
        if found:
            return "".join(found)
    return ""


def _holds(kind: str, value: Any, character: str) -> bool:
    """Whether one member of a set such as `[a-z_\\d]` holds a character."""
    if kind == "LITERAL":
        return ord(character) == int(value)
    if kind == "RANGE":
        return bool(value[0] <= ord(character) <= value[1])
    return kind == "CATEGORY" and _CATEGORIES[str(value)].match(character) is not None


def _named(kind: str, value: Any) -> str:
    """The characters that a member of a set names itself: what no usual alphabet holds is found here."""
    if kind == "LITERAL":
        return chr(value)
    return chr(value[0]) + chr(value[1]) if kind == "RANGE" else ""
