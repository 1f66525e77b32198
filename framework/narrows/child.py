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
        self._inherit(parent)
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

    def _inherit(self, parent: Call) -> None:
        """Take what is found out about a parent, and share what it gathers."""
        # One by one: a loop over their names takes twice as long, and each field of a document pays for it.
        self.mode = parent.mode
        self.way = parent.way
        self.span = parent.span
        self.now_s = parent.now_s
        self.performer = parent.performer
        self.fresh_id = parent.fresh_id
        self.started = parent.started
        self.moment = parent.moment
        self.deadline = parent.deadline
        self.scenario = parent.scenario
        self.credential = parent.credential
        self.caller = parent.caller
        self.named = parent.named
        self.connector = parent.connector
        self.budget = parent.budget
        self.decision = parent.decision
        self.replayed = parent.replayed
        self.recalled = parent.recalled
        self.ids_due = parent.ids_due
        self.claimed = parent.claimed
        # What is added to one of these is added to the parent's.
        self.effects = parent.effects
        self.sent = parent.sent
        self.unknown = parent.unknown
        self.failed = parent.failed
        self.raised = parent.raised
        self.ending = parent.ending
        self.scopes_asked = parent.scopes_asked
        self.left_out = parent.left_out
        self.notes = parent.notes
        self.stand_ins = parent.stand_ins
        self.made = parent.made
        self.sources = parent.sources
        self.ids = parent.ids

    @property
    def called(self) -> Endpoint:
        """The document."""
        return self.parent.called


async def _no_body(_: int) -> bytes:
    return b""


_NOTHING = Raw(read_body=_no_body)
