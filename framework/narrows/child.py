"""A child call: a field of a document, resolved by an endpoint whose guards decide on the arguments it resolved to.

Who calls, in which mode and until when is inherited; what is done, spent and sent is the parent's.
"""

from __future__ import annotations

from typing import Any

from narrows.call import Allowance, Call, Raw
from narrows.declare.endpoint import Endpoint


def _of_parent(name: str) -> Any:
    """A value that a child call has in common with its parent."""

    def read(child: ChildCall) -> Any:
        return getattr(child.parent, name)

    def write(child: ChildCall, value: Any) -> None:
        setattr(child.parent, name, value)

    return property(read, write)


class ChildCall(Call):
    """One field of a document on its way. Steps read and write it like any call."""

    __slots__ = ("parent",)

    commitment = _of_parent("commitment")
    effects_id = _of_parent("effects_id")
    in_flight = _of_parent("in_flight")
    open = _of_parent("open")
    price = _of_parent("price")
    recorded = _of_parent("recorded")
    rehearsal_id = _of_parent("rehearsal_id")
    stand_in_index = _of_parent("stand_in_index")

    def __init__(self, parent: Call, endpoint: Endpoint, allowance: Allowance) -> None:
        self.parent = parent
        self.endpoint = endpoint
        self.allowance = allowance
        self.raw = Raw(read_body=_no_body)
        for name in _INHERITED:
            setattr(self, name, getattr(parent, name))
        self.arguments = {}
        self.decoded = False
        self.given = {}
        self.domain = None
        self.rule = None
        self.counts = {}
        self.limits = {}
        self.rates_left = ()
        self.answer = None
        self.reply = None


_INHERITED = (
    *("mode", "way", "span", "now_s", "performer", "fresh_id", "fields", "started", "moment", "deadline", "scenario"),
    *("credential", "caller", "named", "connector", "budget", "decision", "replayed", "recalled", "ids_due"),
    # What is added to one of these is added to the parent's.
    *("effects", "sent", "unknown", "failed", "raised", "ending", "scopes_asked", "left_out", "notes"),
    *("stand_ins", "made", "sources", "ids"),
)


async def _no_body(_: int) -> bytes:
    return b""
