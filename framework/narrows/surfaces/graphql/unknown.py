"""Query text that is no registered document, as the audit log keeps it: what it asks for, and no value of anybody."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from graphql import (
    DocumentNode,
    EnumValueNode,
    FieldNode,
    FloatValueNode,
    GraphQLError,
    IntValueNode,
    ListValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    StringValueNode,
    Visitor,
    parse,
    print_ast,
    strip_ignored_characters,
    visit,
)

from narrows.audit.events import Event
from narrows.audit.record import timestamp
from narrows.call import Call
from narrows.declare.document import Document
from narrows.declare.endpoint import Endpoint

TOKENS = 1000
"""The most that is read of a text; a longer one is put down by its hash alone."""
SHAPE = 4000
"""The most characters of a shape that are kept."""
_PIECE = 500  # what a record keeps of a text is longer, by a little
_NAME = 64


class Unknown:
    """Tells of texts that are none of the registered documents; made once, at start."""

    def __init__(self, documents: Iterable[Endpoint]) -> None:
        self._layouts = {
            endpoint.document.normalised: endpoint.id
            for endpoint in documents
            if isinstance(endpoint.document, Document)
        }

    def event(self, call: Call, text: str, now_s: float) -> Event:
        """What the audit log keeps of a text that a connector sent (`now_s` in seconds since 1970)."""
        known: dict[str, Any] = {"what": "unreadable"}
        if (tree := _read(text)) is not None:
            meant = self._layouts.get(_digest(print_ast(tree)))
            shape = shape_of(tree)
            known = {
                "what": "layout" if meant else "unknown",
                "endpoint": meant,
                "operation": _name(tree),
                "shape": tuple(shape[at : at + _PIECE] for at in range(0, min(len(shape), SHAPE), _PIECE)),
            }
        connector = call.connector
        return Event(
            time=timestamp(now_s),
            event="document",
            bff=call.endpoint.bff,
            tenant=connector.tenant if connector else None,
            connector=connector.id if connector else None,
            connector_version=connector.version if connector else None,
            caller=call.named.hash if call.named else None,
            trace_id=call.span.trace_id,
            digest=_digest(text),
            **known,
        )


def shape_of(tree: DocumentNode) -> str:
    """A document on one line, with every value emptied, and without aliases: what it asks for, and of nobody."""
    return strip_ignored_characters(print_ast(visit(tree, _Emptying())))


class _Emptying(Visitor):
    """Empties values. An alias goes too: clients write ids into them."""

    def enter_string_value(self, *_: Any) -> Any:
        """A text, a description too."""
        return StringValueNode(value="")

    def enter_int_value(self, *_: Any) -> Any:
        """A number."""
        return IntValueNode(value="0")

    def enter_float_value(self, *_: Any) -> Any:
        """A number with a fraction."""
        return FloatValueNode(value="0")

    def enter_enum_value(self, *_: Any) -> Any:
        """A word: nothing says that it is one of the schema's."""
        return EnumValueNode(value="_")

    def enter_list_value(self, *_: Any) -> Any:
        """A list: how many stand in it is a value too."""
        return ListValueNode(values=())

    def enter_object_value(self, *_: Any) -> Any:
        """An object: its keys may be of a mapping."""
        return ObjectValueNode(fields=())

    def enter_field(self, node: FieldNode, *_: Any) -> Any:
        """A field, by its own name."""
        return FieldNode(
            name=node.name, arguments=node.arguments, directives=node.directives, selection_set=node.selection_set
        )


def _read(text: str) -> DocumentNode | None:
    """The document, None for what is none, or too much to be looked at."""
    try:
        return parse(text, no_location=True, max_tokens=TOKENS)
    except GraphQLError:
        return None


def _name(tree: DocumentNode) -> str | None:
    """The name of its operation; of several, the first one's."""
    named = (one.name for one in tree.definitions if isinstance(one, OperationDefinitionNode))
    first = next(named, None)
    return first.value[:_NAME] if first else None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
