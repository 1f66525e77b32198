"""A child call: a field of a document, resolved by an endpoint whose guards decide on the arguments it resolved to.

Who calls, in which mode and until when is inherited; what is done, spent and sent is the parent's. Its own are only
endpoint, arguments, decision and allowance, and whether it has ended: what it left behind sends nothing after that.
"""

from __future__ import annotations

from typing import Any

from narrows.call import Allowance, Call, Raw
from narrows.declare.endpoint import Endpoint
from narrows.errors import Problem


def _of_parent(name: str) -> Any:
    """A value that a child call has in common with its parent."""

    def read(child: ChildCall) -> Any:
        return getattr(child.parent, name)

    def write(child: ChildCall, value: Any) -> None:
        setattr(child.parent, name, value)

    return property(read, write)


def _is_open(child: ChildCall) -> bool:
    return child.going and child.parent.open


def _set_open(child: ChildCall, value: bool) -> None:
    child.going = value


class ChildCall(Call):
    """One field of a document on its way. Steps read and write it like any call.

    `outcome` is how it ended: `ok`, `denied`, `refused`, `failed` as in records, and `cancelled` until then. It is
    `open` while neither it nor its parent has ended.
    """

    __slots__ = ("going", "outcome", "parent", "problem")

    commitment = _of_parent("commitment")
    effects_id = _of_parent("effects_id")
    open = property(_is_open, _set_open)
    price = _of_parent("price")
    recorded = _of_parent("recorded")
    rehearsal_id = _of_parent("rehearsal_id")
    stand_in_index = _of_parent("stand_in_index")

    def __init__(self, parent: Call, endpoint: Endpoint, allowance: Allowance, arguments: dict[str, Any]) -> None:
        self.parent = parent
        self.endpoint = endpoint
        self.allowance = allowance
        self.raw = _NOTHING
        for name in _INHERITED:
            setattr(self, name, getattr(parent, name))
        self.arguments = arguments
        self.at = ()
        self.decoded = False
        self.given = {}
        self.domain = None
        self.rule = None
        self.counts = {}
        self.limits = {}
        self.rates_left = ()
        self.in_flight = 0
        # A field that an endpoint answers has no fields of its own: one document, one list of what it may ask.
        self.fields = None
        self.children = []
        self.answer = None
        self.reply = None
        self.outcome = "cancelled"
        self.problem: Problem | None = None
        self.going = True

    @property
    def called(self) -> Endpoint:
        """The document."""
        return self.parent.called


_INHERITED = (
    *("mode", "way", "span", "now_s", "performer", "fresh_id", "started", "moment", "deadline", "scenario"),
    *("credential", "caller", "named", "connector", "budget", "decision", "replayed", "recalled", "ids_due"),
    # What is added to one of these is added to the parent's.
    *("effects", "sent", "unknown", "failed", "raised", "ending", "scopes_asked", "left_out", "notes"),
    *("stand_ins", "made", "sources", "ids", "claimed"),
)


async def _no_body(_: int) -> bytes:
    return b""


_NOTHING = Raw(read_body=_no_body)
