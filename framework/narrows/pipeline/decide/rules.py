"""`when`: named predicates over the caller, the time and typed values."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from datetime import datetime

import msgspec

from narrows.call import Call, Caller
from narrows.errors import Forbidden
from narrows.pipeline.decide.values import Getter, ValueMissing, argument
from narrows.pipeline.step import Preparing


class Rule(msgspec.Struct, frozen=True):
    """One predicate, and where its arguments are found; `of_given` when it judges what `given` read."""

    name: str
    holds: Callable[..., bool]
    getters: dict[str, Getter]
    of_given: bool

    def check(self, call: Call) -> None:
        """Refuse a call for which the rule does not say True, and nothing like it. Raises `Forbidden`."""
        # Whether it holds for an object that the sandbox made up is chance.
        if self.of_given and call.mode == "sandbox":
            return
        if self.holds(**{name: get(call) for name, get in self.getters.items()}) is not True:
            call.rule = f"when:{self.name}"
            raise Forbidden(f"The rule {self.name!r} does not hold.", remedy="Change what the rule is about.")


def rules(preparing: Preparing) -> Iterator[Rule]:
    """Make the predicates of `when` ready; they take values by name."""
    for predicate in preparing.endpoint.when:
        name = predicate.__name__
        taken = inspect.signature(predicate).parameters
        getters = {taking: _value(preparing, taking, name) for taking in taken}
        yield Rule(name, predicate, getters, not preparing.endpoint.given.keys().isdisjoint(taken))


def _value(preparing: Preparing, name: str, rule: str) -> Getter:
    """`caller`, `now`, something given, a parameter, the body, or a field of it."""
    if name == "caller":
        return _caller
    if name == "now":
        return _now
    if name in preparing.endpoint.given:
        return lambda call: call.given[name]
    body = preparing.shape.body
    if body is not None and body.name == name:
        return lambda call: call.arguments[name]
    try:
        return argument(preparing.shape, name)
    except ValueMissing:
        preparing.refuse(
            "rule-argument",
            f"the rule {rule} takes `{name}`, which this endpoint does not have",
            "take `caller`, `now`, a parameter of the endpoint or a name of `given`",
        )
        return _caller


def _caller(call: Call) -> Caller | None:
    return call.caller


def _now(call: Call) -> datetime:
    return call.now()
