"""How large a document may be: depth, aliases and tokens, judged once at start, with its fragments written out.

A document that is registered is the same for every call, so nothing of it is counted when it runs. What it may cost is
judged where prices are known: `checks/documents.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from graphql import (
    FieldNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    Lexer,
    Node,
    SelectionNode,
    SelectionSetNode,
    TokenKind,
)
from graphql import Source as Text
from graphql.error import GraphQLSyntaxError

from narrows.declare.document import Graphql
from narrows.surfaces.graphql.source import Parsed, Source


class Size(NamedTuple):
    """How large a selection is, with its fragments written out."""

    depth: int = 0
    aliases: int = 0
    tokens: int = 0

    def beside(self, other: Size) -> Size:
        """Both, one after the other."""
        return Size(max(self.depth, other.depth), self.aliases + other.aliases, self.tokens + other.tokens)


def has_tokens(source: Source, most: int) -> bool:
    """Whether a text has at most so many tokens; it is read no further. Refuses it if not, and if it has none."""
    lexer = Lexer(Text(source.text))
    for _ in range(most + 1):
        try:
            if lexer.advance().kind is TokenKind.EOF:
                return True
        except GraphQLSyntaxError as fault:
            source.refuse("document-invalid", fault.message, "correct the document", fault)
            return False
    source.refuse("document-tokens", f"it is longer than {most} tokens", _remedy("tokens"), None)
    return False


def is_ending(source: Source, parsed: Parsed) -> bool:
    """Whether each fragment ends somewhere. Refuses those that lead back to themselves."""
    ended: set[str] = set()
    for name in parsed.fragments:
        way = [(name, _spreads(parsed, name))]
        while way:
            current, rest = way[-1]
            spread = next((one for one in rest if one.name.value not in ended), None)
            if spread is None:
                ended.add(current)
                way.pop()
            elif any(spread.name.value == passed for passed, _ in way):
                rule = f"the fragment {spread.name.value} contains itself"
                source.refuse("document-invalid", rule, "take this fragment out", spread)
                return False
            else:
                way.append((spread.name.value, _spreads(parsed, spread.name.value)))
    return True


def _spreads(parsed: Parsed, name: str) -> Iterator[FragmentSpreadNode]:
    """The fragments that one names, at any depth; unknown ones are told by validation."""
    found = parsed.fragments.get(name)
    waiting: list[SelectionNode] = [] if found is None else [*found.selection_set.selections]
    while waiting:
        node = waiting.pop()
        if isinstance(node, FragmentSpreadNode):
            yield node
        elif isinstance(node, FieldNode | InlineFragmentNode) and node.selection_set is not None:
            waiting += node.selection_set.selections


def refuse_large(source: Source, parsed: Parsed, bounds: Graphql) -> None:
    """Refuse what is larger than the BFF lets a document be. No fragment may contain itself."""
    size, at = _Sizing(parsed).whole(), parsed.operation
    rule = "with its fragments written out it {}, and {} are allowed"
    if size.depth > bounds.depth:
        source.refuse("document-depth", rule.format(f"nests {size.depth} deep", bounds.depth), _remedy("depth"), at)
    if size.aliases > bounds.aliases:
        said = rule.format(f"has {size.aliases} aliases", bounds.aliases)
        source.refuse("document-aliases", said, _remedy("aliases"), at)
    if size.tokens > bounds.tokens:
        said = rule.format(f"has {size.tokens} tokens", bounds.tokens)
        source.refuse("document-tokens", said, _remedy("tokens"), at)


def _remedy(bound: str) -> str:
    return f"ask for less, make two documents of it, or raise bff.graphql({bound}=…)"


class _Sizing:
    """Measures selections; each fragment once, however often it is named."""

    def __init__(self, parsed: Parsed) -> None:
        self._parsed = parsed
        self._fragments: dict[str, Size] = {}

    def whole(self) -> Size:
        """The size of the operation."""
        operation = self._parsed.operation
        return self._set(operation.selection_set, 1).beside(Size(tokens=_tokens(operation)))

    def _set(self, selection: SelectionSetNode, level: int) -> Size:
        """What a selection nests and renames, and the tokens that its fragments add."""
        size = Size()
        for node in selection.selections:
            size = size.beside(self._one(node, level))
        return size

    def _one(self, node: SelectionNode, level: int) -> Size:
        if isinstance(node, FragmentSpreadNode):
            inner = self._fragment(node.name.value)
            return inner._replace(depth=inner.depth + level - 1)
        if isinstance(node, FieldNode):
            own = Size(level, int(node.alias is not None))
            return own if node.selection_set is None else own.beside(self._set(node.selection_set, level + 1))
        return self._set(node.selection_set, level) if isinstance(node, InlineFragmentNode) else Size()

    def _fragment(self, name: str) -> Size:
        """The size of a fragment as if it stood at the top; an unknown one is told by validation."""
        if name not in self._parsed.fragments:
            return Size()
        if name not in self._fragments:
            selection = self._parsed.fragments[name].selection_set
            self._fragments[name] = self._set(selection, 1).beside(Size(tokens=_tokens(selection)))
        return self._fragments[name]


def _tokens(node: Node) -> int:
    """How many tokens a node has; comments are none."""
    token = node.loc.start_token if node.loc is not None else None
    last = node.loc.end_token if node.loc is not None else None
    count = 1
    while token is not last and token is not None:
        token = token.next
        count += token is not None and token.kind is not TokenKind.COMMENT
    return count
