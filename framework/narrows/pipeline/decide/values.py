"""Where a guard finds the values that it compares: arguments, fields of the body, fields of what was read first."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from typing import Any, Union, get_args, get_origin

import msgspec

from narrows.call import Call
from narrows.declare.shape import Shape, placeholders
from narrows.identity.roles_names import domain_name

Getter = Callable[[Call], Any]


class ValueMissing(Exception):
    """A name in a declaration leads to no value."""


def argument(shape: Shape, name: str) -> Getter:
    """Find a value by name: a path or query parameter, else a field of the body. Raises `ValueMissing`."""
    parameter = shape.parameters.get(name)
    if parameter is not None and parameter.source in ("path", "query"):
        return lambda call: call.arguments[name]
    if parameter is not None and parameter.source == "variable":
        # A variable that was not sent is not there.
        return lambda call: call.arguments.get(name)
    body = shape.body
    if body is not None and (attribute := attribute_of(body.type, name)):
        key = body.name
        return lambda call: getattr(call.arguments[key], attribute)
    raise ValueMissing(name)


def attribute_of(kind: Any, name: str) -> str | None:
    """The attribute of a Struct that is written as `name` in JSON."""
    bare = get_args(kind)[0] if get_origin(kind) is not None else kind
    if not (isinstance(bare, type) and issubclass(bare, msgspec.Struct)):
        return None
    return next((f.name for f in msgspec.structs.fields(bare) if f.encode_name == name), None)


def _of_variable(shape: Shape, name: str, field: str) -> Getter | None:
    """Find a field of an object that a variable of a document is; what was not sent has none."""
    parameter = shape.parameters.get(name)
    if parameter is None or parameter.source != "variable" or (attribute := _attribute(parameter.type, field)) is None:
        return None
    return lambda call: getattr(call.arguments.get(name), attribute, None)


def _attribute(kind: Any, name: str) -> str | None:
    """The attribute of the one Struct that a variable is, whatever else it may be."""
    alternatives = get_args(kind) if get_origin(kind) in (Union, types.UnionType) else (kind,)
    found = [attribute for one in alternatives if (attribute := attribute_of(one, name))]
    return found[0] if len(found) == 1 else None


class Domain(msgspec.Struct, frozen=True):
    """The domain of an endpoint: `team:{team_id}`, `team:{booking.team_id}`, or the same for every call."""

    template: str
    kind: str
    value: str | None = None
    given: str | None = None
    attribute: str | None = None
    get: Getter | None = None

    def name(self, call: Call) -> str | None:
        """The domain of one call, such as `team:7`; None when its value is absent, or of a type that names nothing."""
        value = self.value if self.get is None else self.get(call)
        if type(value) is int or type(value) is str:
            return domain_name(self.kind, value)
        value = msgspec.to_builtins(value)
        if isinstance(value, bool) or not isinstance(value, str | int):
            return None
        return domain_name(self.kind, value)

    @classmethod
    def prepare(cls, template: str, shape: Shape, given: Mapping[str, Any]) -> Domain:
        """Read a template; `given` maps the names of reads to the types of their answers. Raises `ValueMissing`."""
        kind, _, rest = template.partition(":")
        names = placeholders(template)
        if not names and kind and rest:
            return cls(template, kind, value=rest)
        if len(names) != 1 or rest != "{" + names[0] + "}" or not kind:
            raise ValueMissing(template)
        head, _, field = names[0].partition(".")
        if not field:
            return cls(template, kind, get=argument(shape, head))
        if head not in given and (get := _of_variable(shape, head, field)):
            return cls(template, kind, get=get)
        attribute = attribute_of(given[head], field) if head in given else None
        if attribute is None:
            raise ValueMissing(names[0])
        return cls(
            template, kind, given=head, attribute=attribute, get=lambda call: getattr(call.given[head], attribute)
        )
