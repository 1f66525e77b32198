"""What the scaffold says of a document: what it cannot express, and where in the document that stands."""

from __future__ import annotations

from typing import Literal

import msgspec

from narrows.errors import NarrowsError

_LONGEST = 240


class DocumentRefused(NarrowsError):
    """A document that cannot be worked with at all; the message says why."""


class Gap(Exception):
    """One place that cannot be expressed; it becomes a marked hole."""

    def __init__(self, said: str, pointer: str) -> None:
        super().__init__(said)
        self.said = said
        self.pointer = pointer


class Remark(msgspec.Struct, frozen=True):
    """What somebody must know: a `hole` stops the start until it is filled, a `note` tells what was narrowed.

    `pointer` is a JSON pointer into the document (RFC 6901, as a fragment).
    """

    kind: Literal["hole", "note"]
    said: str
    pointer: str

    def __str__(self) -> str:
        return f"{self.kind}: {shown(self.said)} ({shown(self.pointer)})"


def shown(text: object, longest: int = _LONGEST) -> str:
    """A text of a document as it may stand in a terminal or in a line of code: printable ASCII, and not too long."""
    plain = "".join(one if " " <= one <= "~" else ascii(one)[1:-1] for one in str(text)[: longest + 1])
    return plain if len(plain) <= longest else plain[: longest - 3] + "..."


def below(pointer: str, *names: object) -> str:
    """The pointer to what stands below a place."""
    return "/".join([pointer, *(str(name).replace("~", "~0").replace("/", "~1") for name in names)])
