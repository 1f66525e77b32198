"""Fields that a team added, where a document selects them: each place is answered for all of its parents at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from narrows.call import Call
from narrows.surfaces.graphql.added import Added
from narrows.surfaces.graphql.arguments import Arguments, Variables
from narrows.surfaces.graphql.joins import answering

Pending = dict["AddedPlace", list[tuple[Any, Any]]]
"""Parents, and the objects that wait for a field of theirs, by place: all places of one level."""


class AddedPlace:
    """One place of a document where it selects a field that was added.

    `attribute` is that of the objects that wait for it, and `form` what its answers are put into.
    """

    def __init__(self, added: Added, arguments: Arguments) -> None:
        self._answer = answering(added)
        self._arguments = arguments
        self.form: Callable[[Any, Pending], Any] | None = None
        self.attribute = ""

    async def answers(self, call: Call, variables: Variables, parents: list[Any]) -> list[Any]:
        """The answers for these parents, in their order; raises what the team's function ends in."""
        return await self._answer(call, parents, self._arguments(variables))

    def put(self, answers: list[Any], waiting: list[tuple[Any, Any]], pending: Pending) -> None:
        """Give each object that waits its answer; what is added below it waits in `pending`."""
        form, attribute = self.form, self.attribute
        for answer, (_, one) in zip(answers, waiting, strict=True):
            setattr(one, attribute, answer if form is None else form(answer, pending))
