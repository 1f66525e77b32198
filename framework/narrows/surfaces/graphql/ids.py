"""Under which ids a document is found: its hash, its name, and the ids that programs knew it by before."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from narrows.declare.bff import Bff
from narrows.declare.document import Document
from narrows.declare.endpoint import Endpoint
from narrows.errors import Refusal

HASH = "sha256:"
_ID = re.compile(r"[A-Za-z0-9_.-]{1,128}")
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")


def by_id(documents: Sequence[Endpoint]) -> Mapping[str, Endpoint]:
    """Each document by every id of it: `sha256:<hash of its source>`, its name, and the others that it declares."""
    found: dict[str, Endpoint] = {}
    for endpoint in documents:
        if isinstance(endpoint.document, Document):
            own = endpoint.document
            found.update(dict.fromkeys((f"{HASH}{own.sha256}", own.name, *own.ids), endpoint))
    return found


def is_id(text: str) -> bool:
    """Whether a document can be asked for by it."""
    return _ID.fullmatch(text) is not None


def is_sha256(text: str) -> bool:
    """Whether it has the form of a SHA-256."""
    return _SHA256.fullmatch(text) is not None


def id_refusals(bff: Bff) -> Iterator[Refusal]:
    """What is refused of the other ids that the documents of a BFF declare."""
    taken = {declared.name: declared.name for declared in bff.documents}
    for declared in bff.documents:
        # Of a text, each character would be an id.
        for own in declared.ids if isinstance(declared.ids, tuple) else ((declared.ids,),):
            for rule, remedy in _faults(own, taken):
                yield Refusal(
                    code="document-id",
                    subject=f"{bff.name}.{declared.name}",
                    where=declared.where,
                    rule=rule,
                    remedy=remedy,
                )
            taken.setdefault(str(own), declared.name)


def _faults(own: object, taken: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Why one id is none."""
    if isinstance(own, tuple):
        yield f"ids={own[0]!r} is no list", 'write ids=["0123456789abcdef"]'
    elif not isinstance(own, str) or not is_id(own):
        yield f"{own!r} is no id: it has 1 to 128 of A-Z a-z 0-9 . _ -", 'write ids=["0123456789abcdef"]'
    elif is_sha256(own):
        yield f"{own!r} has the form of a SHA-256, which is reckoned and never declared", "take it out of ids"
    elif own in taken:
        yield f"{own!r} is a name or an id of {taken[own]} already", "give each document ids of its own"
