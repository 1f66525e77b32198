"""Patterns that a backtracking matcher reads in one way alone, so that no text makes it try for ever.

The proof is conservative: at every place the characters that may come next lead to one place alone (the pattern is
deterministic in the sense of Glushkov), and nothing that may be empty is repeated.
"""

from __future__ import annotations

from collections.abc import Iterator

# The tree has no public name; the deprecated `sre_parse` is the same module and warns.
from re import _parser  # type: ignore[attr-defined]  # typeshed does not know it
from typing import Any

MOST_REPEATED = 1000
_PLACES = 400
# What stands for every character that is not ASCII.
_OTHER = "\u0100"
_ALPHABET = frozenset(map(chr, range(128))) | {_OTHER}
_DIGITS = frozenset("0123456789")
_CLASSES = {
    "CATEGORY_DIGIT": _DIGITS,
    "CATEGORY_WORD": frozenset(one for one in map(chr, range(128)) if one.isalnum() or one == "_"),
    "CATEGORY_SPACE": frozenset("\t\n\v\f\r "),
}


class NotProven(Exception):
    """A pattern that is not kept; the message says why."""


def parse(pattern: str) -> Any:
    """The tree of a pattern, as `re` reads it. Raises what `re.compile` raises."""
    return _parser.parse(pattern)


def nodes(tree: Any) -> Iterator[tuple[str, Any]]:
    """Every part of a pattern, as `re` reads it: its kind and its value."""
    for kind, value in tree:
        yield str(kind), value
        for below in _below(str(kind), value):
            yield from nodes(below)


def _below(kind: str, value: Any) -> Iterator[Any]:
    match kind:
        case "BRANCH":
            yield from value[1]
        case "SUBPATTERN":
            yield value[3]
        case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
            yield value[2]
        case "ATOMIC_GROUP":
            yield value
        case "ASSERT" | "ASSERT_NOT":
            yield value[1]
        case "GROUPREF_EXISTS":
            yield from filter(None, value[1:])


class _Part:
    """What a part of a pattern may begin with and end with, and whether it may be empty."""

    __slots__ = ("empty", "first", "last")

    def __init__(self, first: set[int], last: set[int], *, empty: bool) -> None:
        self.first = first
        self.last = last
        self.empty = empty


class Proof:
    """Builds the positions of a pattern, and refuses two that may follow the same one with a common character."""

    def __init__(self) -> None:
        self._sets: list[frozenset[str]] = []
        self._follow: list[set[int]] = []

    def sequence(self, tree: list[Any]) -> _Part:
        """Add the parts of a pattern, one behind the other. Raises `NotProven`."""
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
                return self._place(_letter(value))
            case "NOT_LITERAL":
                return self._place(_ALPHABET - (_letter(value) - {_OTHER}))
            case "ANY":
                return self._place(_ALPHABET - {"\n"})
            case "IN":
                return self._place(_members(value))
            case "BRANCH":
                return self._branch([self.sequence(list(branch)) for branch in value[1]])
            case "SUBPATTERN":
                return self._group(value)
            case "MAX_REPEAT" | "MIN_REPEAT":
                return self.repeat(*value)
        raise NotProven("it uses a look-around, a reference or a group of another kind")

    def _group(self, value: Any) -> _Part:
        if value[1]:
            raise NotProven("it is read alike in upper and lower case")
        return self.sequence(list(value[3]))

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

    def repeat(self, low: int, high: int, tree: Any) -> _Part:
        """Add a part that is repeated `low` to `high` times. Raises `NotProven`."""
        part = self.sequence(list(tree))
        if part.empty:
            raise NotProven("it repeats what may be empty")
        if low > MOST_REPEATED or MOST_REPEATED < high < int(_parser.MAXREPEAT):
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
                found |= _letter(value)
            case "RANGE":
                found.update(map(chr, range(value[0], min(value[1], 127) + 1)), {_OTHER} if value[1] > 127 else ())
            case _:
                found |= _category(str(value))
    # Of what is not ASCII a part may be meant: then it is in what is named, and in what is not named.
    return _ALPHABET - (found - {_OTHER}) if negated else frozenset(found)


def _category(name: str) -> frozenset[str]:
    if name in _CLASSES:
        # `\s` takes spaces beyond ASCII too, in both languages.
        return _CLASSES[name] | ({_OTHER} if name == "CATEGORY_SPACE" else set())
    return (_ALPHABET - _CLASSES[name.replace("NOT_", "")]) | {_OTHER}


def _letter(code: int) -> frozenset[str]:
    return frozenset(chr(code) if code < 128 else _OTHER)
