"""What is reached from the operations, and which classes could never hold a value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from narrows.devkit.scaffold.openapi.bounds import MOST_LEAVES
from narrows.devkit.scaffold.openapi.gaps import Remark
from narrows.devkit.scaffold.openapi.kinds import Either, Keyed, Kind, Loose, Many, Maybe, Missing, Model, Nothing, Ref
from narrows.devkit.scaffold.openapi.operations import Made


def reached(made: Iterable[Made], models: Mapping[str, Model]) -> dict[str, Model]:
    """The classes that the operations need, in the order in which they were made."""
    found: set[str] = set()
    waiting = [kind for one in made for kind in (one.answer, one.body, *(p.kind for p in one.parameters)) if kind]
    while waiting:
        for name in _names(waiting.pop()):
            if name not in found:
                found.add(name)
                waiting += [field.kind for field in models[name].fields]
    return {name: model for name, model in models.items() if name in found}


def cut_vast(made: Iterable[Made], models: Mapping[str, Model]) -> None:
    """Make a hole of an answer or body with too many places to be looked at one by one."""
    for one in made:
        said = f"it leads to more than {MOST_LEAVES} places: declare the fields that you need"
        if one.body is not None and _is_vast(one.body, models):
            one.body = None
            one.holes.append(Remark("hole", f"its body is not sent: {said}", one.pointer))
        if _is_vast(one.answer, models):
            one.answer = Nothing()
            one.holes.append(Remark("hole", f"its answer is not read: {said}", one.pointer))


def _is_vast(kind: Kind, models: Mapping[str, Model]) -> bool:
    """Whether a type has too many places, counted as the start walks them: a circle ends where it closes."""
    left = MOST_LEAVES
    waiting: list[tuple[Kind, frozenset[str]]] = [(kind, frozenset())]
    while waiting and left:
        left -= 1
        inner, above = waiting.pop()
        for name in _names(inner):
            if name not in above:
                waiting += [(field.kind, above | {name}) for field in models[name].fields]
    return bool(waiting)


def close_circles(models: Mapping[str, Model]) -> None:
    """Make a hole of every required field that would need a value without an end."""
    while endless := _endless(models):
        model = models[min(endless)]
        for number, field in enumerate(model.fields):
            if field.required and not _ends(field.kind, set(models) - endless):
                hole = Missing("it must hold another of its own kind, without an end", model.pointer)
                model.fields[number] = msgspec.structs.replace(field, kind=hole)


def _endless(models: Mapping[str, Model]) -> set[str]:
    """The classes of which no value is finite."""
    ending: set[str] = set()
    grown = True
    while grown:
        more = {
            name
            for name, model in models.items()
            if name not in ending and all(_ends(f.kind, ending) for f in model.fields if f.required)
        }
        ending |= more
        grown = bool(more)
    return set(models) - ending


def _ends(kind: Kind, ending: set[str]) -> bool:
    match kind:
        case Ref(name=name):
            return name in ending
        case Loose(inner=inner):
            return _ends(inner, ending)
        case Many(item=item, low=low):
            return not low or _ends(item, ending)
        case Either(members=members):
            return any(_ends(member, ending) for member in members)
    return True


def _names(kind: Kind) -> list[str]:
    match kind:
        case Ref(name=name):
            return [name]
        case Maybe(inner=inner) | Loose(inner=inner) | Many(item=inner) | Keyed(value=inner):
            return _names(inner)
        case Either(members=members):
            return [name for member in members for name in _names(member)]
    return []
