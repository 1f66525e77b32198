"""Patterns: only those are kept that are proven to be matched in linear time, and they are written anew.

The proof is conservative. A pattern is anchored at its beginning, or has no open repetition. It is read into a tree
(no look-around, no reference, no group that can be empty inside a repetition), and at every place the characters that
may come next must lead to one place alone (it is deterministic in the sense of Glushkov). Then a backtracking matcher
never has two ways to read one text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

# The tree has no public name; the deprecated `sre_parse` is the same module and warns.
from re import _parser  # type: ignore[attr-defined]  # typeshed does not know it
from typing import Any

from narrows.upstreams.synthetic import CannotMake, Generator

_LONGEST = 300
_PLACES = 400
_MOST_REPEATED = 1000
# What stands for every character that is not ASCII.
_OTHER = "\u0100"
_ALPHABET = frozenset(map(chr, range(128))) | {_OTHER}
_DIGITS = frozenset("0123456789")
_CLASSES = {
    "CATEGORY_DIGIT": _DIGITS,
    "CATEGORY_WORD": frozenset(one for one in map(chr, range(128)) if one.isalnum() or one == "_"),
    "CATEGORY_SPACE": frozenset("\t\n\v\f\r "),
}
# Python's own signs for these take more than ECMA's, and take none away that is ASCII.
_WRITTEN = {"\\d": "[0-9]", "\\w": "[A-Za-z0-9_]"}
_FOREIGN = re.compile(r"\\(?:[1-9]|[AZbBkpPuxcGQE0]|U)|\(\?(?!:)|\[\^?\]|\[\[|&&|--|~~|\|\|")


class NotProven(Exception):
    """A pattern that is not kept; the message says why."""


def proven(pattern: object) -> str:
    """The pattern for Python, if it is proven to be safe. Raises `NotProven`."""
    if not isinstance(pattern, str) or not pattern.isascii() or not pattern.isprintable() or len(pattern) > _LONGEST:
        raise NotProven("it is no short pattern of plain characters")
    if _FOREIGN.search(pattern.replace("\\\\", "")):
        raise NotProven("it uses a form that is not read alike everywhere")
    try:
        tree = _parser.parse(pattern)
    except (re.error, RecursionError, OverflowError, ValueError):
        raise NotProven("it cannot be read") from None
    anchored = str(tree[0][0]) == "AT" if len(tree) else False
    if not anchored and _is_open(tree):
        raise NotProven("it may begin anywhere and repeat without an end")
    _Proof().sequence(list(tree))
    return _written(pattern)


@lru_cache(maxsize=4096)
def can_be_made(kind: Any) -> bool:
    """Whether the sandbox finds values of a type with a (proven) pattern."""
    try:
        Generator.build(kind)
    except CannotMake:
        return False
    return True


def _is_open(tree: Any) -> bool:
    return any(kind.endswith("REPEAT") and value[1] > _MOST_REPEATED for kind, value in _nodes(tree))


def _nodes(tree: Any) -> Iterator[tuple[str, Any]]:
    for kind, value in tree:
        yield str(kind), value
        match str(kind):
            case "BRANCH":
                for branch in value[1]:
                    yield from _nodes(branch)
            case "SUBPATTERN":
                yield from _nodes(value[3])
            case "MAX_REPEAT" | "MIN_REPEAT":
                yield from _nodes(value[2])


class _Part:
    """What a part of a pattern may begin with and end with, and whether it may be empty."""

    __slots__ = ("empty", "first", "last")

    def __init__(self, first: set[int], last: set[int], *, empty: bool) -> None:
        self.first = first
        self.last = last
        self.empty = empty


class _Proof:
    """Builds the positions of a pattern, and refuses two that may follow the same one with a common character."""

    def __init__(self) -> None:
        self._sets: list[frozenset[str]] = []
        self._follow: list[set[int]] = []

    def sequence(self, tree: list[Any]) -> _Part:
        part = _Part(set(), set(), empty=True)
        for kind, value in tree:
            part = self._join(part, self._node(str(kind), value))
        return part

    def _join(self, left: _Part, right: _Part) -> _Part:
        self._lead(left.last, right.first)
        first = self._apart(left.first | right.first) if left.empty else left.first
        last = left.last | right.last if right.empty else right.last
        return _Part(first, last, empty=left.empty and right.empty)

    def _lead(self, ends: set[int], beginnings: set[int]) -> None:
        for end in ends:
            # The same place by two ways, as in `(a+)+`, is as bad as two places.
            if self._follow[end] & beginnings:
                raise NotProven("a text can be read in more than one way")
            self._follow[end] = self._apart(self._follow[end] | beginnings)

    def _apart(self, places: set[int]) -> set[int]:
        """Refuse places that share a character."""
        seen: set[str] = set()
        for place in places:
            if seen & self._sets[place]:
                raise NotProven("a text can be read in more than one way")
            seen |= self._sets[place]
        return places

    def _node(self, kind: str, value: Any) -> _Part:
        match kind:
            case "AT":
                return _Part(set(), set(), empty=True)
            case "LITERAL":
                return self._place(frozenset(chr(value)))
            case "NOT_LITERAL":
                return self._place(_ALPHABET - {chr(value)})
            case "ANY":
                return self._place(_ALPHABET - {"\n"})
            case "IN":
                return self._place(_members(value))
            case "BRANCH":
                return self._branch([self.sequence(list(branch)) for branch in value[1]])
            case "SUBPATTERN":
                return self.sequence(list(value[3]))
            case "MAX_REPEAT" | "MIN_REPEAT":
                return self._repeat(*value)
        raise NotProven("it uses a look-around, a reference or a group of another kind")

    def _place(self, characters: frozenset[str]) -> _Part:
        self._sets.append(characters)
        self._follow.append(set())
        if len(self._sets) > _PLACES:
            raise NotProven("it is too long")
        place = {len(self._sets) - 1}
        return _Part(place, set(place), empty=False)

    def _branch(self, parts: list[_Part]) -> _Part:
        first = self._apart(set().union(*(part.first for part in parts)))
        last = set().union(*(part.last for part in parts))
        if sum(part.empty for part in parts) > 1:
            raise NotProven("a text can be read in more than one way")
        return _Part(first, last, empty=any(part.empty for part in parts))

    def _repeat(self, low: int, high: int, tree: Any) -> _Part:
        part = self.sequence(list(tree))
        if part.empty:
            raise NotProven("it repeats what may be empty")
        if low > _MOST_REPEATED or _MOST_REPEATED < high < int(_parser.MAXREPEAT):
            raise NotProven("it repeats too often")
        if high > 1:
            self._lead(part.last, part.first)
        return _Part(part.first, part.last, empty=low == 0)


def _members(members: list[Any]) -> frozenset[str]:
    """The characters of a set such as `[^a-z_]`."""
    found: set[str] = set()
    negated = False
    for kind, value in members:
        match str(kind):
            case "NEGATE":
                negated = True
            case "LITERAL":
                found.add(chr(value))
            case "RANGE":
                found.update(map(chr, range(value[0], value[1] + 1)))
            case _:
                found |= _category(str(value))
    return _ALPHABET - found if negated else frozenset(found)


def _category(name: str) -> frozenset[str]:
    if name in _CLASSES:
        # `\s` takes spaces beyond ASCII too, in both languages.
        return _CLASSES[name] | ({_OTHER} if name == "CATEGORY_SPACE" else set())
    return (_ALPHABET - _CLASSES[name.replace("NOT_", "")]) | {_OTHER}


def _written(pattern: str) -> str:
    """Write ECMA's signs so that Python reads them alike: `\\d` is ASCII, and `$` is the end and nothing before it."""
    made, inside, index = [], False, 0
    while index < len(pattern):
        one = pattern[index : index + 2] if pattern[index] == "\\" else pattern[index]
        if one in ("\\D", "\\W"):
            raise NotProven("it uses a form that is not read alike everywhere")
        if one == "[" and not inside:
            inside = True
        elif one == "]":
            inside = False
        plain = _WRITTEN.get(one, one)
        made.append(plain[1:-1] if inside and one in _WRITTEN else "(?!\\n)$" if one == "$" and not inside else plain)
        index += len(one)
    return "".join(made)
