"""Kinds as type expressions, and classes: the file `types.py`.

Whatever has bounds, values or a hole gets a name of its own, so that a field stays one short line.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from narrows.devkit.scaffold.openapi.bounds import KEY_BOUND, SEGMENT_BOUND, TEXT_BOUND
from narrows.devkit.scaffold.openapi.gaps import shown
from narrows.devkit.scaffold.openapi.kinds import (
    Choice,
    Either,
    Field,
    Flag,
    Keyed,
    Kind,
    Loose,
    Many,
    Marked,
    Maybe,
    Missing,
    Model,
    Nothing,
    Real,
    Ref,
    Text,
    Whole,
)
from narrows.devkit.scaffold.openapi.layout import (
    WIDTH,
    Code,
    Group,
    Words,
    call,
    flat,
    imported,
    index,
    laid,
    literal,
    named,
)
from narrows.devkit.scaffold.openapi.names import camel, distinct, short

_SHORT = 60
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_HOMES = {
    "datetime": {"date"},
    "typing": {"Annotated", "Literal"},
    "uuid": {"UUID"},
    "msgspec": {"Meta", "field"},
    "narrows": {"Input", "LongText", "Moment", "Narrow", "hole"},
    "narrows.declare.types": {"ID"},
}
_READY: dict[Kind, str] = {
    Flag(): "bool", Nothing(): "None", Text(high=TEXT_BOUND): "LongText", Text(1, SEGMENT_BOUND): "Segment",
}  # fmt: skip
_FORMS = {"text": "str", "moment": "Moment", "date": "date", "uuid": "UUID"}


class Types:
    """The names for types of one BFF: the classes of `models`, and names for all that is longer than a word."""

    def __init__(self, models: Mapping[str, Model], taken: set[str]) -> None:
        self.models = models
        self._taken = taken
        self._early: dict[str, tuple[str, Code]] = {}
        self._late: dict[str, tuple[str, Code]] = {}

    def expression(self, kind: Kind, hint: str) -> str:
        """A kind as a type expression of names alone; what has no name yet gets one of `hint`."""
        if kind in _READY:
            return self._ready(kind)
        match kind:
            case Maybe(inner=inner):
                return f"{self.expression(inner, hint)} | None"
            case Either(members=members):
                parts = [self.expression(member, f"{hint}{number}") for number, member in enumerate(members, 1)]
                together = " | ".join(parts)
                return together if len(together) <= _SHORT else self._union(hint, parts)
            case Ref(name=name):
                return name
            case Choice(values=values):
                return self._name(hint, index("Literal", *(_value(value) for value in values)))
            case Missing(said=said, pointer=pointer):
                return self._name(hint + "Hole", index("Annotated", "None", call("Meta", _hole(said, pointer))))
        base, metas = self._bounded(kind, hint)
        if not metas:
            return base
        return self._name(hint, index("Annotated", base, *metas))

    def _ready(self, kind: Kind) -> str:
        """What has the same bounds everywhere has one name everywhere."""
        name = _READY[kind]
        if name != "Segment":
            return name
        return self._name(name, index("Annotated", "str", *self._bounded(kind, name)[1]))

    def _bounded(self, kind: Kind, hint: str) -> tuple[str, list[Code]]:
        """What a kind is without its bounds, and the bounds."""
        match kind:
            case Text(low=low, high=high, pattern=pattern, form=form):
                written = literal(pattern) if pattern is not None else None
                return _FORMS[form], _meta(min_length=low, max_length=high, pattern=written)
            case Whole(low=low, high=high, multiple=multiple):
                return "int", _meta(ge=low, le=high, multiple_of=multiple)
            case Real(low=lowest, high=highest, above=above, under=under):
                return "float", _meta(ge=lowest, gt=above, le=highest, lt=under)
            case Many(item=item, low=low, high=high):
                return f"list[{self.expression(item, hint + 'Item')}]", _meta(min_length=low, max_length=high)
            case Keyed(value=value, high=high):
                key = self._name("Key", index("Annotated", "str", *_meta(max_length=KEY_BOUND)))
                return f"dict[{key}, {self.expression(value, hint + 'Value')}]", _meta(max_length=high)
            case Marked(inner=inner):
                base, metas = self._bounded(inner, hint)
                return base, [*metas, call("Meta", "extra=ID")]
            case Loose(inner=inner, said=said, pointer=pointer) if isinstance(
                inner, Text | Whole | Real | Many | Keyed | Marked | Loose
            ):
                base, metas = self._bounded(inner, hint)
                return base, [*metas, call("Meta", _hole(said, pointer))]
            case Loose(inner=inner, said=said, pointer=pointer):
                return self.expression(inner, hint + "Whole"), [call("Meta", _hole(said, pointer))]
        raise AssertionError(f"{type(kind).__name__} has no bounds of its own")

    def _name(self, hint: str, code: Code) -> str:
        """The name of a type that is longer than a word; equal ones share it."""
        text = flat(code)
        for names in (self._early, self._late):
            if text in names:
                return names[text][0]
        late = any(word in self.models or word in self._late_names() for word in _NAME.findall(_bare(text)))
        name = distinct(short(hint), self._taken)
        (self._late if late else self._early)[text] = (name, code)
        return name

    def _union(self, hint: str, parts: list[str]) -> str:
        text = " | ".join(parts)
        if text not in self._late:
            self._late[text] = (distinct(short(hint), self._taken), text)
        return self._late[text][0]

    def _late_names(self) -> set[str]:
        return {name for name, _ in self._late.values()}

    @property
    def names(self) -> set[str]:
        """All that can be imported from `types.py`."""
        return {*self.models, *(name for name, _ in self._early.values()), *self._late_names()}

    def text(self, title: str) -> str:
        """The file `types.py`."""
        classes = [self._class(model) for model in self.models.values()]
        early = [laid(code, before=f"{name} = ") for name, code in self._early.values()]
        late = [_late(name, code) for name, code in self._late.values()]
        body = "\n\n\n".join(part for part in ("\n".join(early), *classes, "\n".join(late)) if part)
        return f'"""{title}"""\n\nfrom __future__ import annotations\n\n{self._imports(body)}{body}\n'

    def _imports(self, body: str) -> str:
        return imports_of(_bare(body), {})

    def _class(self, model: Model) -> str:
        bases: list[Code] = ["Input" if model.direction == "in" else "Narrow"]
        bases += ["omit_defaults=True"] if model.direction == "in" else []
        if model.tag:
            bases += [f"tag_field={literal(model.tag[0])}", f"tag={literal(model.tag[1])}"]
        lines = [laid(call(f"class {model.name}", *bases), after=":")]
        lines.append(f'    """{_origin(model)}"""')
        # A checker of types wants what has no default first.
        ordered = sorted(model.fields, key=lambda field: not field.required or isinstance(field.kind, Missing))
        fields = [self._field(model, field) for field in ordered]
        return "\n".join([*lines, *([""] if fields else []), *fields])

    def _field(self, model: Model, field: Field) -> str:
        kind = field.kind
        optional = not field.required or isinstance(kind, Missing)
        if optional and not isinstance(kind, Maybe | Missing | Nothing):
            kind = Maybe(kind)
        kind_text = self.expression(kind, model.name + camel(field.wire))
        before = f"{field.name}: {kind_text}"
        if field.wire != field.name:
            wire = literal(field.wire)
            long = len(wire) > WIDTH - 14
            parts: list[Code] = [Group("name=(", (Words(field.wire),), ")") if long else f"name={wire}"]
            parts += ["default=None"] if optional else []
            return laid(call("field", *parts), 4, f"{before} = ")
        return f"    {before}{' = None' if optional else ''}"


def imports_of(text: str, own: Mapping[str, set[str]]) -> str:
    """The imports that a text without literals needs: of the standard library, of msgspec, of the BFF and Narrows."""
    used = set(_NAME.findall(text))

    def block(*modules: str, homes: Mapping[str, set[str]] = _HOMES) -> str:
        lines = "".join(imported(module, sorted(homes[module] & used)) for module in modules)
        return lines + "\n" if lines else ""

    first = {**own, "narrows": _HOMES["narrows"] | own.get("narrows", set()), "narrows.declare.types": {"ID"}}
    inside = block(*sorted(name for name in first if name.startswith("bffs")), homes=first).rstrip("\n")
    narrows = block("narrows", "narrows.declare.types", homes=first)
    made = f"{inside}\n{narrows}" if inside else narrows
    return block("datetime", "typing", "uuid") + block("msgspec") + made


def words(text: str, longest: int) -> str:
    """A text of the document for a docstring: nothing stands in it that could end or continue one."""
    plain = " ".join(shown(text, longest).split()).replace("\\", "/").replace('"', "'")
    return plain.strip(" '")


def _origin(model: Model) -> str:
    """Where a class comes from, as a sentence."""
    *_, above, last = ("", *model.pointer.split("/"))
    if above in ("schemas", "definitions"):
        return f"{words(last, 80) or model.name} of the document."
    return f"{words(above, 40)}/{words(last, 40)} in the document."


def _bare(text: str) -> str:
    """A text of code without the values of its literals, which this package made: no escaped quote is in them."""
    return re.sub(r'"[^"]*"', '""', text)


def _late(name: str, code: Code) -> str:
    """A type made of classes, which stands below them; a union too long for a line is parted."""
    if not isinstance(code, str):
        return laid(code, before=f"{name} = ")
    line = f"{name} = {code}"
    if len(line) <= 120:
        return line
    inner = f"    {code}" if len(code) <= 116 else "    " + "\n    | ".join(code.split(" | "))
    return f"{name} = (\n{inner}\n)"


def _meta(**bounds: object) -> list[Code]:
    """The bounds that there are, as one Meta; none when there is none."""
    parts = [f"{name}={value}" for name, value in bounds.items() if value is not None]
    return [call("Meta", *parts)] if parts else []


def _value(value: str | int) -> str:
    return literal(value) if isinstance(value, str) else str(value)


def _hole(said: str, pointer: str) -> Code:
    return named("extra", call("hole", Words(f"{shown(said)} ({shown(pointer)})")))
