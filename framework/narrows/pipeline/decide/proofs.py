"""`inside`: a read proves that an id belongs to the object that the endpoint binds."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from narrows.call import Call
from narrows.pipeline.decide.reads import Denial, Read, quietly, reader
from narrows.pipeline.decide.values import Getter, ValueMissing, argument, attribute_of
from narrows.pipeline.step import Preparing


class Proof(msgspec.Struct, frozen=True):
    """One entry of `inside`: the read of an id answers a field that must equal the endpoint's own value."""

    name: str
    attribute: str
    read: Read
    bound: Getter

    async def check(self, call: Call, denial: Denial) -> None:
        """Read, compare, and deny alike when the object is absent or belongs elsewhere."""
        answer = await quietly(call, self.read(call), denial, f"inside:{self.name}")
        bound = self.bound(call)
        # What the sandbox made up belongs nowhere; and two absent values are no proof.
        if call.mode != "sandbox" and (bound is None or getattr(answer, self.attribute) != bound):
            call.rule = f"inside:{self.name}"
            raise denial()


def proofs(preparing: Preparing) -> Iterator[Proof]:
    """Make the proofs of `inside` ready, and refuse one that proves nothing."""
    for name, (operation, field) in preparing.endpoint.inside.items():
        read = reader(preparing, operation, f"inside `{name}`")
        sendable = preparing.ground.sendables.get(operation)
        if read is None or sendable is None:
            continue
        attribute = attribute_of(sendable.shape.answer, field)
        bound = _bound(preparing, field)
        if attribute is None or bound is None:
            preparing.refuse(
                "inside-field",
                f"inside `{name}` compares `{field}`, which is not both a field of {operation.id} and a parameter",
                f'write inside={{"{name}": ({operation.id}, "the id it belongs to")}}',
            )
            continue
        yield Proof(name, attribute, read, bound)


def _bound(preparing: Preparing, field: str) -> Getter | None:
    try:
        return argument(preparing.shape, field)
    except ValueMissing:
        return None
