"""What differs between two records of a connector, and which of it lets the connector do more."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any, get_args

import msgspec

from narrows.declare.budget import as_strict
from narrows.declare.commit import OF_KIND, Commit
from narrows.declare.connectors import ConnectorRecord, Ladder
from narrows.declare.rate import Rate
from narrows.declare.templates import TEMPLATES, within

Words = Sequence[str]


class FieldChange(msgspec.Struct, frozen=True, kw_only=True):
    """One field that differs; `widening` when the connector may do more, or something else, than was approved."""

    field: str
    before: Any
    after: Any
    widening: bool


def differences(before: ConnectorRecord | None, after: ConnectorRecord) -> list[FieldChange]:
    """The fields that differ, in the order of the record; of a new connector every field is more than it had."""
    if before is None:
        return [_change(name, None, value, widening=True) for name, value in _fields(after)]
    return [
        _change(name, getattr(before, name), value, widening=_widens(name, before, after))
        for name, value in _fields(after)
        if getattr(before, name) != value
    ]


def _fields(record: ConnectorRecord) -> Iterator[tuple[str, Any]]:
    for name in record.__struct_fields__:
        if name != "id":
            yield name, getattr(record, name)


def _change(name: str, before: Any, after: Any, *, widening: bool) -> FieldChange:
    return FieldChange(
        field=name, before=msgspec.to_builtins(before), after=msgspec.to_builtins(after), widening=widening
    )


def _widens(name: str, before: ConnectorRecord, after: ConnectorRecord) -> bool:
    """Whether a change of this field widens; a field that is not told of here does."""
    judge = _JUDGES.get(name)
    return judge is None or judge(before, after)


def _more(name: str) -> Callable[[ConnectorRecord, ConnectorRecord], bool]:
    return lambda before, after: not set(getattr(after, name)) <= set(getattr(before, name))


def _rates(before: ConnectorRecord, after: ConnectorRecord) -> bool:
    """Each limit that held must still hold, by one that is as strict."""
    return not all(any(_as_strict(new, old) for new in after.limits()) for old in before.limits())


def _as_strict(new: Rate, old: Rate) -> bool:
    # What holds for the connector as a whole holds for each of its callers, too.
    return new.per in (old.per, "connector") and within(new, old)


def _budgets(before: ConnectorRecord, after: ConnectorRecord) -> bool:
    return not all(any(as_strict(new, old) for new in after.spending()) for old in before.spending())


def _volumes(before: ConnectorRecord, after: ConnectorRecord) -> bool:
    return not all(any(as_strict(new, old) for new in after.answering()) for old in before.answering())


def _price(before: ConnectorRecord, after: ConnectorRecord) -> bool:
    new, old = after.ceiling(), before.ceiling()
    return new is not None and (old is None or new.currency != old.currency or new.amount > old.amount)


def _kind(before: ConnectorRecord, after: ConnectorRecord) -> bool:
    return _strictness(OF_KIND[after.kind]) <= _strictness(OF_KIND[before.kind])


def _strictness(commit: Commit) -> int:
    return get_args(Commit).index(commit)


def _template(before: ConnectorRecord, after: ConnectorRecord) -> bool:
    """Only a template that allows less in every respect narrows."""
    old, new = TEMPLATES.get(before.template), TEMPLATES.get(after.template)
    if old is None or new is None:
        return True
    looser = (new.writes and not old.writes) or new.credential_days > old.credential_days or new.price > old.price
    # Without writes it does not matter how writes would have to come.
    looser = looser or (new.writes and _strictness(new.commit) < _strictness(old.commit))
    return looser or not within(new.rate, old.rate)


def _documents(before: ConnectorRecord, after: ConnectorRecord) -> bool:
    ladder = get_args(Ladder)
    return ladder.index(after.documents) > ladder.index(before.documents)


def _expires(before: ConnectorRecord, after: ConnectorRecord) -> bool:
    return (after.expires or date.max) > (before.expires or date.max)


_JUDGES: Mapping[str, Callable[[ConnectorRecord, ConnectorRecord], bool]] = {
    "endpoints": _more("endpoints"),
    "scopes": _more("scopes"),
    "rates": _rates,
    "budgets": _budgets,
    "volumes": _volumes,
    "price_ceiling": _price,
    "kind": _kind,
    "template": _template,
    "documents": _documents,
    "expires": _expires,
    "sensitive": lambda _, after: after.sensitive,
    "version": lambda *_: False,
    "contact": lambda *_: False,
    "platform": lambda *_: False,
}
"""Client, issuer, tenant, owner, purpose and agreement are not here: another one is never less than the one before."""
