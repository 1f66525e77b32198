"""What goes out of a call is counted against the volumes of whoever called: bytes and records, or it stays here.

Answers, problems that a team filled in, and what rehearsals are read again: an effect shows what upstreams gave, where
it is marked for preview. What is written upstream has happened, so that what tells of a live write goes out all the
same, and is counted past the limit.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import inspect as mi

from narrows.call import Call
from narrows.declare.endpoint import Endpoint
from narrows.declare.shape import bare
from narrows.errors import Problem, Unavailable, VolumeExhausted
from narrows.pipeline.accounts import renews, short, tell
from narrows.pipeline.replies import problem_reply
from narrows.pipeline.step import Ground, retry_after, who
from narrows.stores.budgets import Charge

_log = logging.getLogger("narrows.pipeline")
_ONE = (mi.NoneType, mi.BoolType, mi.IntType, mi.FloatType, mi.DecimalType, mi.StrType, mi.DateTimeType, mi.LiteralType)


class Outgoing:
    """Counts what goes out of the calls of one endpoint.

    Of Narrows' own, `counts` only what a program owns: nothing else that a program reads holds anything of an upstream.
    """

    def __init__(self, endpoint: Endpoint, ground: Ground) -> None:
        self._endpoint = endpoint
        self._ground = ground
        self.counts = not endpoint.builtin or (endpoint.owned and not endpoint.session)

    async def problem(self, call: Call, problem: Problem) -> None:
        """Count a problem that says more than its type does. Raises as `count` does."""
        if self.counts and _is_filled(problem):
            headers = sum(len(name) + len(value) for name, value in problem.headers.items())
            body = problem_reply(problem, call.span.trace_id).body
            records = max(1, sum(map(_items, problem.members.values())))
            await self.count(call, len(body) + headers, records)

    async def count(self, call: Call, size: int, records: int) -> None:
        """Count bytes and records. Raises `VolumeExhausted` when they do not fit, and `Unavailable`."""
        if call.mode == "sandbox":
            return
        caller, connector, _ = who(call)
        held = self._ground.accounts.volumes(connector, caller)
        if not held:
            return
        sizes = {"bytes": size, "records": records}
        charges = [Charge(one.account, sizes[one.budget.unit]) for one in held]
        forced = self._endpoint.kind == "write" and call.mode == "live"
        try:
            verdict = await self._ground.budgets().count(charges, forced=forced)
        except Unavailable:
            if not forced:
                raise
            _log.error("the answer of %s went out uncounted", self._endpoint.id)
            return
        tell(self._ground.log, call, held, verdict)
        if not verdict.granted:
            raise VolumeExhausted(
                "This answer is larger than what is left of the volume.",
                headers=retry_after(renews(verdict) - call.now_s()),
                members={"volumes": short(held, verdict, [charge.amount for charge in charges])},
            )


def records_in(answer: Any) -> int:
    """How many records an answer holds: the items of all its lists and mappings, at any depth; at least one."""
    return 0 if answer is None else max(1, _items(answer))


def _items(value: Any) -> int:
    if isinstance(value, msgspec.Struct):
        return sum([_items(getattr(value, name)) for name in _roomy(type(value))])
    if is_dataclass(value):
        return sum(_items(getattr(value, field.name)) for field in fields(value))
    if isinstance(value, Mapping):
        return len(value) + sum(map(_items, value.values()))
    if isinstance(value, list | tuple | set | frozenset):
        return len(value) + sum(map(_items, value))
    return 0


@lru_cache(4096)
def _roomy(kind: type[msgspec.Struct]) -> tuple[str, ...]:
    """The attributes of a type that may hold items: most hold one text or number, and need no look in each call."""
    try:
        info: Any = mi.type_info(kind)
    except Exception:  # resolving the types of a class evaluates them, which raises whatever that raises
        return kind.__struct_fields__
    return tuple(field.name for field in info.fields if not _is_one(field.type))


def _is_one(info: Any) -> bool:
    """Whether values of a type are one thing, and never several."""
    inner = bare(info)
    return all(map(_is_one, inner.types)) if isinstance(inner, mi.UnionType) else isinstance(inner, _ONE)


def _is_filled(problem: Problem) -> bool:
    said = (problem.detail, problem.members, problem.errors, problem.headers.keys() - {"Retry-After"})
    return any(said) or problem.said_remedy != type(problem).remedy
