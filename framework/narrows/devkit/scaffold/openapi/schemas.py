"""Schemas become kinds: every dialect, with what stands behind references, and only what is reached.

What cannot be expressed becomes `Missing` or `Loose` with its pointer, and never a guess. A schema is a *conjunction*
here: the places that all hold for one value, which is what `allOf` and a reference with members beside it mean.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from narrows.checks.linear import NotProven
from narrows.devkit.scaffold.openapi.bounds import (
    DEEPEST,
    LIST_BOUND,
    MOST_MODELS,
    MOST_PARTS,
    MOST_PLACES,
    NAME_BOUND,
    TEXT_BOUND,
)
from narrows.devkit.scaffold.openapi.document import Document, Place
from narrows.devkit.scaffold.openapi.gaps import Gap, Remark, below
from narrows.devkit.scaffold.openapi.kinds import (
    Choice,
    Direction,
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
    core,
)
from narrows.devkit.scaffold.openapi.names import attribute, camel, distinct, pascal, short, snake
from narrows.devkit.scaffold.openapi.numbers import real_of, whole_of
from narrows.devkit.scaffold.openapi.patterns import can_be_made, proven
from narrows.devkit.scaffold.openapi.words import (
    Parts,
    choice_of,
    first_text,
    is_odd,
    least_of,
    most_of,
    properties_of,
    says_something,
    texts_of,
    types_of,
    without,
)

# These keep values away, and have no form in a type of msgspec.
_UNKEPT = ("not", "if", "contains", "dependentSchemas", "dependentRequired", "dependencies", "propertyNames",
           "unevaluatedItems", "minProperties", "maxProperties")  # fmt: skip
_WRAPPING = {"oneOf", "anyOf", "discriminator", "title", "description", "type"}
_OF_KIND: Mapping[type, str] = {
    Text: "text", Whole: "number", Real: "number", Flag: "flag", Nothing: "null", Many: "list", Keyed: "object",
    Ref: "object",
}  # fmt: skip


class Schemas:
    """Reads schemas of one document. `models` are the classes that were needed, `remarks` what must be told.

    With `bounded` a text or list that goes in gets a bound when the document has none, as a start demands it.
    """

    def __init__(self, document: Document, taken: Iterable[str] = (), *, bounded: bool = True) -> None:
        self.models: dict[str, Model] = {}
        self.remarks: list[Remark] = []
        self._document = document
        self._bounded = bounded
        self._taken = set(taken)
        self._known: dict[tuple[Any, ...], str] = {}
        self._left = MOST_PLACES

    def refill(self) -> None:
        """Begin another operation, which may reach as many places as the one before."""
        self._left = MOST_PLACES

    def kind(self, place: Place, direction: Direction, name: str, depth: int = 0) -> Kind:
        """What a schema becomes; `name` is for a class that has none in the document."""
        return self._of((place,), direction, name, depth)

    def note(self, said: str, pointer: str) -> None:
        """Tell what was narrowed."""
        remark = Remark("note", said, pointer)
        if remark not in self.remarks[-50:]:
            self.remarks.append(remark)

    def _of(self, parts: Parts, direction: Direction, name: str, depth: int) -> Kind:
        pointer = parts[0].pointer
        self._left -= 1
        try:
            if depth > DEEPEST:
                raise Gap("it is nested too deeply", pointer)
            if self._left < 0:
                raise Gap("too much is reached from here", pointer)
            return self._kind(self._flat(parts), direction, _title(self._document, parts) or name, depth)
        except Gap as gap:
            return Missing(gap.said, gap.pointer)

    def _flat(self, parts: Parts) -> Parts:
        """Follow references and take `allOf` apart, until only plain schemas are left."""
        found: dict[str, Place] = {}
        waiting = list(reversed(parts))
        seen: set[str] = set()
        while waiting:
            place = waiting.pop()
            if place.pointer in seen:
                continue
            seen.add(place.pointer)
            if len(seen) > MOST_PARTS:
                raise Gap("too many schemas must hold at once", place.pointer)
            if not isinstance(place.value, dict):
                raise Gap("it says nothing of its type", place.pointer)
            if "$ref" in place.value:
                waiting.append(self._document.follow(place, once=True))
                if self._document.dialect == "3.1" and len(place.value) > 1:
                    # Only since 3.1 does anything count that stands beside a reference.
                    found[place.pointer] = without(place, ("$ref",))
                continue
            found[place.pointer] = place
            waiting += reversed(place.at("allOf").items())
        if not found:
            raise Gap("its references lead in a circle", parts[0].pointer)
        return tuple(found.values())

    def _kind(self, parts: Parts, direction: Direction, name: str, depth: int) -> Kind:
        pointer = parts[0].pointer
        types, nullable = types_of(parts)
        choice = choice_of(parts)
        if choice is not None:
            nullable = nullable or None in choice
            kind = self._literal(choice, pointer, direction)
        elif (found := self._alternatives(parts, direction, name, depth)) is not None:
            kind = found
        elif not types:
            kind = Nothing() if nullable else _said_nothing(pointer)
        else:
            kinds = [self._typed(one, parts, direction, name, depth) for one in types]
            kind = kinds[0] if len(kinds) == 1 else self._either(kinds, pointer)
        kind = _loosened(kind, parts)
        return Maybe(kind) if nullable and not isinstance(kind, Nothing | Maybe | Missing) else kind

    def _literal(self, values: list[Any], pointer: str, direction: Direction) -> Kind:
        kept = [value for value in values if value is not None]
        if not kept:
            return Nothing()
        if all(isinstance(value, bool) for value in kept):
            if len(set(kept)) == 1 and direction == "in":
                return Loose(Flag(), "only one of true and false", pointer)
            return Flag()
        plain = all(isinstance(v, str) or (isinstance(v, int) and not isinstance(v, bool)) for v in kept)
        if not plain or len(kept) > 2000 or any(map(is_odd, kept)):
            raise Gap("its values are of kinds that cannot be listed together", below(pointer, "enum"))
        return Choice(tuple(dict.fromkeys(kept)))

    def _typed(self, kind: str, parts: Parts, direction: Direction, name: str, depth: int) -> Kind:
        match kind:
            case "string":
                return self._text(parts, direction)
            case "integer":
                return whole_of(parts)
            case "number":
                return real_of(parts)
            case "boolean":
                return Flag()
            case "array":
                return self._many(parts, direction, name, depth)
        return self._object(parts, direction, name, depth)

    def _text(self, parts: Parts, direction: Direction) -> Kind:
        pointer = parts[0].pointer
        form = first_text(parts, "format")
        if form in ("binary", "file"):
            raise Gap("it is binary", pointer)
        low, high = most_of(parts, "minLength"), least_of(parts, "maxLength")
        patterns = list(dict.fromkeys(p.get("pattern") for p in parts if p.get("pattern") is not None))
        if not patterns and low is None and high is None and form in ("date-time", "date", "uuid"):
            return Text(form={"date-time": "moment", "date": "date"}.get(form, "uuid"))  # type: ignore[arg-type]  # as in Text
        if high is None and direction == "in" and self._bounded:
            high = max(TEXT_BOUND, low or 0)
            self.note(f"texts without a bound get one: at most {TEXT_BOUND} characters", "#")
        if low is not None and high is not None and low > high:
            raise Gap("no text is as long as it says", pointer)
        text = Text(low or None, high)
        return _with_pattern(text, patterns, below(pointer, "pattern")) if patterns else text

    def _many(self, parts: Parts, direction: Direction, name: str, depth: int) -> Kind:
        pointer = parts[0].pointer
        given = tuple(part.at("items") for part in parts if part.get("items") is not None)
        if not given or any(isinstance(one.value, list) for one in given) or any(p.get("prefixItems") for p in parts):
            raise Gap("it is a list whose items have no common type", pointer)
        item = self._of(given, direction, name + "Item", depth + 1)
        if isinstance(item, Missing):
            return item
        low, high = most_of(parts, "minItems"), least_of(parts, "maxItems")
        if high is None and direction == "in" and self._bounded:
            high = max(LIST_BOUND, low or 0)
            self.note(f"lists without a bound get one: at most {LIST_BOUND} items", "#")
        if low is not None and high is not None and low > high:
            raise Gap("no list is as long as it says", pointer)
        if any(part.get("uniqueItems") is True for part in parts):
            self.note("that its items differ is left to the upstream", pointer)
        return Many(item, low or None, high)

    def _object(self, parts: Parts, direction: Direction, name: str, depth: int) -> Kind:
        pointer = parts[0].pointer
        if any(part.get("properties") for part in parts):
            return Ref(self.model(parts, direction, name, depth))
        if any(part.get("patternProperties") for part in parts):
            raise Gap("it is an object whose keys follow patterns", pointer)
        open_to = [part.at("additionalProperties") for part in parts if part.get("additionalProperties") is not None]
        values = tuple(one for one in open_to if isinstance(one.value, dict) and one.value)
        if not values:
            raise Gap("it is an object without named fields", pointer)
        value = self._of(values, direction, name + "Value", depth + 1)
        if isinstance(value, Missing):
            return value
        return Keyed(value, LIST_BOUND if direction == "in" and self._bounded else None)

    def model(
        self, parts: Parts, direction: Direction, name: str, depth: int, tag: tuple[str, str] | None = None
    ) -> str:
        """The class of an object, made once for each place and direction; it may lead back to itself."""
        key = (direction, tag, *(part.pointer for part in parts))
        if key in self._known:
            return self._known[key]
        if len(self.models) >= MOST_MODELS:
            raise Gap(f"more than {MOST_MODELS} classes are reached", parts[0].pointer)
        named = distinct(short(name) + ("Input" if direction == "in" else ""), self._taken)
        self._known[key] = named
        model = self.models[named] = Model(named, direction, parts[0].pointer, [], tag)
        taken: set[str] = set()
        for wire, places in properties_of(parts).items():
            if not tag or wire != tag[0]:
                model.fields += self._field(wire, places, parts, model, distinct(attribute(wire), taken), depth)
        return named

    def _field(self, wire: str, places: Parts, parts: Parts, model: Model, name: str, depth: int) -> Iterable[Field]:
        skipped = "readOnly" if model.direction == "in" else "writeOnly"
        if any(_peek(self._document, place).get(skipped) is True for place in places):
            return
        required = any(wire in texts_of(part.get("required")) for part in parts)
        kind = self._of(places, model.direction, model.name.removesuffix("Input") + camel(wire), depth + 1)
        if model.direction == "in" and self._bounded:
            kind = marked(kind, wire)
            if not required and isinstance(kind, Maybe):
                self.note("null and absent are one here: neither is sent", places[0].pointer)
        yield Field(name, wire, kind, required)

    # --- one of several ------------------------------------------------------------------------------------------

    def _alternatives(self, parts: Parts, direction: Direction, name: str, depth: int) -> Kind | None:
        """What `oneOf` and `anyOf` become; None when there is none that says more than what stands beside it."""
        groups = [part.at(word) for part in parts for word in ("oneOf", "anyOf") if part.get(word)]
        if not groups:
            return None
        if len(groups) > 1:
            raise Gap("several choices must hold at once", parts[0].pointer)
        base = tuple(without(part, ("oneOf", "anyOf", "discriminator")) for part in parts)
        base = tuple(part for part in base if says_something(part.value))
        options, nullable = self._options(groups[0])
        if options and all(set(option.value) <= {"required", "not", "title", "description"} for option in options):
            # Which fields come together has no form in a type: they stay optional, and the upstream decides.
            self.note("which fields must come together is left to the upstream", groups[0].pointer)
            return None
        ways = [(*base, option) for option in options]
        kind = self._one_of(ways, parts, groups[0].pointer, direction, name, depth)
        return Maybe(kind) if nullable and not isinstance(kind, Maybe | Missing | Nothing) else kind

    def _options(self, group: Place) -> tuple[list[Place], bool]:
        """The options that are not null, and whether null is one."""
        resolved = self._resolved(group)
        kept = [option for option, found in resolved if found.get("type") != "null" and found.get("enum") != [None]]
        return kept, len(kept) < len(resolved)

    def _resolved(self, group: Place) -> list[tuple[Place, Place]]:
        """The options with what they refer to; a choice that is one of several again stands for its own options."""
        resolved: list[tuple[Place, Place]] = []
        waiting = list(reversed(group.items()))
        for _ in range(MOST_PARTS):
            if not waiting:
                return resolved
            option = waiting.pop()
            found = self._document.follow(option)
            if not isinstance(found.value, dict):
                raise Gap("its choices say nothing of their types", option.pointer)
            inner = found.at("oneOf") if found.get("oneOf") else found.at("anyOf")
            if inner.items() and set(found.value) <= _WRAPPING:
                waiting += reversed(inner.items())
            else:
                resolved.append((option, found))
        raise Gap("too many choices", group.pointer)

    def _one_of(
        self, ways: list[Parts], parts: Parts, pointer: str, direction: Direction, name: str, depth: int
    ) -> Kind:
        if not ways:
            return Nothing()
        flat = [self._flat(way) for way in ways]
        objects = [way for way in flat if any(part.get("properties") for part in way)]
        if len(objects) > 1:
            tagged = self._tagged(objects, parts, direction, name, depth)
            if tagged is None and direction == "out":
                tagged = self._common(objects, pointer, name, depth)
            others = [way for way, own in zip(ways, flat, strict=True) if own not in objects]
        else:
            tagged, others = None, ways
        kinds = [self._of(way, direction, f"{name}{number or ''}", depth + 1) for number, way in _counted(others)]
        if tagged is not None:
            kinds.append(tagged)
        if direction == "in" and (tagged is None or any(isinstance(kind, Missing) for kind in kinds)):
            return self._first_sendable(kinds, objects, pointer, name, depth)
        return self._either(kinds, pointer)

    def _first_sendable(self, kinds: list[Kind], objects: list[Parts], pointer: str, name: str, depth: int) -> Kind:
        """What goes out may be one form of several: fewer forms are narrower, and never wrong."""
        if len(objects) > 1:
            kinds = [Ref(self.model(objects[0], "in", name, depth)), *kinds]
        sendable = [kind for kind in kinds if not isinstance(core(kind), Missing)]
        if not sendable:
            return Missing("none of its choices can be expressed", pointer)
        chosen = next((kind for kind in sendable if isinstance(core(kind), Ref)), sendable[0])
        if len(kinds) > 1:
            self.note("of several forms only one is sent", pointer)
        return chosen

    def _either(self, kinds: list[Kind], pointer: str) -> Kind:
        """A union that JSON can tell apart, one text beside one number and so on."""
        for kind in kinds:
            if isinstance(kind, Missing):
                return kind
        distinct_kinds = list(dict.fromkeys(kind.inner if isinstance(kind, Maybe) else kind for kind in kinds))
        nullable = any(isinstance(kind, Maybe | Nothing) for kind in kinds)
        members = _joined([kind for kind in distinct_kinds if not isinstance(kind, Nothing)])
        sorts = [sort for member in members for sort in self._sorts(member)]
        if len(set(sorts)) != len(sorts):
            return Missing("its choices cannot be told apart", pointer)
        if any(isinstance(member, Loose) for member in members):
            return Missing("one of its choices cannot be kept whole", pointer)
        kind = members[0] if len(members) == 1 else Either(tuple(members))
        return Maybe(kind) if nullable else kind

    def _sorts(self, kind: Kind) -> list[str]:
        """The sorts of JSON values that a kind takes; tagged classes are told apart by their tags."""
        inner = core(kind)
        match inner:
            case Choice(values=values):
                return sorted({"text" if isinstance(value, str) else "number" for value in values})
            case Either(members=members):
                return list(dict.fromkeys(sort for member in members for sort in self._sorts(member)))
        return [_OF_KIND[type(inner)]]

    def _tagged(self, objects: list[Parts], parts: Parts, direction: Direction, name: str, depth: int) -> Kind | None:
        """Classes that a field tells apart: a discriminator names it, or each has a value of its own in it."""
        discriminators = [part.at("discriminator") for part in parts if part.get("discriminator")]
        named = [d.get("propertyName") or d.value for d in discriminators]
        candidates = named if named else list(properties_of(objects[0]))
        for wire in candidates:
            tags = [self._tag(way, wire, discriminators) for way in objects] if isinstance(wire, str) else []
            if tags and None not in tags and len(set(tags)) == len(tags):
                members = []
                for way, tag in zip(objects, tags, strict=True):
                    title = _title(self._document, way) or name + camel(str(tag))
                    members.append(Ref(self.model(way, direction, title, depth, (str(wire), str(tag)))))
                return Either(tuple(members)) if len(members) > 1 else members[0]
        return None

    def _tag(self, way: Parts, wire: str, discriminators: list[Place]) -> str | None:
        """The one value that a field has in an object; None when it is not required or has several."""
        if not any(wire in texts_of(part.get("required")) for part in way):
            return None
        places = properties_of(way).get(wire, ())
        values = choice_of(self._flat(places)) if places else None
        if values and len(values) == 1 and isinstance(values[0], str) and len(values[0]) <= NAME_BOUND:
            return values[0]
        if values is None and discriminators:
            mapping = discriminators[0].at("mapping").members()
            for value, target in mapping:
                if any(str(target.value) in (part.pointer, part.pointer.rpartition("/")[2]) for part in way):
                    return value
            return way[0].pointer.rpartition("/")[2] if not mapping and _is_component(way[0].pointer) else None
        return None

    def _common(self, objects: list[Parts], pointer: str, name: str, depth: int) -> Kind:
        """One class with the fields that all the objects have alike: narrower than each of them."""
        every = [properties_of(way) for way in objects]
        model = Model(distinct(short(name), self._taken), "out", pointer, [])
        taken: set[str] = set()
        for wire in every[0]:
            if not all(wire in own for own in every):
                continue
            required = all(any(wire in texts_of(part.get("required")) for part in way) for way in objects)
            kinds = [self._of(own[wire], "out", model.name + camel(wire), depth + 1) for own in every]
            kind = kinds[0] if all(kind == kinds[0] for kind in kinds) else self._either(kinds, pointer)
            if not isinstance(kind, Missing):
                model.fields.append(Field(distinct(attribute(wire), taken), wire, kind, required))
        if not model.fields:
            return Missing("nothing tells its choices apart, and they have no field in common", pointer)
        self.models[model.name] = model
        self.note("nothing tells its choices apart: only the fields that all have alike are kept", pointer)
        return Ref(model.name)


def marked(kind: Kind, wire: str) -> Kind:
    """A value that is named like an object id, as one: an endpoint must bind it."""
    if isinstance(kind, Maybe):
        return Maybe(marked(kind.inner, wire))
    if isinstance(kind, Loose):
        return msgspec.structs.replace(kind, inner=marked(kind.inner, wire))
    plain = snake(wire).rstrip("_")
    looks = plain == "id" or plain.endswith(("_id", "_ids", "_uuid"))
    if isinstance(kind, Many) and looks and isinstance(kind.item, Text | Whole):
        return msgspec.structs.replace(kind, item=marked(kind.item, "id"))
    text_id = isinstance(kind, Text) and kind.form in ("text", "uuid")
    return Marked(kind) if looks and (text_id or isinstance(kind, Whole)) else kind  # type: ignore[arg-type]  # as said


def _counted(ways: list[Parts]) -> list[tuple[int, Parts]]:
    return [(number + 1 if number else 0, way) for number, way in enumerate(ways)]


def _joined(kinds: list[Kind]) -> list[Kind]:
    """Several forms of text are one text, whole numbers and others are numbers: wider, and still of one type."""
    texts = [kind for kind in kinds if isinstance(kind, Text) or (isinstance(kind, Choice) and _is_texts(kind))]
    if len(texts) > 1:
        choices = [kind for kind in texts if isinstance(kind, Choice)]
        same = len(choices) == len(texts)
        every = tuple(dict.fromkeys(value for choice in choices for value in choice.values))
        joined: Kind = Choice(every) if same else Text()
        kinds = [joined, *(kind for kind in kinds if kind not in texts)]
    if len([kind for kind in kinds if isinstance(kind, Whole | Real)]) > 1:
        kinds = [Real(), *(kind for kind in kinds if not isinstance(kind, Whole | Real))]
    return kinds


def _is_texts(choice: Choice) -> bool:
    return all(isinstance(value, str) for value in choice.values)


def _title(document: Document, parts: Parts) -> str:
    """The name that a schema has in the document, if it is one reference or one named schema."""
    if len(parts) != 1:
        return ""
    pointer = document.follow(parts[0]).pointer
    if not _is_component(pointer):
        return ""
    # `io.k8s.api.core.v1.Pod` is called Pod: what stands before the last dot says where it came from.
    name = pointer.rpartition("/")[2].replace("~1", "/").replace("~0", "~")
    return pascal(name.rpartition(".")[2] or name)


def _is_component(pointer: str) -> bool:
    return pointer.startswith(("#/components/schemas/", "#/definitions/")) and pointer.count("/") <= 3


def _said_nothing(pointer: str) -> Kind:
    raise Gap("it says nothing of its type", pointer)


def _with_pattern(text: Text, patterns: list[Any], pointer: str) -> Kind:
    if len(patterns) > 1:
        return Loose(text, "that two patterns hold at once is not kept", pointer)
    try:
        kept = proven(patterns[0])
    except NotProven as why:
        return Loose(text, f"its pattern is not kept: {why}", pointer)
    if not can_be_made(Annotated[str, Meta(min_length=text.low, max_length=text.high, pattern=kept)]):
        return Loose(text, "its pattern is not kept: the sandbox finds no text for it", pointer)
    return msgspec.structs.replace(text, pattern=kept)


def _loosened(kind: Kind, parts: Parts) -> Kind:
    """Beside a kind stands what it does not keep; null has been taken out of it already."""
    for part in parts:
        for word in _UNKEPT:
            if part.get(word) not in (None, {}, 0) and not isinstance(core(kind), Missing | Nothing):
                bare = kind.inner if isinstance(kind, Maybe | Loose) else kind
                loose = Loose(bare, f"`{word}` is not kept", below(part.pointer, word))
                return Maybe(loose) if isinstance(kind, Maybe) else loose
    return kind


def _peek(document: Document, place: Place) -> Place:
    try:
        return document.follow(place)
    except Gap:
        return place


def told(kind: Kind) -> list[Remark]:
    """The holes that stand in a kind itself; those in its classes are told with them."""
    match kind:
        case Missing(said=said, pointer=pointer):
            return [Remark("hole", said, pointer)]
        case Loose(inner=inner, said=said, pointer=pointer):
            return [Remark("hole", said, pointer), *told(inner)]
        case Maybe(inner=inner) | Many(item=inner) | Keyed(value=inner):
            return told(inner)
        case Either(members=members):
            return [remark for member in members for remark in told(member)]
    return []
