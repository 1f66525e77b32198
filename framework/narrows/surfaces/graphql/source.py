"""One document while it is made ready: its text, and what is refused of it, at line and column."""

from __future__ import annotations

import hashlib
from itertools import takewhile
from pathlib import Path

from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLError,
    InlineFragmentNode,
    Node,
    OperationDefinitionNode,
    SelectionNode,
)

from narrows.declare.document import Declared
from narrows.errors import Refusal


class Source:
    """The text of a document, byte for byte; `refuse` collects every reason why it is not safe to start."""

    def __init__(self, bff: str, declared: Declared, path: Path, text: str, *, ad_hoc: bool = False) -> None:
        self.ad_hoc = ad_hoc
        self.name = declared.name
        self.declared = declared
        self.id = f"{bff}.{declared.name}"
        self.path = path
        self.text = text
        self.sha256 = hashlib.sha256(text.encode()).hexdigest()
        self.refusals: list[Refusal] = []

    @classmethod
    def unregistered(cls, bff: str, text: str) -> Source:
        """Text that somebody writes in `narrows dev`. Its name is one that no document can have."""
        return cls(bff, Declared(name="_ad_hoc", where="query:1", guards={}), Path("query"), text, ad_hoc=True)

    def refuse(self, code: str, rule: str, remedy: str, node: Node | GraphQLError | None = None) -> None:
        """Put down one reason, at the place of `node`; without one, where the document begins."""
        where = f"{self.path}:{_place(node)}"
        self.refusals.append(Refusal(code=code, subject=self.id, where=where, rule=rule, remedy=remedy))

    @property
    def description(self) -> str:
        """What its first lines say, those that begin with `#`."""
        first = takewhile(lambda line: line.startswith("#"), self.text.splitlines())
        return "\n".join(line.lstrip("#").strip() for line in first).strip()


def _place(node: Node | GraphQLError | None) -> str:
    if isinstance(node, GraphQLError):
        return f"{node.locations[0].line}:{node.locations[0].column}" if node.locations else "1:1"
    token = node.loc.start_token if node is not None and node.loc is not None else None
    return f"{token.line}:{token.column}" if token is not None else "1:1"


class Parsed:
    """A document as a tree: its one operation, and its fragments by name."""

    def __init__(self, tree: DocumentNode, operation: OperationDefinitionNode) -> None:
        self.tree = tree
        self.operation = operation
        self.fragments = {one.name.value: one for one in tree.definitions if isinstance(one, FragmentDefinitionNode)}

    def fragment(self, node: SelectionNode) -> FragmentDefinitionNode | InlineFragmentNode:
        """What a selection names or is, if it is no field."""
        if isinstance(node, InlineFragmentNode):
            return node
        return self.fragments[node.name.value]  # type: ignore[attr-defined]  # the third kind of selection there is
